/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/migrate_state.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static struct sf_temp_folder folder;
static char path[128];
static struct sf_error error;

static const struct sf_migrate_state example = {
    .phase = SF_MIGRATE_COPYING, .old_url = "sqlite:sessions.db", .new_url = "redis://u:p%20w@host/1?socket=/x&a=b",
    .percent = 37, .configured = -1, .is_first_copy = true, .has_cursor = true, .cursor = {{1, 2, 3, 255}},
    .copied = UINT32_MAX, .incarnation = 5, .old_incarnation = UINT64_MAX - 1, .host = 11, .target = UINT64_MAX,
    .origin = UINT64_MAX - 2, .agreed = 1700000000007, .is_holding = true,
    .started = 1700000000000, .percent_since = 1700000000001, .verified = 0, .finished = 5};

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/migration", folder.path);
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
}

START_TEST(test_nothing_is_not_found)
{
    struct sf_migrate_state state;
    ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_NOT_FOUND);
    ck_assert_int_eq(sf_migrate_state_remove(path, &error), SF_OK);
}
END_TEST

START_TEST(test_what_was_saved_comes_back)
{
    struct sf_migrate_state state;
    struct stat file;
    ck_assert_int_eq(sf_migrate_state_save(&example, path, &error), SF_OK);
    ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_OK);
    ck_assert_int_eq(state.phase, example.phase);
    ck_assert_str_eq(state.old_url, example.old_url);
    ck_assert_str_eq(state.new_url, example.new_url);
    ck_assert_int_eq(state.percent, 37);
    ck_assert_int_eq(state.configured, -1);
    ck_assert(!state.is_copied && state.is_first_copy && state.has_cursor);
    ck_assert_uint_eq(state.incarnation, 5);
    ck_assert_uint_eq(state.old_incarnation, UINT64_MAX - 1);
    ck_assert_uint_eq(state.host, 11);
    ck_assert_uint_eq(state.target, UINT64_MAX);
    ck_assert_uint_eq(state.origin, UINT64_MAX - 2);
    ck_assert_uint_eq(state.agreed, 1700000000007);
    ck_assert(state.is_holding);
    ck_assert_mem_eq(&state.cursor, &example.cursor, sizeof state.cursor);
    ck_assert_uint_eq(state.copied, UINT32_MAX);
    ck_assert_int_eq(state.started, example.started);
    ck_assert_int_eq(state.percent_since, example.percent_since);
    ck_assert_int_eq(state.verified, 0);
    ck_assert_int_eq(state.finished, 5);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0600);
    ck_assert_int_eq(sf_migrate_state_remove(path, &error), SF_OK);
    ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_every_phase_has_a_name_that_is_read_again)
{
    struct sf_migrate_state state = example, found;
    state.phase = (enum sf_migrate_phase)_i;
    state.has_cursor = false;
    ck_assert_int_eq(sf_migrate_state_save(&state, path, &error), SF_OK);
    ck_assert_int_eq(sf_migrate_state_load(&found, path, &error), SF_OK);
    ck_assert_int_eq(found.phase, state.phase);
    ck_assert(!found.has_cursor);
}
END_TEST

/* Cut off anywhere, or with a byte too many. */
START_TEST(test_half_a_file_is_refused)
{
    struct sf_migrate_state state;
    struct stat file;
    ck_assert_int_eq(sf_migrate_state_save(&example, path, &error), SF_OK);
    ck_assert_int_eq(stat(path, &file), 0);
    ck_assert_int_eq(truncate(path, file.st_size + 1), 0);
    ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_INVALID);
    for (off_t size = file.st_size - 1; size >= 0; size--) {
        ck_assert_int_eq(truncate(path, size), 0);
        ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_INVALID);
    }
    ck_assert_ptr_nonnull(strstr(error.text, path));
}
END_TEST

START_TEST(test_a_file_that_cannot_be_written_leaves_the_one_before)
{
    struct sf_migrate_state state, later = example;
    char name[160];
    ck_assert_int_eq(sf_migrate_state_save(&example, path, &error), SF_OK);
    snprintf(name, sizeof name, "%s-new", path);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    later.percent = 99;
    ck_assert_int_eq(sf_migrate_state_save(&later, path, &error), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_migrate_state_load(&state, path, &error), SF_OK);
    ck_assert_int_eq(state.percent, 37);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("migrate_state");
    TCase *tests = tcase_create("migrate_state");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_nothing_is_not_found);
    tcase_add_test(tests, test_what_was_saved_comes_back);
    tcase_add_loop_test(tests, test_every_phase_has_a_name_that_is_read_again, SF_MIGRATE_NONE, SF_MIGRATE_ABORTED + 1);
    tcase_add_test(tests, test_half_a_file_is_refused);
    tcase_add_test(tests, test_a_file_that_cannot_be_written_leaves_the_one_before);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
