/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_start.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/front/daemon_holder.h"
#include "tests/support/daemon_double.h"
#include "tests/support/run_suite.h"
#include "tests/unit/daemon_case.h"

static struct sf_error error;

static enum sf_status
spawn_and_await(const char *line, pid_t *pid_out, sf_time patience)
{
    write_config_file(line);
    *pid_out = sf_daemon_spawn(&program);
    ck_assert_int_gt(*pid_out, 0);
    return sf_daemon_await(&instance, pid_out, sf_clock_steady() + patience, &error);
}

/* ---- starting ---- */

START_TEST(test_daemon_is_awaited_until_it_answers)
{
    pid_t pid;
    ck_assert_int_eq(spawn_and_await("serve", &pid, 20 * SF_SECOND), SF_OK);
    ck_assert_int_eq(sf_daemon_holder(instance.daemon_lock_path), pid);
    ck_assert_int_eq(getsid(pid), pid);
    ck_assert(!sf_daemon_is_orphan(pid));
}
END_TEST

START_TEST(test_second_daemon_leaves_the_instance_to_the_first)
{
    pid_t first = start_holder("serve"), second;
    ck_assert_int_eq(spawn_and_await("serve", &second, 20 * SF_SECOND), SF_CONFLICT);
    ck_assert_int_eq(second, 0);
    ck_assert(is_running(first));
}
END_TEST

START_TEST(test_daemon_that_ends_says_how)
{
    pid_t pid;
    ck_assert_int_eq(spawn_and_await("die", &pid, 20 * SF_SECOND), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "ended with status 3"));
    ck_assert_int_eq(pid, 0);
}
END_TEST

START_TEST(test_daemon_that_does_not_answer_is_not_awaited_for_ever)
{
    pid_t pid;
    ck_assert_int_eq(spawn_and_await("deaf", &pid, 200), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "does not answer"));
    ck_assert_int_gt(pid, 0);
    kill(pid, SIGKILL);
    ck_assert_int_eq(sf_daemon_await(&instance, &pid, 0, &error), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_program_that_is_missing_ends_at_once)
{
    pid_t pid;
    program.path = "/nonexistent/session-fastd";
    ck_assert_int_eq(spawn_and_await("serve", &pid, 20 * SF_SECOND), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "ended with status 127"));
}
END_TEST

static void
refuse_to_become(void *context)
{
    _exit(*(const int *)context);
}

START_TEST(test_child_becomes_the_user_before_it_runs_anything)
{
    int result = 42;
    pid_t pid;
    program.become_user = refuse_to_become;
    program.context = &result;
    ck_assert_int_eq(spawn_and_await("serve", &pid, 20 * SF_SECOND), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "ended with status 42"));
}
END_TEST

START_TEST(test_child_leaves_files_and_session_behind)
{
    int ends[2], result;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = sf_daemon_fork(-1, -1);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        bool is_closed = fcntl(ends[0], F_GETFD) < 0 && fcntl(ends[1], F_GETFD) < 0;
        char byte;
        bool is_null = read(STDIN_FILENO, &byte, 1) == 0 && write(STDERR_FILENO, "x", 1) == 1;
        _exit(is_closed && is_null && getsid(0) == getpid() ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &result, 0), pid);
    ck_assert_int_eq(result, 0);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static volatile sig_atomic_t is_handled;

static void
handle(int number)
{
    (void)number;
    is_handled = 1;
}

START_TEST(test_handlers_of_the_parent_do_not_run_in_the_child)
{
    int result;
    void (*before)(int) = signal(SIGTERM, handle);
    pid_t pid = sf_daemon_fork(-1, -1);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &result, 0), pid);
    ck_assert(WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM);
    raise(SIGTERM); /* the parent hears as before */
    ck_assert(is_handled);
    signal(SIGTERM, before);
}
END_TEST

/* ---- looking ---- */

START_TEST(test_good_configuration_is_proven)
{
    write_config_file("serve");
    ck_assert_int_eq(sf_daemon_prove(&program, &error), SF_OK);
    ck_assert_int_eq(sf_daemon_holder(instance.daemon_lock_path), 0);
}
END_TEST

START_TEST(test_bad_configuration_is_refused_in_the_words_of_the_daemon)
{
    write_config_file("line 7: no such thing");
    ck_assert_int_eq(sf_daemon_prove(&program, &error), SF_INVALID);
    ck_assert_str_eq(error.text, "options refused: line 7: no such thing");
}
END_TEST

START_TEST(test_proof_by_a_missing_program_says_which)
{
    write_config_file("serve");
    program.path = "/nonexistent/session-fastd";
    ck_assert_int_eq(sf_daemon_prove(&program, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "SF0530: /nonexistent/session-fastd cannot be run: "));
}
END_TEST

START_TEST(test_whoever_serves_answers)
{
    ck_assert(!sf_daemon_answers(&instance, sf_clock_steady()));
    start_holder("serve");
    ck_assert(sf_daemon_answers(&instance, sf_clock_steady() + 20 * SF_SECOND));
}
END_TEST

START_TEST(test_the_deaf_do_not_answer)
{
    start_holder("deaf");
    ck_assert(!sf_daemon_answers(&instance, sf_clock_steady() + 100));
}
END_TEST

int
main(int argc, char **argv)
{
    sf_daemon_double(argc, argv);
    Suite *suite = suite_create("daemon_start");
    TCase *tests = tcase_create("daemon_start");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_daemon_is_awaited_until_it_answers);
    tcase_add_test(tests, test_second_daemon_leaves_the_instance_to_the_first);
    tcase_add_test(tests, test_daemon_that_ends_says_how);
    tcase_add_test(tests, test_daemon_that_does_not_answer_is_not_awaited_for_ever);
    tcase_add_test(tests, test_program_that_is_missing_ends_at_once);
    tcase_add_test(tests, test_child_becomes_the_user_before_it_runs_anything);
    tcase_add_test(tests, test_child_leaves_files_and_session_behind);
    tcase_add_test(tests, test_handlers_of_the_parent_do_not_run_in_the_child);
    tcase_add_test(tests, test_good_configuration_is_proven);
    tcase_add_test(tests, test_bad_configuration_is_refused_in_the_words_of_the_daemon);
    tcase_add_test(tests, test_proof_by_a_missing_program_says_which);
    tcase_add_test(tests, test_whoever_serves_answers);
    tcase_add_test(tests, test_the_deaf_do_not_answer);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
