/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/temp_folder.h"
#include "tests/support/test_records.h"

#define PATIENCE (10 * SF_SECOND)
#define NOBODY 65534

static struct sf_temp_folder folder;
static struct sf_store *store;
static struct sf_stored stored;
static struct sf_error error;
static char path[128], log_path[132]; /* of the database and its write-ahead log */

/* Stands in front of the C library's, for SQLite too: a disk that fails to sync. */
static atomic_bool sync_fails;
static atomic_int syncs;

__attribute__((visibility("default"))) int
fdatasync(int file)
{
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fdatasync, file);
}

static sf_time
soon(void)
{
    return sf_clock_steady() + PATIENCE;
}

static void
set_up(void)
{
    atomic_store(&sync_fails, false);
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/state/test.db", folder.path);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    ck_assert_int_eq(mkdir(sf_temp_folder_path(&folder, "state"), 0700), 0);
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    error = (struct sf_error){.status = SF_OK};
    store = NULL;
}

static void
tear_down(void)
{
    sf_store_close(store);
    sf_buffer_fini(&stored.record);
    sf_temp_folder_fini(&folder);
}

static enum sf_status
attach(void)
{
    const char *state = sf_temp_folder_path(&folder, "state");
    ck_assert_int_eq(sf_store_open(&store, "sqlite:test.db", state, &error), SF_OK);
    return store->ops->attach(store, soon(), &error);
}

static void
attach_well(void)
{
    ck_assert_msg(attach() == SF_OK, "%s", error.text);
}

static enum sf_status
put_bytes(unsigned number, uint64_t version, size_t size)
{
    unsigned char *bytes = calloc(1, size + 1);
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_of(bytes, size));
    struct sf_write write = sf_test_put(number, version, &record);
    write.expires = 2000;
    enum sf_status status = store->ops->write(store, &write, 1, soon());
    ck_assert_int_eq(status, write.status);
    sf_buffer_fini(&record);
    free(bytes);
    return status;
}

static enum sf_status
put(unsigned number, uint64_t version)
{
    return put_bytes(number, version, 10);
}

static enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_key(number);
    return store->ops->load(store, &key, soon(), &stored);
}

static const char *
explanation(void)
{
    store->ops->explain(store, &error);
    return error.text;
}

static void
assert_says(const char *expected)
{
    ck_assert_msg(strstr(error.text, expected) != NULL, "\"%s\" is not in: %s", expected,
                  error.text);
}

/* Somebody else's connection, as the sqlite3 program has one. */
static sqlite3 *
open_other(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void
run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    int code = sqlite3_exec(db, sql, NULL, NULL, &text);
    ck_assert_msg(code == SQLITE_OK, "%s: %s", sql, text);
}

static void
run_once(const char *sql)
{
    sqlite3 *db = open_other();
    run(db, sql);
    sqlite3_close(db);
}

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

/* Permissions mean nothing to root: these tests become somebody else for a while. */
static void
drop_privileges(void)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(folder.path, 0777), 0);
    ck_assert_int_eq(chown(sf_temp_folder_path(&folder, "state"), NOBODY, NOBODY), 0);
    ck_assert_int_eq(seteuid(NOBODY), 0);
}

static void
regain_privileges(void)
{
    ck_assert_int_eq(seteuid(getuid()), 0);
}

/* ---- the file and its schema ---- */

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

/* ---- permissions ---- */

START_TEST(test_unreadable_file_is_an_outage)
{
    attach_well();
    sf_store_close(store);
    store = NULL;
    drop_privileges();
    if (geteuid() == getuid())
        ck_assert_int_eq(chmod(path, 0), 0);
    ck_assert_int_eq(attach(), SF_UNAVAILABLE);
    assert_says(path);
    regain_privileges();
}
END_TEST

START_TEST(test_read_only_folder_is_an_outage)
{
    drop_privileges();
    ck_assert_int_eq(chmod(sf_temp_folder_path(&folder, "state"), 0500), 0);
    ck_assert_int_eq(attach(), SF_UNAVAILABLE);
    assert_says("Permission denied");
    ck_assert_int_eq(chmod(sf_temp_folder_path(&folder, "state"), 0700), 0);
    regain_privileges();
}
END_TEST

START_TEST(test_read_only_file_is_an_outage)
{
    drop_privileges();
    attach_well();
    sf_store_close(store);
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(attach(), SF_UNAVAILABLE);
    assert_says("Permission denied");
    sf_store_close(store);
    store = NULL;
    regain_privileges();
}
END_TEST

