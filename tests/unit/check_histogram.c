/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/histogram.h"

#include <check.h>

#include "tests/support/run_suite.h"

static struct sf_histogram histogram, other; /* too large for the stack of a test */

static void
forget(void)
{
    histogram = other = (struct sf_histogram){.count = 0};
}

START_TEST(test_an_empty_one_has_no_quantiles)
{
    ck_assert_uint_eq(sf_histogram_quantile(&histogram, 0.5), 0);
    ck_assert_double_eq(sf_histogram_mean(&histogram), 0);
}
END_TEST

START_TEST(test_small_values_are_exact)
{
    for (uint64_t value = 0; value < 64; value++) {
        forget();
        sf_histogram_add(&histogram, value);
        sf_histogram_add(&histogram, 1000); /* or the largest value would answer */
        ck_assert_uint_eq(sf_histogram_quantile(&histogram, 0.5), value);
    }
}
END_TEST

START_TEST(test_a_quantile_is_never_below_the_value_and_hardly_above)
{
    for (uint64_t value = 1; value < UINT64_C(1) << 40; value += value / 7 + 1) {
        forget();
        sf_histogram_add(&histogram, value);
        sf_histogram_add(&histogram, 2 * value + 2);
        uint64_t answer = sf_histogram_quantile(&histogram, 0.5);
        ck_assert_uint_ge(answer, value);
        ck_assert_uint_le(answer, value + value / 32);
    }
}
END_TEST

START_TEST(test_quantiles_of_many)
{
    for (uint64_t value = 1; value <= 100000; value++)
        sf_histogram_add(&histogram, value);
    ck_assert_double_eq_tol(sf_histogram_mean(&histogram), 50000.5, 0.001);
    static const double parts[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        double answer = (double)sf_histogram_quantile(&histogram, parts[i]);
        ck_assert_double_ge(answer, parts[i] * 100000);
        ck_assert_double_le(answer, parts[i] * 100000 * 33 / 32);
    }
    ck_assert_uint_eq(sf_histogram_quantile(&histogram, 1), 100000);
    ck_assert_uint_eq(sf_histogram_quantile(&histogram, 0), 1);
}
END_TEST

START_TEST(test_what_is_above_the_range_counts_as_the_largest)
{
    sf_histogram_add(&histogram, 5);
    sf_histogram_add(&histogram, UINT64_MAX);
    ck_assert_uint_eq(histogram.count, 2);
    ck_assert_uint_eq(sf_histogram_quantile(&histogram, 0.5), 5);
    ck_assert_uint_eq(sf_histogram_quantile(&histogram, 1), UINT64_MAX);
}
END_TEST

START_TEST(test_a_merge_is_as_if_one_had_seen_all)
{
    static struct sf_histogram both;

    for (uint64_t value = 0; value < 3000; value++) {
        sf_histogram_add(value % 3 == 0 ? &histogram : &other, value * value);
        sf_histogram_add(&both, value * value);
    }
    sf_histogram_merge(&histogram, &other);
    ck_assert_mem_eq(&histogram, &both, sizeof both);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tests = tcase_create("histogram");
    tcase_add_checked_fixture(tests, forget, NULL);
    tcase_add_test(tests, test_an_empty_one_has_no_quantiles);
    tcase_add_test(tests, test_small_values_are_exact);
    tcase_add_test(tests, test_a_quantile_is_never_below_the_value_and_hardly_above);
    tcase_add_test(tests, test_quantiles_of_many);
    tcase_add_test(tests, test_what_is_above_the_range_counts_as_the_largest);
    tcase_add_test(tests, test_a_merge_is_as_if_one_had_seen_all);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
