/* SPDX-License-Identifier: Apache-2.0 */
/* An application of a few lines in a thread; real ones are behind web servers in tests/integration.
 */
#include "fcgi_gateway/upstream.h"

#include <apr_general.h>
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi_gateway/upstream_link.h"
#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/gateway_case.h"

static struct sf_temp_folder folder;
static int listener;

static void
listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 10), 0);
}

struct script {
    struct sf_buffer says;
    size_t split;       /* says it in pieces of this size; 0: at once */
    unsigned requests;  /* over one connection */
    bool is_held;       /* does not close until we do */
    bool is_asleep;     /* accepts, and does nothing */
    unsigned connected; /* how often */
    size_t body_size;   /* of what it got */
    unsigned reads;     /* in how many pieces */
};

static struct script script;
static pthread_t thread;

static void
start(void)
{
    char file[200], path[100];
    script = (struct script){.split = 0};
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/app.sock", folder.path);
    snprintf(file, sizeof file, "<Route /a>\nGatewayUpstream unix:%s\n</Route>\n", path);
    start_gateway(file);
    set_param("A", "1");
    listen_at(path);
}

static void
finish(void)
{
    finish_gateway();
    sf_buffer_fini(&script.says);
    close(listener);
    sf_temp_folder_fini(&folder);
}

/* ---- the application ---- */

static void
add_to_script(enum sf_fcgi_type type, uint16_t id, struct sf_span content)
{
    if (script.says.limit == 0)
        sf_buffer_init(&script.says, 1 << 22);
    ck_assert_int_eq(sf_fcgi_record_append(&script.says, type, id, content), SF_OK);
}

static void
say_text(enum sf_fcgi_type type, const char *text)
{
    add_to_script(type, 1, sf_span_text(text));
}

static void
say_end(uint32_t application_status, enum sf_fcgi_protocol_status protocol_status)
{
    unsigned char body[SF_FCGI_BODY_BYTES];
    struct sf_fcgi_end end = {application_status, (uint8_t)protocol_status};
    sf_fcgi_end_encode(&end, body);
    say_text(SF_FCGI_STDOUT, "");
    add_to_script(SF_FCGI_END_REQUEST, 1, sf_span_of(body, sizeof body));
}

/* false: the connection is closed. */
static bool
read_request(int socket)
{
    unsigned char bytes[4096];
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    ssize_t got;
    while ((got = read(socket, bytes, sizeof bytes)) > 0) {
        struct sf_span input = sf_span_of(bytes, (size_t)got);
        script.reads++;
        while (sf_fcgi_reader_take(&reader, &input, &piece) == SF_OK) {
            script.body_size += piece.type == SF_FCGI_STDIN ? piece.content.size : 0;
            if (piece.type == SF_FCGI_STDIN && piece.record_size == 0)
                return true;
        }
    }
    return false;
}

static void
speak(int socket)
{
    size_t said = 0;
    while (said < script.says.size) {
        size_t size = script.says.size - said;
        if (script.split > 0 && script.split < size)
            size = script.split;
        if (send(socket, script.says.data + said, size, MSG_NOSIGNAL) != (ssize_t)size)
            return;
        said += size;
    }
}

static void *
play(void *context)
{
    char byte;
    (void)context;
    int socket = accept(listener, NULL, NULL);
    script.connected++;
    for (unsigned i = 0; !script.is_asleep && i < script.requests && read_request(socket); i++)
        speak(socket);
    while (script.is_held && read(socket, &byte, 1) > 0)
        ;
    close(socket);
    return NULL;
}

static void
start_application(void)
{
    if (script.requests == 0)
        script.requests = 1;
    ck_assert_int_eq(pthread_create(&thread, NULL, play, NULL), 0);
}

static void
serve(void)
{
    sf_upstream_serve(&at.request, &at.response);
}

static void
serve_with_application(void)
{
    start_application();
    serve();
    pthread_join(thread, NULL);
}