/* Both directions, in both connections. */
static void
assert_down_with(const char *text)
{
    ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    ck_assert_msg(strstr(explanation(), text) != NULL, "\"%s\" is not in: %s", text, error.text);
    ck_assert_int_eq(put(1, 2), SF_UNAVAILABLE);
    ck_assert_msg(strstr(explanation(), text) != NULL, "\"%s\" is not in: %s", text, error.text);
}

START_TEST(test_file_made_unreadable_while_running_is_an_outage)
{
    drop_privileges();
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(chmod(path, 0), 0);
    assert_down_with(path);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(put(1, 2), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    sf_store_close(store);
    store = NULL;
    regain_privileges();
}
END_TEST

START_TEST(test_folder_made_unreadable_while_running_is_an_outage)
{
    drop_privileges();
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(chmod(sf_temp_folder_path(&folder, "state"), 0), 0);
    assert_down_with("Permission denied");
    ck_assert_int_eq(chmod(sf_temp_folder_path(&folder, "state"), 0700), 0);
    ck_assert_int_eq(put(1, 2), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    sf_store_close(store);
    store = NULL;
    regain_privileges();
}
END_TEST

/* ---- files that come and go ---- */

START_TEST(test_folder_moved_away_and_back)
{
    char away[128];
    snprintf(away, sizeof away, "%s/away", folder.path);
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(rename(sf_temp_folder_path(&folder, "state"), away), 0);
    assert_down_with("No such file or directory");
    ck_assert_int_eq(rename(away, sf_temp_folder_path(&folder, "state")), 0);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(put(1, 2), SF_OK);
    ck_assert_int_eq(put(2, 1), SF_OK);
    ck_assert_int_eq(load(2), SF_OK);
}
END_TEST

START_TEST(test_deleted_file_is_an_outage_and_never_made_anew)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(unlink(path), 0);
    assert_down_with("No such file or directory");
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(test_empty_file_in_its_place_is_an_outage)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(unlink(path), 0);
    unlink(log_path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(load(1), SF_UNAVAILABLE);
    ck_assert_int_eq(put(1, 2), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_log_of_the_old_file_is_not_replayed_into_a_new_one)
{
    char backup[128];
    snprintf(backup, sizeof backup, "%s/backup.db", folder.path);
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    char sql[256];
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", backup);
    run_once(sql);
    ck_assert_int_eq(put(2, 1), SF_OK);
    ck_assert_int_eq(rename(backup, path), 0);
    assert_down_with("remove its -wal");
    ck_assert_int_eq(unlink(log_path), 0);
    ck_assert_int_eq(load(1), SF_OK);
    ck_assert_int_eq(load(2), SF_NOT_FOUND);
    ck_assert_int_eq(put(2, 1), SF_OK);
}
END_TEST

/* ---- trouble underneath ---- */

START_TEST(test_lock_of_somebody_else_costs_no_more_than_the_deadline)
{
    attach_well();
    sqlite3 *other = open_other();
    run(other, "BEGIN IMMEDIATE");
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 1, &record);
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(store->ops->write(store, &write, 1, before + 100), SF_UNAVAILABLE);
    sf_time took = sf_clock_steady() - before;
    ck_assert_int_ge(took, 90);
    ck_assert_int_lt(took, 2000);
    explanation();
    assert_says("locked");
    ck_assert_int_eq(load(1), SF_NOT_FOUND); /* readers are not held up */
    run(other, "ROLLBACK");
    sqlite3_close(other);
    ck_assert_int_eq(store->ops->write(store, &write, 1, soon()), SF_OK);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_scan_stops_at_its_deadline)
{
    attach_well();
    run_once("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
             " INSERT INTO session"
             " SELECT CAST(printf('%016d', i) AS BLOB), 1, 1, 0, 0, '', 0, x'00' FROM n");
    sf_time before = sf_clock_steady();
    enum sf_status status =
        store->ops->scan(store, NULL, sf_span_text(NULL), 300000, before + 20, NULL, NULL);
    ck_assert_int_eq(status, SF_UNAVAILABLE);
    ck_assert_int_lt(sf_clock_steady() - before, 2000);
    explanation();
    assert_says("deadline");
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_every_batch_is_synced)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    int before = atomic_load(&syncs);
    ck_assert_int_eq(put(1, 2), SF_OK);
    ck_assert_int_gt(atomic_load(&syncs), before);
}
END_TEST

/* The kernel calls pages clean after a failed sync: only what is written anew counts as stored. */
START_TEST(test_failed_sync_is_uncertain_until_log_and_database_are_synced)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    atomic_store(&sync_fails, true);
    ck_assert_int_eq(put(1, 2), SF_UNCERTAIN);
    explanation();
    assert_says("commit: disk I/O error");
    ck_assert_int_ne(put(1, 2), SF_OK);
    ck_assert_int_eq(load(1), SF_OK);
    atomic_store(&sync_fails, false);
    int before = atomic_load(&syncs);
    ck_assert_int_eq(put(1, 2), SF_OK);
    ck_assert_int_ge(atomic_load(&syncs) - before, 2);
    ck_assert_int_eq(put(2, 1), SF_OK);
    ck_assert_int_eq(load(2), SF_OK);
}
END_TEST

