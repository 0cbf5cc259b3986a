/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/migrate_debts.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

static struct sf_temp_folder folder;
static char path[128];
static struct sf_debts *debts;

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/owed", folder.path);
    ck_assert_int_eq(sf_debts_new(&debts, path), SF_OK);
    ck_assert(sf_debts_begin(debts));
}

static void
tear_down(void)
{
    sf_debts_free(debts);
    sf_temp_folder_fini(&folder);
}

static bool
add(unsigned number, bool is_acknowledged, sf_time due)
{
    return sf_debts_add(debts, &(struct sf_debt){sf_test_key(number), due, is_acknowledged});
}

static bool
has(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return sf_debts_has(debts, &key);
}

static bool
note(unsigned first, unsigned count)
{
    struct sf_write writes[300];
    for (unsigned i = 0; i < count; i++)
        writes[i] = sf_test_touch(first + i, 1, 1);
    return sf_debts_note(debts, writes, count);
}

/* A process after the one that was killed. */
static bool
kill_and_recover(void)
{
    sf_debts_free(debts);
    ck_assert_int_eq(sf_debts_new(&debts, path), SF_OK);
    return sf_debts_recover(debts, 50);
}

static off_t
file_size(void)
{
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    return file.st_size;
}

START_TEST(test_debts_are_known_until_they_are_settled)
{
    struct sf_key key = sf_test_key(2);
    ck_assert(add(1, true, 0) && add(2, false, 0) && add(2, false, 0));
    ck_assert_uint_eq(sf_debts_count(debts), 2);
    ck_assert_uint_eq(sf_debts_acknowledged(debts), 1);
    ck_assert(add(2, true, 0));
    ck_assert(add(2, false, 0)); /* it was acknowledged */
    ck_assert_uint_eq(sf_debts_acknowledged(debts), 2);
    sf_debts_remove(debts, &key);
    sf_debts_remove(debts, &key);
    ck_assert(has(1) && !has(2));
    ck_assert_uint_eq(sf_debts_count(debts), 1);
    ck_assert_uint_eq(sf_debts_acknowledged(debts), 1);
}
END_TEST

START_TEST(test_they_are_handed_out_when_they_are_due_and_the_postponed_last)
{
    struct sf_key keys[4], first = sf_test_key(1);
    ck_assert(add(1, true, 10) && add(2, true, 20) && add(3, true, 10));
    ck_assert_uint_eq(sf_debts_due(debts, 9, keys, 4), 0);
    ck_assert_uint_eq(sf_debts_due(debts, 10, keys, 4), 2);
    ck_assert_uint_eq(sf_debts_due(debts, 20, keys, 2), 2);
    sf_debts_postpone(debts, &first, 30);
    ck_assert_uint_eq(sf_debts_due(debts, 30, keys, 4), 3);
    ck_assert_mem_eq(&keys[2], &first, sizeof first);
}
END_TEST

START_TEST(test_they_outlive_the_process)
{
    struct sf_key keys[8];
    ck_assert(add(1, true, 0) && add(2, false, 0));
    ck_assert(kill_and_recover());
    ck_assert(has(1) && has(2));
    ck_assert_uint_eq(sf_debts_acknowledged(debts), 2); /* who knows */
    ck_assert_uint_eq(sf_debts_due(debts, 49, keys, 8), 0);
    ck_assert_uint_eq(sf_debts_due(debts, 50, keys, 8), 2);
    ck_assert(kill_and_recover());
    ck_assert_uint_eq(sf_debts_count(debts), 2);
}
END_TEST

START_TEST(test_what_is_noted_is_owed_when_the_process_is_killed)
{
    ck_assert(note(100, 300));
    ck_assert_uint_eq(sf_debts_count(debts), 0);
    ck_assert(kill_and_recover());
    ck_assert_uint_eq(sf_debts_count(debts), 300);
    ck_assert(has(100) && has(399));
}
END_TEST

START_TEST(test_a_note_that_was_taken_back_is_not)
{
    ck_assert(add(1, true, 0));
    ck_assert(note(100, 300));
    sf_debts_take_back(debts);
    ck_assert(kill_and_recover());
    ck_assert_uint_eq(sf_debts_count(debts), 1);
}
END_TEST

/* The rest of its note stays with it, and costs a look. */
START_TEST(test_what_was_added_during_a_note_stays)
{
    ck_assert(note(100, 3));
    ck_assert(add(102, true, 0) && add(1, true, 0));
    sf_debts_take_back(debts);
    ck_assert(kill_and_recover());
    ck_assert(has(102) && has(1));
}
END_TEST

