/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/files.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define BYTES (1u << 20)

static void *
read_all(void *argument)
{
    int fd = *(int *)argument;
    size_t *total = calloc(1, sizeof *total);
    char chunk[1000];
    ssize_t size;
    while ((size = read(fd, chunk, sizeof chunk)) > 0)
        *total += (size_t)size;
    return total;
}

START_TEST(test_everything_is_written_through_a_narrow_pipe)
{
    int ends[2];
    pthread_t reader;
    void *total;
    char *bytes = calloc(1, BYTES);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    ck_assert(sf_write_all(ends[1], bytes, BYTES));
    close(ends[1]);
    ck_assert_int_eq(pthread_join(reader, &total), 0);
    ck_assert_uint_eq(*(size_t *)total, BYTES);
    close(ends[0]);
    free(total);
    free(bytes);
}
END_TEST

START_TEST(test_a_failure_says_why)
{
    int null = open("/dev/null", O_RDONLY);
    ck_assert(!sf_write_all(null, "x", 1));
    ck_assert_int_eq(errno, EBADF);
    close(null);
    ck_assert(sf_write_all(-1, NULL, 0));
}
END_TEST

START_TEST(test_folders_are_synced)
{
    struct sf_temp_folder folder;
    sf_temp_folder_init(&folder);
    ck_assert(sf_sync_folder(folder.path));
    ck_assert(sf_sync_folder_of(sf_temp_folder_path(&folder, "file")));
    ck_assert(sf_sync_folder_of("file"));
    ck_assert(!sf_sync_folder_of(sf_temp_folder_path(&folder, "missing/file")));
    ck_assert_int_eq(errno, ENOENT);
    sf_temp_folder_fini(&folder);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("files");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_everything_is_written_through_a_narrow_pipe);
    tcase_add_test(all, test_a_failure_says_why);
    tcase_add_test(all, test_folders_are_synced);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
