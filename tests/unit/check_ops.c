/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <check.h>

#include "tests/support/run_suite.h"

static struct sf_ops ops;

static void
start(void)
{
    sf_ops_init(&ops);
}

static void
finish(void)
{
    sf_ops_fini(&ops);
}

static enum sf_status
add(enum sf_op_kind kind, const char *name)
{
    return sf_ops_add_name(&ops, kind, sf_span_text(name));
}

START_TEST(test_list_keeps_the_order)
{
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("b"), sf_span_text("1")), SF_OK);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("a"), 2), SF_OK);
    ck_assert_uint_eq(ops.count, 2);
    ck_assert_int_eq(ops.items[0].kind, SF_OP_SET);
    ck_assert_int_eq(ops.items[1].delta, 2);
}
END_TEST

START_TEST(test_bad_names_are_refused)
{
    ck_assert_int_eq(add(SF_OP_UNSET, ""), SF_INVALID);
    ck_assert_int_eq(add(SF_OP_LOGIN, ""), SF_INVALID);
    ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_POP, sf_span_of("a\0b", 3)), SF_INVALID);
    ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_LOGIN, sf_span_of("a\0b", 3)), SF_INVALID);
    ck_assert_uint_eq(ops.count, 0);
}
END_TEST

START_TEST(test_values_without_a_type_are_refused)
{
    struct sf_op op = {.kind = SF_OP_SET, .name = sf_span_text("a")};

    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_INVALID);
    op.kind = SF_OP_COMPARE_AND_SET;
    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_INVALID);
    op.kind = SF_OP_APPEND;
    op.value.type = SF_VALUE_INTEGER;
    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_INVALID);
}
END_TEST

START_TEST(test_nothing_follows_end)
{
    ck_assert_int_eq(add(SF_OP_UNSET, "a"), SF_OK);
    ck_assert_int_eq(add(SF_OP_END, ""), SF_OK);
    ck_assert_int_eq(add(SF_OP_TOUCH, ""), SF_INVALID);
    ck_assert_uint_eq(ops.count, 2);
}
END_TEST

START_TEST(test_list_has_an_upper_bound)
{
    for (int i = 0; i < SF_OPS_MAX; i++)
        ck_assert_int_eq(add(SF_OP_UNSET, "a"), SF_OK);
    ck_assert_int_eq(add(SF_OP_UNSET, "a"), SF_INVALID);
}
END_TEST

START_TEST(test_only_what_sets_something_may_create)
{
    ck_assert_int_eq(add(SF_OP_UNSET, "a"), SF_OK);
    ck_assert_int_eq(add(SF_OP_POP, "a"), SF_OK);
    ck_assert_int_eq(add(SF_OP_CLEAR, ""), SF_OK);
    ck_assert_int_eq(add(SF_OP_TOUCH, ""), SF_OK);
    ck_assert_int_eq(add(SF_OP_ROTATE, ""), SF_OK);
    ck_assert(!sf_ops_may_create(&ops));
    ck_assert_int_eq(add(SF_OP_INCREMENT, "a"), SF_OK);
    ck_assert(sf_ops_may_create(&ops));
}
END_TEST

START_TEST(test_touch_alone_is_told_from_what_is_more)
{
    ck_assert_int_eq(add(SF_OP_TOUCH, ""), SF_OK);
    ck_assert(sf_ops_only_touch(&ops));
    ck_assert_int_eq(add(SF_OP_UNSET, "a"), SF_OK);
    ck_assert(!sf_ops_only_touch(&ops));
}
END_TEST

START_TEST(test_login_creates_and_wants_a_new_id)
{
    ck_assert(!sf_ops_wants_new_id(&ops));
    ck_assert_int_eq(add(SF_OP_LOGIN, "anna"), SF_OK);
    ck_assert(sf_ops_may_create(&ops));
    ck_assert(sf_ops_wants_new_id(&ops));
    ck_assert(sf_ops_has(&ops, SF_OP_LOGIN));
    ck_assert(!sf_ops_has(&ops, SF_OP_ROTATE));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ops");
    TCase *tests = tcase_create("ops");
    tcase_add_checked_fixture(tests, start, finish);
    tcase_add_test(tests, test_list_keeps_the_order);
    tcase_add_test(tests, test_bad_names_are_refused);
    tcase_add_test(tests, test_values_without_a_type_are_refused);
    tcase_add_test(tests, test_nothing_follows_end);
    tcase_add_test(tests, test_list_has_an_upper_bound);
    tcase_add_test(tests, test_only_what_sets_something_may_create);
    tcase_add_test(tests, test_touch_alone_is_told_from_what_is_more);
    tcase_add_test(tests, test_login_creates_and_wants_a_new_id);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
