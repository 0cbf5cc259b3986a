/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_connection.c - how a request comes: its beginning and its body. The answer is in check_connection_answer.c.
 */
#include "fcgi_gateway/connection.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/connection_case.h"

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
        ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(NOW), SF_NOT_FOUND);
    web_server_close(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_silence_in_a_request_cuts_it_off)
{
    add_request(1, "");
    say(&web, 3);
    ck_assert_int_eq(connection_begin(NOW), SF_UNAVAILABLE);
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
    ck_assert_int_eq(connection_begin(SOON), SF_CONFLICT);
    assert_heard(&web, "6:;3:0,0;");
    ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
    ck_assert_uint_eq(connection.id, 2);
}
END_TEST

START_TEST(test_what_is_not_fastcgi_is_refused)
{
    ck_assert_int_eq(sf_buffer_append_text(&web.says, "GET / HTTP/1.1\r\n\r\n"), SF_OK);
    say_all(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_INVALID);
}
END_TEST

START_TEST(test_body_before_the_end_of_params_is_refused)
{
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_stream(&web, SF_FCGI_STDIN, 1, sf_span_text("x"));
    say_all(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_INVALID);
}
END_TEST

START_TEST(test_too_many_bytes_of_params_can_still_be_answered)
{
    static unsigned char zeros[8192];
    add_begin(&web, 1, SF_FCGI_RESPONDER, false);
    add_stream(&web, SF_FCGI_PARAMS, 1, sf_span_of(zeros, sizeof zeros));
    say_all(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_FULL);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
    ck_assert(sf_connection_is_body_taken(&connection));
}
END_TEST

START_TEST(test_unknown_role_is_answered)
{
    add_begin(&web, 1, SF_FCGI_FILTER, false);
    add_param(&web, 1, "A", "1");
    say_all(&web);
    ck_assert_int_eq(connection_begin(SOON), SF_CONFLICT);
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
    ck_assert_int_eq(connection_begin(SOON), SF_CONFLICT);
    assert_heard(&web, "6:;3:0,3;");
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
        status = connection_begin(NOW);
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
    ck_assert_int_eq(connection_begin(SOON), SF_NOT_FOUND);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
    ck_assert_int_eq(connection_begin(SOON), SF_OK);
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
        ck_assert_int_eq(connection_begin(SOON), SF_OK);
        ck_assert_uint_eq(take_body(), 4);
        sf_connection_step(&connection, POLLIN);
        ck_assert_int_eq(connection.state, SF_CONNECTION_OPEN);
        ck_assert_int_eq(sf_connection_end(&connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
        ck_assert(sf_connection_skip_body(&connection, SOON));
        say_all(&web);
        ck_assert_int_eq(connection_begin(SOON), SF_OK);
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

int
main(void)
{
    Suite *suite = suite_create("connection");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, connection_case_start, connection_case_finish);
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
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
