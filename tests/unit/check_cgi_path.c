/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_path.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

static struct sf_temp_folder folder;
static struct sf_cgi_path path;
static struct sf_error error;

static const char *
full(const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s/%s", folder.path, name);
    return text;
}

static void
make_file(const char *name, mode_t mode)
{
    int file = open(full(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(fchmod(file, mode), 0);
    close(file);
}

static void
start(void)
{
    sf_temp_folder_init(&folder);
    ck_assert_int_eq(mkdir(full("cgi"), 0755), 0);
    ck_assert_int_eq(mkdir(full("cgi/a"), 0755), 0);
    make_file("outside", 0755);
    make_file("cgi/plain", 0644);
    make_file("cgi/a/b.cgi", 0755);
    ck_assert_int_eq(mkfifo(full("cgi/fifo"), 0755), 0);
    ck_assert_int_eq(symlink("../outside", full("cgi/link")), 0);
    ck_assert_int_eq(symlink("a", full("cgi/folder_link")), 0);
    path.folder = -1;
}

static void
finish(void)
{
    sf_cgi_path_close(&path);
    sf_temp_folder_fini(&folder);
}

static enum sf_status
find(const char *below, bool follows_links)
{
    char directory[256];
    snprintf(directory, sizeof directory, "%s/cgi", folder.path);
    sf_cgi_path_close(&path);
    return sf_cgi_path_find(&path, directory, below, follows_links, &error);
}

static bool
names(const char *name)
{
    struct stat by_path, by_folder;
    return stat(full(name), &by_path) == 0 && fstatat(path.folder, path.name, &by_folder, 0) == 0 &&
           by_path.st_ino == by_folder.st_ino;
}

START_TEST(test_program_and_what_is_left)
{
    ck_assert_int_eq(find("/a/b.cgi", false), SF_OK);
    ck_assert(names("cgi/a/b.cgi"));
    ck_assert_uint_eq(path.used, strlen("/a/b.cgi"));
    ck_assert_int_eq(find("/a/b.cgi/more//../x", false), SF_OK);
    ck_assert_uint_eq(path.used, strlen("/a/b.cgi"));
    ck_assert_int_eq(find("a/b.cgi/", false), SF_OK);
    ck_assert_uint_eq(path.used, strlen("a/b.cgi"));
}
END_TEST

START_TEST(test_what_is_not_there)
{
    static const char *const absent[] = {"",          "/",     "//a/b.cgi",   "/a",     "/a/",
                                         "/a//b.cgi", "/none", "/none/b.cgi", "/a/none"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        ck_assert_msg(find(absent[i], false) == SF_NOT_FOUND, "%s", absent[i]);
        ck_assert_int_eq(path.folder, -1);
    }
    char long_name[NAME_MAX + 10] = "/";
    memset(long_name + 1, 'x', sizeof long_name - 2);
    ck_assert_int_eq(find(long_name, false), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_nothing_leads_out)
{
    static const char *const wrong[] = {"/..", "/../outside", "/a/../a/b.cgi", "/./a/b.cgi",
                                        "/a/../../outside"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(find(wrong[i], false) == SF_INVALID, "%s", wrong[i]);
        ck_assert_msg(find(wrong[i], true) == SF_INVALID, "%s", wrong[i]);
    }
}
END_TEST

START_TEST(test_only_executable_files_are_programs)
{
    ck_assert_int_eq(find("/plain", false), SF_INVALID);
    ck_assert_str_eq(error.text, "plain is not executable");
    ck_assert_int_eq(find("/plain/more", false), SF_INVALID);
    ck_assert_int_eq(find("/fifo", false), SF_INVALID);
    ck_assert_str_eq(error.text, "fifo is no regular file");
}
END_TEST

START_TEST(test_links_are_followed_where_that_is_allowed)
{
    ck_assert_int_eq(find("/link", false), SF_INVALID);
    ck_assert_str_eq(error.text, "link is a symbolic link (GatewayCgiSymlinks)");
    ck_assert_int_eq(find("/folder_link/b.cgi", false), SF_INVALID);
    ck_assert_int_eq(find("/link/info", true), SF_OK);
    ck_assert(names("outside"));
    ck_assert_int_eq(find("/folder_link/b.cgi", true), SF_OK);
    ck_assert(names("cgi/a/b.cgi"));
}
END_TEST

START_TEST(test_missing_folder_is_no_missing_program)
{
    ck_assert_int_eq(sf_cgi_path_find(&path, full("nothing"), "/x", false, &error), SF_UNAVAILABLE);
    ck_assert_int_eq(path.folder, -1);
}
END_TEST

START_TEST(test_one_program_by_its_path)
{
    ck_assert_int_eq(sf_cgi_path_open(&path, full("cgi/link"), &error), SF_OK);
    ck_assert(names("outside"));
    ck_assert_uint_eq(path.used, 0);
    sf_cgi_path_close(&path);
    ck_assert_int_eq(sf_cgi_path_open(&path, full("cgi/plain"), &error), SF_INVALID);
    ck_assert_int_eq(sf_cgi_path_open(&path, full("cgi/none"), &error), SF_NOT_FOUND);
    ck_assert_int_eq(sf_cgi_path_open(&path, full("cgi/"), &error), SF_NOT_FOUND);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cgi_path");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_add_test(all, test_program_and_what_is_left);
    tcase_add_test(all, test_what_is_not_there);
    tcase_add_test(all, test_nothing_leads_out);
    tcase_add_test(all, test_only_executable_files_are_programs);
    tcase_add_test(all, test_links_are_followed_where_that_is_allowed);
    tcase_add_test(all, test_missing_folder_is_no_missing_program);
    tcase_add_test(all, test_one_program_by_its_path);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