START_TEST(test_the_file_does_not_grow_for_ever)
{
    off_t empty = file_size();
    struct sf_key key = sf_test_key(1);
    ck_assert(note(1, 300) && add(1, true, 0));
    sf_debts_take_back(debts);
    ck_assert_int_gt(file_size(), empty);
    sf_debts_remove(debts, &key);
    ck_assert(note(1, 300));
    sf_debts_take_back(debts);
    ck_assert_int_eq(file_size(), empty);

    ck_assert(add(5, true, 0)); /* as long as one is left it is written anew now and then */
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert(note(1000, 300) && add(1000 + i, true, 0));
        key = sf_test_key(1000 + i);
        sf_debts_remove(debts, &key);
        sf_debts_take_back(debts);
    }
    ck_assert_int_lt(file_size(), 16 * (2 * SF_DEBTS_MAX + 1000));
    ck_assert(kill_and_recover());
    ck_assert(has(5));
}
END_TEST

START_TEST(test_there_are_never_too_many)
{
    for (unsigned i = 0; i < SF_DEBTS_MAX; i++)
        ck_assert(add(i, true, 0));
    ck_assert(!add(SF_DEBTS_MAX, true, 0));
    ck_assert(add(7, true, 0));
    ck_assert_uint_eq(sf_debts_count(debts), SF_DEBTS_MAX);
}
END_TEST

static void
change_boot(void)
{
    int file = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(file, "another", 7, 9), 7);
    close(file);
}

START_TEST(test_after_a_crash_of_the_machine_nothing_is_known)
{
    ck_assert(add(1, true, 0));
    change_boot();
    ck_assert(!kill_and_recover());
}
END_TEST

START_TEST(test_after_an_orderly_end_a_reboot_changes_nothing_but_only_once)
{
    ck_assert(add(1, true, 0));
    sf_debts_end(debts);
    change_boot();
    ck_assert(kill_and_recover());
    ck_assert(has(1));
    change_boot();
    ck_assert(!kill_and_recover());
}
END_TEST

START_TEST(test_what_was_forgotten_is_not_known)
{
    ck_assert(add(1, true, 0));
    sf_debts_forget(debts);
    ck_assert(!has(1));
    ck_assert(!note(1, 1) && !add(2, true, 0));
    sf_debts_take_back(debts);
    sf_debts_end(debts);
    ck_assert(!kill_and_recover());
    ck_assert(sf_debts_begin(debts) && add(2, true, 0));
}
END_TEST

START_TEST(test_a_damaged_file_is_not_believed)
{
    static const off_t sizes[] = {0, 10, 63};
    ck_assert(add(1, true, 0));
    ck_assert_int_eq(truncate(path, sizes[_i]), 0);
    ck_assert(!kill_and_recover());
}
END_TEST

/* The batch of a note that was cut off was never written. */
START_TEST(test_half_a_key_is_none)
{
    ck_assert(add(1, true, 0) && add(2, true, 0));
    ck_assert_int_eq(truncate(path, file_size() - 5), 0);
    ck_assert(kill_and_recover());
    ck_assert_uint_eq(sf_debts_count(debts), 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("migrate_debts");
    TCase *tests = tcase_create("migrate_debts");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_debts_are_known_until_they_are_settled);
    tcase_add_test(tests, test_they_are_handed_out_when_they_are_due_and_the_postponed_last);
    tcase_add_test(tests, test_they_outlive_the_process);
    tcase_add_test(tests, test_what_is_noted_is_owed_when_the_process_is_killed);
    tcase_add_test(tests, test_a_note_that_was_taken_back_is_not);
    tcase_add_test(tests, test_what_was_added_during_a_note_stays);
    tcase_add_test(tests, test_the_file_does_not_grow_for_ever);
    tcase_add_test(tests, test_there_are_never_too_many);
    tcase_add_test(tests, test_after_a_crash_of_the_machine_nothing_is_known);
    tcase_add_test(tests, test_after_an_orderly_end_a_reboot_changes_nothing_but_only_once);
    tcase_add_test(tests, test_what_was_forgotten_is_not_known);
    tcase_add_loop_test(tests, test_a_damaged_file_is_not_believed, 0, 3);
    tcase_add_test(tests, test_half_a_key_is_none);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
