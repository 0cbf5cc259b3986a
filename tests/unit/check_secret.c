/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/secret.h"

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define SOMEBODY 65534
#define STARTERS 6

#define LINE_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
#define LINE_B "ffeeddccbbaa99887766554433221100FFEEDDCCBBAA99887766554433221100\n"

static struct sf_temp_folder folder;
static char path[128];

static void
make_folder(void)
{
    umask(022); /* a test before may have changed it */
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/secret.keys", folder.path);
}

static void
remove_folder(void)
{
    sf_temp_folder_fini(&folder);
}

static void
write_file(const char *content, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void
assert_refused(const char *why)
{
    struct sf_secrets secrets;
    struct sf_error error;
    ck_assert_int_eq(sf_secrets_load(&secrets, path, &error), SF_INVALID);
    ck_assert_msg(strstr(error.text, why) != NULL, "'%s' does not say '%s'", error.text, why);
    ck_assert_uint_eq(secrets.count, 0);
}

static int
count_files(void)
{
    int count = 0;
    DIR *listing = opendir(folder.path);
    ck_assert_ptr_nonnull(listing);
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count - 2; /* "." and ".." */
}

START_TEST(test_missing_file_is_made_with_one_secret_and_mode_0600)
{
    struct sf_secrets secrets;
    struct stat seen;
    umask(0);
    ck_assert_int_eq(sf_secrets_load(&secrets, path, NULL), SF_OK);
    ck_assert_uint_eq(secrets.count, 1);
    ck_assert_int_eq(lstat(path, &seen), 0);
    ck_assert_uint_eq(seen.st_mode, S_IFREG | 0600);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_second_load_reads_the_same_secret)
{
    struct sf_secrets first, second;
    ck_assert_int_eq(sf_secrets_load(&first, path, NULL), SF_OK);
    ck_assert_int_eq(sf_secrets_load(&second, path, NULL), SF_OK);
    ck_assert_mem_eq(&first, &second, sizeof first);
}
END_TEST

START_TEST(test_two_new_files_have_different_secrets)
{
    struct sf_secrets first, second;
    ck_assert_int_eq(sf_secrets_load(&first, path, NULL), SF_OK);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(sf_secrets_load(&second, path, NULL), SF_OK);
    ck_assert_mem_ne(first.keys[0], second.keys[0], SF_SECRET_BYTES);
}
END_TEST

START_TEST(test_secrets_are_read_in_order_between_comments_and_empty_lines)
{
    struct sf_secrets secrets;
    write_file("# the new one\n" LINE_A "\n# the old one\n" LINE_B, 0600);
    ck_assert_int_eq(sf_secrets_load(&secrets, path, NULL), SF_OK);
    ck_assert_uint_eq(secrets.count, 2);
    ck_assert_mem_eq(secrets.keys[0], "\x00\x11\x22\x33", 4);
    ck_assert_mem_eq(secrets.keys[1], "\xff\xee\xdd\xcc", 4);
}
END_TEST

START_TEST(test_last_line_needs_no_line_end)
{
    struct sf_secrets secrets;
    char content[] = LINE_A;
    content[sizeof content - 2] = '\0';
    write_file(content, 0400);
    ck_assert_int_eq(sf_secrets_load(&secrets, path, NULL), SF_OK);
    ck_assert_uint_eq(secrets.count, 1);
}
END_TEST

START_TEST(test_file_that_others_can_reach_is_refused)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0610, 0601, 0602};
    write_file(LINE_A, 0600);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        assert_refused("lets others in");
    }
}
END_TEST

START_TEST(test_symbolic_link_is_refused)
{
    char target[160];
    snprintf(target, sizeof target, "%s.target", path);
    write_file(LINE_A, 0600);
    ck_assert_int_eq(rename(path, target), 0);
    ck_assert_int_eq(symlink(target, path), 0);
    assert_refused("symbolic link");
}
END_TEST

START_TEST(test_dangling_symbolic_link_is_refused_and_not_followed)
{
    ck_assert_int_eq(symlink("elsewhere", path), 0);
    assert_refused("symbolic link");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(test_named_pipe_is_refused_without_waiting)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_refused("not a regular file");
}
END_TEST

START_TEST(test_folder_in_its_place_is_refused)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_refused("not a regular file");
}
END_TEST

START_TEST(test_file_of_somebody_else_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can give files away */
    write_file(LINE_A, 0600);
    ck_assert_int_eq(chown(path, SOMEBODY, (gid_t)-1), 0);
    assert_refused("belongs to user 65534");
}
END_TEST

START_TEST(test_malformed_line_is_named_without_its_content)
{
    write_file(LINE_A "not-a-secret\n", 0600);
    assert_refused("secret.keys:2: is not a secret of 64 hex digits");
    write_file("  " LINE_A, 0600);
    assert_refused("secret.keys:1: ");
}
END_TEST

START_TEST(test_file_without_a_secret_is_refused)
{
    write_file("# nothing yet\n", 0600);
    assert_refused("has no secret");
    write_file("", 0600);
    assert_refused("has no secret");
}
END_TEST

START_TEST(test_ninth_secret_is_refused)
{
    struct sf_secrets secrets;
    write_file(LINE_A LINE_A LINE_A LINE_A LINE_B LINE_B LINE_B LINE_B, 0600);
    ck_assert_int_eq(sf_secrets_load(&secrets, path, NULL), SF_OK);
    ck_assert_uint_eq(secrets.count, SF_SECRETS_MAX);
    write_file(LINE_A LINE_A LINE_A LINE_A LINE_B LINE_B LINE_B LINE_B LINE_A, 0600);
    assert_refused("secret.keys:9: more than 8 secrets");
}
END_TEST

