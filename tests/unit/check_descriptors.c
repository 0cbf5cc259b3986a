/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/descriptors.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

#define EVERY 3 /* 0 to 2 */

static bool
is_null(int descriptor)
{
    struct stat null, seen;
    return stat("/dev/null", &null) == 0 && fstat(descriptor, &seen) == 0 &&
           seen.st_rdev == null.st_rdev && S_ISCHR(seen.st_mode);
}

/* In a process of its own: those of `closed` (bits) are closed, the others are a file, which stays. */
static int
fill(unsigned closed)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int next = fcntl(file, F_DUPFD_CLOEXEC, EVERY);
    bool is_right = file >= EVERY && close(next) == 0;
    for (int i = 0; i < EVERY; i++) {
        if ((closed >> i & 1) != 0)
            close(i);
        else
            is_right &= dup2(file, i) == i;
    }
    is_right &= sf_descriptors_fill();
    for (int i = 0; i < EVERY; i++)
        is_right &= is_null(i) == ((closed >> i & 1) != 0);
    return is_right && fcntl(file, F_DUPFD_CLOEXEC, EVERY) == next ? EXIT_SUCCESS : EXIT_FAILURE;
}

START_TEST(test_those_that_are_closed_are_opened_and_no_others)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(fill((unsigned)_i));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *tests = tcase_create("descriptors");
    tcase_add_loop_test(tests, test_those_that_are_closed_are_opened_and_no_others, 0, 1 << EVERY);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
