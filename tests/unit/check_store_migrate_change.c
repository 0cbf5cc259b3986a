/* SPDX-License-Identifier: Apache-2.0 */
/* Start, percent, finish, abort: what the administrator does while a store is moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

static enum sf_status
start(const char *url, int percent)
{
    return sf_migrate_start(migrate, url, percent, sf_clock_steady() + SF_SECOND, &migrate_error);
}

/* So many sessions are moved, up to the end. */
static void
finish_ten(void)
{
    migrate_fill(10);
    migrate_verify(100);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_OK);
}

START_TEST(test_what_cannot_be_a_migration_is_refused)
{
    migrate_assert_refused(start(OLD_URL, 10), "used already");
    migrate_assert_refused(start("carrier-pigeon:coo", 10), "unknown scheme");
    migrate_assert_refused(start(NEW_URL, 101), "from 0 to 100");
    migrate_assert_refused(start(NEW_URL, -1), "from 0 to 100");
    migrate_assert_refused(start("memory:a b", 1), "no URL");
    migrate_assert_refused(start("", 1), "unknown scheme");
    migrate_assert_refused(sf_migrate_set_percent(migrate, 10, &migrate_error), "no migration");
    migrate_assert_refused(sf_migrate_compare(migrate, &migrate_error), "no migration");
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "no migration");
    migrate_assert_refused(sf_migrate_abort(migrate, &migrate_error), "no migration");
    migrate_begin(10);
    migrate_assert_refused(start("memory:third", 10), "under way already");
    migrate_assert_refused(sf_migrate_set_percent(migrate, 101, &migrate_error), "from 0 to 100");
}
END_TEST

START_TEST(test_a_new_store_that_cannot_be_reached_begins_nothing)
{
    migrate_answer(NEW, SIDE_ATTACH, SF_UNAVAILABLE);
    ck_assert_int_eq(start(NEW_URL, 10), SF_UNAVAILABLE);
    ck_assert_str_eq(migrate_error.text, "it does not attach");
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
    ck_assert_int_ne(access(sf_temp_folder_path(&migrate_folder, "migration"), F_OK), 0);
    migrate_answer(NEW, SIDE_ATTACH, SF_OK);
    ck_assert_int_eq(start(NEW_URL, 10), SF_OK);
}
END_TEST

START_TEST(test_an_old_store_that_does_not_answer_begins_nothing)
{
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(start(NEW_URL, 10), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(migrate_error.text, "that is used does not answer"));
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
}
END_TEST

START_TEST(test_the_state_holds_a_password_and_is_for_its_owner)
{
    ck_assert_int_eq(start("memory://user:secret@place", 10), SF_OK);
    struct sf_migrate_report report = migrate_look();
    ck_assert_str_eq(report.second, "memory://user:***@place");
    ck_assert_str_eq(report.authority, OLD_URL);
    const char *path = sf_temp_folder_path(&migrate_folder, "migration");
    ck_assert_int_eq(access(path, R_OK), 0);
}
END_TEST

START_TEST(test_finish_waits_for_a_comparison_without_differences)
{
    migrate_fill(300);
    migrate_begin(100);
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "not everything has been copied");
    while (migrate_look().is_copying)
        migrate_step(1);
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "not been found equal yet");
    migrate_work_off();
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "1 changed sessions are not in the other store");
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_work_off();
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "finished already");
    migrate_assert_refused(sf_migrate_set_percent(migrate, 10, &migrate_error), "is finished");
}
END_TEST

START_TEST(test_after_the_end_the_new_store_answers_and_the_old_one_gets_everything)
{
    migrate_fill(10);
    migrate_verify(10);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_OK);
    struct sf_migrate_report report = migrate_look();
    ck_assert_str_eq(report.authority, NEW_URL);
    ck_assert_str_eq(report.second, OLD_URL);
    ck_assert_int_eq(report.percent, 100);
    migrate_calls(OLD, SIDE_LOAD);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert_uint_eq(migrate_calls(OLD, SIDE_LOAD), 0);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 1), 2);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_UNAVAILABLE);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 1), 2);
    migrate_answer(NEW, SIDE_LOAD, SF_UNAVAILABLE); /* the old one stands in */
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
}
END_TEST

START_TEST(test_abort_leaves_the_old_store_with_everything)
{
    migrate_fill(10);
    migrate_verify(100);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_ABORTED);
    ck_assert_str_eq(migrate_look().second, "");
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 1), 3);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 1), 2);
}
END_TEST

