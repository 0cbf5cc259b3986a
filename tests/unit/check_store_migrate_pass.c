/* SPDX-License-Identifier: Apache-2.0 */
/* Copying, comparing, repairing: what goes on in the background while a store is moved. */
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

#define MANY 1000 /* sessions: several pages */

static struct sf_difference listed[SF_DIFFERENCES_KEPT];

static void
fill(struct sf_store *store, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        ck_assert_int_eq(migrate_put(store, i, 1), SF_OK);
}

static void
assert_equal(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t version = migrate_version(migrate_side(OLD), i);
        ck_assert_uint_eq(migrate_version(migrate_side(NEW), i), version);
    }
}

/* A comparison from the beginning to the end; how many differences it finds. */
static uint64_t
compare(void)
{
    uint64_t passes = migrate_look().passes;
    ck_assert_int_eq(sf_migrate_compare(migrate, &migrate_error), SF_OK);
    while (migrate_look().passes == passes)
        migrate_step(1);
    return migrate_look().found;
}

START_TEST(test_everything_is_copied_and_found_equal)
{
    fill(migrate_store, 0, MANY);
    ck_assert_int_eq(migrate_end(migrate_store, 7, 2), SF_OK);
    migrate_begin(100);
    migrate_work_off();
    struct sf_migrate_report report = migrate_look();
    ck_assert_int_eq(report.phase, SF_MIGRATE_VERIFIED);
    ck_assert_uint_eq(report.copied, MANY);
    ck_assert_uint_eq(report.compared, MANY);
    ck_assert_uint_eq(report.found + report.differences, 0);
    ck_assert_int_ne(report.verified, 0);
    assert_equal(MANY);
}
END_TEST

START_TEST(test_nothing_is_equal_to_nothing)
{
    migrate_begin(0);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

/* Made, changed and ended in front of the cursor, behind it and on it. */
START_TEST(test_changes_during_the_copy_are_copied)
{
    fill(migrate_store, 0, MANY);
    migrate_begin(100);
    for (unsigned i = 0; i < 40; i++) {
        migrate_step(1);
        ck_assert_int_eq(migrate_put(migrate_store, i * 25, 2), SF_OK);
        ck_assert_int_eq(migrate_put(migrate_store, MANY + i, 1), SF_OK);
        ck_assert_int_eq(migrate_end(migrate_store, i * 25 + 1, 2), SF_OK);
        ck_assert_uint_eq(migrate_version(migrate_store, i * 25), 2);
    }
    migrate_work_off();
    assert_equal(MANY + 40);
    ck_assert_uint_eq(migrate_look().differences, 0);
}
END_TEST

/* Of another migration, or ended and swept meanwhile: they must not come back to life. */
START_TEST(test_what_only_the_new_store_has_is_removed_before_it_is_read)
{
    fill(migrate_store, 0, 300);
    fill(migrate_side(NEW), 200, 200);
    ck_assert_int_eq(migrate_put(migrate_side(NEW), 5, 0x7fffffff), SF_OK); /* later than the old store's */
    migrate_begin(100);
    for (int i = 0; i < 30; i++) {
        for (unsigned number = 300; number < 400; number++)
            ck_assert_int_ne(migrate_load(number) == SF_OK && migrate_version(migrate_store, number) == 1, true);
        ck_assert_uint_eq(migrate_version(migrate_store, 5), 1);
        migrate_step(1);
    }
    struct sf_migrate_report report = migrate_look();
    ck_assert_int_ne(report.phase, SF_MIGRATE_VERIFIED); /* because of 5 */
    ck_assert_uint_eq(report.owed, 1);
    ck_assert_int_eq(migrate_put(migrate_store, 5, 0x80000000), SF_OK);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_uint_eq(compare(), 0);
}
END_TEST

/* The authority does not have them: nobody may take that for an end. */
static void
assert_extra_stays(unsigned number)
{
    migrate_step(20);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), number), 1);
    ck_assert_int_eq(migrate_load(number), SF_NOT_FOUND);
    ck_assert_uint_ge(migrate_look().owed, 1);
}

