/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/usage.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct usage_counter counter;
static struct sf_l1_usage usage;

static void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    counter = (struct usage_counter){.kept_from = USAGE_KEPT_FROM};
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
}

static void
tear_down(void)
{
    sf_test_cache_fini(&cache);
}

START_TEST(test_small_cache_is_counted_each_time)
{
    for (uint64_t i = 2; i < 5; i++) {
        ck_assert_int_eq(sf_test_create(cache.l1, i, "a", "b"), SF_OK);
        usage_count(&counter, cache.l1, &usage);
        ck_assert_uint_eq(usage.blocks_live, i);
    }
}
END_TEST

START_TEST(test_large_cache_is_not_counted_again_at_once)
{
    counter.kept_from = 1;
    usage_count(&counter, cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live, 1);
    ck_assert_int_ge(counter.kept_until, sf_clock_steady() + SF_SECOND / 2);
    ck_assert_int_eq(sf_test_create(cache.l1, 2, "a", "b"), SF_OK);
    usage_count(&counter, cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live, 1);
    counter.kept_until = sf_clock_steady();
    usage_count(&counter, cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live, 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("usage");
    TCase *tests = tcase_create("usage");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_small_cache_is_counted_each_time);
    tcase_add_test(tests, test_large_cache_is_not_counted_again_at_once);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
