/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions, files that come and go, locks, a full disk: an outage with its reason, and all is well behind it. */
#include "common/store/store.h"

#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/sqlite_case.h"

#define NOBODY 65534

/* ---- permissions ---- */

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

START_TEST(test_unreadable_file_is_an_outage)
{
    attach_well();
    close_store();
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
    close_store();
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
    close_store();
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
    close_store();
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
    close_store();
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

START_TEST(test_closing_with_a_missing_file_is_fine)
{
    attach_well();
    ck_assert_int_eq(put(1, 1), SF_OK);
    ck_assert_int_eq(unlink(path), 0);
    close_store();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_sqlite_outages");
    TCase *tests = tcase_create("store_sqlite_outages");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_unreadable_file_is_an_outage);
    tcase_add_test(tests, test_read_only_folder_is_an_outage);
    tcase_add_test(tests, test_read_only_file_is_an_outage);
    tcase_add_test(tests, test_file_made_unreadable_while_running_is_an_outage);
    tcase_add_test(tests, test_folder_made_unreadable_while_running_is_an_outage);
    tcase_add_test(tests, test_folder_moved_away_and_back);
    tcase_add_test(tests, test_deleted_file_is_an_outage_and_never_made_anew);
    tcase_add_test(tests, test_empty_file_in_its_place_is_an_outage);
    tcase_add_test(tests, test_log_of_the_old_file_is_not_replayed_into_a_new_one);
    tcase_add_test(tests, test_lock_of_somebody_else_costs_no_more_than_the_deadline);
    tcase_add_test(tests, test_scan_stops_at_its_deadline);
    tcase_add_test(tests, test_full_disk_keeps_what_was_there_and_recovers);
    tcase_add_test(tests, test_file_size_limit);
    tcase_add_test(tests, test_closing_with_a_missing_file_is_fine);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
