/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_file.h"

#include <check.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/session/record.h"
#include "tests/support/failing_vfs.h"
#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

static struct sf_temp_folder folder;
static struct sf_journal_file *file;
static struct sf_buffer record;
static struct sf_error error;

static void
set_up(void)
{
    sf_failing_disk = (struct sf_failing_disk){.calls = 0};
    sf_temp_folder_init(&folder);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_msg(sf_journal_file_create(&file, folder.path, 1, &error) == SF_OK, "%s", error.text);
}

static void
tear_down(void)
{
    sf_journal_file_close(file);
    sf_buffer_fini(&record);
    sf_temp_folder_fini(&folder);
}

static enum sf_status
add(unsigned number, uint64_t version, const char *text)
{
    struct sf_journal_row row = {
        .key = sf_test_key(number), .version = version, .time = 5, .record = sf_span_text(text)};
    enum sf_status status = sf_journal_file_begin(file, &error);
    if (status == SF_OK)
        status = sf_journal_file_add(file, &row, &error);
    return status == SF_OK ? sf_journal_file_commit(file, &error) : status;
}

static enum sf_status
read_row(uint64_t number, uint64_t *version_out)
{
    struct sf_key key;
    return sf_journal_file_read(file, number, &key, version_out, &record);
}

static bool
exists(const char *name)
{
    return access(sf_temp_folder_path(&folder, name), F_OK) == 0;
}

START_TEST(test_row_that_was_committed_is_read)
{
    uint64_t version;
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    ck_assert_int_eq(add(2, 8, "two"), SF_OK);
    ck_assert_int_eq(read_row(2, &version), SF_OK);
    ck_assert_uint_eq(version, 8);
    ck_assert(sf_span_equal(sf_buffer_span(&record), sf_span_text("two")));
    ck_assert_int_eq(read_row(3, &version), SF_NOT_FOUND);
    ck_assert_uint_gt(file->bytes, 0);
}
END_TEST

START_TEST(test_files_are_for_the_owner_only)
{
    struct stat found;
    ck_assert_int_eq(add(1, 1, "one"), SF_OK);
    static const char *const names[] = {"journal-00000001.db", "journal-00000001.db-wal", "journal-00000001.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(stat(sf_temp_folder_path(&folder, names[i]), &found), 0);
        ck_assert_uint_eq(found.st_mode & 0777, 0600);
    }
}
END_TEST

