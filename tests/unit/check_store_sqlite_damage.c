/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the disk when a sync has failed, and files whose bytes are wrong. */
#include "common/store/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/sqlite_case.h"

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

static void
set_up_with_disk(void)
{
    atomic_store(&sync_fails, false);
    set_up();
}

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

/* ---- damage ---- */

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
    close_store();
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

int
main(void)
{
    Suite *suite = suite_create("store_sqlite_damage");
    TCase *tests = tcase_create("store_sqlite_damage");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up_with_disk, tear_down);
    tcase_add_test(tests, test_every_batch_is_synced);
    tcase_add_test(tests, test_failed_sync_is_uncertain_until_log_and_database_are_synced);
    tcase_add_test(tests, test_log_that_was_found_is_synced_first);
    tcase_add_test(tests, test_destroyed_pages_are_an_error_not_a_crash);
    tcase_add_test(tests, test_flipped_bytes_never_give_another_record);
    tcase_add_test(tests, test_row_changed_by_hand_is_damaged);
    tcase_add_test(tests, test_truncated_database_is_no_crash);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
