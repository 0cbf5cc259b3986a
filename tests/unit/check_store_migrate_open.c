/* SPDX-License-Identifier: Apache-2.0 */
/* What a start finds: a daemon that was killed, a machine that was, a configuration that was changed or not. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

#define MANY 1000
#define WANTED NEW_URL " percent=25"

static void
open_again(const char *url)
{
    ck_assert_msg(migrate_open(url, "") == SF_OK, "%s", migrate_error.text);
}

static void
finish(void)
{
    ck_assert_msg(sf_migrate_finish(migrate, &migrate_error) == SF_OK, "%s", migrate_error.text);
}

static bool
has_file(const char *name)
{
    return access(sf_temp_folder_path(&migrate_folder, name), F_OK) == 0;
}

/* ---- ends of a process ---- */

START_TEST(test_an_orderly_restart_goes_on_where_it_was)
{
    migrate_fill(MANY);
    migrate_begin(100);
    migrate_step(5);
    int progress = migrate_look().progress;
    uint64_t copied = migrate_look().copied;
    ck_assert_uint_gt(copied, 100);
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_COPYING);
    ck_assert_int_eq(migrate_look().progress, progress);
    ck_assert_uint_eq(migrate_look().copied, copied);
    ck_assert_uint_eq(migrate_version(migrate_store, 3), 1);
    ck_assert_uint_gt(migrate_calls(NEW, SIDE_LOAD), 0);
    migrate_work_off();
    ck_assert_uint_eq(migrate_look().copied, MANY);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

START_TEST(test_debts_survive_any_end_of_the_process)
{
    migrate_fill(20);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(migrate_put(migrate_store, i, 2), SF_OK);
    if (_i == 0)
        migrate_kill();
    else
        migrate_close();
    open_again(OLD_URL);
    ck_assert_uint_eq(migrate_look().owed, 10);
    ck_assert(!migrate_look().is_copying);
    ck_assert_uint_eq(migrate_version(migrate_store, 3), 2);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_work_off();
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 3), 2);
}
END_TEST

/* The authority has it, the second has not, and the process is gone in between. */
START_TEST(test_a_kill_between_the_two_writes_is_a_debt)
{
    migrate_fill(20);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE); /* while the note is there, as if it had been killed here */
    ck_assert_int_eq(migrate_put(migrate_store, 7, 2), SF_OK);
    migrate_kill();
    open_again(OLD_URL);
    ck_assert_uint_eq(migrate_version(migrate_store, 7), 2);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 7), 1);
}
END_TEST

/* Notes are not synced: nothing is believed but the authority. */
START_TEST(test_after_a_crash_of_the_machine_all_is_copied_once_more)
{
    migrate_fill(20);
    migrate_verify(100);
    migrate_reboot();
    ck_assert_int_eq(migrate_put(migrate_side(OLD), 7, 2), SF_OK); /* what was acknowledged last */
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_COPYING);
    ck_assert(migrate_look().is_copying);
    ck_assert_uint_eq(migrate_version(migrate_store, 7), 2);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 7), 2);
}
END_TEST

START_TEST(test_after_an_orderly_end_a_reboot_changes_nothing)
{
    migrate_fill(20);
    migrate_verify(100);
    migrate_close();
    migrate_reboot();
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert(!migrate_look().is_copying);
}
END_TEST

START_TEST(test_killed_anywhere_it_comes_to_its_end)
{
    migrate_fill(MANY);
    migrate_begin(50);
    for (unsigned i = 0; i < 40; i++) {
        migrate_step(1);
        ck_assert_int_eq(migrate_put(migrate_store, i * 20, 2 + i), SF_OK);
        migrate_kill();
        open_again(OLD_URL);
        ck_assert_uint_eq(migrate_version(migrate_store, i * 20), 2 + i);
    }
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    finish();
    migrate_kill();
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_uint_eq(migrate_version(migrate_store, i), i % 20 == 0 && i < 800 ? 2 + i / 20 : 1);
}
END_TEST

START_TEST(test_a_store_that_is_away_at_the_start_is_asked_later)
{
    migrate_fill(20);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_ATTACH, SF_UNAVAILABLE);
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_str_eq(migrate_look().trouble, "it does not attach");
    migrate_answer(OLD, SIDE_ATTACH, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_UNAVAILABLE);
}
END_TEST

/* ---- configurations ---- */

START_TEST(test_a_finished_migration_never_falls_back_to_the_old_store)
{
    migrate_fill(20);
    migrate_verify(100);
    finish();
    open_again(OLD_URL); /* SessionFastStore was not changed yet */
    ck_assert_str_eq(migrate_look().authority, NEW_URL);
    ck_assert_ptr_nonnull(strstr(migrate_warning.text, "still names the old one"));
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 1), 2);

    open_again(NEW_URL); /* it was: that is the end of it */
    ck_assert_str_eq(migrate_warning.text, "");
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 1), 2);
    ck_assert(!has_file("migration") && !has_file("migration-owed"));
}
END_TEST

START_TEST(test_a_third_store_is_refused_while_a_migration_knows_better)
{
    migrate_verify(100);
    if (_i == 1)
        finish();
    ck_assert_int_eq(migrate_open("memory:third", ""), SF_INVALID);
    const char *truth = _i == 1 ? "the truth is in " NEW_URL : "the truth is in " OLD_URL;
    ck_assert_msg(strstr(migrate_error.text, truth) != NULL, "%s", migrate_error.text);
    open_again(OLD_URL);
}
END_TEST

