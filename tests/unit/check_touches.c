/* SPDX-License-Identifier: Apache-2.0 */
/* Last accesses, by way of the batch writer, which is who takes and writes them. */
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/unit/writer_case.h"

START_TEST(test_touch_alone_is_written_within_seconds)
{
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    sf_time later = SF_TEST_NOW + SF_MINUTE + SF_SECOND;
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, later);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 1);
    ck_assert_int_ge(stored_access(1), later - SF_SECOND);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 1);
}
END_TEST

/* Changed, and used on while the store was away. */
START_TEST(test_record_is_written_with_its_last_access)
{
    struct sf_key key = sf_test_cache_key(1);
    open_quiet_writer("memory:");
    change(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_int_eq(stored_access(1), SF_TEST_NOW + 20 * SF_MINUTE);
}
END_TEST

START_TEST(test_drain_writes_touches_of_what_it_has_just_written)
{
    struct sf_key key = sf_test_cache_key(1);
    open_writer("memory:", 1);
    change(1);
    change(2);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10000), SF_OK);
    ck_assert_int_eq(stored_access(1), SF_TEST_NOW + 20 * SF_MINUTE);
    struct sf_l1_touched touched;
    uint32_t from = 0;
    ck_assert_uint_eq(sf_l1_touched_take(cache.l1, &from, &touched, 1), 0);
}
END_TEST

START_TEST(test_touch_rides_with_a_batch)
{
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE + SF_SECOND);
    change(2);
    sf_batch_writer_urge(writer);
    step_after(5 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    ck_assert_uint_eq(state.touches, 1);
    ck_assert_uint_eq(state.records, 2);
}
END_TEST

START_TEST(test_touches_do_not_hurry_young_changes)
{
    open_quiet_writer("memory:");
    now += 10 * SF_SECOND - 100;
    change(1);
    step();
    step_after(100);
    ck_assert_uint_eq(state.batches, 0);
    ck_assert_uint_eq(stored_version(1), 0);
}
END_TEST

START_TEST(test_touches_of_an_outage_are_written_after_it)
{
    open_quiet_writer("fail:write=OK+UNAVAILABLE+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE + SF_SECOND);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 0);
    now = state.retry_at;
    step();
    ck_assert_uint_eq(state.touches, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("touches");
    TCase *tests = tcase_create("touches");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_touch_alone_is_written_within_seconds);
    tcase_add_test(tests, test_record_is_written_with_its_last_access);
    tcase_add_test(tests, test_drain_writes_touches_of_what_it_has_just_written);
    tcase_add_test(tests, test_touch_rides_with_a_batch);
    tcase_add_test(tests, test_touches_do_not_hurry_young_changes);
    tcase_add_test(tests, test_touches_of_an_outage_are_written_after_it);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
