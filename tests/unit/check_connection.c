/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/connection.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/web_server_case.h"

static struct sf_connection connection;
static struct sf_params params;
static struct web_server web;

static void
start(void)
{
    ck_assert_int_eq(sf_connection_init(&connection, web_server_init(&web)), SF_OK);
    sf_params_init(&params, 4096, 50);
}

static void
finish(void)
{
    sf_connection_fini(&connection);
    sf_params_fini(&params);
    web_server_fini(&web);
}

/* ---- what a web server says ---- */

static void
add_request(uint16_t id, const char *body)
{
    add_begin(&web, id, SF_FCGI_RESPONDER, true);
    add_param(&web, id, "A", "1");
    add_stream(&web, SF_FCGI_STDIN, id, sf_span_text(body));
}

static enum sf_status
begin(sf_time timeout)
{
    const struct sf_connection_times times = {timeout, timeout, 0};
    return sf_connection_begin(&connection, &params, &times, -1);
}

static void
begin_request(const char *body)
{
    add_request(1, body);
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
}

/* ---- the beginning ---- */

/* Says the rest as soon as the first part was taken from the socket. */
static void *
say_rest(void *context)
{
    int unread;
    (void)context;
    do
        ck_assert_int_eq(ioctl(connection.socket, FIONREAD, &unread), 0);
    while (unread > 0);
    say_all(&web);
    return NULL;
}

START_TEST(test_answer_that_is_broken_off_ends_in_no_record)
{
    unsigned char got[100];
    begin_request("");
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("12345678")),
                     SF_OK);
    sf_connection_break_off(&connection, SOON);
    ck_assert_int_eq(connection.state, SF_CONNECTION_LOST);
    ck_assert_int_eq(read(web.socket, got, sizeof got), 24);
    ck_assert_int_eq(got[0], 1);
    ck_assert_int_eq(got[16], 0);
}
END_TEST

START_TEST(test_request_comes_whole_however_it_is_split)
{
    add_request(7, "body");
    size_t size = web.says.size;
    for (size_t cut = 1; cut < size; cut++) {
        pthread_t thread;
        say(&web, cut);
        ck_assert_int_eq(pthread_create(&thread, NULL, say_rest, NULL), 0);
        ck_assert_int_eq(begin(SOON), SF_OK);
        ck_assert_str_eq(sf_params_get(&params, "A"), "1");
        ck_assert_uint_eq(connection.id, 7);
        ck_assert(connection.is_kept);
        ck_assert(sf_connection_skip_body(&connection, SOON));
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        add_request(7, "body");
    }
}
END_TEST

