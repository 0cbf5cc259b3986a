/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/lease.h"

#include <check.h>

#include "tests/support/run_suite.h"

static struct lease lease;

static void
set_up(void)
{
    lease = (struct lease){.half = 0};
}

START_TEST(test_without_news_it_goes_as_far_as_is_proven)
{
    for (sf_time now = 10; now < 60; now += 10)
        ck_assert_int_eq(lease_prove(&lease, now), now);
}
END_TEST

START_TEST(test_news_hold_it_up_where_it_was_when_they_came)
{
    ck_assert_int_eq(lease_prove(&lease, 10), 10);
    unsigned half = lease_hear(&lease);
    for (sf_time now = 20; now < 60; now += 10)
        ck_assert_int_eq(lease_prove(&lease, now), 10);
    lease_settle(&lease, half, 1);
    ck_assert_int_eq(lease_prove(&lease, 70), 70);
}
END_TEST

START_TEST(test_later_news_do_not_hold_up_what_was_before_them)
{
    ck_assert_int_eq(lease_prove(&lease, 10), 10);
    unsigned early = lease_hear(&lease);
    ck_assert_int_eq(lease_prove(&lease, 20), 10);
    unsigned late = lease_hear(&lease);
    ck_assert_uint_ne(early, late);
    ck_assert_int_eq(lease_prove(&lease, 30), 10);
    lease_settle(&lease, early, 1);
    ck_assert_int_eq(lease_prove(&lease, 40), 20);
    lease_settle(&lease, late, 1);
    ck_assert_int_eq(lease_prove(&lease, 50), 50);
}
END_TEST

/* The later ones are done first. */
START_TEST(test_the_earliest_counts_in_whatever_order_they_are_dealt_with)
{
    ck_assert_int_eq(lease_prove(&lease, 10), 10);
    unsigned early = lease_hear(&lease);
    ck_assert_int_eq(lease_prove(&lease, 20), 10);
    lease_settle(&lease, lease_hear(&lease), 1);
    ck_assert_int_eq(lease_prove(&lease, 30), 10);
    lease_settle(&lease, early, 1);
    ck_assert_int_eq(lease_prove(&lease, 40), 40);
}
END_TEST

START_TEST(test_before_anything_is_proven_news_hold_up_everything)
{
    unsigned half = lease_hear(&lease);
    ck_assert_int_eq(lease_prove(&lease, 10), 0);
    lease_settle(&lease, half, 1);
    ck_assert_int_eq(lease_prove(&lease, 20), 20);
}
END_TEST

/* Each is dealt with when the next but two is heard: it lags behind, and goes on. */
START_TEST(test_news_without_end_do_not_hold_it_up_for_ever)
{
    unsigned halves[100];
    sf_time before = 0;
    for (int i = 0; i < 100; i++) {
        halves[i] = lease_hear(&lease);
        if (i >= 3)
            lease_settle(&lease, halves[i - 3], 1);
        sf_time now = lease_prove(&lease, 10 * (i + 1));
        ck_assert_int_ge(now, before);
        ck_assert_int_ge(now, 10 * (i - 8));
        ck_assert_int_le(now, 10 * (i - 2) > 0 ? 10 * (i - 2) : 0); /* the earliest of three was heard behind that */
        before = now;
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lease");
    TCase *tests = tcase_create("lease");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_without_news_it_goes_as_far_as_is_proven);
    tcase_add_test(tests, test_news_hold_it_up_where_it_was_when_they_came);
    tcase_add_test(tests, test_later_news_do_not_hold_up_what_was_before_them);
    tcase_add_test(tests, test_the_earliest_counts_in_whatever_order_they_are_dealt_with);
    tcase_add_test(tests, test_before_anything_is_proven_news_hold_up_everything);
    tcase_add_test(tests, test_news_without_end_do_not_hold_it_up_for_ever);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
