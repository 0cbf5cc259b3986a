/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_holder.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/daemon_double.h"
#include "tests/support/run_suite.h"
#include "tests/unit/daemon_case.h"

static sf_time
in(sf_time left)
{
    return sf_clock_steady() + left;
}

/* A child of ours that waits for signals. */
static pid_t
start_child(bool hears)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        signal(SIGTERM, hears ? SIG_DFL : SIG_IGN);
        alarm(60);
        sigprocmask(SIG_SETMASK, &before, NULL);
        for (;;)
            pause();
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static void
end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- who ---- */

START_TEST(test_holder_is_who_has_the_lock)
{
    ck_assert_int_eq(sf_daemon_holder(instance.daemon_lock_path), 0);
    pid_t holder = start_holder("serve");
    ck_assert_int_eq(sf_daemon_holder(instance.daemon_lock_path), holder);
    end_child(holder);
    ck_assert_int_eq(sf_daemon_holder(instance.daemon_lock_path), 0);
}
END_TEST

START_TEST(test_handle_is_of_the_holder_only)
{
    pid_t holder = start_holder("serve");
    pid_t child = start_child(true);
    ck_assert_int_eq(sf_daemon_handle(child, instance.daemon_lock_path), -1);
    int handle = sf_daemon_handle(holder, instance.daemon_lock_path);
    struct pollfd end = {.fd = handle, .events = POLLIN};
    ck_assert_int_ge(handle, 0);
    ck_assert_int_eq(poll(&end, 1, 0), 0);
    end_child(holder);
    ck_assert_int_eq(poll(&end, 1, 10000), 1);
    close(handle);
    end_child(child);
}
END_TEST

START_TEST(test_child_that_has_ended_is_reaped)
{
    pid_t child = start_child(true);
    ck_assert(sf_daemon_is_child(child));
    kill(child, SIGKILL);
    ck_assert_int_eq(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
    ck_assert(!sf_daemon_is_child(child));
    ck_assert_int_eq(waitpid(child, NULL, 0), -1);
    ck_assert(!sf_daemon_is_child(0));
}
END_TEST

/* ---- who started it ---- */

START_TEST(test_daemon_of_a_front_that_runs_is_no_orphan)
{
    ck_assert(!sf_daemon_is_orphan(start_holder("serve")));
}
END_TEST

START_TEST(test_daemon_of_a_front_that_has_gone_is_an_orphan)
{
    ck_assert(sf_daemon_is_orphan(start_orphan("serve")));
}
END_TEST

START_TEST(test_daemon_that_no_front_has_started_is_no_orphan)
{
    pid_t child = start_child(true);
    ck_assert(!sf_daemon_is_orphan(child));
    end_child(child);
    ck_assert(!sf_daemon_is_orphan(child));
}
END_TEST

/* ---- its end ---- */

START_TEST(test_child_ends_when_it_is_told_to)
{
    pid_t child = start_child(true);
    ck_assert_int_eq(sf_daemon_end(child, NULL, in(20 * SF_SECOND)), SF_DAEMON_ENDED);
    ck_assert_int_eq(waitpid(child, NULL, 0), -1);
}
END_TEST

START_TEST(test_stopped_child_ends_too)
{
    pid_t child = start_child(true);
    kill(child, SIGSTOP);
    ck_assert_int_eq(sf_daemon_end(child, NULL, in(20 * SF_SECOND)), SF_DAEMON_ENDED);
}
END_TEST

START_TEST(test_child_that_does_not_hear_is_killed)
{
    pid_t child = start_child(false);
    ck_assert_int_eq(sf_daemon_end(child, NULL, in(50)), SF_DAEMON_KILLED);
    ck_assert_int_eq(waitpid(child, NULL, 0), -1);
}
END_TEST

START_TEST(test_holder_that_is_no_child_ends)
{
    pid_t orphan = start_orphan("serve");
    const char *lock = instance.daemon_lock_path;
    ck_assert_int_eq(sf_daemon_end(orphan, lock, in(20 * SF_SECOND)), SF_DAEMON_ENDED);
    ck_assert(!is_running(orphan));
}
END_TEST

START_TEST(test_process_without_the_lock_is_left_alone)
{
    pid_t child = start_child(true);
    pid_t holder = start_holder("serve");
    ck_assert_int_eq(sf_daemon_end(child, instance.daemon_lock_path, in(0)), SF_DAEMON_ENDED);
    ck_assert(sf_daemon_is_child(child));
    ck_assert(sf_daemon_is_child(holder));
    end_child(child);
}
END_TEST

int
main(int argc, char **argv)
{
    sf_daemon_double(argc, argv);
    Suite *suite = suite_create("daemon_holder");
    TCase *tests = tcase_create("daemon_holder");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_holder_is_who_has_the_lock);
    tcase_add_test(tests, test_handle_is_of_the_holder_only);
    tcase_add_test(tests, test_child_that_has_ended_is_reaped);
    tcase_add_test(tests, test_daemon_of_a_front_that_runs_is_no_orphan);
    tcase_add_test(tests, test_daemon_of_a_front_that_has_gone_is_an_orphan);
    tcase_add_test(tests, test_daemon_that_no_front_has_started_is_no_orphan);
    tcase_add_test(tests, test_child_ends_when_it_is_told_to);
    tcase_add_test(tests, test_stopped_child_ends_too);
    tcase_add_test(tests, test_child_that_does_not_hear_is_killed);
    tcase_add_test(tests, test_holder_that_is_no_child_ends);
    tcase_add_test(tests, test_process_without_the_lock_is_left_alone);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
