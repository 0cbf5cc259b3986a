/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What needs no server: URLs, and servers that are none. tests/integration/test_store_postgresql.py
 * has real ones.
 */
#include "common/store/store.h"

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

#define PATIENCE (10 * SF_SECOND)
#define SHORT 300 /* ms */

static struct sf_store *store;
static int listener;
static unsigned port;

static void
set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    store = NULL;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
}

static void
tear_down(void)
{
    sf_store_close(store);
    close(listener);
}

static void
open_store(void)
{
    struct sf_error error = {.status = SF_OK};
    char url[128];
    snprintf(url, sizeof url, "postgresql://joe:s3cret@127.0.0.1:%u/sessions?sslmode=disable",
             port);
    ck_assert_msg(sf_store_open(&store, url, "/tmp", &error) == SF_OK, "%s", error.text);
}

static void
assert_refused(const char *url, const char *why)
{
    struct sf_error error = {.status = SF_OK};
    ck_assert_int_eq(sf_store_open(&store, url, "/tmp", &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, why));
    ck_assert_ptr_null(strstr(error.text, "s3cret"));
    ck_assert_ptr_null(store);
}

START_TEST(test_url_that_is_none_is_refused)
{
    assert_refused("postgresql:sessions", "//");
    assert_refused("postgresql://joe:s3cret@localhost/x?shema=y", "schema");
    assert_refused("postgresql://joe:s3cret@localhost/x?pgbouncer=yes", "pgbouncer");
}
END_TEST

/* Attach, load and write answer "unavailable" and say why. */
static void
assert_unavailable(sf_time patience, const char *why)
{
    struct sf_error error = {.status = SF_OK};
    struct sf_key key = sf_test_key(1);
    struct sf_stored stored;
    size_t removed;
    ck_assert_int_eq(store->ops->attach(store, sf_clock_steady() + patience, &error),
                     SF_UNAVAILABLE);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + patience, &stored),
                     SF_UNAVAILABLE);
    sf_buffer_fini(&stored.record);
    struct sf_write touch = sf_test_touch(1, 5, 0);
    ck_assert_int_eq(store->ops->write(store, &touch, 1, sf_clock_steady() + patience),
                     SF_UNAVAILABLE);
    ck_assert_int_eq(store->ops->sweep(store, 5, 10, sf_clock_steady() + patience, &removed),
                     SF_UNAVAILABLE);
    store->ops->explain(store, &error);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
    ck_assert_ptr_nonnull(strstr(error.text, "127.0.0.1"));
    ck_assert_ptr_null(strstr(error.text, "s3cret"));
}

START_TEST(test_nobody_listens)
{
    open_store();
    assert_unavailable(PATIENCE, "refused");
}
END_TEST

START_TEST(test_silent_server_is_left_at_the_deadline)
{
    ck_assert_int_eq(listen(listener, 16), 0);
    open_store();
    sf_time began = sf_clock_steady();
    assert_unavailable(SHORT, "no answer before the deadline");
    ck_assert_int_ge(sf_clock_steady() - began, 4 * SHORT);
}
END_TEST

START_TEST(test_no_time_at_all)
{
    open_store();
    assert_unavailable(0, "no time left");
}
END_TEST

static const char *greeting;

/* Until the listener is shut down. */
static void *
serve(void *unused)
{
    int client;
    (void)unused;
    while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        char request[1024];
        if (read(client, request, sizeof request) > 0)
            (void)!write(client, greeting, strlen(greeting));
        close(client);
    }
    return NULL;
}

static void
assert_unavailable_from(const char *says, const char *why)
{
    pthread_t server;
    greeting = says;
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
    open_store();
    assert_unavailable(PATIENCE, why);
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
}

START_TEST(test_server_that_hangs_up)
{
    assert_unavailable_from("", "closed the connection");
}
END_TEST

START_TEST(test_server_of_another_kind)
{
    assert_unavailable_from("HTTP/1.1 400 Bad Request\r\n\r\n", "127.0.0.1");
}
END_TEST

START_TEST(test_empty_batch_needs_no_server)
{
    open_store();
    ck_assert_int_eq(store->ops->write(store, NULL, 0, sf_clock_steady() + SHORT), SF_OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_postgresql");
    TCase *alone = tcase_create("without_server");
    tcase_set_timeout(alone, 60);
    tcase_add_checked_fixture(alone, set_up, tear_down);
    tcase_add_test(alone, test_url_that_is_none_is_refused);
    tcase_add_test(alone, test_nobody_listens);
    tcase_add_test(alone, test_silent_server_is_left_at_the_deadline);
    tcase_add_test(alone, test_no_time_at_all);
    tcase_add_test(alone, test_server_that_hangs_up);
    tcase_add_test(alone, test_server_of_another_kind);
    tcase_add_test(alone, test_empty_batch_needs_no_server);
    suite_add_tcase(suite, alone);
    return sf_run_suite(suite);
}
