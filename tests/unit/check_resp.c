/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/resp.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run_suite.h"

#define MAX 16

static struct sf_span words[SF_RESP_WORDS_MAX];
static struct sf_resp_value values[MAX];
static size_t count, used;

static enum sf_status
request(const char *text)
{
    return sf_resp_parse_request(sf_span_text(text), words, MAX, &count, &used);
}

static enum sf_status
reply(const char *text)
{
    return sf_resp_parse_reply(sf_span_text(text), values, MAX, &count, &used);
}

static bool
is(struct sf_span span, const char *text)
{
    return sf_span_equal(span, sf_span_text(text));
}

/* ---- requests ---- */

START_TEST(test_request_is_an_array_of_words)
{
    const char *text = "*2\r\n$4\r\nPING\r\n$3\r\na\rb\r\n+next";
    ck_assert_int_eq(request(text), SF_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(is(words[0], "PING"));
    ck_assert(is(words[1], "a\rb"));
    ck_assert_uint_eq(used, strlen(text) - 5);
}
END_TEST

START_TEST(test_words_may_hold_any_byte_and_none)
{
    static const char bytes[] = "*2\r\n$0\r\n\r\n$3\r\n\0\r\n\r\n";
    ck_assert_int_eq(sf_resp_parse_request(sf_span_of(bytes, sizeof bytes - 1), words, MAX, &count, &used), SF_OK);
    ck_assert_uint_eq(words[0].size, 0);
    ck_assert(sf_span_equal(words[1], sf_span_of("\0\r\n", 3)));
}
END_TEST

START_TEST(test_empty_request_is_used_up_and_has_no_words)
{
    ck_assert_int_eq(request("*0\r\n"), SF_OK);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(used, 4);
}
END_TEST

START_TEST(test_every_beginning_of_a_request_asks_for_more)
{
    static const char text[] = "*2\r\n$12\r\nSESSION.LOAD\r\n$2\r\nab\r\n";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct sf_span cut = sf_span_of(text, size);
        ck_assert_int_eq(sf_resp_parse_request(cut, words, MAX, &count, &used), SF_NOT_FOUND);
        ck_assert_uint_gt(used, size);
        ck_assert_uint_le(used, sizeof text - 1);
    }
}
END_TEST

START_TEST(test_a_missing_word_says_how_many_bytes_it_needs)
{
    ck_assert_int_eq(request("*1\r\n$1000\r\nabc"), SF_NOT_FOUND);
    ck_assert_uint_eq(used, 11 + 1000 + 2);
}
END_TEST

