/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/workers.h"

#include <apr_general.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/gateway_case.h"

#define SHORT ((sf_time)50) /* ms, where it is to be over */
#define WEBS 8

static struct sf_temp_folder folder;
static struct sf_listeners listeners;
static struct sf_workers *workers; /* NULL: stopped */
static struct web_server webs[WEBS];
static char place[100];

/* `lines` for the whole gateway. What /a is sent comes back: a request is over when its body is. */
static void
start_workers(int threads, const char *lines)
{
    char file[500];
    struct sf_error error = {.text = ""};
    sf_temp_folder_init(&folder);
    snprintf(place, sizeof place, "%s/gateway.sock", folder.path);
    snprintf(file, sizeof file,
             "GatewayListen unix:%s\nGatewayThreads %d\n%s\n<Route /a>\nGatewayCgiProgram "
             "/bin/cat\n</Route>\n",
             place, threads, lines);
    start_gateway(file);
    signal(SIGPIPE, SIG_IGN);    /* as main does */
    at.gateway.log.write = NULL; /* that of a test is for one thread */
    ck_assert_msg(sf_listeners_open(&listeners, &at.gateway.config, geteuid(), getegid(), &error) ==
                      SF_OK,
                  "%s", error.text);
    ck_assert_int_eq(sf_workers_start(&workers, &at.gateway, &listeners, &error), SF_OK);
}

static unsigned
stop_workers(sf_time timeout, int hurry)
{
    struct sf_workers *stopped = workers;
    workers = NULL;
    return sf_workers_stop(stopped, sf_clock_steady() + timeout, hurry);
}

static void
start(void)
{
    for (int i = 0; i < WEBS; i++)
        webs[i].socket = -1;
}

static void
finish(void)
{
    for (int i = 0; i < WEBS; i++)
        web_server_fini(&webs[i]);
    if (workers != NULL)
        stop_workers(0, -1);
    sf_listeners_close(&listeners);
    finish_gateway();
    sf_temp_folder_fini(&folder);
}

static void
add_beginning(struct web_server *web, bool is_kept)
{
    add_begin(web, 1, SF_FCGI_RESPONDER, is_kept);
    add_param(web, 1, "SCRIPT_NAME", "/a");
}

/* A request, but for its body. */
static void
connect_and_begin(struct web_server *web)
{
    web_server_connect(web, place);
    add_beginning(web, false);
    say_all(web);
}

static void
say_body(struct web_server *web)
{
    add_stream(web, SF_FCGI_STDIN, 1, sf_span_text("A: 1\n\nbody"));
    say_all(web);
}

static void
assert_answered(struct web_server *web)
{
    ck_assert(hear_end(web));
    ck_assert_str_eq(output_of(web), "Status: 200 OK\r\nA: 1\r\n\r\nbody");
    sf_buffer_clear(&web->output);
}

static void
assert_closed(struct web_server *web)
{
    ck_assert(!hear_end(web));
}

/* Whose thread waits for it. */
static void
make_busy(struct web_server *web)
{
    connect_and_begin(web);
    await_reader(web);
}

static void
assert_another_is_answered(struct web_server *web)
{
    connect_and_begin(web);
    say_body(web);
    assert_answered(web);
}

/* ---- threads ---- */

START_TEST(test_requests_are_served_one_after_the_other)
{
    start_workers(1, "");
    for (int i = 0; i < 3; i++) {
        assert_another_is_answered(&webs[0]);
        assert_closed(&webs[0]);
        web_server_fini(&webs[0]);
    }
}
END_TEST

START_TEST(test_as_many_are_served_at_a_time_as_there_are_threads)
{
    start_workers(WEBS, "");
    for (int i = 0; i < WEBS; i++)
        make_busy(&webs[i]);
    for (int i = WEBS - 1; i >= 0; i--) {
        say_body(&webs[i]);
        assert_answered(&webs[i]);
    }
}
END_TEST

START_TEST(test_who_waits_is_served_when_a_thread_is_free)
{
    start_workers(2, "GatewayQueueTime 1min");
    make_busy(&webs[0]);
    make_busy(&webs[1]);
    for (int i = 2; i < WEBS; i++) {
        connect_and_begin(&webs[i]);
        say_body(&webs[i]);
    }
    say_body(&webs[1]);
    for (int i = 1; i < WEBS; i++)
        assert_answered(&webs[i]);
    say_body(&webs[0]);
    assert_answered(&webs[0]);
}
END_TEST

/* Of nobody who waits is the request waited for: on a busy machine it may come later than that. */
static void
connect_until_answered(struct web_server *web)
{
    connect_and_begin(web);
    while (!hear_end(web)) {
        web_server_fini(web);
        connect_and_begin(web);
    }
}

START_TEST(test_who_waits_too_long_is_told_to_come_again)
{
    start_workers(1, "GatewayQueueTime 50ms");
    make_busy(&webs[0]);
    for (int i = 1; i < WEBS; i++) {
        connect_until_answered(&webs[i]);
        ck_assert_ptr_nonnull(strstr(output_of(&webs[i]), "Status: 503 "));
        ck_assert_ptr_nonnull(strstr(output_of(&webs[i]), "\r\nRetry-After: 1\r\n"));
    }
    say_body(&webs[0]);
    assert_answered(&webs[0]);
}
END_TEST

/* Only one finds room in the queue; the kernel keeps the others. */
START_TEST(test_queue_that_is_full_loses_nobody)
{
    start_workers(1, "GatewayBacklog 1\nGatewayQueueTime 1min");
    make_busy(&webs[0]);
    connect_and_begin(&webs[1]);
    connect_and_begin(&webs[2]);
    say_body(&webs[0]);
    assert_answered(&webs[0]);
    for (int i = 1; i <= 2; i++) {
        say_body(&webs[i]);
        assert_answered(&webs[i]);
    }
}
END_TEST