START_TEST(test_long_file_is_refused)
{
    char content[5000];
    memset(content, '#', sizeof content);
    content[sizeof content - 1] = '\0';
    write_file(content, 0600);
    assert_refused("longer than");
}
END_TEST

START_TEST(test_folder_that_does_not_exist_is_unavailable)
{
    struct sf_secrets secrets;
    struct sf_error error;
    ck_assert_int_eq(sf_secrets_load(&secrets, "/nonexistent/secret.keys", &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text,
                     "/nonexistent/secret.keys: cannot be made: No such file or directory");
}
END_TEST

START_TEST(test_wipe_leaves_nothing)
{
    struct sf_secrets secrets;
    static const struct sf_secrets nothing;
    ck_assert_int_eq(sf_secrets_load(&secrets, path, NULL), SF_OK);
    sf_secrets_wipe(&secrets);
    ck_assert_mem_eq(&secrets, &nothing, sizeof secrets);
}
END_TEST

/* Waits until `start` is closed, so that all starters arrive together. */
static void
load_and_report(int start, int report)
{
    struct sf_secrets secrets;
    char byte;
    bool is_told = read(start, &byte, 1) == 0 && sf_secrets_load(&secrets, path, NULL) == SF_OK &&
                   write(report, secrets.keys[0], SF_SECRET_BYTES) == SF_SECRET_BYTES;
    _exit(is_told ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void
assert_starters_agree(void)
{
    int start[2], report[2];
    ck_assert_int_eq(pipe(start), 0);
    ck_assert_int_eq(pipe(report), 0);
    pid_t children[STARTERS];
    for (int i = 0; i < STARTERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(start[1]);
            load_and_report(start[0], report[1]);
        }
    }
    close(start[1]);
    unsigned char first[SF_SECRET_BYTES], other[SF_SECRET_BYTES];
    for (int i = 0; i < STARTERS; i++) {
        int result;
        ck_assert_int_eq(waitpid(children[i], &result, 0), children[i]);
        ck_assert_int_eq(result, EXIT_SUCCESS);
        ck_assert_int_eq(read(report[0], i == 0 ? first : other, SF_SECRET_BYTES), SF_SECRET_BYTES);
        if (i > 0)
            ck_assert_mem_eq(first, other, SF_SECRET_BYTES);
    }
    close(start[0]);
    close(report[0]);
    close(report[1]);
}

START_TEST(test_starters_at_the_same_time_agree_on_one_secret)
{
    for (int round = 0; round < 20; round++) {
        assert_starters_agree();
        ck_assert_int_eq(count_files(), 1);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

static TCase *
reading_tests(void)
{
    TCase *tests = tcase_create("reading");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_secrets_are_read_in_order_between_comments_and_empty_lines);
    tcase_add_test(tests, test_last_line_needs_no_line_end);
    tcase_add_test(tests, test_file_that_others_can_reach_is_refused);
    tcase_add_test(tests, test_symbolic_link_is_refused);
    tcase_add_test(tests, test_dangling_symbolic_link_is_refused_and_not_followed);
    tcase_add_test(tests, test_named_pipe_is_refused_without_waiting);
    tcase_add_test(tests, test_folder_in_its_place_is_refused);
    tcase_add_test(tests, test_file_of_somebody_else_is_refused);
    tcase_add_test(tests, test_malformed_line_is_named_without_its_content);
    tcase_add_test(tests, test_file_without_a_secret_is_refused);
    tcase_add_test(tests, test_ninth_secret_is_refused);
    tcase_add_test(tests, test_long_file_is_refused);
    return tests;
}

START_TEST(test_name_tells_secrets_apart_and_gives_nothing_away)
{
    struct sf_secrets secrets;
    struct sf_error error;
    char first[SF_SECRET_NAME], again[SF_SECRET_NAME], second[SF_SECRET_NAME];
    write_file(LINE_A LINE_B, 0600);
    ck_assert_int_eq(sf_secrets_load(&secrets, path, &error), SF_OK);
    sf_secret_name(secrets.keys[0], first);
    sf_secret_name(secrets.keys[0], again);
    sf_secret_name(secrets.keys[1], second);
    ck_assert_uint_eq(strlen(first), 8);
    ck_assert_str_eq(first, again);
    ck_assert_str_ne(first, second);
    ck_assert_ptr_null(strstr(LINE_A LINE_B, first));
}
END_TEST

static TCase *
making_tests(void)
{
    TCase *tests = tcase_create("making");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, test_missing_file_is_made_with_one_secret_and_mode_0600);
    tcase_add_test(tests, test_second_load_reads_the_same_secret);
    tcase_add_test(tests, test_two_new_files_have_different_secrets);
    tcase_add_test(tests, test_folder_that_does_not_exist_is_unavailable);
    tcase_add_test(tests, test_wipe_leaves_nothing);
    tcase_add_test(tests, test_name_tells_secrets_apart_and_gives_nothing_away);
    tcase_add_test(tests, test_starters_at_the_same_time_agree_on_one_secret);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("secret");
    suite_add_tcase(suite, reading_tests());
    suite_add_tcase(suite, making_tests());
    return sf_run_suite(suite);
}
