/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_worth.h"

#include <check.h>

#include "tests/support/run_suite.h"

START_TEST(test_worth_rises_from_bots_to_pinned_ones)
{
    struct sf_record_head head = {.kind = SF_RECORD_SESSION};

    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_ANONYMOUS);
    head.flags = SF_RECORD_CHILDREN;
    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_WITH_CHILDREN);
    head.flags = SF_RECORD_CHILDREN | SF_RECORD_BOT;
    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_BOT);
    head.user = sf_span_text("anna");
    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_LOGGED_IN);
    head.flags |= SF_RECORD_PINNED;
    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_PINNED);
    head = (struct sf_record_head){.kind = SF_RECORD_ENDED, .user = sf_span_text("anna")};
    ck_assert_int_eq(sf_l1_worth_of(&head), SF_L1_TOMBSTONE);
}
END_TEST

/* The frequency of a session that comes every `period` seconds, after a long time. */
static uint32_t
frequency_of_period(uint32_t period)
{
    uint64_t touch = sf_l1_touch_make(7, SF_L1_ANONYMOUS, 0, 1000000);
    uint64_t sum = 0;

    for (uint32_t i = 1; i <= 2000; i++) {
        touch = sf_l1_touch_next(touch, 1000000 + i * period);
        sum += i > 1000 ? sf_l1_touch_frequency(touch) : 0;
    }
    return (uint32_t)(sum / 1000);
}

START_TEST(test_frequency_tells_how_often_a_session_comes)
{
    static const uint32_t periods[] = {1, 10, 30, 90, 300};

    ck_assert_uint_ge(frequency_of_period(1), 28);
    for (size_t i = 1; i < sizeof(periods) / sizeof(periods[0]); i++)
        ck_assert_uint_lt(frequency_of_period(periods[i]), frequency_of_period(periods[i - 1]));
    ck_assert_uint_ge(frequency_of_period(60), 13);
    ck_assert_uint_le(frequency_of_period(60), 16);
    ck_assert_uint_le(frequency_of_period(1800), 5);
}
END_TEST

START_TEST(test_second_access_counts_at_once)
{
    ck_assert_uint_ge(sf_l1_frequency_next(0, 1, 0), 4);
}
END_TEST

START_TEST(test_frequency_is_forgotten_with_time_alone)
{
    ck_assert_uint_eq(sf_l1_frequency_now(31, 127), 31);
    ck_assert_uint_eq(sf_l1_frequency_now(31, 128), 30);
    ck_assert_uint_eq(sf_l1_frequency_now(31, 3968), 0);
    ck_assert_uint_eq(sf_l1_frequency_now(0, UINT32_MAX), 0);
    ck_assert_uint_eq(sf_l1_frequency_next(31, UINT32_MAX - 128, 0), 4);
}
END_TEST

START_TEST(test_frequency_has_an_upper_end)
{
    for (uint32_t dice = 0; dice < 65536; dice++)
        ck_assert_uint_le(sf_l1_frequency_next(SF_L1_FREQUENCY_MAX, 1, dice), SF_L1_FREQUENCY_MAX);
}
END_TEST

START_TEST(test_touch_keeps_generation_and_worth)
{
    uint64_t touch = sf_l1_touch_make(0xABCDEF, SF_L1_PINNED, 3, 100);
    uint64_t next = sf_l1_touch_next(touch, 107);

    ck_assert(sf_l1_touch_matches(next, UINT64_C(0x123000000) + 0xABCDEF));
    ck_assert(!sf_l1_touch_matches(next, 0xABCDEE));
    ck_assert_uint_eq(sf_l1_touch_worth(next), SF_L1_PINNED);
    ck_assert_uint_eq(sf_l1_touch_seconds(next), 107);
    ck_assert_uint_gt(sf_l1_touch_frequency(next), 3);
}
END_TEST

static uint64_t
rank(enum sf_l1_worth worth, uint32_t frequency, uint32_t seconds, bool is_stale)
{
    return sf_l1_rank(sf_l1_touch_make(1, worth, frequency, seconds), 10000, is_stale);
}

START_TEST(test_class_counts_before_staleness_frequency_and_age)
{
    ck_assert_uint_lt(rank(SF_L1_BOT, 31, 10000, false), rank(SF_L1_ANONYMOUS, 0, 1, true));
    ck_assert_uint_lt(rank(SF_L1_BOT, 31, 10000, true), rank(SF_L1_BOT, 0, 1, false));
    ck_assert_uint_lt(rank(SF_L1_BOT, 2, 10000, false), rank(SF_L1_BOT, 3, 9990, false));
    ck_assert_uint_lt(rank(SF_L1_BOT, 3, 9980, false), rank(SF_L1_BOT, 3, 9990, false));
}
END_TEST

START_TEST(test_frequent_once_is_worth_less_than_frequent_now)
{
    ck_assert_uint_lt(rank(SF_L1_ANONYMOUS, 31, 6000, false), rank(SF_L1_ANONYMOUS, 4, 9999, false));
}
END_TEST

START_TEST(test_access_in_the_future_is_one_of_now)
{
    ck_assert_uint_gt(rank(SF_L1_ANONYMOUS, 4, 10600, false), rank(SF_L1_ANONYMOUS, 4, 9999, false));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_worth");
    TCase *tests = tcase_create("l1_worth");

    tcase_add_test(tests, test_worth_rises_from_bots_to_pinned_ones);
    tcase_add_test(tests, test_frequency_tells_how_often_a_session_comes);
    tcase_add_test(tests, test_second_access_counts_at_once);
    tcase_add_test(tests, test_frequency_is_forgotten_with_time_alone);
    tcase_add_test(tests, test_frequency_has_an_upper_end);
    tcase_add_test(tests, test_touch_keeps_generation_and_worth);
    tcase_add_test(tests, test_class_counts_before_staleness_frequency_and_age);
    tcase_add_test(tests, test_frequent_once_is_worth_less_than_frequent_now);
    tcase_add_test(tests, test_access_in_the_future_is_one_of_now);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