#define PLAIN(status) "Status: " status "\r\nContent-Type: text/plain\r\n"
#define BAD PLAIN("502 Bad Gateway") "\r\n502 Bad Gateway\n"
#define BUSY PLAIN("503 Service Unavailable") "Retry-After: 1\r\n\r\n503 Service Unavailable\n"
#define LATE PLAIN("504 Gateway Timeout") "\r\n504 Gateway Timeout\n"

START_TEST(test_answer_goes_on_with_its_errors_and_its_status)
{
    say_text(SF_FCGI_STDERR, "first");
    say_text(SF_FCGI_STDOUT, "A: 1\r\n\r\nbo");
    say_text(SF_FCGI_STDERR, " second");
    say_text(SF_FCGI_STDOUT, "dy");
    say_end(7, SF_FCGI_REQUEST_COMPLETE);
    serve_with_application();
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nbody");
    assert_errors("first second");
    ck_assert_uint_eq(at.request.application_status, 7);
    ck_assert(at.connection.is_ended);
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BODY);
}
END_TEST

START_TEST(test_answer_may_come_byte_by_byte)
{
    script.split = 1;
    say_text(SF_FCGI_STDOUT, "A: 1\n\nx");
    say_end(258, SF_FCGI_REQUEST_COMPLETE);
    serve_with_application();
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nx");
    ck_assert_uint_eq(at.request.application_status, 258);
}
END_TEST

/* The web server sends a body, and reads nothing until it has. */
START_TEST(test_body_is_streamed)
{
    static char content[1 << 15];
    memset(content, 'x', sizeof content - 1);
    send_body(content);
    say_text(SF_FCGI_STDOUT, "A: 1\n\n");
    say_end(0, SF_FCGI_REQUEST_COMPLETE);
    serve_with_application();
    ck_assert_uint_eq(script.body_size, sizeof content - 1);
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\n");
}
END_TEST

/*
 * libfcgi takes the end of a body that comes after its answer for a broken request, and closes the
 * connection that was to be kept.
 */
START_TEST(test_small_body_comes_with_the_parameters)
{
    send_body("a=1");
    sf_connection_step(&at.connection, POLLIN);
    say_text(SF_FCGI_STDOUT, "A: 1\n\n");
    say_end(0, SF_FCGI_REQUEST_COMPLETE);
    serve_with_application();
    ck_assert_uint_eq(script.body_size, 3);
    ck_assert_uint_eq(script.reads, 1);
}
END_TEST

START_TEST(test_nobody_there_is_unavailable)
{
    shutdown(listener, SHUT_RDWR);
    close(listener);
    serve();
    assert_output(BUSY);
}
END_TEST

START_TEST(test_loss_before_the_headers_is_a_bad_gateway)
{
    say_text(SF_FCGI_STDOUT, "A: 1\n");
    serve_with_application();
    assert_output(BAD);
}
END_TEST

START_TEST(test_loss_behind_the_headers_breaks_the_answer)
{
    say_text(SF_FCGI_STDOUT, "A: 1\n\nhal");
    serve_with_application();
    assert_output("Status: 200 OK\r\nA: 1\r\n\r\nhal");
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BROKEN);
}
END_TEST

START_TEST(test_overloaded_application_is_unavailable)
{
    say_end(0, SF_FCGI_OVERLOADED);
    serve_with_application();
    assert_output(BUSY);
}
END_TEST

START_TEST(test_role_that_it_does_not_know_is_a_bad_gateway)
{
    say_end(0, SF_FCGI_UNKNOWN_ROLE);
    serve_with_application();
    assert_output(BAD);
}
END_TEST

START_TEST(test_records_of_another_request_are_a_bad_gateway)
{
    add_to_script(SF_FCGI_STDOUT, 2, sf_span_text("A: 1\n\n"));
    serve_with_application();
    assert_output(BAD);
}
END_TEST

START_TEST(test_what_is_no_fastcgi_is_a_bad_gateway)
{
    sf_buffer_init(&script.says, 100);
    ck_assert_int_eq(sf_buffer_append_text(&script.says, "HTTP/1.1 200 OK\r\n"), SF_OK);
    serve_with_application();
    assert_output(BAD);
}
END_TEST