/* As when /var/lib is one. */
START_TEST(test_folder_may_be_behind_a_link)
{
    struct sf_journal_file *other;
    const char *name = "link";
    ck_assert_int_eq(symlink(folder.path, sf_temp_folder_path(&folder, name)), 0);
    enum sf_status status = sf_journal_file_create(&other, sf_temp_folder_path(&folder, name), 2, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
    sf_journal_file_remove(other);
}
END_TEST

START_TEST(test_row_that_was_changed_by_hand_is_corrupt)
{
    sqlite3 *db;
    uint64_t version;
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    ck_assert_int_eq(sqlite3_open(file->path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE journal SET version = 8", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(read_row(1, &version), SF_CORRUPT);
    sqlite3_close(db);
}
END_TEST

START_TEST(test_removed_file_leaves_nothing)
{
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    sf_journal_file_remove(file);
    file = NULL;
    ck_assert_int_eq(rmdir(folder.path), 0);
    sf_temp_folder_init(&folder);
}
END_TEST

START_TEST(test_file_that_is_set_aside_keeps_its_rows)
{
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    sf_journal_file_set_aside(file);
    file = NULL;
    ck_assert(exists("journal-00000001.db.bad") && exists("journal-00000001.db.bad-wal"));
    ck_assert(!exists("journal-00000001.db") && !exists("journal-00000001.db-wal"));
}
END_TEST

START_TEST(test_rows_outlive_the_process_in_the_log)
{
    uint64_t version;
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    sf_journal_file_close(file);
    ck_assert(exists("journal-00000001.db-wal"));
    ck_assert_int_eq(sf_journal_file_find(&file, folder.path, 1), SF_OK);
    ck_assert(file->is_inherited);
    ck_assert_int_eq(read_row(1, &version), SF_OK);
    ck_assert_uint_eq(version, 7);
}
END_TEST

START_TEST(test_log_of_another_file_with_that_name_is_not_replayed)
{
    uint64_t version;
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    sf_journal_file_close(file);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db")), 0);
    ck_assert_int_eq(sf_journal_file_create(&file, folder.path, 1, &error), SF_OK);
    ck_assert_int_eq(read_row(1, &version), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_sweep_removes_only_what_has_no_database)
{
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    sf_journal_file_sweep(folder.path, 1);
    ck_assert(exists("journal-00000001.db-wal"));
    sf_journal_file_close(file);
    file = NULL;
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db")), 0);
    sf_journal_file_sweep(folder.path, 1);
    ck_assert(!exists("journal-00000001.db-wal"));
}
END_TEST

START_TEST(test_names_have_numbers)
{
    static const struct {
        const char *name;
        uint32_t number;
        const char *rest;
    } cases[] = {
        {"journal-00000001.db", 1, ""},         {"journal-00000012.db-wal", 12, "-wal"},
        {"journal-99999999.db", SF_JOURNAL_NUMBER_MAX, ""}, {"journal-00000001.db.bad", 1, ".bad"},
        {"journal-.db", 0, NULL},               {"journal-1", 0, NULL},
        {"journal-123456789.db", 0, NULL},    {"sessions.db", 0, NULL},
        {"jour", 0, NULL},                      {"journal--1.db", 0, NULL},
        {"journal-1.db", 0, NULL},              {"journal-000000001.db", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *rest = NULL;
        ck_assert_uint_eq(sf_journal_file_number(cases[i].name, &rest), cases[i].number);
        if (cases[i].number > 0)
            ck_assert_str_eq(rest, cases[i].rest);
    }
}
END_TEST

START_TEST(test_file_that_was_removed_or_replaced_is_noticed)
{
    ck_assert(sf_journal_file_is_there(file));
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db-wal")), 0);
    ck_assert(!sf_journal_file_is_there(file));
}
END_TEST

/* Every call that making a file needs fails once: each time it is told, and nothing is left. */
START_TEST(test_file_that_cannot_be_made_leaves_nothing)
{
    static const unsigned calls[] = {SF_FAILING_OPEN, SF_FAILING_WRITE, SF_FAILING_SYNC};
    for (size_t i = 0; i < 3; i++) {
        enum sf_status status = SF_UNAVAILABLE;
        for (long n = 1; status != SF_OK; n++) {
            struct sf_journal_file *made;
            ck_assert_int_lt(n, 100);
            sf_failing_disk = (struct sf_failing_disk){.calls = calls[i], .fail_at = n, .code = SQLITE_FULL};
            status = sf_journal_file_create(&made, folder.path, 2, &error);
            if (status == SF_OK) { /* so many calls there are not, or it can do without that one */
                sf_journal_file_remove(made);
                status = sf_failing_disk.failed == 0 ? SF_OK : SF_UNAVAILABLE;
            }
            ck_assert(!exists("journal-00000002.db"));
        }
    }
}
END_TEST

START_TEST(test_full_disk_is_full)
{
    sf_failing_disk = (struct sf_failing_disk){.calls = SF_FAILING_WRITE, .fail_at = 1, .code = SQLITE_FULL};
    ck_assert_int_eq(add(1, 7, "one"), SF_FULL);
    ck_assert_ptr_nonnull(strstr(error.text, "journal-00000001.db"));
}
END_TEST

START_TEST(test_failed_sync_is_told)
{
    sf_failing_disk = (struct sf_failing_disk){.calls = SF_FAILING_SYNC, .fail_at = 1, .code = SQLITE_IOERR_FSYNC};
    ck_assert_int_eq(add(1, 7, "one"), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_rows_stay_readable_when_what_writes_was_given_up)
{
    uint64_t version;
    ck_assert_int_eq(add(1, 7, "one"), SF_OK);
    ck_assert_int_eq(sf_journal_file_begin(file, &error), SF_OK);
    sf_journal_file_give_up(file);
    ck_assert_int_eq(read_row(1, &version), SF_OK);
}
END_TEST

int
main(void)
{
    sf_failing_vfs_register();
    Suite *suite = suite_create("journal_file");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, test_row_that_was_committed_is_read);
    tcase_add_test(files, test_files_are_for_the_owner_only);
    tcase_add_test(files, test_folder_may_be_behind_a_link);
    tcase_add_test(files, test_row_that_was_changed_by_hand_is_corrupt);
    tcase_add_test(files, test_removed_file_leaves_nothing);
    tcase_add_test(files, test_file_that_is_set_aside_keeps_its_rows);
    tcase_add_test(files, test_rows_outlive_the_process_in_the_log);
    tcase_add_test(files, test_log_of_another_file_with_that_name_is_not_replayed);
    tcase_add_test(files, test_sweep_removes_only_what_has_no_database);
    tcase_add_test(files, test_names_have_numbers);
    tcase_add_test(files, test_file_that_was_removed_or_replaced_is_noticed);
    tcase_add_test(files, test_file_that_cannot_be_made_leaves_nothing);
    tcase_add_test(files, test_full_disk_is_full);
    tcase_add_test(files, test_failed_sync_is_told);
    tcase_add_test(files, test_rows_stay_readable_when_what_writes_was_given_up);
    suite_add_tcase(suite, files);
    return sf_run_suite(suite);
}
