/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/folder_examine.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

static struct found found;
static char folder[64], path[128];

static void
set_up(void)
{
    found_init(&found);
    snprintf(folder, sizeof folder, "/tmp/sf-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void
tear_down(void)
{
    ck_assert_int_eq(chmod(folder, 0700), 0);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void
make_file(mode_t mode)
{
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fchmod(file, mode), 0);
    close(file);
}

START_TEST(test_good_folder)
{
    ck_assert(sf_folder_examine(folder, &found.findings));
    assert_found(&found, "folder", SF_FINDING_OK, "mode 0700");
    assert_found(&found, "write and fsync", SF_FINDING_OK, "the disk has it");
    ck_assert_int_ge(found.list[found.count - 1].microseconds, 0);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing was left behind */
    ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

START_TEST(test_no_folder)
{
    ck_assert(!sf_folder_examine("/nowhere/at/all", &found.findings));
    assert_found(&found, "folder", SF_FINDING_ERROR, "/nowhere/at/all: No such file");
    ck_assert(!sf_folder_examine("/dev/null", &found.findings));
    assert_found(&found, "folder", SF_FINDING_ERROR, "Not a directory");
}
END_TEST

START_TEST(test_folder_of_everybody)
{
    ck_assert_int_eq(chmod(folder, 0777), 0);
    ck_assert(sf_folder_examine(folder, &found.findings));
    assert_found(&found, "mode of the folder", SF_FINDING_ERROR, "0777");
    found_init(&found);
    ck_assert_int_eq(chmod(folder, 01777), 0);
    ck_assert(sf_folder_examine(folder, &found.findings));
    assert_found(&found, "mode of the folder", SF_FINDING_WARNING, "1777");
}
END_TEST

/* proc takes no files, not even of root. */
START_TEST(test_folder_that_takes_nothing)
{
    ck_assert(!sf_folder_examine("/proc/self", &found.findings));
    ck_assert_int_eq(found.findings.worst, SF_FINDING_ERROR);
}
END_TEST

START_TEST(test_files)
{
    ck_assert(!sf_private_file_examine(path, &found.findings));
    ck_assert_uint_eq(found.count, 0);
    make_file(0600);
    ck_assert(sf_private_file_examine(path, &found.findings));
    assert_found(&found, "file", SF_FINDING_OK, "mode 0600");
    ck_assert_int_eq(chmod(path, 0660), 0);
    ck_assert(sf_private_file_examine(path, &found.findings));
    assert_found(&found, "file", SF_FINDING_WARNING, "mode 0660");
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert(sf_private_file_examine(path, &found.findings));
    assert_found(&found, "file", SF_FINDING_ERROR, "mode 0644");
}
END_TEST

START_TEST(test_no_ordinary_file)
{
    ck_assert(sf_private_file_examine(folder, &found.findings));
    assert_found(&found, "file", SF_FINDING_ERROR, "no ordinary file");
    found_init(&found);
    ck_assert(sf_private_file_examine("/dev/null/file", &found.findings));
    assert_found(&found, "file", SF_FINDING_ERROR, "Not a directory");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("folder_examine");
    TCase *tests = tcase_create("folder_examine");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_good_folder);
    tcase_add_test(tests, test_no_folder);
    tcase_add_test(tests, test_folder_of_everybody);
    tcase_add_test(tests, test_folder_that_takes_nothing);
    tcase_add_test(tests, test_files);
    tcase_add_test(tests, test_no_ordinary_file);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
