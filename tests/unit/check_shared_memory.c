/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/shared_memory.h"

#include <check.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define BYTES 65536u
#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE_BYTES (2 * LARGE_PAGE + BYTES)

static struct sf_temp_folder folder;
static struct sf_error error;
static char path[128];

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    strncpy(path, sf_temp_folder_path(&folder, "cache"), sizeof(path) - 1);
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
}

static void
make(void)
{
    struct sf_mapping mapping;

    ck_assert_int_eq(sf_shared_memory_make(&mapping, path, BYTES, &error), SF_OK);
    sf_shared_memory_unmap(&mapping);
}

static bool
is_zero(const struct sf_mapping *mapping)
{
    const uint64_t *words = mapping->base;
    uint64_t all = 0;

    for (size_t i = 0; i < mapping->bytes / sizeof(*words); i++)
        all |= words[i];
    return all == 0;
}

static void
assert_refused(const char *why)
{
    struct sf_mapping mapping;

    ck_assert_int_eq(sf_shared_memory_map(&mapping, path, true, &error), SF_INVALID);
    ck_assert_ptr_null(mapping.base);
    ck_assert_msg(strstr(error.text, why) != NULL, "\"%s\" is not in: %s", why, error.text);
}

START_TEST(test_new_file_is_zero_private_and_allocated)
{
    struct sf_mapping mapping;
    struct stat status;

    ck_assert_int_eq(sf_shared_memory_make(&mapping, path, BYTES, &error), SF_OK);
    ck_assert(is_zero(&mapping));
    sf_shared_memory_unmap(&mapping);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_int_ge(status.st_blocks * 512, BYTES);
}
END_TEST

/* Whether the kernel has any is its business: here, that nothing else changes, and that it could. */
START_TEST(test_mapping_begins_where_a_large_page_may)
{
    struct sf_mapping one, two;
    struct stat status;

    ck_assert_int_eq(sf_shared_memory_make(&one, path, LARGE_BYTES, &error), SF_OK);
    ck_assert_int_eq(sf_shared_memory_map(&two, path, false, &error), SF_OK);
    ck_assert_uint_eq((uintptr_t)one.base % LARGE_PAGE, 0);
    ck_assert_uint_eq((uintptr_t)two.base % LARGE_PAGE, 0);
    ck_assert(is_zero(&one));
    ((unsigned char *)one.base)[LARGE_BYTES - 1] = 42;
    ck_assert_uint_eq(((unsigned char *)two.base)[LARGE_BYTES - 1], 42);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_size, LARGE_BYTES);
    ck_assert_int_ge(status.st_blocks * 512, LARGE_BYTES);
    sf_shared_memory_unmap(&one);
    sf_shared_memory_unmap(&two);
}
END_TEST

START_TEST(test_mappings_share_their_bytes)
{
    struct sf_mapping one, two;

    make();
    ck_assert_int_eq(sf_shared_memory_map(&one, path, true, &error), SF_OK);
    ck_assert_int_eq(sf_shared_memory_map(&two, path, false, &error), SF_OK);
    ((unsigned char *)one.base)[4711] = 42;
    ck_assert_uint_eq(((unsigned char *)two.base)[4711], 42);
    ck_assert_uint_eq(two.bytes, BYTES);
    sf_shared_memory_unmap(&one);
    sf_shared_memory_unmap(&two);
    ck_assert_ptr_null(one.base);
}
END_TEST

START_TEST(test_missing_file_is_not_found)
{
    struct sf_mapping mapping;

    ck_assert_int_eq(sf_shared_memory_map(&mapping, path, true, &error), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_symbolic_link_is_refused)
{
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    assert_refused("symbolic link");
}
END_TEST

START_TEST(test_second_name_is_refused)
{
    make();
    ck_assert_int_eq(link(path, sf_temp_folder_path(&folder, "other")), 0);
    assert_refused("second name");
}
END_TEST

START_TEST(test_file_that_others_may_write_is_refused)
{
    make();
    ck_assert_int_eq(chmod(path, 0620), 0);
    assert_refused("others may write");
}
END_TEST

START_TEST(test_folder_is_refused)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(sf_shared_memory_map(&(struct sf_mapping){NULL, 0}, path, true, &error),
                     SF_INVALID);
}
END_TEST

START_TEST(test_truncated_file_is_refused)
{
    make();
    ck_assert_int_eq(truncate(path, BYTES - 1), 0);
    assert_refused("truncated");
    ck_assert_int_eq(truncate(path, 0), 0);
    assert_refused("truncated");
}
END_TEST

START_TEST(test_no_room_is_full_and_leaves_nothing)
{
    struct sf_mapping mapping;
    struct rlimit limit = {BYTES / 2, RLIM_INFINITY}, before;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(sf_shared_memory_make(&mapping, path, BYTES, &error), SF_FULL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "65536"));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("shared_memory");
    TCase *tests = tcase_create("shared_memory");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_new_file_is_zero_private_and_allocated);
    tcase_add_test(tests, test_mapping_begins_where_a_large_page_may);
    tcase_add_test(tests, test_mappings_share_their_bytes);
    tcase_add_test(tests, test_missing_file_is_not_found);
    tcase_add_test(tests, test_symbolic_link_is_refused);
    tcase_add_test(tests, test_second_name_is_refused);
    tcase_add_test(tests, test_file_that_others_may_write_is_refused);
    tcase_add_test(tests, test_folder_is_refused);
    tcase_add_test(tests, test_truncated_file_is_refused);
    tcase_add_test(tests, test_no_room_is_full_and_leaves_nothing);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
