/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/params.h"

#include <check.h>
#include <stdio.h>

#include "fcgi_gateway/fcgi_record.h"
#include "tests/support/run_suite.h"

#define BYTES 4096
#define COUNT 10

static struct sf_params params;
static struct sf_buffer stream;

static void
start(void)
{
    sf_params_init(&params, BYTES, COUNT);
    sf_buffer_init(&stream, 1 << 20);
}

static void
finish(void)
{
    sf_params_fini(&params);
    sf_buffer_fini(&stream);
}

static void
send_pair(const char *name, struct sf_span value)
{
    ck_assert_int_eq(sf_fcgi_pair_append(&stream, sf_span_text(name), value), SF_OK);
}

static void
send_text(const char *name, const char *value)
{
    send_pair(name, sf_span_text(value));
}

static enum sf_status
decode(void)
{
    ck_assert_int_eq(sf_params_collect(&params, sf_buffer_span(&stream)), SF_OK);
    return sf_params_decode(&params);
}

START_TEST(test_pairs_become_texts_of_an_environment)
{
    char long_value[300] = {0};
    memset(long_value, 'v', sizeof long_value - 1);
    send_text("A", "1");
    send_text("LONG", long_value);
    send_text("EMPTY", "");
    ck_assert_int_eq(decode(), SF_OK);
    ck_assert_uint_eq(params.count, 3);
    ck_assert_str_eq(sf_params_text(&params, 0), "A=1");
    ck_assert_str_eq(sf_params_text(&params, 2), "EMPTY=");
    ck_assert_str_eq(sf_params_get(&params, "LONG"), long_value);
    ck_assert_str_eq(sf_params_get(&params, "EMPTY"), "");
    ck_assert_ptr_null(sf_params_get(&params, "a"));
    ck_assert_uint_eq(sf_params_span(&params, "LONG").size, 299);
    ck_assert_uint_eq(sf_params_span(&params, "NONE").size, 0);
}
END_TEST

START_TEST(test_pieces_may_end_anywhere)
{
    send_text("ONE", "1");
    send_text("TWO", "22");
    for (size_t step = 1; step <= stream.size; step++) {
        sf_params_clear(&params);
        for (size_t at = 0; at < stream.size; at += step) {
            size_t size = step < stream.size - at ? step : stream.size - at;
            ck_assert_int_eq(sf_params_collect(&params, sf_span_of(stream.data + at, size)), SF_OK);
        }
        ck_assert_int_eq(sf_params_decode(&params), SF_OK);
        ck_assert_str_eq(sf_params_get(&params, "ONE"), "1");
        ck_assert_str_eq(sf_params_get(&params, "TWO"), "22");
    }
}
END_TEST

START_TEST(test_last_of_a_name_counts)
{
    send_text("A", "first");
    send_text("B", "b");
    send_text("A", "second");
    ck_assert_int_eq(decode(), SF_OK);
    ck_assert_uint_eq(params.count, 2);
    ck_assert_str_eq(sf_params_get(&params, "A"), "second");
}
END_TEST

START_TEST(test_more_bytes_than_allowed_are_refused)
{
    static const unsigned char zeros[BYTES + 1];
    ck_assert_int_eq(sf_params_collect(&params, sf_span_of(zeros, 1)), SF_OK);
    ck_assert_int_eq(sf_params_collect(&params, sf_span_of(zeros, BYTES)), SF_FULL);
    ck_assert_int_eq(sf_params_collect(&params, sf_span_of(zeros, BYTES - 1)), SF_OK);
}
END_TEST

START_TEST(test_more_variables_than_allowed_are_refused)
{
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "N%d", i);
        send_text(name, "");
    }
    ck_assert_int_eq(decode(), SF_OK);
    ck_assert_uint_eq(params.count, COUNT);
    sf_params_clear(&params);
    send_text("N0", "again");
    ck_assert_int_eq(decode(), SF_OK);
    sf_params_clear(&params);
    send_text("ONE_MORE", "");
    ck_assert_int_eq(decode(), SF_FULL);
    ck_assert_uint_eq(params.count, 0);
}
END_TEST

