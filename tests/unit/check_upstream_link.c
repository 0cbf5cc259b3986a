/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/upstream_link.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

static struct sf_upstream_link link_;
static struct sf_params params;
static int application; /* its end */

static void
start(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    application = ends[1];
    ck_assert_int_eq(sf_upstream_link_init(&link_), SF_OK);
    sf_upstream_link_use(&link_, ends[0]);
    sf_params_init(&params, 4096, 50);
    ck_assert_int_eq(sf_params_set_text(&params, "A", "1"), SF_OK);
}

static void
finish(void)
{
    sf_upstream_link_fini(&link_);
    sf_params_fini(&params);
    if (application >= 0)
        close(application);
}

static void
begin(void)
{
    struct sf_fcgi_begin begin = {.role = SF_FCGI_RESPONDER};
    ck_assert_int_eq(sf_upstream_link_begin(&link_, &begin, &params), SF_OK);
}

static void
add_body(const char *text)
{
    ck_assert(sf_upstream_link_wants_body(&link_));
    ck_assert_int_eq(sf_upstream_link_add_body(&link_, sf_span_text(text)), SF_OK);
    sf_upstream_link_step(&link_, POLLOUT, 0);
}

/* What the application has got: "type:size;" for each record. */
static void
assert_got(const char *expected)
{
    static unsigned char bytes[1 << 16];
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    char seen[200] = "";
    ssize_t got = read(application, bytes, sizeof bytes);
    struct sf_span input = sf_span_of(bytes, got > 0 ? (size_t)got : 0);
    while (sf_fcgi_reader_take(&reader, &input, &piece) == SF_OK) {
        ck_assert_uint_eq(piece.id, SF_UPSTREAM_REQUEST_ID);
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%u:%u;", piece.type,
                 piece.record_size);
    }
    ck_assert_str_eq(seen, expected);
}

static void
say(enum sf_fcgi_type type, const char *content)
{
    struct sf_buffer records;
    sf_buffer_init(&records, 1 << 20);
    ck_assert_int_eq(sf_fcgi_record_append(&records, type, 1, sf_span_text(content)), SF_OK);
    ck_assert_int_eq(write(application, records.data, records.size), (ssize_t)records.size);
    sf_buffer_fini(&records);
}

static void
answer_all(void)
{
    struct sf_fcgi_piece piece;
    say(SF_FCGI_END_REQUEST, "12345678");
    sf_upstream_link_step(&link_, POLLIN, 4096);
    while (sf_upstream_link_take(&link_, &piece) == SF_OK)
        ;
}

START_TEST(test_request_leaves_in_the_order_of_the_protocol)
{
    begin();
    ck_assert(!sf_upstream_link_wants_body(&link_));
    ck_assert_int_eq(sf_upstream_link_events(&link_, 0), POLLOUT);
    sf_upstream_link_step(&link_, POLLOUT, 0);
    add_body("hello");
    add_body("");
    ck_assert(!sf_upstream_link_wants_body(&link_));
    ck_assert_int_eq(sf_upstream_link_events(&link_, 1), POLLIN);
    assert_got("1:8;4:4;4:0;5:5;5:0;");
}
END_TEST

START_TEST(test_no_more_is_read_than_there_is_room)
{
    struct sf_fcgi_piece piece;
    say(SF_FCGI_STDOUT, "12345678");
    sf_upstream_link_step(&link_, POLLIN, 0);
    ck_assert_uint_eq(link_.got, 0);
    sf_upstream_link_step(&link_, POLLIN, 10);
    ck_assert_uint_eq(link_.got, 10);
    ck_assert_int_eq(sf_upstream_link_take(&link_, &piece), SF_OK);
    ck_assert(sf_span_equal(piece.content, sf_span_text("12")));
    ck_assert_int_eq(sf_upstream_link_take(&link_, &piece), SF_NOT_FOUND);
    ck_assert_int_eq(sf_upstream_link_events(&link_, 0), 0);
}
END_TEST

START_TEST(test_what_was_said_before_the_end_is_read)
{
    struct sf_fcgi_piece piece;
    say(SF_FCGI_STDOUT, "last");
    close(application);
    application = -1;
    sf_upstream_link_step(&link_, POLLIN | POLLHUP, 4096);
    ck_assert_int_eq(sf_upstream_link_take(&link_, &piece), SF_OK);
    ck_assert(!link_.is_over);
    ck_assert_int_eq(sf_upstream_link_take(&link_, &piece), SF_NOT_FOUND);
    sf_upstream_link_step(&link_, POLLIN | POLLHUP, 4096);
    ck_assert(link_.is_over);
}
END_TEST

