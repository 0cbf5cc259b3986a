/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_layout.h"
#include "tests/support/test_cache.h"

static struct sf_temp_folder folder;
static struct sf_instance instance;
static struct sf_error error;
static struct sf_l1_made made;

static void
set_up(void)
{
    sf_temp_folder_init(&folder);
    sf_test_cache_instance(&instance, folder.path);
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
}

static void
create(uint64_t bytes)
{
    ck_assert_msg(sf_l1_create(&instance, bytes, &made, &error) == SF_OK, "%s", error.text);
}

static struct sf_l1 *
attach(void)
{
    struct sf_l1 *l1;

    ck_assert_msg(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error) == SF_OK, "%s",
                  error.text);
    return l1;
}

static void
patch(size_t offset, const void *bytes, size_t size)
{
    int descriptor = open(instance.cache_path, O_RDWR);

    ck_assert_int_eq(pwrite(descriptor, bytes, size, (off_t)offset), (ssize_t)size);
    close(descriptor);
}

static bool
exists(const char *name)
{
    return access(sf_temp_folder_path(&folder, name), F_OK) == 0;
}

START_TEST(test_new_cache_is_empty_and_sound)
{
    struct sf_l1_usage usage;

    create(1 << 20);
    ck_assert(made.is_new && !made.set_aside && !made.size_differs);
    struct sf_l1 *l1 = attach();
    ck_assert_msg(sf_l1_check(l1, true, &error) == SF_OK, "%s", error.text);
    sf_l1_usage(l1, &usage);
    ck_assert_uint_eq(usage.blocks_live + usage.index_used + usage.slabs_used, 0);
    ck_assert_uint_eq(usage.processes, 1);
    sf_l1_close(l1);
    ck_assert(!exists("l1.cache.new"));
}
END_TEST

START_TEST(test_cache_is_kept_over_a_restart)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_create(l1, 1, "a", "b"), SF_OK);
    sf_l1_close(l1);
    create(1 << 20);
    ck_assert(!made.is_new && !made.size_differs);
    l1 = attach();
    ck_assert_str_eq(sf_test_look(l1, 1, "a").text, "b");
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_other_size_is_kept_while_anything_is_dirty)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_create(l1, 1, "a", "b"), SF_OK);
    sf_l1_close(l1);
    create(2 << 20);
    ck_assert(!made.is_new && made.size_differs);
    ck_assert_uint_eq(made.bytes, 1 << 20);
}
END_TEST

START_TEST(test_other_size_is_kept_while_somebody_is_attached)
{
    create(1 << 20);
    struct sf_l1 *l1 = attach();
    create(2 << 20);
    ck_assert(made.size_differs && !sf_l1_is_retired(l1));
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_other_size_replaces_a_clean_cache)
{
    struct sf_l1 *reader;

    create(1 << 20);
    struct sf_l1 *l1 = attach();
    ck_assert_int_eq(sf_test_fill(l1, 1, 3, "x"), SF_OK);
    sf_l1_close(l1);
    ck_assert_int_eq(sf_l1_attach(&reader, &instance, SF_L1_READ_ONLY, &error), SF_OK);
    create(2 << 20);
    ck_assert(made.is_new);
    ck_assert_uint_eq(made.bytes, 2 << 20);
    ck_assert(sf_l1_is_retired(reader));
    sf_l1_close(reader);
}
END_TEST

START_TEST(test_cache_of_another_layout_is_set_aside)
{
    uint64_t version = SF_L1_LAYOUT_VERSION + 1;
    struct sf_l1 *l1;

    create(1 << 20);
    patch(offsetof(struct sf_l1_header, layout_version), &version, sizeof(version));
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "another version"));
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside && exists("l1.cache.bad"));
}
END_TEST

START_TEST(test_cache_of_an_earlier_boot_is_forgotten)
{
    struct sf_l1 *l1;

    create(1 << 20);
    patch(offsetof(struct sf_l1_header, boot_id), "0000", 4);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    create(1 << 20);
    ck_assert(made.is_new && !made.set_aside && !exists("l1.cache.bad"));
}
END_TEST

START_TEST(test_cache_without_its_lock_file_is_set_aside)
{
    struct sf_l1 *l1;

    create(1 << 20);
    ck_assert_int_eq(rename(instance.cache_lock_path, sf_temp_folder_path(&folder, "moved")), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_OK);
    sf_l1_close(l1);
}
END_TEST

START_TEST(test_damaged_and_truncated_files_are_set_aside)
{
    struct sf_l1_header header = {.magic = 0};
    struct sf_l1 *l1;

    create(1 << 20);
    patch(0, &header, sizeof(header));
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_INVALID);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(truncate(instance.cache_path, 1000), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
    ck_assert_int_eq(truncate(instance.cache_path, (1 << 20) - 4096), 0);
    create(1 << 20);
    ck_assert(made.is_new && made.set_aside);
}
END_TEST

START_TEST(test_links_and_foreign_folders_are_refused)
{
    ck_assert_int_eq(symlink("/etc/passwd", instance.cache_path), 0);
    ck_assert_int_eq(sf_l1_create(&instance, 1 << 20, &made, &error), SF_INVALID);
    sf_test_cache_instance(&instance, "/nonexistent");
    ck_assert_int_ne(sf_l1_create(&instance, 1 << 20, &made, &error), SF_OK);
}
END_TEST

START_TEST(test_sizes_out_of_range_are_refused)
{
    ck_assert_int_eq(sf_l1_create(&instance, 1000, &made, &error), SF_INVALID);
    ck_assert_int_eq(sf_l1_create(&instance, UINT64_C(1) << 40, &made, &error), SF_INVALID);
}
END_TEST

START_TEST(test_attaching_nothing_is_not_found)
{
    struct sf_l1 *l1;

    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error), SF_NOT_FOUND);
    ck_assert_int_eq(sf_l1_attach(&l1, &instance, SF_L1_READ_ONLY, &error), SF_NOT_FOUND);
    ck_assert_ptr_null(l1);
}
END_TEST

START_TEST(test_many_creators_agree_on_one)
{
    int fresh = 0;

    for (int i = 0; i < 6; i++) {
        if (fork() == 0) {
            enum sf_status status = sf_l1_create(&instance, 1 << 20, &made, &error);
            _exit(status == SF_OK ? made.is_new : 99);
        }
    }
    for (int i = 0; i < 6; i++) {
        int status = 0;

        wait(&status);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        fresh += WEXITSTATUS(status);
    }
    ck_assert_int_eq(fresh, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_create");
    TCase *tests = tcase_create("l1_create");
    SRunner *runner = srunner_create(suite);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_new_cache_is_empty_and_sound);
    tcase_add_test(tests, test_cache_is_kept_over_a_restart);
    tcase_add_test(tests, test_other_size_is_kept_while_anything_is_dirty);
    tcase_add_test(tests, test_other_size_is_kept_while_somebody_is_attached);
    tcase_add_test(tests, test_other_size_replaces_a_clean_cache);
    tcase_add_test(tests, test_cache_of_another_layout_is_set_aside);
    tcase_add_test(tests, test_cache_of_an_earlier_boot_is_forgotten);
    tcase_add_test(tests, test_cache_without_its_lock_file_is_set_aside);
    tcase_add_test(tests, test_damaged_and_truncated_files_are_set_aside);
    tcase_add_test(tests, test_links_and_foreign_folders_are_refused);
    tcase_add_test(tests, test_sizes_out_of_range_are_refused);
    tcase_add_test(tests, test_attaching_nothing_is_not_found);
    tcase_add_test(tests, test_many_creators_agree_on_one);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
