/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/breaker.h"

#include <check.h>

#include "tests/support/run_suite.h"

static struct sf_breaker breaker;
static sf_time now;

static void
set_up(void)
{
    breaker = (struct sf_breaker){.pause_max = 10 * SF_SECOND};
    now = 1000000;
}

static void
tell(bool is_well)
{
    sf_breaker_tell(&breaker, is_well, now, 0);
}

static void
open_it(void)
{
    for (int i = 0; i < 3; i++) {
        ck_assert(sf_breaker_may_call(&breaker, now));
        tell(false);
    }
    ck_assert_int_eq(breaker.state, SF_BREAKER_OPEN);
}

START_TEST(test_three_failures_in_a_row_open_it)
{
    open_it();
    ck_assert(!sf_breaker_may_call(&breaker, now));
}
END_TEST

START_TEST(test_a_success_between_keeps_it_closed)
{
    for (int i = 0; i < 10; i++) {
        tell(false);
        tell(false);
        tell(true);
    }
    ck_assert_int_eq(breaker.state, SF_BREAKER_CLOSED);
    ck_assert(sf_breaker_may_call(&breaker, now));
}
END_TEST

START_TEST(test_one_at_a_time_probes_when_the_pause_is_over)
{
    open_it();
    now += 249;
    ck_assert(!sf_breaker_may_call(&breaker, now));
    now += 1;
    ck_assert(sf_breaker_may_call(&breaker, now));
    ck_assert(!sf_breaker_may_call(&breaker, now));
    ck_assert_int_eq(breaker.state, SF_BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(test_two_successes_close_it)
{
    open_it();
    now += 250;
    ck_assert(sf_breaker_may_call(&breaker, now));
    tell(true);
    ck_assert_int_eq(breaker.state, SF_BREAKER_HALF_OPEN);
    ck_assert(sf_breaker_may_call(&breaker, now));
    tell(true);
    ck_assert_int_eq(breaker.state, SF_BREAKER_CLOSED);
}
END_TEST

START_TEST(test_pause_doubles_up_to_the_longest)
{
    static const sf_time pauses[] = {250, 500, 1000, 2000, 4000, 8000, 10000, 10000};
    open_it();
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        ck_assert_int_eq(breaker.probe_at - now, pauses[i]);
        now = breaker.probe_at;
        ck_assert(sf_breaker_may_call(&breaker, now));
        tell(false);
    }
}
END_TEST

START_TEST(test_pause_is_short_again_after_it_was_closed)
{
    open_it();
    now = breaker.probe_at;
    ck_assert(sf_breaker_may_call(&breaker, now));
    tell(false);
    now = breaker.probe_at;
    ck_assert(sf_breaker_may_call(&breaker, now));
    tell(true);
    tell(true);
    open_it();
    ck_assert_int_eq(breaker.probe_at - now, 250);
}
END_TEST

START_TEST(test_success_of_a_probe_and_then_a_failure_opens_it_at_once)
{
    open_it();
    now = breaker.probe_at;
    ck_assert(sf_breaker_may_call(&breaker, now));
    tell(true);
    tell(false);
    ck_assert_int_eq(breaker.state, SF_BREAKER_OPEN);
    ck_assert(!sf_breaker_may_call(&breaker, now));
}
END_TEST

START_TEST(test_late_answers_change_nothing_while_it_is_open)
{
    open_it();
    sf_time probe_at = breaker.probe_at;
    tell(false);
    tell(true);
    tell(true);
    ck_assert_int_eq(breaker.state, SF_BREAKER_OPEN);
    ck_assert_int_eq(breaker.probe_at, probe_at);
}
END_TEST

START_TEST(test_who_is_told_of_an_answer_does_not_wait_for_the_end_of_the_pause)
{
    sf_breaker_hurry(&breaker, now);
    ck_assert_int_eq(breaker.state, SF_BREAKER_CLOSED);
    open_it();
    sf_breaker_hurry(&breaker, now);
    ck_assert(sf_breaker_may_call(&breaker, now));
    ck_assert(!sf_breaker_may_call(&breaker, now));
}
END_TEST

START_TEST(test_chance_takes_less_than_a_quarter_of_the_pause)
{
    for (uint32_t chance = 0; chance < 1000; chance++) {
        breaker = (struct sf_breaker){.pause_max = 10 * SF_SECOND, .failures = 2};
        sf_breaker_tell(&breaker, false, now, chance * 2654435761u);
        ck_assert_int_le(breaker.probe_at - now, 250);
        ck_assert_int_gt(breaker.probe_at - now, 187);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("breaker");
    TCase *states = tcase_create("states");
    tcase_add_checked_fixture(states, set_up, NULL);
    tcase_add_test(states, test_three_failures_in_a_row_open_it);
    tcase_add_test(states, test_a_success_between_keeps_it_closed);
    tcase_add_test(states, test_one_at_a_time_probes_when_the_pause_is_over);
    tcase_add_test(states, test_two_successes_close_it);
    tcase_add_test(states, test_pause_doubles_up_to_the_longest);
    tcase_add_test(states, test_pause_is_short_again_after_it_was_closed);
    tcase_add_test(states, test_success_of_a_probe_and_then_a_failure_opens_it_at_once);
    tcase_add_test(states, test_late_answers_change_nothing_while_it_is_open);
    tcase_add_test(states, test_who_is_told_of_an_answer_does_not_wait_for_the_end_of_the_pause);
    tcase_add_test(states, test_chance_takes_less_than_a_quarter_of_the_pause);
    suite_add_tcase(suite, states);
    return sf_run_suite(suite);
}