START_TEST(test_what_is_no_request_is_invalid)
{
    static const char *const bad[] = {
        "PING\r\n", "+PING\r\n", "*1\n$4\nPING\n", "*1\r\nPING\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*-1\r\n",
        "*x\r\n", "*\r\n", "* 1\r\n", "*+1\r\n", "*1\r\n$4\r\nPINGxx", "*1\r\n$4\r\nPING\r\r", "*1\rx",
        "*111111111111111111111", "*1\r\n$99999999999999999999\r\n", "\r\n", "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(request(bad[i]) == SF_INVALID, "%s", bad[i]);
}
END_TEST

START_TEST(test_requests_above_a_limit_are_invalid)
{
    ck_assert_int_eq(request("*17\r\n"), SF_INVALID);
    ck_assert_int_eq(sf_resp_parse_request(sf_span_text("*4097\r\n"), words, 9999, &count, &used), SF_INVALID);
    ck_assert_int_eq(request("*1\r\n$2097153\r\n"), SF_INVALID);
    ck_assert_int_eq(request("*1\r\n$2097152\r\n"), SF_INVALID); /* with what is around it */
    ck_assert_int_eq(request("*2\r\n$2097100\r\n"), SF_NOT_FOUND);
}
END_TEST

/* ---- replies ---- */

START_TEST(test_each_type_of_reply_is_understood)
{
    ck_assert_int_eq(reply("+PONG\r\n"), SF_OK);
    ck_assert(values[0].type == SF_RESP_SIMPLE && is(values[0].text, "PONG"));
    ck_assert_int_eq(reply("-NOT_FOUND no such session\r\n"), SF_OK);
    ck_assert(values[0].type == SF_RESP_ERROR && is(values[0].text, "NOT_FOUND no such session"));
    ck_assert_int_eq(reply(":-9223372036854775808\r\n"), SF_OK);
    ck_assert(values[0].type == SF_RESP_INTEGER && values[0].integer == INT64_MIN);
    ck_assert_int_eq(reply("$3\r\nabc\r\n"), SF_OK);
    ck_assert(values[0].type == SF_RESP_BULK && is(values[0].text, "abc"));
    ck_assert_int_eq(reply("$-1\r\n"), SF_OK);
    ck_assert_int_eq(values[0].type, SF_RESP_NIL);
    ck_assert_int_eq(reply("*-1\r\n"), SF_OK);
    ck_assert_int_eq(values[0].type, SF_RESP_NIL);
}
END_TEST

START_TEST(test_nested_arrays_are_flattened_depth_first)
{
    const char *text = "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n:2\r\n";
    ck_assert_int_eq(reply(text), SF_OK);
    ck_assert_uint_eq(count, 6);
    ck_assert_uint_eq(used, strlen(text));
    ck_assert(values[0].type == SF_RESP_ARRAY && values[0].integer == 3);
    ck_assert(values[2].type == SF_RESP_ARRAY && values[2].integer == 2);
    ck_assert(values[4].type == SF_RESP_ARRAY && values[4].integer == 0);
    ck_assert(values[5].type == SF_RESP_INTEGER && values[5].integer == 2);
}
END_TEST

START_TEST(test_every_beginning_of_a_reply_asks_for_more)
{
    static const char text[] = "*4\r\n$3\r\nabc\r\n:12\r\n*1\r\n+x\r\n$-1\r\n";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct sf_span cut = sf_span_of(text, size);
        ck_assert_int_eq(sf_resp_parse_reply(cut, values, MAX, &count, &used), SF_NOT_FOUND);
        ck_assert_uint_gt(used, size);
        ck_assert_uint_le(used, sizeof text - 1);
    }
}
END_TEST

