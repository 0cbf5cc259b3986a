/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are removed or cannot be read, and a disk that fails. */
#include "common/writeback/journal.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/failing_vfs.h"
#include "tests/support/run_suite.h"
#include "tests/unit/journal_case.h"

static void
set_up_with_disk(void)
{
    sf_failing_disk = (struct sf_failing_disk){.calls = 0};
    set_up();
}

START_TEST(test_file_that_cannot_be_read_is_kept)
{
    const char *log_name = "journal-00000001.db-wal";
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_journal_close(journal);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, log_name)), 0);
    ck_assert_int_eq(symlink(log_name, sf_temp_folder_path(&folder, log_name)), 0); /* ELOOP, for root too */
    open_journal();
    ck_assert(sf_kept_lines_with(&kept, "SF0215") > 0);
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000001.db.bad"), F_OK), 0);
}
END_TEST

START_TEST(test_removed_file_is_noticed_before_anything_is_lost)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db-wal")), 0);
    ck_assert_int_eq(commit(2), SF_OK);
    ck_assert(sf_kept_lines_with(&kept, "SF0211") > 0);
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

/* L1 has a later version by then, which nobody has asked the journal for. */
START_TEST(test_removed_file_whose_session_has_changed_since_loses_nothing)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    change(1);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db")), 0);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db-wal")), 0);
    ck_assert_int_eq(commit(2), SF_OK);
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 2);
}
END_TEST

/* SQLite stops at the log's first frame; the rows behind it are intact. */
static void
damage_log(const char *name)
{
    unsigned char byte;
    int opened = open(sf_temp_folder_path(&folder, name), O_RDWR);
    ck_assert_int_ge(opened, 0);
    ck_assert_int_eq(pread(opened, &byte, 1, 32 + 8), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(opened, &byte, 1, 32 + 8), 1);
    close(opened);
}

/* Two damaged files; while their rows are written anew a call fails, the n-th for each n: that file is given up. */
START_TEST(test_salvage_that_fails_does_not_spoil_the_next)
{
    bool was_hit = true;
    for (long n = 1; was_hit; n++) {
        ck_assert_int_lt(n, 100);
        tear_down();
        set_up_with_disk();
        options.file_bytes = 1;
        restart();
        change(1);
        change(2);
        ck_assert_int_eq(commit(1), SF_OK);
        ck_assert_int_eq(commit(2), SF_OK);
        sf_journal_close(journal);
        damage_log("journal-00000001.db-wal");
        damage_log("journal-00000002.db-wal");
        sf_failing_disk = (struct sf_failing_disk){
            .calls = SF_FAILING_WRITE | SF_FAILING_SYNC, .fail_at = n, .code = SQLITE_IOERR};
        sf_kept_lines_init(&kept);
        options.file_bytes = 0;
        open_journal();
        was_hit = sf_failing_disk.failed > 0;
        sf_failing_disk.fail_at = 0;
        ck_assert_uint_eq(journalled(1) + journalled(2), was_hit ? 1 : 2);
        ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0215"), 2);
        change(3);
        ck_assert_int_eq(commit(3), SF_OK);
        ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000004.db"), F_OK) == 0, was_hit);
    }
}
END_TEST

/* ---- names ---- */

START_TEST(test_names_with_other_numbers_are_ignored_and_told)
{
    static const char *const names[] = {"journal-2147483647.db", "journal-4294967296.db", "journal-1.db",
                                        "journal-00000000.db"};
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(mkdir(sf_temp_folder_path(&folder, names[i]), 0700), 0);
    restart();
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0219"), 4);
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000001.db"), F_OK), 0);
    restart();
    ck_assert_uint_eq(journalled(1), 1);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(rmdir(sf_temp_folder_path(&folder, names[i])), 0);
}
END_TEST

static void
rename_part(const char *part, const char *from, const char *to)
{
    char old_path[SF_INSTANCE_PATH_MAX];
    snprintf(old_path, sizeof old_path, "%s/%s%s", folder.path, from, part);
    char new_path[SF_INSTANCE_PATH_MAX];
    snprintf(new_path, sizeof new_path, "%s/%s%s", folder.path, to, part);
    ck_assert_int_eq(rename(old_path, new_path), 0);
}

START_TEST(test_behind_the_highest_number_nothing_is_written_until_it_is_free)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_journal_close(journal);
    rename_part("", "journal-00000001.db", "journal-99999999.db");
    rename_part("-wal", "journal-00000001.db", "journal-99999999.db");
    open_journal();
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_int_eq(commit(2), SF_UNCERTAIN);
    ck_assert(sf_kept_lines_with(&kept, "SF0212") == 1 && strstr(state.error, "highest number") != NULL);
    note_stored(1, 1);
    sf_time began = sf_clock_steady();
    while (commit(2) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000001.db"), F_OK), 0);
}
END_TEST

/* ---- a disk that fails ---- */

