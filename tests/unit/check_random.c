/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/random.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

START_TEST(test_two_draws_differ)
{
    unsigned char a[32] = {0}, b[32] = {0};
    ck_assert_int_eq(sf_random_bytes(a, sizeof a), SF_OK);
    ck_assert_int_eq(sf_random_bytes(b, sizeof b), SF_OK);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(test_long_draws_are_filled_to_the_end)
{
    static unsigned char bytes[100000]; /* the kernel may answer long requests in parts */
    ck_assert_int_eq(sf_random_bytes(bytes, sizeof bytes), SF_OK);
    static const unsigned char nothing[32];
    ck_assert_mem_ne(bytes + sizeof bytes - sizeof nothing, nothing, sizeof nothing);
}
END_TEST

START_TEST(test_nothing_is_written_behind_the_end)
{
    unsigned char bytes[3] = {0, 0, 42};
    ck_assert_int_eq(sf_random_bytes(bytes, 2), SF_OK);
    ck_assert_int_eq(bytes[2], 42);
    ck_assert_int_eq(sf_random_bytes(bytes, 0), SF_OK);
}
END_TEST

START_TEST(test_forked_processes_draw_different_bytes)
{
    unsigned char ours[32] = {0}, theirs[32] = {0};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        bool is_written = sf_random_bytes(theirs, sizeof theirs) == SF_OK &&
                          write(ends[1], theirs, sizeof theirs) == (ssize_t)sizeof theirs;
        _exit(is_written ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    ck_assert_int_eq(sf_random_bytes(ours, sizeof ours), SF_OK);
    ck_assert_int_eq(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_mem_ne(ours, theirs, sizeof ours);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_two_draws_differ);
    tcase_add_test(tests, test_long_draws_are_filled_to_the_end);
    tcase_add_test(tests, test_nothing_is_written_behind_the_end);
    tcase_add_test(tests, test_forked_processes_draw_different_bytes);
    return sf_run_suite(suite);
}