START_TEST(test_what_the_authority_may_have_lost_is_not_removed_by_the_copy)
{
    fill(migrate_store, 0, 300);
    fill(migrate_side(NEW), 300, 100);
    migrate_begin(100);
    migrate_restart(OLD);
    assert_extra_stays(350);
    size_t count = sf_migrate_differences(migrate, listed);
    ck_assert_uint_eq(count, 100);
    ck_assert_int_eq(listed[0].kind, SF_DIFFERENCE_EXTRA);
    ck_assert(!listed[0].is_repaired);
}
END_TEST

START_TEST(test_nor_by_a_later_copy)
{
    fill(migrate_store, 0, 10);
    migrate_verify(100);
    fill(migrate_side(NEW), 50, 1);
    migrate_restart(NEW);
    assert_extra_stays(50);
}
END_TEST

START_TEST(test_nor_where_it_is_owed)
{
    fill(migrate_store, 0, 10);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_put(migrate_store, 5, 2), SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_answer(OLD, SIDE_LOAD, SF_NOT_FOUND);
    assert_extra_stays(5);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_INVALID);
}
END_TEST

/* The new store may have lost it: the old one is what is left. */
START_TEST(test_nor_when_it_is_finished)
{
    fill(migrate_store, 0, 10);
    migrate_verify(100);
    fill(migrate_side(OLD), 50, 1);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_OK);
    migrate_restart(OLD);
    migrate_step(20);
    ck_assert(!migrate_look().is_copying);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 50), 1);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_load(50), SF_OK);
}
END_TEST

/* Somebody has mixed up the two, or the old one lost everything: not the moment to remove something. */
START_TEST(test_an_empty_authority_removes_nothing)
{
    fill(migrate_side(NEW), 0, 10);
    migrate_begin(100);
    migrate_step(20);
    struct sf_migrate_report report = migrate_look();
    ck_assert(report.is_copying);
    ck_assert_ptr_nonnull(strstr(report.trouble, "is empty and the other one is not"));
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 3), 1);
    ck_assert_int_eq(migrate_load(3), SF_NOT_FOUND);
}
END_TEST

static const struct sf_difference *
find_listed(unsigned number, size_t count)
{
    struct sf_key key = sf_test_key(number);
    for (size_t i = 0; i < count; i++)
        if (sf_key_equal(&listed[i].key, &key))
            return &listed[i];
    ck_abort_msg("%u is not listed", number);
}

static void
assert_listed(unsigned number, size_t count, enum sf_difference_kind kind, bool is_repaired)
{
    const struct sf_difference *difference = find_listed(number, count);
    ck_assert_str_eq(sf_difference_name(difference->kind), sf_difference_name(kind));
    ck_assert_int_eq(difference->is_repaired, is_repaired);
}

static void
put_other_bytes(struct sf_store *store, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, "bob", sf_span_text("other value"));
    struct sf_write write = sf_test_put(number, version, &record);
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    sf_buffer_fini(&record);
}

static void
touch(struct sf_store *store, unsigned number)
{
    struct sf_write write = sf_test_touch(number, 9000, SF_DAY);
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
}

