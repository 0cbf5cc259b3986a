/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_run.h"

#include <apr_general.h>
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "tests/support/run_suite.h"
#include "tests/unit/cgi_case.h"

#define SHORT ((sf_time)50) /* ms, where it is to be over */

static void
start(void)
{
    start_cgi_gateway("");
    signal(SIGPIPE, SIG_IGN); /* as main does */
}

static void
serve_path(const char *path)
{
    set_path(path);
    run_application(sf_cgi_serve);
}

static void
serve_script(const char *text)
{
    add_script("x", text);
    serve_path("/a/x");
}

/* While somebody reads what is sent: it may be more than a socket holds. */
static void *
hear_all(void *context)
{
    (void)context;
    hear_end(&at.web);
    return NULL;
}

static void
serve_and_read(const char *text)
{
    pthread_t reader;
    ck_assert_int_eq(pthread_create(&reader, NULL, hear_all, NULL), 0);
    serve_script(text);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
}

/* ---- which program ---- */

START_TEST(test_variables_say_which_program_and_what_is_behind_it)
{
    set_param("DOCUMENT_ROOT", "/srv");
    set_param("SCRIPT_NAME", "/a/e/more");
    set_param("PATH_INFO", "of the web server");
    set_param("CONTENT_LENGTH", "");
    set_param("LD_PRELOAD", "evil");
    set_param("QUERY_STRING", "");
    add_script("e", "printf 'A: 1\\n\\n'; env");
    serve_path("/a/e/more/info");
    assert_begin("Status: 200 OK\r\nA: 1\r\n\r\n");
    ck_assert(has("\nSCRIPT_NAME=/a/e\n"));
    ck_assert(has("PATH_INFO=/more/info\n"));
    ck_assert(has("PATH_TRANSLATED=/srv/more/info\n"));
    ck_assert(has("GATEWAY_INTERFACE=CGI/1.1\n"));
    ck_assert(has("QUERY_STRING=\n"));
    ck_assert(!has("CONTENT_LENGTH"));
    ck_assert(!has("LD_PRELOAD"));
    ck_assert_str_eq(sf_params_get(&at.params, "SCRIPT_FILENAME"),
                     sf_temp_folder_path(&scripts, "e"));
}
END_TEST

START_TEST(test_one_program_serves_its_whole_route)
{
    options()->cgi_directory = "";
    options()->cgi_program = add_script("one", "printf 'A: %s %s\\n\\n' $SCRIPT_NAME $PATH_INFO");
    serve_path("/a/b/c");
    assert_output("Status: 200 OK\r\nA: /a /b/c\r\n\r\n");
}
END_TEST

START_TEST(test_program_that_is_not_there_is_not_found)
{
    serve_path("/a/none");
    assert_begin("Status: 404 ");
    ck_assert(was_told("SF0723: /a/none: answered 404: "));
}
END_TEST

START_TEST(test_what_must_not_be_run_is_forbidden)
{
    serve_path("/a/../x");
    assert_begin("Status: 403 ");
}
END_TEST

START_TEST(test_variables_without_room_are_an_error)
{
    static char much[4096 + SF_PARAMS_OWN_BYTES - 10];
    memset(much, 'x', sizeof much - 1);
    set_param("A", much);
    serve_script("printf 'A: 1\\n\\n'");
    assert_begin("Status: 500 ");
    ck_assert(was_told("SF0720: /a/x: its variables find no room"));
}
END_TEST

/* ---- moving ---- */

START_TEST(test_body_errors_and_exit_status_go_where_they_belong)
{
    send_body("some text");
    serve_script("echo oh >&2; printf 'A: 1\\n\\n'; cat; exit 3");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nsome text");
    assert_errors("oh\n");
    ck_assert_uint_eq(at.request.application_status, 3);
    ck_assert(was_told("SF0724: "));
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BODY);
}
END_TEST

START_TEST(test_signal_that_ends_it_is_told)
{
    serve_script("printf 'A: 1\\n\\n'; kill -9 $$");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\n");
    ck_assert_uint_eq(at.request.application_status, UINT32_MAX);
    ck_assert_ptr_nonnull(strstr(at.log.lines[0], "ended by signal 9"));
}
END_TEST

START_TEST(test_program_may_leave_its_input_unread)
{
    static char body[130000]; /* more than its pipe takes */
    memset(body, 'x', sizeof body - 1);
    send_body(body);
    serve_script("exec <&-; printf 'A: 1\\n\\ndone'");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\ndone");
}
END_TEST

START_TEST(test_much_is_answered_before_anything_is_read)
{
    static char body[60000];
    memset(body, 'x', sizeof body - 1);
    send_body(body);
    serve_and_read("printf 'A: 1\\n\\n'; head -c 1000000 /dev/zero | tr '\\0' y; wc -c");
    ck_assert_uint_eq(at.web.output.size, strlen("Status: 200 OK\r\nA: 1\r\n\r\n") + 1000000 + 6);
    ck_assert_str_eq(output_of(&at.web) + at.web.output.size - 7, "y59999\n");
}
END_TEST

