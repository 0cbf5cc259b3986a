/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/pressure.h"

#include <check.h>

#include "common/cache/l1_private.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_pressure pressure;
static int rises, falls;

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    rises += strncmp(line, "SF0221", 6) == 0;
    falls += strncmp(line, "SF0222", 6) == 0;
}

static const struct sf_log log_counts = {.write = count_line, .level = SF_LOG_DEBUG};

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    pressure = (struct sf_pressure){.l1 = cache.l1, .log = &log_counts, .limit = 50};
    sf_pressure_init(&pressure);
    rises = falls = 0;
}

static void
tear_down(void)
{
    sf_test_cache_fini(&cache);
}

static enum sf_l1_pressure
level(void)
{
    ck_assert_int_eq(sf_l1_pressure(cache.l1), pressure.level);
    return pressure.level;
}

START_TEST(test_share_and_want_say_the_level)
{
    sf_pressure_rise(&pressure, 49, SF_WANTED_BY_USER, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NONE);
    sf_pressure_rise(&pressure, 49, SF_WANTED_BY_VISITOR, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NONE);
    sf_pressure_rise(&pressure, 50, SF_WANTED_BY_NOBODY, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_NEW);
    sf_pressure_rise(&pressure, 71, SF_WANTED_BY_NOBODY, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_NEW);
    sf_pressure_rise(&pressure, 72, SF_WANTED_BY_NOBODY, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_ANONYMOUS);
    sf_pressure_rise(&pressure, 100, SF_WANTED_BY_NOBODY, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_ANONYMOUS);
    sf_pressure_rise(&pressure, 60, SF_WANTED_BY_USER, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_FULL);
    ck_assert_int_eq(rises, 3);
    ck_assert_int_eq(falls, 0);
}
END_TEST

START_TEST(test_visitor_who_finds_no_room_says_that_there_is_none_for_visitors)
{
    sf_pressure_rise(&pressure, 50, SF_WANTED_BY_VISITOR, 0);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_ANONYMOUS);
}
END_TEST

START_TEST(test_it_never_falls_while_nobody_takes_anything)
{
    sf_pressure_rise(&pressure, 60, SF_WANTED_BY_USER, 0);
    sf_pressure_rise(&pressure, 50, SF_WANTED_BY_NOBODY, 100 * SF_SECOND);
    sf_pressure_rise(&pressure, 10, SF_WANTED_BY_NOBODY, 200 * SF_SECOND);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_FULL);
    sf_pressure_fall(&pressure, 200 * SF_SECOND + 10);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_FULL);
    ck_assert_int_eq(rises, 1);
}
END_TEST

START_TEST(test_it_falls_by_one_level_a_second_and_says_so_once)
{
    sf_pressure_rise(&pressure, 60, SF_WANTED_BY_USER, 0);
    for (sf_time now = 0; now < 10 * SF_SECOND; now += 10) {
        sf_pressure_fall(&pressure, now);
        ck_assert_int_eq((int)level(), now < 3 * SF_SECOND ? 3 - (int)(now / SF_SECOND) : 0);
    }
    ck_assert_int_eq(falls, 3);
}
END_TEST

START_TEST(test_it_rises_again_at_once)
{
    sf_pressure_rise(&pressure, 80, SF_WANTED_BY_NOBODY, 0);
    sf_pressure_fall(&pressure, SF_SECOND);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_NEW);
    sf_pressure_rise(&pressure, 80, SF_WANTED_BY_NOBODY, SF_SECOND + 10);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_ANONYMOUS);
}
END_TEST

START_TEST(test_renewing_keeps_it_and_writes_nothing_at_level_0)
{
    atomic_store(&cache.l1->header->pressure, 7);
    sf_pressure_renew(&pressure);
    ck_assert_uint_eq(atomic_load(&cache.l1->header->pressure), 7);
    sf_pressure_rise(&pressure, 60, SF_WANTED_BY_NOBODY, 0);
    atomic_store(&cache.l1->header->pressure, 7);
    sf_pressure_renew(&pressure);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_NEW);
}
END_TEST

START_TEST(test_it_begins_as_the_one_before_has_left_it)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NO_ANONYMOUS);
    sf_pressure_init(&pressure);
    sf_pressure_fall(&pressure, 5000);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_ANONYMOUS); /* nothing is known yet */
    sf_pressure_fall(&pressure, 6000);
    ck_assert_int_eq(level(), SF_L1_PRESSURE_NO_NEW);
    ck_assert_int_eq(falls, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pressure");
    TCase *tests = tcase_create("pressure");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_share_and_want_say_the_level);
    tcase_add_test(tests, test_visitor_who_finds_no_room_says_that_there_is_none_for_visitors);
    tcase_add_test(tests, test_it_never_falls_while_nobody_takes_anything);
    tcase_add_test(tests, test_it_falls_by_one_level_a_second_and_says_so_once);
    tcase_add_test(tests, test_it_rises_again_at_once);
    tcase_add_test(tests, test_renewing_keeps_it_and_writes_nothing_at_level_0);
    tcase_add_test(tests, test_it_begins_as_the_one_before_has_left_it);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