/* Behind everybody's back. */
START_TEST(test_differences_are_found_both_ways_listed_and_repaired)
{
    fill(migrate_store, 0, 20);
    migrate_verify(100);
    fill(migrate_side(OLD), 30, 1);
    fill(migrate_side(NEW), 31, 1);
    ck_assert_int_eq(migrate_put(migrate_side(OLD), 2, 2), SF_OK);
    ck_assert_int_eq(migrate_put(migrate_side(NEW), 3, 2), SF_OK);
    touch(migrate_side(OLD), 4);
    put_other_bytes(migrate_side(OLD), 40, 1);
    fill(migrate_side(NEW), 40, 1);
    ck_assert_uint_eq(compare(), 6);
    size_t count = sf_migrate_differences(migrate, listed);
    ck_assert_uint_eq(count, 6);
    assert_listed(30, count, SF_DIFFERENCE_MISSING, true);
    assert_listed(31, count, SF_DIFFERENCE_EXTRA, false);
    assert_listed(2, count, SF_DIFFERENCE_VERSION, true);
    assert_listed(3, count, SF_DIFFERENCE_VERSION, false);
    assert_listed(4, count, SF_DIFFERENCE_ACCESS, true);
    assert_listed(40, count, SF_DIFFERENCE_BYTES, false);
    ck_assert_uint_eq(find_listed(3, count)->version, 1);
    ck_assert_uint_eq(find_listed(3, count)->second_version, 2);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_COPYING);
    ck_assert_uint_eq(migrate_version(migrate_store, 3), 1); /* the authority's word, until it has a later one */
    ck_assert_uint_eq(compare(), 3);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 31), 1);
}
END_TEST

START_TEST(test_what_the_new_store_refuses_is_told_and_read_from_the_old_one)
{
    fill(migrate_store, 0, 10);
    migrate_answer(NEW, SIDE_WRITE, SF_INVALID);
    migrate_begin(100);
    migrate_step(20);
    size_t count = sf_migrate_differences(migrate, listed);
    assert_listed(4, count, SF_DIFFERENCE_REFUSED, false);
    ck_assert_uint_eq(migrate_look().owed, 10);
    ck_assert_int_ne(migrate_look().phase, SF_MIGRATE_VERIFIED);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

START_TEST(test_it_waits_for_a_store_that_is_away)
{
    static const struct { enum side side; enum side_call call; } away[] = {
        {OLD, SIDE_SCAN}, {NEW, SIDE_SCAN}, {OLD, SIDE_LOAD}, {NEW, SIDE_LOAD}, {NEW, SIDE_WRITE}};
    fill(migrate_store, 0, MANY);
    migrate_begin(100);
    migrate_step(3);
    migrate_answer(away[_i].side, away[_i].call, SF_UNAVAILABLE);
    migrate_step(20);
    struct sf_migrate_report report = migrate_look();
    ck_assert(report.is_copying);
    ck_assert_str_ne(report.trouble, "");
    migrate_answer(away[_i].side, away[_i].call, SF_OK);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_str_eq(migrate_look().trouble, "");
    assert_equal(MANY);
}
END_TEST

START_TEST(test_what_has_expired_long_ago_is_no_difference)
{
    fill(migrate_store, 0, 3);
    struct sf_buffer record = sf_test_tombstone(3, sf_clock_wall() - SF_HOUR);
    struct sf_write write = sf_test_put(50, 3, &record);
    migrate_verify(100);
    ck_assert_int_eq(migrate_side(OLD)->ops->write(migrate_side(OLD), &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    sf_buffer_fini(&record);
    ck_assert_uint_eq(compare(), 0);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 50), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_pass");
    TCase *tests = tcase_create("store_migrate_pass");
    tcase_add_checked_fixture(tests, migrate_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_everything_is_copied_and_found_equal);
    tcase_add_test(tests, test_nothing_is_equal_to_nothing);
    tcase_add_test(tests, test_changes_during_the_copy_are_copied);
    tcase_add_test(tests, test_what_only_the_new_store_has_is_removed_before_it_is_read);
    tcase_add_test(tests, test_what_the_authority_may_have_lost_is_not_removed_by_the_copy);
    tcase_add_test(tests, test_nor_by_a_later_copy);
    tcase_add_test(tests, test_nor_where_it_is_owed);
    tcase_add_test(tests, test_nor_when_it_is_finished);
    tcase_add_test(tests, test_an_empty_authority_removes_nothing);
    tcase_add_test(tests, test_differences_are_found_both_ways_listed_and_repaired);
    tcase_add_test(tests, test_what_the_new_store_refuses_is_told_and_read_from_the_old_one);
    tcase_add_loop_test(tests, test_it_waits_for_a_store_that_is_away, 0, 5);
    tcase_add_test(tests, test_what_has_expired_long_ago_is_no_difference);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