START_TEST(test_silence_before_a_request_is_no_request)
{
    ck_assert_int_eq(begin(NOW), SF_NOT_FOUND);
    web_server_close(&web);
    ck_assert_int_eq(begin(SOON), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_silence_in_a_request_cuts_it_off)
{
    add_request(1, "");
    say(&web, 3);
    ck_assert_int_eq(begin(NOW), SF_UNAVAILABLE);
}
END_TEST

/* With others waiting. */
static enum sf_status
begin_in_a_crowd(sf_time grace)
{
    const struct sf_connection_times times = {SOON, SOON, grace};
    int pipe_ends[2];
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    enum sf_status status = sf_connection_begin(&connection, &params, &times, pipe_ends[0]);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return status;
}

START_TEST(test_who_says_nothing_gives_way_behind_the_grace)
{
    ck_assert_int_eq(begin_in_a_crowd(NOW), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_who_has_had_a_request_gives_way_at_once)
{
    begin_request("");
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    ck_assert(sf_connection_skip_body(&connection, SOON));
    ck_assert_int_eq(begin_in_a_crowd(10 * SOON), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_half_a_request_gives_way_behind_the_grace)
{
    add_request(1, "");
    say(&web, web.says.size / 2);
    ck_assert_int_eq(begin_in_a_crowd(NOW), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_request_that_comes_within_the_grace_is_served)
{
    pthread_t thread;
    add_request(1, "");
    say(&web, web.says.size / 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, say_rest, NULL), 0);
    ck_assert_int_eq(begin_in_a_crowd(SOON), SF_OK);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(test_time_of_a_request_is_for_all_of_it)
{
    const struct sf_connection_times times = {SOON, NOW, 0};
    add_request(1, "");
    say(&web, 3);
    ck_assert_int_eq(sf_connection_begin(&connection, &params, &times, -1), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_request_that_was_aborted_at_its_begin_is_answered)
{
    add_begin(&web, 1, SF_FCGI_RESPONDER, true);
    ck_assert_int_eq(sf_fcgi_record_append(&web.says, SF_FCGI_ABORT_REQUEST, 1, sf_span_text("")),
                     SF_OK);
    add_request(2, "next");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_CONFLICT);
    assert_heard(&web, "6:;3:0,0;");
    ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
    ck_assert_int_eq(begin(SOON), SF_OK);
    ck_assert_uint_eq(connection.id, 2);
}
END_TEST

START_TEST(test_what_is_not_fastcgi_is_refused)
{
    ck_assert_int_eq(sf_buffer_append_text(&web.says, "GET / HTTP/1.1\r\n\r\n"), SF_OK);
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_INVALID);
}
END_TEST

START_TEST(test_body_before_the_end_of_params_is_refused)
{
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text("x"));
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_INVALID);
}
END_TEST

START_TEST(test_too_many_bytes_of_params_can_still_be_answered)
{
    static unsigned char zeros[8192];
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_stream(&web, SF_FCGI_PARAMS, 1, sf_span_of(zeros, sizeof zeros));
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_FULL);
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("no")), SF_OK);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    assert_heard(&web, "6:no;6:;3:0,0;");
}
END_TEST

START_TEST(test_authorizer_has_no_body_to_wait_for)
{
    add_begin(&web, 1, SF_FCGI_AUTHORIZER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    ck_assert(sf_connection_is_body_taken(&connection));
}
END_TEST

START_TEST(test_unknown_role_is_answered)
{
    add_begin(&web, 1, SF_FCGI_FILTER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_CONFLICT);
    assert_heard(&web, "6:;3:0,3;");
    ck_assert_int_eq(connection.state, SF_CONNECTION_LOST);
}
END_TEST

START_TEST(test_connection_is_kept_behind_an_unknown_role)
{
    add_begin(&web, 1, SF_FCGI_FILTER, true);
    add_param(&web, 1, "A", "1");
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text("of nobody"));
    add_stream(&web, SF_FCGI_DATA, 1, sf_span_text("of nobody"));
    add_request(1, "next");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_CONFLICT);
    assert_heard(&web, "6:;3:0,3;");
    ck_assert_int_eq(begin(SOON), SF_OK);
    ck_assert(sf_span_equal(sf_connection_body(&connection), sf_span_text("next")));
}
END_TEST

START_TEST(test_questions_about_ourselves_are_answered)
{
    ck_assert_int_eq(sf_fcgi_record_append(&web.says, SF_FCGI_GET_VALUES, 0, sf_span_text("")),
                     SF_OK);
    ck_assert_int_eq(sf_fcgi_record_append(&web.says, (enum sf_fcgi_type)99, 0, sf_span_text("?")),
                     SF_OK);
    add_request(1, "");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    unsigned char answer[200];
    struct sf_fcgi_header header;
    ssize_t got = read(web.socket, answer, sizeof answer);
    ck_assert_int_gt(got, SF_FCGI_HEADER_BYTES);
    ck_assert_int_eq(sf_fcgi_header_decode(answer, &header), SF_OK);
    ck_assert_uint_eq(header.type, SF_FCGI_GET_VALUES_RESULT);
    ck_assert_ptr_nonnull(memmem(answer, (size_t)got, "FCGI_MPXS_CONNS0", 16));
    ck_assert_int_eq(sf_fcgi_header_decode(answer + got - 16, &header), SF_OK);
    ck_assert_uint_eq(header.type, SF_FCGI_UNKNOWN_TYPE);
    ck_assert_uint_eq(answer[got - 8], 99);
}
END_TEST

