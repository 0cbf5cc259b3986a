/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/postgresql/store_postgresql_array.h"

#include <check.h>

#include "tests/support/run_suite.h"

static struct sf_buffer array;

static void
assert_bytes(const char *expected, size_t size)
{
    ck_assert(sf_span_equal(sf_buffer_span(&array), sf_span_of(expected, size)));
    sf_buffer_fini(&array);
}

START_TEST(test_array_of_bytes)
{
    static const char expected[] = "\0\0\0\1\0\0\0\0\0\0\0\x11\0\0\0\2\0\0\0\1"
                                   "\0\0\0\2ab"
                                   "\0\0\0\0";
    sf_buffer_init(&array, 100);
    ck_assert_int_eq(sf_postgresql_array_begin(&array, SF_POSTGRESQL_BYTEA, 2), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_bytes(&array, sf_span_text("ab")), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_bytes(&array, sf_span_text(NULL)), SF_OK);
    assert_bytes(expected, sizeof expected - 1);
}
END_TEST

START_TEST(test_array_of_numbers)
{
    static const char expected[] = "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\1\0\0\0\1"
                                   "\0\0\0\x8\xff\xff\xff\xff\xff\xff\xff\xfe";
    sf_buffer_init(&array, 100);
    ck_assert_int_eq(sf_postgresql_array_begin(&array, SF_POSTGRESQL_INT8, 1), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_int8(&array, -2), SF_OK);
    assert_bytes(expected, sizeof expected - 1);
}
END_TEST

START_TEST(test_array_of_truths)
{
    static const char expected[] = "\0\0\0\1\0\0\0\0\0\0\0\x10\0\0\0\2\0\0\0\1"
                                   "\0\0\0\1\1"
                                   "\0\0\0\1\0";
    sf_buffer_init(&array, 100);
    ck_assert_int_eq(sf_postgresql_array_begin(&array, SF_POSTGRESQL_BOOL, 2), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_bool(&array, true), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_bool(&array, false), SF_OK);
    assert_bytes(expected, sizeof expected - 1);
}
END_TEST

START_TEST(test_beginning_again_forgets_what_was_there)
{
    sf_buffer_init(&array, 100);
    ck_assert_int_eq(sf_postgresql_array_begin(&array, SF_POSTGRESQL_BOOL, 1), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_add_bool(&array, true), SF_OK);
    ck_assert_int_eq(sf_postgresql_array_begin(&array, SF_POSTGRESQL_BOOL, 1), SF_OK);
    ck_assert_uint_eq(array.size, 20);
    sf_buffer_fini(&array);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_postgresql_array");
    TCase *arrays = tcase_create("arrays");
    tcase_add_test(arrays, test_array_of_bytes);
    tcase_add_test(arrays, test_array_of_numbers);
    tcase_add_test(arrays, test_array_of_truths);
    tcase_add_test(arrays, test_beginning_again_forgets_what_was_there);
    suite_add_tcase(suite, arrays);
    return sf_run_suite(suite);
}
