/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/leftovers.h"

#include <check.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

static struct sf_leftovers leftovers;

/* A child that ends when the pipe is closed. */
static pid_t
make_child(int pipe_ends[2])
{
    char ignored;
    ck_assert_int_eq(pipe(pipe_ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(pipe_ends[1]);
        _exit(read(pipe_ends[0], &ignored, 1) == 0 ? 0 : 1);
    }
    return child;
}

START_TEST(test_only_those_that_have_ended_are_reaped)
{
    int first_pipe[2], second_pipe[2];
    siginfo_t seen;
    sf_leftovers_init(&leftovers);
    pid_t first = make_child(first_pipe);
    close(first_pipe[1]);
    pid_t second = make_child(second_pipe);
    sf_leftovers_add(&leftovers, first);
    sf_leftovers_add(&leftovers, second);
    ck_assert_int_eq(waitid(P_PID, (id_t)first, &seen, WEXITED | WNOWAIT), 0);
    ck_assert_uint_eq(sf_leftovers_reap(&leftovers), 1);
    ck_assert_int_eq(waitpid(first, NULL, WNOHANG), -1);
    close(second_pipe[1]);
    ck_assert_int_eq(waitid(P_PID, (id_t)second, &seen, WEXITED | WNOWAIT), 0);
    ck_assert_uint_eq(sf_leftovers_reap(&leftovers), 0);
}
END_TEST

START_TEST(test_one_without_room_is_killed_and_not_waited_for)
{
    int first_pipe[2], second_pipe[2];
    sf_leftovers_init(&leftovers);
    pid_t first = make_child(first_pipe), second = make_child(second_pipe);
    ck_assert_int_eq(setpgid(second, second), 0);
    while (leftovers.count < SF_LEFTOVERS_MAX)
        leftovers.pids[leftovers.count++] = first;
    sf_leftovers_add(&leftovers, second);
    ck_assert_uint_eq(leftovers.count, SF_LEFTOVERS_MAX);
    ck_assert_int_eq(waitpid(second, NULL, WNOHANG), -1);
    close(first_pipe[1]);
    close(second_pipe[1]);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("leftovers");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_only_those_that_have_ended_are_reaped);
    tcase_add_test(all, test_one_without_room_is_killed_and_not_waited_for);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