START_TEST(test_the_new_store_in_the_configuration_does_not_finish_by_itself)
{
    migrate_fill(20);
    migrate_begin(0);
    open_again(NEW_URL);
    ck_assert_ptr_nonnull(strstr(migrate_warning.text, "is not finished"));
    ck_assert_str_eq(migrate_look().authority, OLD_URL);
    ck_assert_int_eq(migrate_load(3), SF_OK);
}
END_TEST

START_TEST(test_a_store_that_an_aborted_migration_left_is_refused)
{
    migrate_verify(100);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(migrate_error.text, "out of date"));
    open_again(OLD_URL);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_ABORTED);
    open_again("memory:third");
    ck_assert(!has_file("migration"));
    open_again(NEW_URL);
}
END_TEST

START_TEST(test_a_damaged_state_is_refused_and_not_guessed_at)
{
    migrate_verify(100);
    migrate_close();
    ck_assert_int_eq(truncate(sf_temp_folder_path(&migrate_folder, "migration"), 40), 0);
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(migrate_error.text, "damaged"));
}
END_TEST

/* ---- SessionFastMigrate ---- */

START_TEST(test_the_option_begins_a_migration)
{
    migrate_fill(20);
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
    migrate_answer(NEW, SIDE_ATTACH, SF_UNAVAILABLE); /* not yet there */
    migrate_step(2);
    ck_assert_str_eq(migrate_look().trouble, "it does not attach");
    migrate_answer(NEW, SIDE_ATTACH, SF_OK);
    migrate_step(2);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_COPYING);
    ck_assert_int_eq(migrate_look().percent, 25);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

/* By the command, while the store that the option names is not there. */
START_TEST(test_the_option_begins_nothing_where_somebody_has_begun)
{
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    migrate_answer(NEW, SIDE_ATTACH, SF_UNAVAILABLE);
    migrate_step(2);
    migrate_answer(NEW, SIDE_ATTACH, SF_OK);
    const char *url = _i == 0 ? NEW_URL : "memory:third";
    sf_time soon = sf_clock_steady() + SF_SECOND;
    ck_assert_int_eq(sf_migrate_start(migrate, url, 60, soon, &migrate_error), SF_OK);
    migrate_step(5);
    ck_assert_str_eq(migrate_look().trouble, "");
    ck_assert_str_eq(migrate_look().second, url);
    if (_i == 0)
        ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    ck_assert_int_eq(migrate_look().percent, 60);
}
END_TEST

/* What was said later counts: by the command, or by the option that was changed. */
START_TEST(test_the_percentage_of_the_option_counts_when_it_was_changed)
{
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    migrate_step(1);
    ck_assert_int_eq(sf_migrate_set_percent(migrate, 60, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    ck_assert_int_eq(migrate_look().percent, 60);
    ck_assert_int_eq(migrate_open(OLD_URL, NEW_URL " percent=80"), SF_OK);
    ck_assert_int_eq(migrate_look().percent, 80);
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
    ck_assert_int_eq(migrate_look().percent, 80);
}
END_TEST

START_TEST(test_an_option_that_does_not_fit_is_told)
{
    ck_assert_int_eq(migrate_open(OLD_URL, OLD_URL " percent=1"), SF_OK);
    ck_assert_ptr_nonnull(strstr(migrate_warning.text, "used already"));
    ck_assert_int_eq(migrate_open(OLD_URL, NEW_URL " percent=101"), SF_INVALID);
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    migrate_step(1);
    ck_assert_int_eq(migrate_open(OLD_URL, "memory:third percent=1"), SF_OK);
    ck_assert_ptr_nonnull(strstr(migrate_warning.text, "does not count"));
    ck_assert_str_eq(migrate_look().second, NEW_URL);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(migrate_open(OLD_URL, WANTED), SF_OK);
    ck_assert_ptr_nonnull(strstr(migrate_warning.text, "was aborted"));
    migrate_step(3);
    ck_assert_str_eq(migrate_look().second, "");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_open");
    TCase *tests = tcase_create("store_migrate_open");
    tcase_add_checked_fixture(tests, migrate_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_an_orderly_restart_goes_on_where_it_was);
    tcase_add_loop_test(tests, test_debts_survive_any_end_of_the_process, 0, 2);
    tcase_add_test(tests, test_a_kill_between_the_two_writes_is_a_debt);
    tcase_add_test(tests, test_after_a_crash_of_the_machine_all_is_copied_once_more);
    tcase_add_test(tests, test_after_an_orderly_end_a_reboot_changes_nothing);
    tcase_add_test(tests, test_killed_anywhere_it_comes_to_its_end);
    tcase_add_test(tests, test_a_store_that_is_away_at_the_start_is_asked_later);
    tcase_add_test(tests, test_a_finished_migration_never_falls_back_to_the_old_store);
    tcase_add_loop_test(tests, test_a_third_store_is_refused_while_a_migration_knows_better, 0, 2);
    tcase_add_test(tests, test_the_new_store_in_the_configuration_does_not_finish_by_itself);
    tcase_add_test(tests, test_a_store_that_an_aborted_migration_left_is_refused);
    tcase_add_test(tests, test_a_damaged_state_is_refused_and_not_guessed_at);
    tcase_add_test(tests, test_the_option_begins_a_migration);
    tcase_add_loop_test(tests, test_the_option_begins_nothing_where_somebody_has_begun, 0, 2);
    tcase_add_test(tests, test_the_percentage_of_the_option_counts_when_it_was_changed);
    tcase_add_test(tests, test_an_option_that_does_not_fit_is_told);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
