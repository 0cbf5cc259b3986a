/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/refused.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"

static struct sf_refused refused;

static void
set_up(void)
{
    refused = (struct sf_refused){.count = 0};
}

static struct sf_l1_dirty
item(unsigned number, uint64_t control)
{
    return (struct sf_l1_dirty){.key = sf_test_key(number),
                                .ticket = {.block = number, .control = control}};
}

START_TEST(test_refused_version_waits_for_the_end_of_its_pause)
{
    struct sf_l1_dirty bad = item(1, 1);
    ck_assert(!sf_refused_holds(&refused, &bad, 0));
    ck_assert(sf_refused_add(&refused, &bad, 0));
    ck_assert_int_eq(sf_refused_next(&refused), 10000);
    ck_assert(sf_refused_holds(&refused, &bad, 9999));
    ck_assert(!sf_refused_holds(&refused, &bad, 10000));
}
END_TEST

START_TEST(test_later_version_of_it_does_not_wait)
{
    struct sf_l1_dirty bad = item(1, 1), later = item(1, 2);
    ck_assert(sf_refused_add(&refused, &bad, 0));
    ck_assert(!sf_refused_holds(&refused, &later, 1));
}
END_TEST

START_TEST(test_pause_doubles_up_to_ten_minutes)
{
    struct sf_l1_dirty bad = item(1, 1);
    ck_assert(sf_refused_add(&refused, &bad, 0));
    ck_assert(!sf_refused_add(&refused, &bad, 0));
    ck_assert_int_eq(sf_refused_next(&refused), 20000);
    for (int i = 0; i < 20; i++)
        ck_assert(!sf_refused_add(&refused, &bad, 0));
    ck_assert_int_eq(sf_refused_next(&refused), 10 * SF_MINUTE);
    ck_assert_uint_eq(refused.count, 1);
}
END_TEST

START_TEST(test_removed_one_is_forgotten)
{
    struct sf_l1_dirty one = item(1, 1), two = item(2, 1);
    ck_assert(sf_refused_add(&refused, &one, 0));
    ck_assert(sf_refused_add(&refused, &two, 5));
    sf_refused_remove(&refused, &one.key);
    sf_refused_remove(&refused, &one.key);
    ck_assert_uint_eq(refused.count, 1);
    ck_assert_int_eq(sf_refused_next(&refused), 10005);
    sf_refused_remove(&refused, &two.key);
    ck_assert_int_eq(sf_refused_next(&refused), SF_TIME_NEVER);
}
END_TEST

START_TEST(test_due_ones_that_were_not_seen_again_are_forgotten)
{
    struct sf_l1_dirty one = item(1, 1), two = item(2, 1), three = item(3, 1);
    ck_assert(sf_refused_add(&refused, &one, 0));
    ck_assert(sf_refused_add(&refused, &two, 0));
    ck_assert(sf_refused_add(&refused, &three, 500));
    sf_refused_forget_due(&refused, 10000);
    ck_assert_uint_eq(refused.count, 1);
    ck_assert(sf_refused_holds(&refused, &three, 10000));
}
END_TEST

START_TEST(test_when_full_the_next_to_return_makes_room)
{
    for (unsigned i = 0; i < SF_REFUSED_MAX; i++) {
        struct sf_l1_dirty bad = item(i, 1);
        ck_assert(sf_refused_add(&refused, &bad, 1000 + i));
    }
    struct sf_l1_dirty first = item(0, 1), one_more = item(1000, 1);
    ck_assert(sf_refused_add(&refused, &one_more, 5000));
    ck_assert_uint_eq(refused.count, SF_REFUSED_MAX);
    ck_assert(!sf_refused_holds(&refused, &first, 5000));
    ck_assert(sf_refused_holds(&refused, &one_more, 5000));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("refused");
    TCase *list = tcase_create("list");
    tcase_add_checked_fixture(list, set_up, NULL);
    tcase_add_test(list, test_refused_version_waits_for_the_end_of_its_pause);
    tcase_add_test(list, test_later_version_of_it_does_not_wait);
    tcase_add_test(list, test_pause_doubles_up_to_ten_minutes);
    tcase_add_test(list, test_removed_one_is_forgotten);
    tcase_add_test(list, test_due_ones_that_were_not_seen_again_are_forgotten);
    tcase_add_test(list, test_when_full_the_next_to_return_makes_room);
    suite_add_tcase(suite, list);
    return sf_run_suite(suite);
}