START_TEST(test_errors_as_large_as_you_like_do_not_block_it)
{
    serve_and_read("head -c 300000 /dev/zero | tr '\\0' e >&2; printf 'A: 1\\n\\n'");
    ck_assert_uint_eq(at.web.errors.size, 300000);
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\n");
}
END_TEST

/* ---- the end ---- */

START_TEST(test_silent_program_is_killed_with_all_it_has_started)
{
    options()->gateway_timeout = SHORT;
    serve_script("trap '' TERM\n" ALIVE "sleep 60 & sleep 61");
    assert_begin("Status: 504 Gateway Timeout\r\n");
    await_gone();
}
END_TEST

/* On a busy machine before it has begun to answer. */
START_TEST(test_program_that_takes_too_long_is_broken_off)
{
    options()->gateway_time_limit = SHORT;
    serve_and_read(ALIVE "printf 'A: 1\\n\\n'; while :; do echo more; done");
    bool has_begun = has("A: 1\r\n");
    assert_begin(has_begun ? "Status: 200 " : "Status: 504 ");
    ck_assert_int_eq(at.response.state, has_begun ? SF_RESPONSE_BROKEN : SF_RESPONSE_FAILED);
    await_gone();
}
END_TEST

START_TEST(test_program_whose_headers_are_refused_is_killed)
{
    serve_script(ALIVE "echo no header; exec sleep 60");
    assert_begin("Status: 502 ");
    ck_assert_int_eq(at.response.state, SF_RESPONSE_FAILED);
    await_gone();
}
END_TEST

static void *
leave_when_begun(void *context)
{
    (void)context;
    await_begun();
    web_server_close(&at.web);
    return NULL;
}

START_TEST(test_program_ends_when_the_web_server_goes)
{
    pthread_t leaver;
    ck_assert_int_eq(pthread_create(&leaver, NULL, leave_when_begun, NULL), 0);
    serve_script(ALIVE "sleep 60 & wait");
    ck_assert_int_eq(pthread_join(leaver, NULL), 0);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BROKEN);
    ck_assert_int_eq(at.connection.state, SF_CONNECTION_LOST);
    await_gone();
}
END_TEST

static void *
cut_when_begun(void *context)
{
    (void)context;
    await_begun();
    eventfd_write(at.gateway.cutting, 1);
    return NULL;
}

START_TEST(test_program_ends_when_the_gateway_does)
{
    pthread_t cutter;
    ck_assert_int_eq(pthread_create(&cutter, NULL, cut_when_begun, NULL), 0);
    serve_script(ALIVE "sleep 60 & wait");
    ck_assert_int_eq(pthread_join(cutter, NULL), 0);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BROKEN);
    await_gone();
}
END_TEST

START_TEST(test_background_does_not_hold_the_answer_up)
{
    int group;
    serve_script(ALIVE "printf 'A: %d\\n\\nbody' $$; sleep 60 &");
    hear(&at.web);
    ck_assert_int_eq(sscanf(output_of(&at.web), "Status: 200 OK A: %d body", &group), 1);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BODY);
    await_begun();
    ck_assert_int_eq(kill(-group, SIGKILL), 0); /* it was there */
    await_gone();
}
END_TEST

START_TEST(test_program_that_works_on_is_left_alone)
{
    serve_script(ALIVE "printf 'A: 1\\n\\nbody'; exec <&- >&- 2>&-; exec sleep 60");
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nbody");
    ck_assert_uint_eq(sf_leftovers_reap(&at.gateway.leftovers), 1);
    pid_t program = at.gateway.leftovers.pids[0];
    ck_assert_int_eq(kill(program, SIGKILL), 0);
    ck_assert_int_eq(waitpid(program, NULL, 0), program);
    await_gone();
}
END_TEST

int
main(void)
{
    apr_initialize();
    Suite *suite = suite_create("cgi_run");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish_cgi_gateway);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_variables_say_which_program_and_what_is_behind_it);
    tcase_add_test(all, test_one_program_serves_its_whole_route);
    tcase_add_test(all, test_program_that_is_not_there_is_not_found);
    tcase_add_test(all, test_what_must_not_be_run_is_forbidden);
    tcase_add_test(all, test_variables_without_room_are_an_error);
    tcase_add_test(all, test_body_errors_and_exit_status_go_where_they_belong);
    tcase_add_test(all, test_signal_that_ends_it_is_told);
    tcase_add_test(all, test_program_may_leave_its_input_unread);
    tcase_add_test(all, test_much_is_answered_before_anything_is_read);
    tcase_add_test(all, test_errors_as_large_as_you_like_do_not_block_it);
    tcase_add_test(all, test_silent_program_is_killed_with_all_it_has_started);
    tcase_add_test(all, test_program_that_takes_too_long_is_broken_off);
    tcase_add_test(all, test_program_whose_headers_are_refused_is_killed);
    tcase_add_test(all, test_program_ends_when_the_web_server_goes);
    tcase_add_test(all, test_program_ends_when_the_gateway_does);
    tcase_add_test(all, test_background_does_not_hold_the_answer_up);
    tcase_add_test(all, test_program_that_works_on_is_left_alone);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
