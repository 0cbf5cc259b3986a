/* SPDX-License-Identifier: Apache-2.0 */
/* The file and its schema. */
#include "common/store/store.h"

#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/sqlite_case.h"

static int
ask(const char *sql, char *text_out, size_t size)
{
    sqlite3 *db = open_other();
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    snprintf(text_out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

START_TEST(test_file_is_private_whatever_the_umask)
{
    struct stat info;
    mode_t before = umask(0277);
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    umask(before);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(log_path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
}
END_TEST

START_TEST(test_write_ahead_log_and_schema_version)
{
    char text[64];
    attach_well();
    ask("PRAGMA journal_mode", text, sizeof text);
    ck_assert_str_eq(text, "wal");
    ck_assert_int_eq(ask("PRAGMA user_version", text, sizeof text), 1);
    ck_assert_int_eq(ask("PRAGMA application_id", text, sizeof text), 0x73667374);
}
END_TEST

START_TEST(test_columns_can_be_read_with_sql)
{
    char text[64];
    attach_well();
    ck_assert_int_eq(put(7, 3), SF_OK);
    static const char version[] = "SELECT version FROM session WHERE hex(key) LIKE '00000007%'";
    ck_assert_int_eq(ask(version, text, sizeof text), 3);
    ask("SELECT user || expires || ended FROM session", text, sizeof text);
    ck_assert_str_eq(text, "alice20000");
}
END_TEST

START_TEST(test_rows_are_there_after_a_restart)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    sf_store_close(store);
    ck_assert_int_eq(access(log_path, F_OK), -1); /* emptied and removed */
    attach_well();
    ck_assert_int_eq(load(1), SF_OK);
}
END_TEST

START_TEST(test_log_does_not_grow_for_ever)
{
    struct stat info;
    attach_well();
    for (uint64_t version = 1; version <= 60; version++)
        ck_assert_int_eq(put_bytes(1, version, 1000000), SF_OK);
    ck_assert_int_eq(stat(log_path, &info), 0);
    ck_assert_int_lt(info.st_size, 40 << 20);
}
END_TEST

START_TEST(test_database_from_the_future_is_refused_with_both_versions)
{
    attach_well();
    sf_store_close(store);
    run_once("PRAGMA user_version=7");
    ck_assert_int_eq(attach(), SF_INVALID);
    assert_says(path);
    assert_says("version 7");
    assert_says("knows 1");
}
END_TEST

START_TEST(test_database_of_another_program_is_left_alone)
{
    char text[64];
    run_once("CREATE TABLE recipe (name TEXT)");
    ck_assert_int_eq(attach(), SF_INVALID);
    assert_says("another program");
    ask("PRAGMA journal_mode", text, sizeof text);
    ck_assert_str_eq(text, "delete");
}
END_TEST

START_TEST(test_ours_without_its_table_is_no_crash)
{
    run_once("PRAGMA application_id=0x73667374; PRAGMA user_version=1;"
             "CREATE TABLE session (key BLOB)");
    ck_assert_int_ne(attach(), SF_OK);
    assert_says("no column named");
}
END_TEST

START_TEST(test_file_that_is_no_database_is_refused_and_kept)
{
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++)
        fputs("Dear diary, ", file);
    fclose(file);
    ck_assert_int_eq(attach(), SF_INVALID);
    assert_says("not a database");
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_size, 6000);
}
END_TEST

START_TEST(test_folder_in_place_of_the_file_is_refused)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_ne(attach(), SF_OK);
    assert_says(path);
}
END_TEST

START_TEST(test_missing_folder_is_unavailable_until_it_is_there)
{
    ck_assert_int_eq(rmdir(sf_temp_folder_path(&folder, "state")), 0);
    ck_assert_int_eq(attach(), SF_UNAVAILABLE);
    assert_says("No such file or directory");
    ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    ck_assert_int_eq(mkdir(sf_temp_folder_path(&folder, "state"), 0700), 0);
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_sqlite");
    TCase *tests = tcase_create("store_sqlite");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_file_is_private_whatever_the_umask);
    tcase_add_test(tests, test_write_ahead_log_and_schema_version);
    tcase_add_test(tests, test_columns_can_be_read_with_sql);
    tcase_add_test(tests, test_rows_are_there_after_a_restart);
    tcase_add_test(tests, test_log_does_not_grow_for_ever);
    tcase_add_test(tests, test_database_from_the_future_is_refused_with_both_versions);
    tcase_add_test(tests, test_database_of_another_program_is_left_alone);
    tcase_add_test(tests, test_ours_without_its_table_is_no_crash);
    tcase_add_test(tests, test_file_that_is_no_database_is_refused_and_kept);
    tcase_add_test(tests, test_folder_in_place_of_the_file_is_refused);
    tcase_add_test(tests, test_missing_folder_is_unavailable_until_it_is_there);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