START_TEST(test_who_asks_on_and_reads_no_answer_is_no_web_server)
{
    static unsigned char questions[8 << 20];
    for (size_t i = 0; i < sizeof questions; i += SF_FCGI_HEADER_BYTES)
        sf_fcgi_header_encode(&(struct sf_fcgi_header){.type = SF_FCGI_GET_VALUES}, questions + i);
    enum sf_status status = SF_NOT_FOUND;
    for (size_t said = 0; said < sizeof questions && status == SF_NOT_FOUND;) {
        ssize_t wrote = write(web.socket, questions + said, sizeof questions - said);
        said += wrote > 0 ? (size_t)wrote : 0;
        status = begin(NOW);
    }
    ck_assert_int_eq(status, SF_INVALID);
}
END_TEST

START_TEST(test_nobody_is_waited_for_any_more_behind_the_cut)
{
    int pipe_ends[2];
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    connection.cut = pipe_ends[0];
    connection.is_used = true;
    add_request(1, "");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_NOT_FOUND);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}
END_TEST

/* ---- the body ---- */

START_TEST(test_body_is_read_no_further_than_it_is_taken)
{
    static unsigned char megabyte[1 << 20];
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_of(megabyte, sizeof megabyte));
    size_t said = 0, taken = 0;
    while (!sf_connection_is_body_taken(&connection)) {
        ssize_t wrote = write(web.socket, web.says.data + said, web.says.size - said);
        said += wrote > 0 ? (size_t)wrote : 0;
        for (int i = 0; i < 5; i++) /* without taking anything */
            sf_connection_step(&connection, POLLIN);
        ck_assert_uint_le(connection.in_size, SF_CONNECTION_BYTES);
        size_t size = sf_connection_body(&connection).size;
        size_t part = size > 1000 ? 1000 + size / 2 : size;
        sf_connection_take(&connection, part > size ? size : part);
        taken += part > size ? size : part;
    }
    ck_assert_uint_eq(taken, sizeof megabyte);
    ck_assert_uint_eq(said, web.says.size);
}
END_TEST

START_TEST(test_end_of_the_web_server_is_seen_while_nothing_is_read)
{
    static unsigned char content[2 * SF_CONNECTION_BYTES];
    struct pollfd wait = {.fd = connection.socket};
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_of(content, sizeof content));
    say_all(&web);
    for (int i = 0; i < 5; i++)
        sf_connection_step(&connection, POLLIN);
    ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
    ck_assert_int_eq(sf_connection_events(&connection) & POLLIN, 0);
    web_server_close(&web);
    wait.events = sf_connection_events(&connection);
    ck_assert_int_eq(poll(&wait, 1, (int)SOON), 1);
    sf_connection_step(&connection, wait.revents);
    ck_assert_int_eq(connection.state, SF_CONNECTION_LOST);
}
END_TEST

START_TEST(test_abort_is_seen_behind_the_body)
{
    begin_request("body");
    ck_assert_int_eq(sf_fcgi_record_append(&web.says, SF_FCGI_ABORT_REQUEST, 1, sf_span_text("")),
                     SF_OK);
    say_all(&web);
    sf_connection_take(&connection, sf_connection_body(&connection).size);
    sf_connection_step(&connection, POLLIN);
    ck_assert_int_eq(connection.state, SF_CONNECTION_ABORTED);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    assert_heard(&web, "6:;3:0,0;");
}
END_TEST

static size_t
take_body(void)
{
    size_t taken = 0;
    while (!sf_connection_is_body_taken(&connection)) {
        size_t size = sf_connection_body(&connection).size;
        taken += size;
        if (size > 0)
            sf_connection_take(&connection, size);
        else
            ck_assert(sf_connection_await(&connection, SOON));
    }
    return taken;
}