START_TEST(test_what_no_environment_can_hold_is_refused)
{
    static const struct {
        const char *name, *value;
        size_t name_size, value_size;
    } bad[] = {{"", "v", 0, 1}, {"A=B", "v", 3, 1}, {"A\0B", "v", 3, 1}, {"A", "v\0w", 1, 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sf_params_clear(&params);
        sf_buffer_clear(&stream);
        send_text("GOOD", "1");
        ck_assert_int_eq(sf_fcgi_pair_append(&stream, sf_span_of(bad[i].name, bad[i].name_size),
                                             sf_span_of(bad[i].value, bad[i].value_size)),
                         SF_OK);
        ck_assert_int_eq(decode(), SF_INVALID);
        ck_assert_uint_eq(params.count, 0);
    }
}
END_TEST

START_TEST(test_pair_that_is_cut_off_is_refused)
{
    send_text("A", "1");
    send_text("B", "2");
    stream.size--;
    ck_assert_int_eq(decode(), SF_INVALID);
    ck_assert_ptr_null(sf_params_get(&params, "A"));
}
END_TEST

START_TEST(test_set_replaces_and_adds)
{
    send_text("A", "1");
    ck_assert_int_eq(decode(), SF_OK);
    ck_assert_int_eq(sf_params_set_text(&params, "A", "longer than before"), SF_OK);
    ck_assert_int_eq(sf_params_set_text(&params, "B", ""), SF_OK);
    ck_assert_uint_eq(params.count, 2);
    ck_assert_str_eq(sf_params_text(&params, 0), "A=longer than before");
    ck_assert_str_eq(sf_params_text(&params, 1), "B=");
    ck_assert_int_eq(sf_params_set_text(&params, "C=D", ""), SF_INVALID);
    ck_assert_int_eq(sf_params_set(&params, "C", sf_span_of("x\0", 2)), SF_INVALID);
    ck_assert_uint_eq(params.count, 2);
}
END_TEST

START_TEST(test_set_takes_a_value_of_another_variable)
{
    char value[50] = {0};
    memset(value, 'v', sizeof value - 1);
    send_text("A", value);
    ck_assert_int_eq(decode(), SF_OK);
    /* Often enough for the text to move. */
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(sf_params_set(&params, "B", sf_params_span(&params, "A")), SF_OK);
    ck_assert_str_eq(sf_params_get(&params, "B"), value);
}
END_TEST

START_TEST(test_set_without_end_is_bounded)
{
    char value[1024] = {0};
    memset(value, 'v', sizeof value - 1);
    enum sf_status status = SF_OK;
    size_t calls = 0;
    while (status == SF_OK && calls++ < 1000)
        status = sf_params_set_text(&params, "A", value);
    ck_assert_int_eq(status, SF_FULL);
    ck_assert_uint_le(params.text.size, BYTES + SF_PARAMS_OWN_BYTES);
    ck_assert_str_eq(sf_params_get(&params, "A"), value);
}
END_TEST

static bool
begins_with_x(const char *name)
{
    return name[0] == 'X';
}

START_TEST(test_remove_and_filter_leave_the_others)
{
    send_text("A", "1");
    send_text("X1", "2");
    send_text("B", "3");
    send_text("X", "4");
    ck_assert_int_eq(decode(), SF_OK);
    sf_params_filter(&params, begins_with_x);
    ck_assert_uint_eq(params.count, 2);
    sf_params_remove(&params, "A");
    sf_params_remove(&params, "NONE");
    ck_assert_uint_eq(params.count, 1);
    ck_assert_str_eq(sf_params_text(&params, 0), "B=3");
}
END_TEST

START_TEST(test_encoding_gives_what_was_decoded)
{
    struct sf_buffer again;
    char long_value[200] = {0};
    memset(long_value, 'v', sizeof long_value - 1);
    sf_buffer_init(&again, 1 << 20);
    send_text("A", "1");
    send_text("B", long_value);
    send_text("C", "");
    ck_assert_int_eq(decode(), SF_OK);
    ck_assert_int_eq(sf_params_encode(&params, &again), SF_OK);
    ck_assert(sf_span_equal(sf_buffer_span(&again), sf_buffer_span(&stream)));
    sf_buffer_fini(&again);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("params");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_add_test(all, test_pairs_become_texts_of_an_environment);
    tcase_add_test(all, test_pieces_may_end_anywhere);
    tcase_add_test(all, test_last_of_a_name_counts);
    tcase_add_test(all, test_more_bytes_than_allowed_are_refused);
    tcase_add_test(all, test_more_variables_than_allowed_are_refused);
    tcase_add_test(all, test_what_no_environment_can_hold_is_refused);
    tcase_add_test(all, test_pair_that_is_cut_off_is_refused);
    tcase_add_test(all, test_set_replaces_and_adds);
    tcase_add_test(all, test_set_takes_a_value_of_another_variable);
    tcase_add_test(all, test_set_without_end_is_bounded);
    tcase_add_test(all, test_remove_and_filter_leave_the_others);
    tcase_add_test(all, test_encoding_gives_what_was_decoded);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
