/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/wire.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

#define PATIENCE (20 * SF_SECOND)

static int listener, server; /* both ends are held by the test */
static struct sf_wire *wire;
static struct sf_addresses addresses;
static struct sf_error error;

static sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

/* Listens at a free port of the loopback; connections are taken by the kernel. */
static void
listen_somewhere(struct sf_address *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->socket;
    *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address->size = sizeof *v4;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)v4, address->size), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)v4, &address->size), 0);
}

static void
set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    addresses.count = 1;
    listen_somewhere(&addresses.list[0]);
    ck_assert_int_eq(listen(listener, 8), 0);
    wire = NULL;
    server = -1;
}

static void
tear_down(void)
{
    sf_wire_close(wire);
    if (server >= 0)
        close(server);
    close(listener);
}

static void
connect_both(void)
{
    ck_assert_msg(sf_wire_open(&wire, &addresses, NULL, soon(), &error) == SF_OK, "%s", error.text);
    server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
}

static void
answer(const char *text)
{
    ck_assert_int_eq(send(server, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static enum sf_status
receive(char *bytes, size_t room, size_t *size_out, sf_time deadline)
{
    return sf_wire_receive(wire, bytes, room, size_out, deadline, &error);
}

START_TEST(test_what_is_sent_arrives_both_ways)
{
    char bytes[16];
    size_t size;
    connect_both();
    ck_assert_int_eq(sf_wire_send(wire, sf_span_text("ping"), soon(), &error), SF_OK);
    ck_assert_int_eq(recv(server, bytes, sizeof bytes, 0), 4);
    ck_assert(memcmp(bytes, "ping", 4) == 0);
    answer("pong");
    ck_assert_int_eq(receive(bytes, sizeof bytes, &size, soon()), SF_OK);
    ck_assert_uint_eq(size, 4);
    ck_assert(memcmp(bytes, "pong", 4) == 0);
}
END_TEST

START_TEST(test_no_more_is_received_than_there_is_room_for)
{
    char bytes[4];
    size_t size;
    connect_both();
    answer("123456");
    ck_assert_int_eq(receive(bytes, sizeof bytes, &size, soon()), SF_OK);
    ck_assert_uint_eq(size, 4);
    ck_assert_int_eq(receive(bytes, sizeof bytes, &size, soon()), SF_OK);
    ck_assert_uint_eq(size, 2);
}
END_TEST

START_TEST(test_server_that_says_nothing_is_waited_for_until_the_deadline)
{
    char byte;
    size_t size;
    connect_both();
    sf_time began = sf_clock_steady();
    ck_assert_int_eq(receive(&byte, 1, &size, began + 30), SF_UNAVAILABLE);
    ck_assert_int_ge(sf_clock_steady(), began + 30);
    ck_assert_str_eq(error.text, "no answer in time");
}
END_TEST

START_TEST(test_deadline_in_the_past_sends_and_receives_nothing)
{
    char byte;
    size_t size;
    connect_both();
    answer("x");
    ck_assert_int_eq(receive(&byte, 1, &size, sf_clock_steady() - 1), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_wire_send(wire, sf_span_text("x"), sf_clock_steady() - 1, &error), SF_UNAVAILABLE);
    ck_assert_int_eq(recv(server, &byte, 1, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(test_server_that_takes_nothing_leaves_a_write_uncertain)
{
    size_t size = 64 << 20;
    void *much = calloc(1, size);
    connect_both();
    ck_assert_int_eq(sf_wire_send(wire, sf_span_of(much, size), sf_clock_steady() + 100, &error), SF_UNCERTAIN);
    free(much);
}
END_TEST

static void *
read_all(void *unused)
{
    static char bytes[65536];
    ssize_t got;
    size_t all = 0;
    (void)unused;
    while ((got = recv(server, bytes, sizeof bytes, 0)) > 0)
        all += (size_t)got;
    return (void *)all;
}

START_TEST(test_more_than_the_socket_holds_is_sent_whole)
{
    pthread_t reader;
    void *all;
    size_t size = 16 << 20;
    void *much = calloc(1, size);
    connect_both();
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, NULL), 0);
    ck_assert_int_eq(sf_wire_send(wire, sf_span_of(much, size), soon(), &error), SF_OK);
    sf_wire_close(wire);
    wire = NULL;
    pthread_join(reader, &all);
    ck_assert_uint_eq((size_t)all, size);
    free(much);
}
END_TEST

START_TEST(test_closed_by_the_server)
{
    char byte;
    size_t size;
    connect_both();
    ck_assert(sf_wire_is_quiet(wire));
    ck_assert_int_eq(shutdown(server, SHUT_WR), 0);
    ck_assert_int_eq(receive(&byte, 1, &size, soon()), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "closed by the server");
    ck_assert(!sf_wire_is_quiet(wire));
}
END_TEST

START_TEST(test_reset_by_the_server)
{
    char byte;
    size_t size;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    connect_both();
    ck_assert_int_eq(setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(server);
    server = -1;
    ck_assert_int_eq(receive(&byte, 1, &size, soon()), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "reset"));
    ck_assert_int_eq(sf_wire_send(wire, sf_span_text("x"), soon(), &error), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_answer_that_nobody_asked_for_is_not_quiet)
{
    connect_both();
    ck_assert(sf_wire_is_quiet(wire));
    answer("x");
    while (sf_wire_is_quiet(wire))
        usleep(1000);
}
END_TEST

START_TEST(test_any_of_several_is_waited_for)
{
    struct sf_wire *second;
    connect_both();
    ck_assert_int_eq(sf_wire_open(&second, &addresses, NULL, soon(), &error), SF_OK);
    struct sf_wire *const both[] = {second, wire};
    ck_assert(!sf_wire_wait_any(both, 2, sf_clock_steady() + 20));
    answer("x");
    ck_assert(sf_wire_wait_any(both, 2, soon()));
    ck_assert(!sf_wire_wait_any(both, 1, sf_clock_steady()));
    sf_wire_close(second);
}
END_TEST

/* ---- connecting ---- */

START_TEST(test_refused_connection_says_where)
{
    close(listener); /* nobody is there any more */
    listen_somewhere(&addresses.list[0]);
    ck_assert_int_eq(sf_wire_open(&wire, &addresses, NULL, soon(), &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "127.0.0.1: Connection refused");
    ck_assert_ptr_null(wire);
}
END_TEST

START_TEST(test_next_address_is_tried)
{
    int deaf;
    addresses.list[1] = addresses.list[0];
    addresses.count = 2;
    deaf = listener;
    listen_somewhere(&addresses.list[0]); /* bound, and nobody listens */
    close(listener);
    listener = deaf;
    connect_both();
}
END_TEST

/* A full queue of connections takes no more: the kernel lets them wait. */
START_TEST(test_server_that_does_not_accept_is_left_at_the_deadline)
{
    struct sf_wire *fill[64];
    size_t filled = 0;
    close(listener);
    listen_somewhere(&addresses.list[0]);
    ck_assert_int_eq(listen(listener, 1), 0);
    while (filled < 64
           && sf_wire_open(&fill[filled], &addresses, NULL, sf_clock_steady() + 50, &error) == SF_OK)
        filled++;
    ck_assert_uint_lt(filled, 64);
    ck_assert_str_eq(error.text, "127.0.0.1: no answer in time");
    while (filled > 0)
        sf_wire_close(fill[--filled]);
}
END_TEST

START_TEST(test_missing_unix_socket_says_where)
{
    struct sf_resolver *resolver = sf_resolver_new("/nowhere/x.sock", 0, sf_resolver_ask_system);
    ck_assert_int_eq(sf_resolver_find(resolver, soon(), &addresses, &error), SF_OK);
    ck_assert_int_eq(sf_wire_open(&wire, &addresses, NULL, soon(), &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "/nowhere/x.sock: No such file or directory");
    sf_resolver_free(resolver);
}
END_TEST

START_TEST(test_close_accepts_null)
{
    sf_wire_close(NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("wire");
    TCase *plain = tcase_create("plain");
    tcase_set_timeout(plain, 60);
    tcase_add_checked_fixture(plain, set_up, tear_down);
    tcase_add_test(plain, test_what_is_sent_arrives_both_ways);
    tcase_add_test(plain, test_no_more_is_received_than_there_is_room_for);
    tcase_add_test(plain, test_server_that_says_nothing_is_waited_for_until_the_deadline);
    tcase_add_test(plain, test_deadline_in_the_past_sends_and_receives_nothing);
    tcase_add_test(plain, test_server_that_takes_nothing_leaves_a_write_uncertain);
    tcase_add_test(plain, test_more_than_the_socket_holds_is_sent_whole);
    tcase_add_test(plain, test_closed_by_the_server);
    tcase_add_test(plain, test_reset_by_the_server);
    tcase_add_test(plain, test_answer_that_nobody_asked_for_is_not_quiet);
    tcase_add_test(plain, test_any_of_several_is_waited_for);
    tcase_add_test(plain, test_refused_connection_says_where);
    tcase_add_test(plain, test_next_address_is_tried);
    tcase_add_test(plain, test_server_that_does_not_accept_is_left_at_the_deadline);
    tcase_add_test(plain, test_missing_unix_socket_says_where);
    tcase_add_test(plain, test_close_accepts_null);
    suite_add_tcase(suite, plain);
    return sf_run_suite(suite);
}