/* Some or all of the next request is there before the answer to this one. */
START_TEST(test_next_request_that_comes_early_is_served_in_its_turn)
{
    add_request(1, "body");
    size_t size = web.says.size;
    for (size_t early = 1; early <= size; early++) {
        web.says.size = 0;
        add_request(1, "body");
        add_request(1, "next");
        say(&web, size + early);
        ck_assert_int_eq(begin(SOON), SF_OK);
        ck_assert_uint_eq(take_body(), 4);
        sf_connection_step(&connection, POLLIN);
        ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
        ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
        ck_assert(sf_connection_skip_body(&connection, SOON));
        say_all(&web);
        ck_assert_int_eq(begin(SOON), SF_OK);
        ck_assert_uint_eq(take_body(), 4);
        ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
        ck_assert(sf_connection_skip_body(&connection, SOON));
        assert_heard(&web, "6:;3:0,0;6:;3:0,0;");
    }
}
END_TEST

START_TEST(test_second_request_at_the_same_time_is_refused_alone)
{
    begin_request("body");
    add_request(2, "");
    say_all(&web);
    sf_connection_take(&connection, sf_connection_body(&connection).size);
    sf_connection_step(&connection, POLLIN);
    ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
    assert_heard(&web, "3:0,1;");
}
END_TEST

/* ---- the answer ---- */

START_TEST(test_answer_is_sent_at_once_and_ends)
{
    begin_request("");
    ck_assert(sf_connection_is_body_taken(&connection));
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDERR, sf_span_text("note")), SF_OK);
    unsigned char *room = sf_connection_reserve(&connection);
    memcpy(room, "text", 4);
    sf_connection_commit(&connection, SF_FCGI_STDOUT, 4);
    assert_heard(&web, "7:note;6:text;");
    ck_assert_int_eq(sf_connection_end(&connection, 3, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    ck_assert(sf_connection_flush(&connection, SOON));
    assert_heard(&web, "6:;3:3,0;");
}
END_TEST

START_TEST(test_room_ends_while_the_web_server_reads_nothing)
{
    size_t sent = 0;
    begin_request("");
    ck_assert(sf_connection_is_body_taken(&connection));
    for (size_t room; (room = sf_connection_room(&connection)) > 0; sent += room) {
        ck_assert_ptr_nonnull(sf_connection_reserve(&connection));
        memset(sf_connection_reserve(&connection), 'x', room);
        sf_connection_commit(&connection, SF_FCGI_STDOUT, room);
        ck_assert_uint_lt(sent, 1 << 24);
    }
    ck_assert(sf_connection_is_awaited(&connection, false));
    ck_assert(!sf_connection_flush(&connection, NOW));
    ck_assert_int_eq(sf_connection_events(&connection) & POLLOUT, POLLOUT);
    ck_assert_uint_le(connection.out.bytes.capacity, 2 * SF_CONNECTION_BYTES);
}
END_TEST

/* Says all of STDIN, and reads what comes until `size` bytes of STDOUT have. */
static size_t
say_body_and_read(size_t size)
{
    static unsigned char bytes[1 << 16];
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    size_t seen = 0;
    say_all(&web);
    for (int i = 0; i < 10000 && seen < size; i++) {
        sf_connection_step(&connection, POLLIN | POLLOUT);
        ssize_t got = read(web.socket, bytes, sizeof bytes);
        struct sf_span input = sf_span_of(bytes, got > 0 ? (size_t)got : 0);
        while (sf_fcgi_reader_take(&reader, &input, &piece) == SF_OK) {
            for (size_t at = 0; piece.type == SF_FCGI_STDOUT && at < piece.content.size; at++)
                ck_assert_uint_eq(piece.content.data[at], (unsigned char)((seen + at) / 1000));
            seen += piece.type == SF_FCGI_STDOUT ? piece.content.size : 0;
        }
    }
    return seen;
}

START_TEST(test_answer_waits_for_the_end_of_the_body_and_takes_little_memory)
{
    static unsigned char content[1000];
    enum { PARTS = 500 };
    add_begin(&web, 1, SF_FCGI_RESPONDER, true);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    for (unsigned i = 0; i < PARTS; i++) {
        memset(content, (int)(i & 0xff), sizeof content);
        ck_assert_uint_ge(sf_connection_room(&connection), sizeof content);
        ck_assert_int_eq(
            sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_of(content, sizeof content)),
            SF_OK);
    }
    ck_assert_uint_le(connection.out.bytes.capacity, 2 * SF_CONNECTION_BYTES);
    assert_heard(&web, "");
    ck_assert_int_eq(sf_connection_events(&connection) & POLLOUT, 0);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text(""));
    ck_assert_uint_eq(say_body_and_read(PARTS * sizeof content), PARTS * sizeof content);
    ck_assert_int_eq(connection.out.spool, -1);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    assert_heard(&web, "6:;3:0,0;");
}
END_TEST