START_TEST(test_there_is_a_way_back_after_the_end)
{
    finish_ten();
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    migrate_answer(OLD, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_put(migrate_store, 2, 2), SF_OK);
    migrate_assert_refused(sf_migrate_abort(migrate, &migrate_error), "1 changed sessions are not in the other store");
    migrate_answer(OLD, SIDE_WRITE, SF_OK);
    migrate_work_off();
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_str_eq(migrate_look().authority, OLD_URL);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert_uint_eq(migrate_version(migrate_store, 2), 2);
}
END_TEST

/* That is when one wants to go back. What nobody has acknowledged does not hold it up. */
/* It is no restart of the store: what the cache has is in both. */
START_TEST(test_the_cache_is_told_of_the_store_that_takes_over)
{
    migrate_restart(NEW);
    migrate_verify(100);
    ck_assert_uint_eq(migrate_former + migrate_now, 0);
    uint64_t old_one = sf_store_incarnation(migrate_store);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_OK);
    uint64_t new_one = sf_store_incarnation(migrate_store);
    ck_assert_uint_ne(new_one, old_one);
    ck_assert_uint_eq(migrate_former, old_one);
    ck_assert_uint_eq(migrate_now, new_one);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_uint_eq(migrate_former, new_one);
    ck_assert_uint_eq(migrate_now, old_one);
}
END_TEST

START_TEST(test_there_is_a_way_back_when_the_new_store_is_dead)
{
    finish_ten();
    migrate_answer(NEW, SIDE_WRITE, SF_UNCERTAIN);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_UNCERTAIN);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    migrate_answer(NEW, SIDE_LOAD, SF_UNAVAILABLE);
    migrate_answer(NEW, SIDE_SCAN, SF_UNAVAILABLE);
    migrate_step(10);
    ck_assert_uint_eq(migrate_look().owed, 1);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(migrate_version(migrate_store, i), 1);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
}
END_TEST

START_TEST(test_what_an_aborted_migration_left_is_not_read_by_the_next_one)
{
    migrate_fill(10);
    migrate_verify(100);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_end(migrate_store, 1, 2), SF_OK);
    ck_assert_int_eq(migrate_put(migrate_store, 2, 2), SF_OK);
    migrate_begin(100);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert_uint_eq(migrate_version(migrate_store, 2), 2);
    migrate_work_off();
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 1), 2);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 2), 2);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

/* The folder takes no file: nothing has changed then. */
START_TEST(test_what_cannot_be_remembered_is_not_done)
{
    char command[128];
    migrate_fill(10);
    migrate_verify(10);
    /* In the place of the file that is renamed stands a folder: root may write everywhere else. */
    snprintf(command, sizeof command, "mkdir %s/migration-new", migrate_folder.path);
    ck_assert_int_eq(system(command), 0); /* NOLINT(concurrency-mt-unsafe) */
    ck_assert_int_eq(sf_migrate_set_percent(migrate, 50, &migrate_error), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_migrate_finish(migrate, &migrate_error), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_UNAVAILABLE);
    struct sf_migrate_report report = migrate_look();
    ck_assert_int_eq(report.percent, 10);
    ck_assert_int_eq(report.phase, SF_MIGRATE_VERIFIED);
    ck_assert_str_eq(report.authority, OLD_URL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_change");
    TCase *tests = tcase_create("store_migrate_change");
    tcase_add_checked_fixture(tests, migrate_set_up, migrate_tear_down);
    tcase_add_test(tests, test_what_cannot_be_a_migration_is_refused);
    tcase_add_test(tests, test_a_new_store_that_cannot_be_reached_begins_nothing);
    tcase_add_test(tests, test_an_old_store_that_does_not_answer_begins_nothing);
    tcase_add_test(tests, test_the_state_holds_a_password_and_is_for_its_owner);
    tcase_add_test(tests, test_finish_waits_for_a_comparison_without_differences);
    tcase_add_test(tests, test_after_the_end_the_new_store_answers_and_the_old_one_gets_everything);
    tcase_add_test(tests, test_abort_leaves_the_old_store_with_everything);
    tcase_add_test(tests, test_there_is_a_way_back_after_the_end);
    tcase_add_test(tests, test_the_cache_is_told_of_the_store_that_takes_over);
    tcase_add_test(tests, test_there_is_a_way_back_when_the_new_store_is_dead);
    tcase_add_test(tests, test_what_an_aborted_migration_left_is_not_read_by_the_next_one);
    tcase_add_test(tests, test_what_cannot_be_remembered_is_not_done);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
