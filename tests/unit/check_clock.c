/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <check.h>
#include <time.h>

#include "tests/support/run_suite.h"

START_TEST(test_wall_clock_is_the_time_of_day_in_milliseconds)
{
    sf_time before = (sf_time)time(NULL) * SF_SECOND;
    sf_time now = sf_clock_wall();
    ck_assert_int_ge(now, before - SF_SECOND); /* time(2) may lag behind by a tick */
    ck_assert_int_le(now, before + SF_MINUTE);
}
END_TEST

START_TEST(test_steady_clocks_never_go_back)
{
    sf_time ms = sf_clock_steady();
    uint64_t ns = sf_clock_ns();
    for (int i = 0; i < 10000; i++) {
        sf_time next_ms = sf_clock_steady();
        uint64_t next_ns = sf_clock_ns();
        ck_assert_int_ge(next_ms, ms);
        ck_assert_uint_ge(next_ns, ns);
        ms = next_ms;
        ns = next_ns;
    }
}
END_TEST

START_TEST(test_nanoseconds_and_milliseconds_pass_together)
{
    sf_time ms = sf_clock_steady();
    uint64_t ns = sf_clock_ns();
    while (sf_clock_steady() < ms + 3)
        continue;
    ck_assert_uint_ge(sf_clock_ns() - ns, 1000000);
}
END_TEST

START_TEST(test_time_of_a_thread_passes_while_it_works)
{
    sf_time began = sf_clock_thread(), wall = sf_clock_steady();
    while (sf_clock_thread() < began + 3)
        continue;
    ck_assert_int_ge(sf_clock_steady() - wall, 2);
}
END_TEST

START_TEST(test_units_are_milliseconds)
{
    ck_assert_int_eq(SF_SECOND, 1000);
    ck_assert_int_eq(SF_DAY, 86400000);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_wall_clock_is_the_time_of_day_in_milliseconds);
    tcase_add_test(tests, test_steady_clocks_never_go_back);
    tcase_add_test(tests, test_nanoseconds_and_milliseconds_pass_together);
    tcase_add_test(tests, test_time_of_a_thread_passes_while_it_works);
    tcase_add_test(tests, test_units_are_milliseconds);
    return sf_run_suite(suite);
}