/* A predecessor was killed between write and sync: what the log has is synced before it counts. */
START_TEST(test_log_that_was_found_is_synced_first)
{
    char copy[128], sql[300];
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    snprintf(copy, sizeof copy, "%s/copy", folder.path);
    snprintf(sql, sizeof sql, "cp -r '%s' '%s'", sf_temp_folder_path(&folder, "state"), copy);
    ck_assert_int_eq(system(sql), 0); /* as kill -9 leaves it: with its log */
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "sqlite:test.db", copy, &error), SF_OK);
    int before = atomic_load(&syncs);
    ck_assert_int_eq(store->ops->attach(store, soon(), &error), SF_OK);
    ck_assert_int_ge(atomic_load(&syncs) - before, 2);
    ck_assert_int_eq(load(1), SF_OK);
}
END_TEST

static void
fill_until_full(void)
{
    enum sf_status status = SF_OK;
    unsigned number = 0;
    for (; status == SF_OK && number < 200; number++)
        status = put_bytes(number, 1, 50000);
    ck_assert_int_ne(status, SF_OK);
    ck_assert_msg(status == SF_FULL || status == SF_UNAVAILABLE || status == SF_UNCERTAIN, "%s",
                  sf_status_name(status));
    ck_assert_str_ne(explanation(), "");
    ck_assert_int_eq(load(0), SF_OK);
}

