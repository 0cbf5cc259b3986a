/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/record_locks.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static struct sf_temp_folder folder;
static struct sf_error error;
static char path[128];

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    strncpy(path, sf_temp_folder_path(&folder, "lock"), sizeof(path) - 1);
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
}

static struct sf_record_locks *
open_locks(enum sf_record_locks_use use)
{
    struct sf_record_locks *locks;

    ck_assert_msg(sf_record_locks_open(&locks, path, use, &error) == SF_OK, "%s", error.text);
    return locks;
}

/* Runs in a process of its own; the answer is its exit status. */
static int
in_child(int (*run)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(run());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
can_take_7(void)
{
    struct sf_record_locks *locks = open_locks(SF_RECORD_LOCKS_TAKE);

    return sf_record_locks_try(locks, 7);
}

static int
sees_7_held(void)
{
    return sf_record_locks_is_held(open_locks(SF_RECORD_LOCKS_LOOK), 7);
}

START_TEST(test_lock_excludes_other_processes)
{
    struct sf_record_locks *locks = open_locks(SF_RECORD_LOCKS_MAKE);

    ck_assert(sf_record_locks_try(locks, 7));
    ck_assert_int_eq(in_child(can_take_7), 0);
    ck_assert_int_eq(in_child(sees_7_held), 1);
    sf_record_locks_release(locks, 7);
    ck_assert_int_eq(in_child(can_take_7), 1);
    ck_assert(!sf_record_locks_is_held(locks, 7)); /* the child is dead */
    sf_record_locks_close(locks);
}
END_TEST

START_TEST(test_lock_excludes_other_handles_of_the_same_process)
{
    struct sf_record_locks *one = open_locks(SF_RECORD_LOCKS_MAKE);
    struct sf_record_locks *two = open_locks(SF_RECORD_LOCKS_TAKE);

    ck_assert(sf_record_locks_try(one, 7));
    ck_assert(!sf_record_locks_try(two, 7));
    ck_assert(sf_record_locks_is_held(two, 7));
    ck_assert(sf_record_locks_try(two, 8));
    sf_record_locks_release(one, 7);
    sf_record_locks_release(two, 8);
    sf_record_locks_close(one);
    sf_record_locks_close(two);
}
END_TEST

/*
 * What the kernel does by itself is the opposite: closing any descriptor of the file drops all
 * locks.
 */
START_TEST(test_closing_one_handle_keeps_the_locks_of_another)
{
    struct sf_record_locks *one = open_locks(SF_RECORD_LOCKS_MAKE);
    struct sf_record_locks *two = open_locks(SF_RECORD_LOCKS_TAKE);

    ck_assert(sf_record_locks_try(one, 7));
    sf_record_locks_close(two);
    ck_assert_int_eq(in_child(can_take_7), 0);
    sf_record_locks_release(one, 7);
    sf_record_locks_close(one);
}
END_TEST

START_TEST(test_opening_for_looks_first_does_not_matter)
{
    struct sf_record_locks *made = open_locks(SF_RECORD_LOCKS_MAKE);

    sf_record_locks_close(made);
    struct sf_record_locks *look = open_locks(SF_RECORD_LOCKS_LOOK);
    ck_assert(!sf_record_locks_try(look, 7));
    struct sf_record_locks *take = open_locks(SF_RECORD_LOCKS_TAKE);
    ck_assert(sf_record_locks_try(take, 7));
    sf_record_locks_close(look);
    ck_assert_int_eq(in_child(can_take_7), 0);
    sf_record_locks_release(take, 7);
    sf_record_locks_close(take);
}
END_TEST

static struct sf_record_locks *inherited;

static int
inherited_handle_is_inert(void)
{
    bool has_locked = sf_record_locks_try(inherited, 9);

    sf_record_locks_release(inherited, 7); /* must not touch the parent's lock */
    sf_record_locks_close(inherited);
    return has_locked || can_take_7();
}

START_TEST(test_handle_of_the_parent_is_inert_in_the_child)
{
    inherited = open_locks(SF_RECORD_LOCKS_MAKE);
    ck_assert(sf_record_locks_try(inherited, 7));
    ck_assert_int_eq(in_child(inherited_handle_is_inert), 0);
    ck_assert_int_eq(in_child(can_take_7), 0);
    sf_record_locks_release(inherited, 7);
    sf_record_locks_close(inherited);
}
END_TEST

START_TEST(test_missing_link_and_writable_files_are_refused)
{
    struct sf_record_locks *locks;

    ck_assert_int_eq(sf_record_locks_open(&locks, path, SF_RECORD_LOCKS_TAKE, &error),
                     SF_NOT_FOUND);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(sf_record_locks_open(&locks, path, SF_RECORD_LOCKS_MAKE, &error), SF_INVALID);
    ck_assert_int_eq(unlink(path), 0);
    int descriptor = open(path, O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(fchmod(descriptor, 0666), 0);
    close(descriptor);
    ck_assert_int_eq(sf_record_locks_open(&locks, path, SF_RECORD_LOCKS_TAKE, &error), SF_INVALID);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("record_locks");
    TCase *tests = tcase_create("record_locks");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_lock_excludes_other_processes);
    tcase_add_test(tests, test_lock_excludes_other_handles_of_the_same_process);
    tcase_add_test(tests, test_closing_one_handle_keeps_the_locks_of_another);
    tcase_add_test(tests, test_opening_for_looks_first_does_not_matter);
    tcase_add_test(tests, test_handle_of_the_parent_is_inert_in_the_child);
    tcase_add_test(tests, test_missing_link_and_writable_files_are_refused);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
