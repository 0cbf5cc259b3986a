/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/draw.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/support/run_suite.h"

#define DRAWS 400000u

START_TEST(test_a_seed_repeats_its_numbers_and_another_has_others)
{
    struct sf_draw a, b, c;

    sf_draw_init(&a, 7);
    sf_draw_init(&b, 7);
    sf_draw_init(&c, 8);
    for (int i = 0; i < 100; i++) {
        uint64_t drawn = sf_draw_u64(&a);
        ck_assert_uint_eq(drawn, sf_draw_u64(&b));
        ck_assert_uint_ne(drawn, sf_draw_u64(&c));
    }
}
END_TEST

START_TEST(test_units_lie_in_the_interval_and_in_all_of_it)
{
    struct sf_draw draw;
    unsigned tenths[10] = {0};

    sf_draw_init(&draw, 1);
    for (unsigned i = 0; i < DRAWS; i++) {
        double unit = sf_draw_unit(&draw);
        ck_assert(unit >= 0 && unit < 1);
        tenths[(size_t)(unit * 10)]++;
    }
    for (int i = 0; i < 10; i++)
        ck_assert_double_eq_tol(tenths[i], DRAWS / 10.0, 6 * sqrt(DRAWS / 10.0));
}
END_TEST

/* Chi-square of so many draws against k^-exponent; ranks that are too rare are put together. */
static double
chi_square(uint32_t count, double exponent, unsigned *cells_out)
{
    struct sf_popularity *popularity;
    struct sf_draw draw;
    unsigned *seen = calloc(count, sizeof *seen);
    double weights = 0, sum = 0, expected = 0, found = 0;

    ck_assert_int_eq(sf_popularity_new(&popularity, count, exponent), SF_OK);
    sf_draw_init(&draw, 42);
    for (unsigned i = 0; i < DRAWS; i++)
        seen[sf_popularity_rank(popularity, &draw)]++;
    for (uint32_t rank = 0; rank < count; rank++)
        weights += pow(rank + 1.0, -exponent);
    *cells_out = 0;
    for (uint32_t rank = 0; rank < count; rank++) {
        expected += DRAWS * pow(rank + 1.0, -exponent) / weights;
        found += seen[rank];
        if (expected < 20 && rank + 1 < count)
            continue;
        sum += (found - expected) * (found - expected) / expected;
        expected = found = 0;
        ++*cells_out;
    }
    free(seen);
    sf_popularity_free(popularity);
    return sum;
}

/* The sum is about the number of cells, give or take its root of twice that. */
static void
assert_distributed(uint32_t count, double exponent)
{
    unsigned cells;
    double sum = chi_square(count, exponent, &cells);

    ck_assert_uint_gt(cells, 5);
    ck_assert_double_le(sum, cells + 5 * sqrt(2.0 * cells));
}

START_TEST(test_the_kth_most_popular_is_drawn_as_zipf_says)
{
    assert_distributed(10, 0.99);
    assert_distributed(1000, 0.99);
    assert_distributed(100000, 0.99);
    assert_distributed(1000, 1.4);
}
END_TEST

START_TEST(test_exponent_zero_is_uniform)
{
    assert_distributed(1000, 0);
}
END_TEST

START_TEST(test_ranks_and_sessions_are_one_to_one)
{
    static const uint32_t counts[] = {1, 2, 7, 1000, 10000, 65536};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t count = counts[i], different = 0;
        struct sf_popularity *popularity;
        struct sf_draw draw;
        bool *seen = calloc(count, sizeof *seen);

        ck_assert_int_eq(sf_popularity_new(&popularity, count, 0), SF_OK);
        sf_draw_init(&draw, 3);
        for (unsigned n = 0; n < 16 * count + 100; n++) {
            uint32_t session = sf_popularity_session(popularity, &draw);
            ck_assert_uint_lt(session, count);
            different += !seen[session];
            seen[session] = true;
        }
        ck_assert_uint_eq(different, count);
        free(seen);
        sf_popularity_free(popularity);
    }
}
END_TEST

START_TEST(test_popularity_of_nothing_is_refused)
{
    struct sf_popularity *popularity;

    ck_assert_int_eq(sf_popularity_new(&popularity, 0, 0.99), SF_INVALID);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("draw");
    TCase *tests = tcase_create("draw");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_a_seed_repeats_its_numbers_and_another_has_others);
    tcase_add_test(tests, test_units_lie_in_the_interval_and_in_all_of_it);
    tcase_add_test(tests, test_the_kth_most_popular_is_drawn_as_zipf_says);
    tcase_add_test(tests, test_exponent_zero_is_uniform);
    tcase_add_test(tests, test_ranks_and_sessions_are_one_to_one);
    tcase_add_test(tests, test_popularity_of_nothing_is_refused);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
