/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_path_examine.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/finding_case.h"

#define DEADLINE (sf_clock_steady() + 10 * SF_SECOND)

static struct found found;
static char folder[64], path[128], url[160];

static void
set_up(void)
{
    found_init(&found);
    snprintf(folder, sizeof folder, "/tmp/sf-path-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/store", folder);
    snprintf(url, sizeof url, "sqlite:%s", path);
}

static void
tear_down(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void
write_at(off_t at, const char *bytes, size_t size)
{
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, bytes, size, at), (ssize_t)size);
    close(file);
}

static void
make_database(void)
{
    struct sf_store *store;
    struct sf_error error;
    ck_assert_int_eq(sf_store_open(&store, url, folder, &error), SF_OK);
    ck_assert_int_eq(store->ops->attach(store, DEADLINE, &error), SF_OK);
    sf_store_close(store);
}

static enum sf_status
examine(void)
{
    struct sf_store *store;
    struct sf_error error;
    found_init(&found);
    ck_assert_int_eq(sf_store_open(&store, url, folder, &error), SF_OK);
    enum sf_status status = sf_store_examine(store, DEADLINE, &found.findings);
    sf_store_close(store);
    return status;
}

START_TEST(test_file_that_is_not_there_yet)
{
    ck_assert_int_eq(examine(), SF_OK);
    ck_assert_int_eq(found.findings.worst, SF_FINDING_OK);
    assert_found(&found, "file", SF_FINDING_OK, "will be made");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_database)
{
    make_database();
    ck_assert_int_eq(examine(), SF_OK);
    assert_found(&found, "schema", SF_FINDING_OK, "version 1");
}
END_TEST

/* Bytes of its head are overwritten. */
START_TEST(test_what_is_none_of_ours)
{
    static const struct {
        off_t at;
        const char *bytes;
        size_t size;
        const char *what, *says;
    } rows[] = {
        {60, "\0\0\0\143", 4, "schema", "99"},
        {68, "\1\2\3\4", 4, "format", "of another program"},
        {0, "shopping list", 13, "format", "not a database"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unlink(path);
        make_database();
        write_at(rows[i].at, rows[i].bytes, rows[i].size);
        ck_assert_int_eq(examine(), SF_OK);
        assert_found(&found, rows[i].what, SF_FINDING_ERROR, rows[i].says);
    }
}
END_TEST

START_TEST(test_no_folder)
{
    snprintf(url, sizeof url, "file:/nowhere/sessions.json");
    ck_assert_int_eq(examine(), SF_UNAVAILABLE);
    assert_found(&found, "folder", SF_FINDING_ERROR, "/nowhere");
}
END_TEST

START_TEST(test_store_that_forgets)
{
    snprintf(url, sizeof url, "memory:x");
    ck_assert_int_eq(examine(), SF_OK);
    assert_found(&found, "durability", SF_FINDING_WARNING, "forgets");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_path_examine");
    TCase *tests = tcase_create("store_path_examine");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_file_that_is_not_there_yet);
    tcase_add_test(tests, test_database);
    tcase_add_test(tests, test_what_is_none_of_ours);
    tcase_add_test(tests, test_no_folder);
    tcase_add_test(tests, test_store_that_forgets);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