START_TEST(test_request_that_did_not_begin_to_leave_can_be_sent_elsewhere)
{
    int ends[2];
    begin();
    close(application);
    sf_upstream_link_step(&link_, POLLOUT, 0);
    ck_assert(link_.is_deaf);
    ck_assert_uint_eq(link_.sent, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    application = ends[1];
    sf_upstream_link_use(&link_, ends[0]);
    sf_upstream_link_step(&link_, POLLOUT, 0);
    assert_got("1:8;4:4;4:0;");
}
END_TEST

START_TEST(test_body_that_nobody_takes_is_dropped)
{
    begin();
    sf_upstream_link_step(&link_, POLLOUT, 0);
    shutdown(application, SHUT_RD);
    add_body("nobody reads it");
    ck_assert(link_.is_deaf);
    add_body("nor this");
    ck_assert_uint_eq(link_.out.size, 0);
    say(SF_FCGI_STDOUT, "but");
    sf_upstream_link_step(&link_, POLLIN, 4096);
    ck_assert_uint_gt(link_.got, 0);
}
END_TEST

START_TEST(test_connection_is_reusable_behind_a_whole_request_and_answer)
{
    begin();
    sf_upstream_link_step(&link_, POLLOUT, 0);
    add_body("");
    answer_all();
    ck_assert(sf_upstream_link_is_reusable(&link_));
    int socket = sf_upstream_link_release(&link_);
    ck_assert_int_ge(socket, 0);
    close(socket);
}
END_TEST

START_TEST(test_connection_is_not_reusable_before_the_body_has_left)
{
    begin();
    sf_upstream_link_step(&link_, POLLOUT, 0);
    add_body("first part");
    answer_all();
    ck_assert(!sf_upstream_link_is_reusable(&link_));
}
END_TEST

/* ---- connecting ---- */

static void
parse(struct sf_endpoint *endpoint, const char *text)
{
    ck_assert_int_eq(sf_endpoint_parse(endpoint, text, NULL), SF_OK);
}

START_TEST(test_unix_socket_that_is_not_there)
{
    struct sf_endpoint endpoint;
    parse(&endpoint, "unix:/nowhere/at/all");
    ck_assert_int_eq(sf_upstream_link_connect(&link_, &endpoint), SF_UNAVAILABLE);
    ck_assert_int_eq(link_.error, ENOENT);
}
END_TEST

/* A port of which nobody else knows; listening when wanted. */
static int
make_port(struct sf_endpoint *endpoint_out, bool is_listening)
{
    endpoint_out->size = sizeof endpoint_out->address;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int socket_of_port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(socket_of_port, (const struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(
        getsockname(socket_of_port, (struct sockaddr *)&endpoint_out->address, &endpoint_out->size),
        0);
    if (is_listening)
        ck_assert_int_eq(listen(socket_of_port, 5), 0);
    return socket_of_port;
}

static void
await_connection(void)
{
    struct pollfd wait = {link_.socket, sf_upstream_link_events(&link_, 1), 0};
    ck_assert_int_eq(poll(&wait, 1, 20000), 1);
    sf_upstream_link_step(&link_, wait.revents, 1);
}

START_TEST(test_tcp_connects_without_waiting)
{
    struct sf_endpoint endpoint;
    int port = make_port(&endpoint, true);
    ck_assert_int_eq(sf_upstream_link_connect(&link_, &endpoint), SF_OK);
    if (link_.is_connecting)
        await_connection();
    ck_assert(!link_.is_connecting);
    ck_assert(!link_.is_over);
    close(port);
}
END_TEST

START_TEST(test_tcp_port_without_a_listener_is_over_with_a_reason)
{
    struct sf_endpoint endpoint;
    int port = make_port(&endpoint, false);
    if (sf_upstream_link_connect(&link_, &endpoint) == SF_OK) {
        await_connection();
        ck_assert(link_.is_over);
    }
    ck_assert_int_eq(link_.error, ECONNREFUSED);
    close(port);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("upstream_link");
    TCase *tests = tcase_create("upstream_link");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_request_leaves_in_the_order_of_the_protocol);
    tcase_add_test(tests, test_no_more_is_read_than_there_is_room);
    tcase_add_test(tests, test_what_was_said_before_the_end_is_read);
    tcase_add_test(tests, test_request_that_did_not_begin_to_leave_can_be_sent_elsewhere);
    tcase_add_test(tests, test_body_that_nobody_takes_is_dropped);
    tcase_add_test(tests, test_connection_is_reusable_behind_a_whole_request_and_answer);
    tcase_add_test(tests, test_connection_is_not_reusable_before_the_body_has_left);
    tcase_add_test(tests, test_unix_socket_that_is_not_there);
    tcase_add_test(tests, test_tcp_connects_without_waiting);
    tcase_add_test(tests, test_tcp_port_without_a_listener_is_over_with_a_reason);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