START_TEST(test_answer_that_fills_the_disk_is_sent_before_the_body_has_come)
{
    static unsigned char content[1000];
    size_t size = 0;
    connection.spool_limit = 100000;
    add_begin(&web, 1, SF_FCGI_RESPONDER, true);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    while (sf_connection_room(&connection) > 0) {
        memset(content, (int)(size / sizeof content & 0xff), sizeof content);
        ck_assert_int_eq(
            sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_of(content, sizeof content)),
            SF_OK);
        size += sizeof content;
        ck_assert_uint_lt(size, 100 << 20);
    }
    ck_assert_int_lt(connection.out.spool_size, 100000 + SF_CONNECTION_BYTES);
    ck_assert_int_eq(sf_connection_events(&connection) & POLLOUT, POLLOUT);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text(""));
    ck_assert_uint_eq(say_body_and_read(size), size);
}
END_TEST

START_TEST(test_answer_leaves_in_one_piece_before_somebody_waits)
{
    begin_request("");
    ck_assert(sf_connection_is_body_taken(&connection));
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("head")), SF_OK);
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("body")), SF_OK);
    assert_heard(&web, "");
    sf_connection_push(&connection);
    assert_heard(&web, "6:head;6:body;");
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("more")), SF_OK);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    ck_assert_int_eq(sf_connection_end(&connection, 1, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    assert_heard(&web, "6:more;6:;3:0,0;");
}
END_TEST

START_TEST(test_answer_that_ends_before_the_body_waits_no_more)
{
    begin_request("never read");
    ck_assert_int_eq(sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_text("early")), SF_OK);
    assert_heard(&web, "");
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    assert_heard(&web, "6:early;6:;3:0,0;");
}
END_TEST

START_TEST(test_next_request_on_a_kept_connection)
{
    begin_request("left unread");
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    ck_assert(sf_connection_flush(&connection, SOON));
    ck_assert(sf_connection_skip_body(&connection, SOON));
    add_request(2, "second");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    ck_assert_uint_eq(connection.id, 2);
    ck_assert(sf_span_equal(sf_connection_body(&connection), sf_span_text("second")));
}
END_TEST

START_TEST(test_answer_to_the_last_request_ends_before_the_body_does)
{
    unsigned char rest[100];
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    ck_assert(sf_connection_flush(&connection, SOON));
    ck_assert(!sf_connection_skip_body(&connection, NOW));
    assert_heard(&web, "6:;3:0,0;");
    ck_assert_int_eq(read(web.socket, rest, sizeof rest), 0);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text("comes late"));
    say_all(&web);
    ck_assert(sf_connection_skip_body(&connection, SOON));
}
END_TEST

static atomic_bool is_over;

/* Bytes of a body, one now and one then, without an end. */
static void *
say_on(void *context)
{
    struct sf_buffer record;
    (void)context;
    sf_buffer_init(&record, 100);
    ck_assert_int_eq(sf_fcgi_record_append(&record, SF_FCGI_STDIN, 1, sf_span_text("12345678")),
                     SF_OK);
    while (!atomic_load(&is_over)) { /* whole records only: less room than that is none */
        if (write(web.socket, record.data, record.size) < 0)
            sched_yield();
    }
    sf_buffer_fini(&record);
    return NULL;
}

