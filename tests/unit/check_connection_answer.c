/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_connection_answer.c - how an answer goes, and the next request behind it.
 */
#include "fcgi_gateway/connection.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/connection_case.h"

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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    Suite *suite = suite_create("connection_answer");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, connection_case_start, connection_case_finish);
    tcase_set_timeout(all, 60);
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