static const struct {
    unsigned calls;
    int code;
} failures[] = {
    {SF_FAILING_SYNC, SQLITE_IOERR_FSYNC},
    {SF_FAILING_WRITE, SQLITE_IOERR_WRITE},
    {SF_FAILING_WRITE, SQLITE_FULL},
    {SF_FAILING_SYNC | SF_FAILING_WRITE | SF_FAILING_OPEN, SQLITE_IOERR},
};

/*
 * The n-th call fails, for each n: whatever was confirmed is there after the loss of cache and
 * process, and each change is confirmed, because the next file works. _i: which failure.
 */
START_TEST(test_one_failure_anywhere_loses_nothing)
{
    bool was_hit = true;
    for (long n = 1; was_hit; n++) {
        ck_assert_int_lt(n, 300);
        sf_failing_disk = (struct sf_failing_disk){
            .calls = failures[_i].calls, .fail_at = n, .code = failures[_i].code};
        uint64_t versions[4] = {0};
        for (uint64_t round = 0; round < 12; round++) {
            change(round % 4);
            sf_journal_state(journal, &state);
            if (commit(round % 4) == SF_OK)
                versions[round % 4] = sf_test_look(cache.l1, round % 4, "count").version;
            else
                ck_assert_int_eq(sf_failing_disk.failed, 1); /* only the making of the first file */
        }
        was_hit = sf_failing_disk.failed > 0;
        sf_failing_disk.fail_at = 0;
        lose_cache();
        restart();
        for (uint64_t i = 0; i < 4; i++)
            ck_assert_uint_ge(journalled(i), versions[i]);
        for (uint64_t i = 0; i < 4; i++)
            note_stored(i, 1000);
    }
}
END_TEST

/* A failed descriptor is never used again: with syncs that work once more, the next file is a new one. */
START_TEST(test_failed_file_is_not_written_again)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_failing_disk =
        (struct sf_failing_disk){.calls = SF_FAILING_SYNC, .fail_at = 1, .code = SQLITE_IOERR_FSYNC};
    ck_assert_int_eq(commit(2), SF_OK);
    ck_assert_uint_eq(state.failures, 1);
    ck_assert_uint_eq(state.files, 1);
    ck_assert_int_ne(access(sf_temp_folder_path(&folder, "journal-00000001.db"), F_OK), 0);
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000002.db"), F_OK), 0);
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_lasting_failure_is_told_once_and_recovers_by_itself)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_failing_disk = (struct sf_failing_disk){
        .calls = SF_FAILING_SYNC, .fail_at = 1, .is_lasting = true, .code = SQLITE_IOERR_FSYNC};
    change(1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(commit_as(1, 2, false), SF_UNCERTAIN);
    ck_assert(!state.is_up);
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0212"), 1);
    sf_failing_disk.fail_at = 0;
    sf_time began = sf_clock_steady();
    while (commit_as(1, 2, false) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(state.is_up && sf_kept_lines_with(&kept, "SF0213") > 0);
    ck_assert_uint_eq(journalled(1), 2);
}
END_TEST

/* What a spill says of a row counts, though the row moves to another file just then. */
START_TEST(test_row_of_a_failed_file_can_become_an_orphan_as_it_moves)
{
    struct sf_key key = sf_test_cache_key(1);
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_failing_disk = (struct sf_failing_disk){
        .calls = SF_FAILING_SYNC, .fail_at = 1, .is_lasting = true, .code = SQLITE_IOERR_FSYNC};
    ck_assert_int_eq(commit(2), SF_UNCERTAIN);
    sf_failing_disk.fail_at = 0;
    sf_time began = sf_clock_steady();
    while (commit_as(1, 1, true) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(sf_journal_owes(journal, &key));
    ck_assert_uint_eq(state.orphans, 1);
}
END_TEST

int
main(void)
{
    sf_failing_vfs_register();
    Suite *suite = suite_create("journal_failures");
    TCase *tests = tcase_create("journal_failures");
    tcase_add_checked_fixture(tests, set_up_with_disk, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_file_that_cannot_be_read_is_kept);
    tcase_add_test(tests, test_removed_file_is_noticed_before_anything_is_lost);
    tcase_add_test(tests, test_removed_file_whose_session_has_changed_since_loses_nothing);
    tcase_add_test(tests, test_names_with_other_numbers_are_ignored_and_told);
    tcase_add_test(tests, test_behind_the_highest_number_nothing_is_written_until_it_is_free);
    tcase_add_test(tests, test_salvage_that_fails_does_not_spoil_the_next);
    tcase_add_loop_test(tests, test_one_failure_anywhere_loses_nothing, 0, 4);
    tcase_add_test(tests, test_failed_file_is_not_written_again);
    tcase_add_test(tests, test_lasting_failure_is_told_once_and_recovers_by_itself);
    tcase_add_test(tests, test_row_of_a_failed_file_can_become_an_orphan_as_it_moves);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