START_TEST(test_what_is_no_reply_is_invalid)
{
    static const char *const bad[] = {
        "PONG\r\n", ":x\r\n", ":1\n", "$-2\r\n", "*-2\r\n", "$1\r\nabc", "%1\r\n", "\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(reply(bad[i]) == SF_INVALID, "%s", bad[i]);
}
END_TEST

START_TEST(test_endless_lines_are_invalid)
{
    char line[2000];
    memset(line, 'x', sizeof line);
    line[0] = '+';
    line[sizeof line - 1] = '\0';
    ck_assert_int_eq(reply(line), SF_INVALID);
}
END_TEST

START_TEST(test_more_values_than_there_is_room_for_is_full)
{
    const char *text = "*15\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n"
                       ":8\r\n:9\r\n:10\r\n:11\r\n:12\r\n:13\r\n:14\r\n:15\r\n";
    ck_assert_int_eq(reply(text), SF_OK);
    ck_assert_uint_eq(count, 16);
    ck_assert_int_eq(reply("*16\r\n"), SF_FULL);
    ck_assert_int_eq(reply("*1000000\r\n"), SF_INVALID);
}
END_TEST

START_TEST(test_deep_nesting_costs_values_and_no_stack)
{
    char text[8 * SF_RESP_WORDS_MAX];
    size_t size = 0;
    for (int i = 0; i < SF_RESP_WORDS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "*1\r\n");
    ck_assert_int_eq(sf_resp_parse_reply(sf_span_of(text, size), values, MAX, &count, &used), SF_FULL);
}
END_TEST

/* ---- writing ---- */

START_TEST(test_what_is_written_is_read_back)
{
    struct sf_buffer out;
    sf_buffer_init(&out, 1000);
    ck_assert_int_eq(sf_resp_append_array(&out, 5), SF_OK);
    ck_assert_int_eq(sf_resp_append_bulk(&out, sf_span_of("a\0\r\n", 4)), SF_OK);
    ck_assert_int_eq(sf_resp_append_integer(&out, -7), SF_OK);
    ck_assert_int_eq(sf_resp_append_nil(&out), SF_OK);
    ck_assert_int_eq(sf_resp_append_simple(&out, "OK"), SF_OK);
    ck_assert_int_eq(sf_resp_append_error(&out, SF_UNAVAILABLE, "the store is away"), SF_OK);
    ck_assert_int_eq(sf_resp_parse_reply(sf_buffer_span(&out), values, MAX, &count, &used), SF_OK);
    ck_assert_uint_eq(used, out.size);
    ck_assert(sf_span_equal(values[1].text, sf_span_of("a\0\r\n", 4)));
    ck_assert_int_eq(values[2].integer, -7);
    ck_assert_int_eq(values[3].type, SF_RESP_NIL);
    ck_assert(is(values[4].text, "OK"));
    ck_assert(is(values[5].text, "UNAVAILABLE the store is away"));
    sf_buffer_fini(&out);
}
END_TEST

START_TEST(test_line_ends_in_errors_cannot_break_the_stream)
{
    struct sf_buffer out;
    sf_buffer_init(&out, 5000);
    ck_assert_int_eq(sf_resp_append_error(&out, SF_INVALID, "a\r\n+OK\x1b"), SF_OK);
    ck_assert(is(sf_buffer_span(&out), "-INVALID a  +OK \r\n"));
    sf_buffer_clear(&out);
    ck_assert_int_eq(sf_resp_append_error(&out, SF_INVALID, ""), SF_OK);
    ck_assert(is(sf_buffer_span(&out), "-INVALID\r\n"));
    sf_buffer_fini(&out);
}
END_TEST

START_TEST(test_long_errors_are_cut_to_a_line_that_can_be_read)
{
    struct sf_buffer out;
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    sf_buffer_init(&out, 5000);
    ck_assert_int_eq(sf_resp_append_error(&out, SF_INVALID, text), SF_OK);
    ck_assert_int_eq(sf_resp_parse_reply(sf_buffer_span(&out), values, MAX, &count, &used), SF_OK);
    sf_buffer_fini(&out);
}
END_TEST

START_TEST(test_bulk_that_does_not_fit_leaves_nothing_behind)
{
    struct sf_buffer out;
    sf_buffer_init(&out, 20);
    ck_assert_int_eq(sf_resp_append_bulk(&out, sf_span_text("abc")), SF_OK);
    size_t before = out.size;
    ck_assert_int_eq(sf_resp_append_bulk(&out, sf_span_text("0123456789")), SF_FULL);
    ck_assert_uint_eq(out.size, before);
    sf_buffer_fini(&out);
}
END_TEST

static TCase *
request_tests(void)
{
    TCase *tests = tcase_create("requests");
    tcase_add_test(tests, test_request_is_an_array_of_words);
    tcase_add_test(tests, test_words_may_hold_any_byte_and_none);
    tcase_add_test(tests, test_empty_request_is_used_up_and_has_no_words);
    tcase_add_test(tests, test_every_beginning_of_a_request_asks_for_more);
    tcase_add_test(tests, test_a_missing_word_says_how_many_bytes_it_needs);
    tcase_add_test(tests, test_what_is_no_request_is_invalid);
    tcase_add_test(tests, test_requests_above_a_limit_are_invalid);
    return tests;
}

static TCase *
reply_tests(void)
{
    TCase *tests = tcase_create("replies");
    tcase_add_test(tests, test_each_type_of_reply_is_understood);
    tcase_add_test(tests, test_nested_arrays_are_flattened_depth_first);
    tcase_add_test(tests, test_every_beginning_of_a_reply_asks_for_more);
    tcase_add_test(tests, test_what_is_no_reply_is_invalid);
    tcase_add_test(tests, test_endless_lines_are_invalid);
    tcase_add_test(tests, test_more_values_than_there_is_room_for_is_full);
    tcase_add_test(tests, test_deep_nesting_costs_values_and_no_stack);
    return tests;
}

static TCase *
writing_tests(void)
{
    TCase *tests = tcase_create("writing");
    tcase_add_test(tests, test_what_is_written_is_read_back);
    tcase_add_test(tests, test_line_ends_in_errors_cannot_break_the_stream);
    tcase_add_test(tests, test_long_errors_are_cut_to_a_line_that_can_be_read);
    tcase_add_test(tests, test_bulk_that_does_not_fit_leaves_nothing_behind);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("resp");
    suite_add_tcase(suite, request_tests());
    suite_add_tcase(suite, reply_tests());
    suite_add_tcase(suite, writing_tests());
    return sf_run_suite(suite);
}