static void
begin_without_end(size_t answer)
{
    static unsigned char content[1000];
    add_begin(&web, 1, SF_FCGI_RESPONDER, true);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(begin(SOON), SF_OK);
    for (size_t at = 0; at < answer; at += sizeof content)
        ck_assert_int_eq(
            sf_connection_send(&connection, SF_FCGI_STDOUT, sf_span_of(content, sizeof content)),
            SF_OK);
    sf_connection_push(&connection);
    ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
}

START_TEST(test_body_without_an_end_is_not_skipped_for_ever)
{
    pthread_t thread;
    begin_without_end(0);
    atomic_store(&is_over, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, say_on, NULL), 0);
    ck_assert(!sf_connection_skip_body(&connection, NOW));
    atomic_store(&is_over, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(test_body_without_an_end_is_no_progress_of_the_answer)
{
    pthread_t thread;
    begin_without_end(2 << 20);
    atomic_store(&is_over, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, say_on, NULL), 0);
    ck_assert(!sf_connection_flush(&connection, NOW));
    atomic_store(&is_over, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("connection");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_answer_that_is_broken_off_ends_in_no_record);
    tcase_add_test(all, test_request_comes_whole_however_it_is_split);
    tcase_add_test(all, test_silence_before_a_request_is_no_request);
    tcase_add_test(all, test_silence_in_a_request_cuts_it_off);
    tcase_add_test(all, test_who_says_nothing_gives_way_behind_the_grace);
    tcase_add_test(all, test_who_has_had_a_request_gives_way_at_once);
    tcase_add_test(all, test_half_a_request_gives_way_behind_the_grace);
    tcase_add_test(all, test_request_that_comes_within_the_grace_is_served);
    tcase_add_test(all, test_time_of_a_request_is_for_all_of_it);
    tcase_add_test(all, test_request_that_was_aborted_at_its_begin_is_answered);
    tcase_add_test(all, test_what_is_not_fastcgi_is_refused);
    tcase_add_test(all, test_body_before_the_end_of_params_is_refused);
    tcase_add_test(all, test_too_many_bytes_of_params_can_still_be_answered);
    tcase_add_test(all, test_authorizer_has_no_body_to_wait_for);
    tcase_add_test(all, test_unknown_role_is_answered);
    tcase_add_test(all, test_connection_is_kept_behind_an_unknown_role);
    tcase_add_test(all, test_questions_about_ourselves_are_answered);
    tcase_add_test(all, test_who_asks_on_and_reads_no_answer_is_no_web_server);
    tcase_add_test(all, test_nobody_is_waited_for_any_more_behind_the_cut);
    tcase_add_test(all, test_body_is_read_no_further_than_it_is_taken);
    tcase_add_test(all, test_end_of_the_web_server_is_seen_while_nothing_is_read);
    tcase_add_test(all, test_abort_is_seen_behind_the_body);
    tcase_add_test(all, test_next_request_that_comes_early_is_served_in_its_turn);
    tcase_add_test(all, test_second_request_at_the_same_time_is_refused_alone);
    tcase_add_test(all, test_answer_is_sent_at_once_and_ends);
    tcase_add_test(all, test_room_ends_while_the_web_server_reads_nothing);
    tcase_add_test(all, test_answer_waits_for_the_end_of_the_body_and_takes_little_memory);
    tcase_add_test(all, test_answer_that_fills_the_disk_is_sent_before_the_body_has_come);
    tcase_add_test(all, test_answer_leaves_in_one_piece_before_somebody_waits);
    tcase_add_test(all, test_answer_that_ends_before_the_body_waits_no_more);
    tcase_add_test(all, test_next_request_on_a_kept_connection);
    tcase_add_test(all, test_answer_to_the_last_request_ends_before_the_body_does);
    tcase_add_test(all, test_body_without_an_end_is_not_skipped_for_ever);
    tcase_add_test(all, test_body_without_an_end_is_no_progress_of_the_answer);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