/* ---- connections ---- */

START_TEST(test_connection_is_kept_while_nobody_waits)
{
    start_workers(1, "");
    web_server_connect(&webs[0], place);
    for (int i = 0; i < 3; i++) {
        add_beginning(&webs[0], true);
        say_body(&webs[0]);
        assert_answered(&webs[0]);
    }
}
END_TEST

START_TEST(test_kept_connection_makes_room_for_who_waits)
{
    start_workers(1, "GatewayQueueTime 1min");
    web_server_connect(&webs[0], place);
    add_beginning(&webs[0], true);
    say_body(&webs[0]);
    assert_answered(&webs[0]);
    assert_another_is_answered(&webs[1]);
    assert_closed(&webs[0]);
}
END_TEST

START_TEST(test_silent_connection_makes_room_for_who_waits)
{
    start_workers(1, "GatewayQueueTime 1min");
    web_server_connect(&webs[0], place);
    assert_another_is_answered(&webs[1]);
    assert_closed(&webs[0]);
}
END_TEST

START_TEST(test_silent_connection_is_closed_in_the_end)
{
    start_workers(1, "GatewayIdleTimeout 100ms");
    web_server_connect(&webs[0], place);
    assert_closed(&webs[0]);
    ck_assert_uint_eq(webs[0].heard.size, 0);
}
END_TEST

START_TEST(test_what_is_no_request_ends_its_connection_only)
{
    start_workers(1, "");
    web_server_connect(&webs[0], place);
    ck_assert_int_eq(sf_buffer_append_text(&webs[0].says, "GET / HTTP/1.0\r\n\r\n"), SF_OK);
    say_all(&webs[0]);
    assert_closed(&webs[0]);
    assert_another_is_answered(&webs[1]);
}
END_TEST

START_TEST(test_request_that_is_too_large_is_answered)
{
    static char much[5000];
    start_workers(1, "GatewayParamsSize 4K");
    memset(much, 'x', sizeof much - 1);
    web_server_connect(&webs[0], place);
    add_begin(&webs[0], 1, SF_FCGI_RESPONDER, false);
    add_param(&webs[0], 1, "A", much);
    say_all(&webs[0]);
    ck_assert(hear_end(&webs[0]));
    ck_assert_ptr_nonnull(strstr(output_of(&webs[0]), "Status: 431 "));
    assert_closed(&webs[0]);
}
END_TEST

/* ---- the stop ---- */

static void *
stop_gently(void *count_out)
{
    *(unsigned *)count_out = stop_workers(SOON, -1);
    return NULL;
}

START_TEST(test_stop_waits_for_requests_and_takes_no_other)
{
    unsigned cut = 1;
    pthread_t stopper;
    struct pollfd stopping = {.events = POLLIN};
    start_workers(2, "");
    make_busy(&webs[0]);
    stopping.fd = at.gateway.stopping;
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_gently, &cut), 0);
    ck_assert_int_eq(poll(&stopping, 1, (int)SOON), 1);
    say_body(&webs[0]);
    assert_answered(&webs[0]);
    ck_assert_int_eq(pthread_join(stopper, NULL), 0);
    ck_assert_uint_eq(cut, 0);
    connect_and_begin(&webs[1]); /* into the backlog, where nobody is any more */
    sf_listeners_close(&listeners);
    assert_closed(&webs[1]);
}
END_TEST

START_TEST(test_stop_ends_connections_that_are_kept)
{
    start_workers(2, "");
    web_server_connect(&webs[0], place);
    add_beginning(&webs[0], true);
    say_body(&webs[0]);
    assert_answered(&webs[0]);
    ck_assert_uint_eq(stop_workers(SOON, -1), 0);
    assert_closed(&webs[0]);
}
END_TEST

START_TEST(test_stop_cuts_off_what_does_not_end)
{
    start_workers(2, "");
    make_busy(&webs[0]);
    ck_assert_uint_ge(stop_workers(SHORT, -1), 1);
    assert_closed(&webs[0]);
}
END_TEST

START_TEST(test_stop_in_a_hurry_waits_for_nobody)
{
    int hurry = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    start_workers(2, "");
    make_busy(&webs[0]);
    ck_assert_uint_ge(stop_workers(100 * SOON, hurry), 1);
    close(hurry);
    assert_closed(&webs[0]);
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("workers");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_requests_are_served_one_after_the_other);
    tcase_add_test(all, test_as_many_are_served_at_a_time_as_there_are_threads);
    tcase_add_test(all, test_who_waits_is_served_when_a_thread_is_free);
    tcase_add_test(all, test_who_waits_too_long_is_told_to_come_again);
    tcase_add_test(all, test_queue_that_is_full_loses_nobody);
    tcase_add_test(all, test_connection_is_kept_while_nobody_waits);
    tcase_add_test(all, test_kept_connection_makes_room_for_who_waits);
    tcase_add_test(all, test_silent_connection_makes_room_for_who_waits);
    tcase_add_test(all, test_silent_connection_is_closed_in_the_end);
    tcase_add_test(all, test_what_is_no_request_ends_its_connection_only);
    tcase_add_test(all, test_request_that_is_too_large_is_answered);
    tcase_add_test(all, test_stop_waits_for_requests_and_takes_no_other);
    tcase_add_test(all, test_stop_ends_connections_that_are_kept);
    tcase_add_test(all, test_stop_cuts_off_what_does_not_end);
    tcase_add_test(all, test_stop_in_a_hurry_waits_for_nobody);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
