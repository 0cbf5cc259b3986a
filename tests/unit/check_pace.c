/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/pace.h"

#include <check.h>

#include "common/base/clock.h"
#include "tests/support/run_suite.h"

#define SECOND UINT64_C(1000000000)

START_TEST(test_there_is_no_drift)
{
    struct sf_pace pace;

    sf_pace_init(&pace, 5, 6000, 0, 1);
    for (uint64_t second = 0; second <= 86400; second += 60)
        ck_assert_uint_eq(sf_pace_due(&pace, 6000 * second), 5 + second * SECOND);
    sf_pace_init(&pace, 0, 3, 0, 1);
    ck_assert_uint_eq(sf_pace_due(&pace, 1), SECOND / 3);
    ck_assert_uint_eq(sf_pace_due(&pace, 3), SECOND);
}
END_TEST

/* As many in each second as was asked for, by all workers together, each operation once. */
START_TEST(test_workers_share_the_operations)
{
    enum { WORKERS = 7, RATE = 1000, SECONDS = 3 };
    static unsigned seen[RATE * SECONDS];

    for (unsigned i = 0; i < WORKERS; i++) {
        struct sf_pace pace;
        sf_pace_init(&pace, 0, RATE, i, WORKERS);
        while (pace.next < RATE * SECONDS) {
            uint64_t operation = pace.next;
            ck_assert_uint_eq(sf_pace_wait(&pace), sf_pace_due(&pace, operation));
            seen[operation]++;
        }
    }
    for (unsigned i = 0; i < RATE * SECONDS; i++)
        ck_assert_uint_eq(seen[i], 1);
}
END_TEST

START_TEST(test_waits_until_it_is_due)
{
    struct sf_pace pace;
    uint64_t begin = sf_clock_ns();

    sf_pace_init(&pace, begin, 200, 0, 1);
    for (int i = 0; i < 20; i++) {
        uint64_t due = sf_pace_wait(&pace);
        ck_assert_uint_ge(sf_clock_ns(), due);
    }
    ck_assert_uint_ge(sf_clock_ns(), begin + 19 * SECOND / 200);
}
END_TEST

/* Late operations are all done, and each says when it was due: none is left out. */
START_TEST(test_does_not_wait_when_late_and_leaves_nothing_out)
{
    struct sf_pace pace;
    uint64_t begin = sf_clock_ns() - 10 * SECOND;

    sf_pace_init(&pace, begin, 1000, 0, 1);
    for (uint64_t i = 0; i < 5000; i++)
        ck_assert_uint_eq(sf_pace_wait(&pace), begin + i * SECOND / 1000);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tests = tcase_create("pace");
    tcase_add_test(tests, test_there_is_no_drift);
    tcase_add_test(tests, test_workers_share_the_operations);
    tcase_add_test(tests, test_waits_until_it_is_due);
    tcase_add_test(tests, test_does_not_wait_when_late_and_leaves_nothing_out);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