/* Mounts of a test that fails half-way end with its process. */
static bool
has_own_mounts(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0
           && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

START_TEST(test_full_disk_keeps_what_was_there_and_recovers)
{
    const char *state = sf_temp_folder_path(&folder, "state");
    if (!has_own_mounts() || mount("none", state, "tmpfs", 0, "size=2m") != 0)
        return; /* test_file_size_limit shows the same without privileges */
    attach_well();
    fill_until_full();
    explanation();
    assert_says("full");
    state = sf_temp_folder_path(&folder, "state");
    ck_assert_int_eq(mount("none", state, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    ck_assert_int_eq(put_bytes(500, 1, 50000), SF_OK);
    ck_assert_int_eq(load(500), SF_OK);
    ck_assert_int_eq(load(0), SF_OK);
    sf_store_close(store);
    store = NULL;
    ck_assert_int_eq(umount(sf_temp_folder_path(&folder, "state")), 0);
}
END_TEST

START_TEST(test_file_size_limit)
{
    struct rlimit before, small;
    attach_well();
    ck_assert_int_eq(put(0, 1), SF_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    fill_until_full();
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(put_bytes(500, 1, 50000), SF_OK);
    ck_assert_int_eq(load(500), SF_OK);
    signal(SIGXFSZ, SIG_DFL);
}
END_TEST

static void
overwrite(off_t at, size_t size, unsigned char with)
{
    unsigned char bytes[4096];
    int file = open(path, O_RDWR);
    ck_assert_int_ge(file, 0);
    memset(bytes, with, sizeof bytes);
    for (size_t done = 0; done < size; done += sizeof bytes)
        ck_assert_int_eq(pwrite(file, bytes, sizeof bytes, at + (off_t)done), sizeof bytes);
    close(file);
}

static void
fill_some_and_close(void)
{
    attach_well();
    for (unsigned number = 0; number < 200; number++)
        ck_assert_int_eq(put_bytes(number, 1, 300), SF_OK);
    sf_store_close(store);
    store = NULL;
}

START_TEST(test_destroyed_pages_are_an_error_not_a_crash)
{
    fill_some_and_close();
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    overwrite(4096, (size_t)info.st_size - 4096, 0x5a); /* all but the first page */
    if (attach() != SF_OK)
        return;
    for (unsigned number = 0; number < 200; number++)
        ck_assert_int_eq(load(number), SF_UNAVAILABLE);
    ck_assert_str_ne(explanation(), "");
    ck_assert_int_ne(put(1, 2), SF_OK);
}
END_TEST

START_TEST(test_flipped_bytes_never_give_another_record)
{
    unsigned char page[4096];
    fill_some_and_close();
    int file = open(path, O_RDWR);
    ck_assert_int_ge(file, 0);
    for (off_t at = 4096; pread(file, page, sizeof page, at) == sizeof page; at += 4096) {
        page[2000] ^= 0x10;
        ck_assert_int_eq(pwrite(file, page, sizeof page, at), sizeof page);
    }
    close(file);
    attach_well();
    unsigned damaged = 0;
    for (unsigned number = 0; number < 200; number++) {
        enum sf_status status = load(number);
        damaged += status != SF_OK;
        if (status == SF_OK)
            ck_assert_int_eq(sf_record_check(sf_buffer_span(&stored.record)), SF_OK);
    }
    ck_assert_uint_gt(damaged, 0);
    ck_assert_uint_lt(damaged, 200);
}
END_TEST

START_TEST(test_row_changed_by_hand_is_damaged)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(put_bytes(2, 1, 20), SF_OK);
    run_once("UPDATE session SET record ="
             " (SELECT record FROM session WHERE hex(key) LIKE '00000002%')"
             " WHERE hex(key) LIKE '00000001%'");
    ck_assert_int_eq(load(1), SF_CORRUPT); /* another user's record under this key */
    explanation();
    assert_says("damaged row");
    ck_assert_int_eq(load(2), SF_OK);
}
END_TEST

/* Cut at many lengths: opens with an older state or says why not. */
START_TEST(test_truncated_database_is_no_crash)
{
    fill_some_and_close();
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    for (off_t size = info.st_size - 1; size > 0; size -= 4999) {
        ck_assert_int_eq(truncate(path, size), 0);
        if (attach() == SF_OK)
            for (unsigned number = 0; number < 200; number += 20)
                (void)load(number);
        sf_store_close(store);
        store = NULL;
    }
}
END_TEST

START_TEST(test_closing_with_a_missing_file_is_fine)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(unlink(path), 0);
    sf_store_close(store);
    store = NULL;
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("store_sqlite");
    TCase *schema = tcase_create("schema");
    tcase_set_timeout(schema, 60);
    tcase_add_checked_fixture(schema, set_up, tear_down);
    tcase_add_test(schema, test_file_is_private_whatever_the_umask);
    tcase_add_test(schema, test_write_ahead_log_and_schema_version);
    tcase_add_test(schema, test_columns_can_be_read_with_sql);
    tcase_add_test(schema, test_rows_are_there_after_a_restart);
    tcase_add_test(schema, test_log_does_not_grow_for_ever);
    tcase_add_test(schema, test_database_from_the_future_is_refused_with_both_versions);
    tcase_add_test(schema, test_database_of_another_program_is_left_alone);
    tcase_add_test(schema, test_ours_without_its_table_is_no_crash);
    tcase_add_test(schema, test_file_that_is_no_database_is_refused_and_kept);
    tcase_add_test(schema, test_folder_in_place_of_the_file_is_refused);
    tcase_add_test(schema, test_missing_folder_is_unavailable_until_it_is_there);
    suite_add_tcase(suite, schema);

    TCase *outage = tcase_create("outage");
    tcase_set_timeout(outage, 60);
    tcase_add_checked_fixture(outage, set_up, tear_down);
    tcase_add_test(outage, test_unreadable_file_is_an_outage);
    tcase_add_test(outage, test_read_only_folder_is_an_outage);
    tcase_add_test(outage, test_read_only_file_is_an_outage);
    tcase_add_test(outage, test_file_made_unreadable_while_running_is_an_outage);
    tcase_add_test(outage, test_folder_made_unreadable_while_running_is_an_outage);
    tcase_add_test(outage, test_folder_moved_away_and_back);
    tcase_add_test(outage, test_deleted_file_is_an_outage_and_never_made_anew);
    tcase_add_test(outage, test_empty_file_in_its_place_is_an_outage);
    tcase_add_test(outage, test_log_of_the_old_file_is_not_replayed_into_a_new_one);
    tcase_add_test(outage, test_lock_of_somebody_else_costs_no_more_than_the_deadline);
    tcase_add_test(outage, test_scan_stops_at_its_deadline);
    tcase_add_test(outage, test_every_batch_is_synced);
    tcase_add_test(outage, test_failed_sync_is_uncertain_until_log_and_database_are_synced);
    tcase_add_test(outage, test_log_that_was_found_is_synced_first);
    tcase_add_test(outage, test_full_disk_keeps_what_was_there_and_recovers);
    tcase_add_test(outage, test_file_size_limit);
    tcase_add_test(outage, test_destroyed_pages_are_an_error_not_a_crash);
    tcase_add_test(outage, test_flipped_bytes_never_give_another_record);
    tcase_add_test(outage, test_row_changed_by_hand_is_damaged);
    tcase_add_test(outage, test_truncated_database_is_no_crash);
    tcase_add_test(outage, test_closing_with_a_missing_file_is_fine);
    suite_add_tcase(suite, outage);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