START_TEST(test_silent_application_is_a_timeout)
{
    options()->gateway_timeout = 20;
    script.is_asleep = script.is_held = true;
    serve_with_application();
    assert_output(LATE);
}
END_TEST

START_TEST(test_limit_of_the_request_is_a_timeout)
{
    options()->gateway_time_limit = 20;
    script.is_asleep = script.is_held = true;
    serve_with_application();
    assert_output(LATE);
}
END_TEST

START_TEST(test_web_server_that_goes_closes_the_connection)
{
    script.is_asleep = script.is_held = true;
    web_server_close(&at.web);
    serve_with_application(); /* which ends when the application's read does */
    ck_assert_int_eq(at.response.state, SF_RESPONSE_BROKEN);
}
END_TEST

START_TEST(test_full_upstream_is_unavailable)
{
    struct sf_upstream_pool *taken =
        sf_upstream_pools_find(&at.gateway.upstreams, options()->upstream);
    struct sf_upstream_place place;
    options()->upstream_connections = 1;
    options()->upstream_queue = 0;
    ck_assert_int_eq(sf_upstream_pool_take(taken, options(), NULL, 0, &place), SF_OK);
    ck_assert(!place.has_waited);
    serve();
    assert_output(BUSY);
    sf_upstream_pool_give(taken, options(), -1);
}
END_TEST

START_TEST(test_connection_is_used_for_the_next_request_where_that_is_wanted)
{
    options()->upstream_keep_alive = 1;
    script.requests = 2;
    say_text(SF_FCGI_STDOUT, "A: 1\n\nx");
    say_end(0, SF_FCGI_REQUEST_COMPLETE);
    start_application();
    for (int i = 0; i < 2; i++) {
        serve();
        assert_output("Status: 200 OK\r\nA: 1\r\n\r\nx");
        next_request();
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(script.connected, 1);
}
END_TEST

/* Two processes of the application, one behind the other. */
START_TEST(test_kept_connection_that_has_ended_is_replaced)
{
    options()->upstream_keep_alive = 1;
    say_text(SF_FCGI_STDOUT, "A: 1\n\nx");
    say_end(0, SF_FCGI_REQUEST_COMPLETE);
    for (unsigned i = 1; i <= 2; i++) {
        serve_with_application();
        assert_output("Status: 200 OK\r\nA: 1\r\n\r\nx");
        next_request();
        ck_assert_uint_eq(script.connected, i);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("upstream");
    TCase *tests = tcase_create("upstream");
    apr_initialize();
    tcase_add_checked_fixture(tests, start, finish);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_answer_goes_on_with_its_errors_and_its_status);
    tcase_add_test(tests, test_answer_may_come_byte_by_byte);
    tcase_add_test(tests, test_body_is_streamed);
    tcase_add_test(tests, test_small_body_comes_with_the_parameters);
    tcase_add_test(tests, test_nobody_there_is_unavailable);
    tcase_add_test(tests, test_loss_before_the_headers_is_a_bad_gateway);
    tcase_add_test(tests, test_loss_behind_the_headers_breaks_the_answer);
    tcase_add_test(tests, test_overloaded_application_is_unavailable);
    tcase_add_test(tests, test_role_that_it_does_not_know_is_a_bad_gateway);
    tcase_add_test(tests, test_records_of_another_request_are_a_bad_gateway);
    tcase_add_test(tests, test_what_is_no_fastcgi_is_a_bad_gateway);
    tcase_add_test(tests, test_silent_application_is_a_timeout);
    tcase_add_test(tests, test_limit_of_the_request_is_a_timeout);
    tcase_add_test(tests, test_web_server_that_goes_closes_the_connection);
    tcase_add_test(tests, test_full_upstream_is_unavailable);
    tcase_add_test(tests, test_connection_is_used_for_the_next_request_where_that_is_wanted);
    tcase_add_test(tests, test_kept_connection_that_has_ended_is_replaced);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
