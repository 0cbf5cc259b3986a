/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <check.h>

#include "tests/support/run_suite.h"

#define FIELDS_MAX 8

static struct sf_field before_fields[FIELDS_MAX], after_fields[FIELDS_MAX];
static struct sf_session before;
static size_t after_count;
static struct sf_ops ops;

static void
start(void)
{
    before = (struct sf_session){.fields = before_fields};
    after_count = 0;
    sf_ops_init(&ops);
}

static void
finish(void)
{
    sf_ops_fini(&ops);
}

static struct sf_field
field_of(const char *name, enum sf_value_type type, const char *text)
{
    return (struct sf_field){sf_span_text(name), {.type = type, .bytes = sf_span_text(text)}};
}

static void
had(const char *name, enum sf_value_type type, const char *text)
{
    before_fields[before.count++] = field_of(name, type, text);
}

static void
had_number(const char *name, int64_t number)
{
    before_fields[before.count] = field_of(name, SF_VALUE_INTEGER, NULL);
    before_fields[before.count++].value.integer = number;
}

static void
has_now(const char *name, const char *text)
{
    after_fields[after_count++] = field_of(name, SF_VALUE_STRING, text);
}

static void
diff(void)
{
    ck_assert_int_eq(sf_ops_diff(&ops, &before, after_fields, after_count), SF_OK);
}

static bool
is_op(size_t index, enum sf_op_kind kind, const char *name)
{
    return index < ops.count && ops.items[index].kind == kind &&
           sf_span_equal(ops.items[index].name, sf_span_text(name));
}

START_TEST(test_same_fields_give_no_ops)
{
    had("a", SF_VALUE_STRING, "1");
    had_number("b", -5);
    has_now("a", "1");
    has_now("b", "-5");
    diff();
    ck_assert_uint_eq(ops.count, 0);
}
END_TEST

START_TEST(test_new_changed_and_missing_fields_become_ops)
{
    had("a", SF_VALUE_STRING, "1");
    had("b", SF_VALUE_STRING, "2");
    had("d", SF_VALUE_STRING, "4");
    has_now("b", "two");
    has_now("c", "3");
    has_now("e", "5");
    diff();
    ck_assert_uint_eq(ops.count, 5);
    ck_assert(is_op(0, SF_OP_UNSET, "a"));
    ck_assert(is_op(1, SF_OP_SET, "b"));
    ck_assert(is_op(2, SF_OP_SET, "c"));
    ck_assert(is_op(3, SF_OP_UNSET, "d"));
    ck_assert(is_op(4, SF_OP_SET, "e"));
    ck_assert(sf_span_equal(ops.items[1].value.bytes, sf_span_text("two")));
}
END_TEST

START_TEST(test_without_a_before_everything_is_new)
{
    has_now("a", "1");
    has_now("b", "2");
    ck_assert_int_eq(sf_ops_diff(&ops, NULL, after_fields, after_count), SF_OK);
    ck_assert_uint_eq(ops.count, 2);
    ck_assert(is_op(1, SF_OP_SET, "b"));
}
END_TEST

START_TEST(test_empty_after_removes_everything)
{
    had("a", SF_VALUE_STRING, "1");
    had("b", SF_VALUE_STRING, "2");
    diff();
    ck_assert(is_op(0, SF_OP_UNSET, "a"));
    ck_assert(is_op(1, SF_OP_UNSET, "b"));
}
END_TEST

START_TEST(test_numbers_stay_numbers)
{
    had_number("count", 5);
    has_now("count", "-6");
    diff();
    ck_assert(is_op(0, SF_OP_SET, "count"));
    ck_assert_int_eq(ops.items[0].value.type, SF_VALUE_INTEGER);
    ck_assert_int_eq(ops.items[0].value.integer, -6);
}
END_TEST

START_TEST(test_text_that_a_number_would_not_print_becomes_text)
{
    had_number("a", 5);
    had_number("b", 5);
    had_number("c", 5);
    has_now("a", "007");
    has_now("b", "-0");
    has_now("c", "9223372036854775808");
    diff();
    ck_assert_uint_eq(ops.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(ops.items[i].value.type, SF_VALUE_STRING);
}
END_TEST

START_TEST(test_bytes_stay_bytes)
{
    had("blob", SF_VALUE_BYTES, "\x01");
    had("same", SF_VALUE_BYTES, "\x02");
    has_now("blob", "\x03");
    has_now("same", "\x02");
    diff();
    ck_assert_uint_eq(ops.count, 1);
    ck_assert_int_eq(ops.items[0].value.type, SF_VALUE_BYTES);
}
END_TEST

START_TEST(test_digits_in_a_text_field_stay_text)
{
    had("zip", SF_VALUE_STRING, "10115");
    has_now("zip", "10117");
    diff();
    ck_assert_int_eq(ops.items[0].value.type, SF_VALUE_STRING);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ops_diff");
    TCase *tests = tcase_create("ops_diff");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_same_fields_give_no_ops);
    tcase_add_test(tests, test_new_changed_and_missing_fields_become_ops);
    tcase_add_test(tests, test_without_a_before_everything_is_new);
    tcase_add_test(tests, test_empty_after_removes_everything);
    tcase_add_test(tests, test_numbers_stay_numbers);
    tcase_add_test(tests, test_text_that_a_number_would_not_print_becomes_text);
    tcase_add_test(tests, test_bytes_stay_bytes);
    tcase_add_test(tests, test_digits_in_a_text_field_stay_text);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
