/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_care.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/front/daemon_holder.h"
#include "tests/support/daemon_double.h"
#include "tests/support/kept_lines.h"
#include "tests/support/run_suite.h"
#include "tests/unit/daemon_case.h"

#define PATIENCE (20 * SF_SECOND) /* a loaded machine */

static struct sf_error error;
static struct sf_kept_lines kept;
static struct sf_daemon_state state;
static struct sf_daemon_care care;
static const char *next_config, *differences; /* next_config NULL: it cannot be written */

static enum sf_status
write_next(void *context, struct sf_error *error_out)
{
    (void)context;
    if (next_config == NULL)
        return sf_error_set(error_out, SF_UNAVAILABLE, "disk full");
    write_config_file(next_config);
    return SF_OK;
}

static const char *
config_differs(void *context)
{
    (void)context;
    return differences;
}

static void
begin_care(void)
{
    set_up();
    sf_kept_lines_init(&kept);
    state = (struct sf_daemon_state){.child = 0};
    next_config = "serve";
    differences = NULL;
    care = (struct sf_daemon_care){
        .state = &state,
        .config = &config,
        .instance = &instance,
        .installed = SF_DAEMON_DOUBLE,
        .log = kept.log,
        .write_config = write_next,
        .config_differs = config_differs,
    };
}

static void
end_care(void)
{
    sf_daemon_care_end_child(&care, NULL);
    tear_down();
}

static bool
was_told(const char *line_begin)
{
    return sf_kept_lines_with(&kept, line_begin) > 0;
}

static pid_t
holder(void)
{
    return sf_daemon_holder(instance.daemon_lock_path);
}

static void
begin_with_own(void)
{
    ck_assert_msg(sf_daemon_care_begin(&care, &error) == SF_OK, "%s", error.text);
    ck_assert_int_gt(state.child, 0);
}

/* Looks after it until that has been told. */
static void
step_until_told(const char *line_begin)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;
    while (!was_told(line_begin)) {
        ck_assert_msg(sf_clock_steady() < deadline, "nobody says %s", line_begin);
        poll(NULL, 0, 5);
        sf_daemon_care_step(&care);
    }
}

/* ---- begin ---- */

START_TEST(test_daemon_is_started_where_there_is_none)
{
    begin_with_own();
    ck_assert_int_eq(holder(), state.child);
    ck_assert(was_told("SF0531: session-fastd started (process "));
}
END_TEST

START_TEST(test_failing_start_says_why)
{
    next_config = "die";
    ck_assert_int_eq(sf_daemon_care_begin(&care, &error), SF_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(error.text, "ended with status 3"));
    ck_assert_int_eq(state.child, 0);
    next_config = NULL;
    ck_assert_int_eq(sf_daemon_care_begin(&care, &error), SF_UNAVAILABLE);
    ck_assert_str_eq(error.text, "disk full");
}
END_TEST

START_TEST(test_daemon_of_another_front_is_shared)
{
    pid_t other = start_holder("serve");
    ck_assert_int_eq(sf_daemon_care_begin(&care, &error), SF_OK);
    ck_assert_int_eq(state.child, 0);
    ck_assert_int_eq(state.other, other);
    ck_assert(was_told("SF0536: session-fastd runs already"));
    sf_daemon_care_step(&care);
    sf_daemon_care_end(&care);
    ck_assert_int_eq(kept.count, 1);
    ck_assert_int_eq(holder(), other);
}
END_TEST

START_TEST(test_other_options_of_a_shared_daemon_are_told)
{
    start_holder("serve");
    differences = "SessionFastStore";
    ck_assert_int_eq(sf_daemon_care_begin(&care, &error), SF_OK);
    ck_assert(was_told("SF0538: "));
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "(SessionFastStore)"));
    sf_daemon_care_step(&care);
    ck_assert_int_eq(kept.count, 1);
}
END_TEST

START_TEST(test_orphan_is_replaced)
{
    pid_t orphan = start_orphan("serve");
    begin_with_own();
    ck_assert(was_told("SF0535: its server has gone: session-fastd (process "));
    ck_assert(!is_running(orphan));
    ck_assert_int_eq(holder(), state.child);
}
END_TEST

START_TEST(test_options_name_the_program)
{
    ck_assert_str_eq(sf_daemon_care_program(&care, "file").path, SF_DAEMON_DOUBLE);
    ck_assert(sf_daemon_care_is_needed(&care));
    config.daemon = "/opt/session-fastd";
    ck_assert_str_eq(sf_daemon_care_program(&care, "file").path, "/opt/session-fastd");
    ck_assert_str_eq(sf_daemon_care_program(&care, "file").config_path, "file");
    config.daemon = "none";
    ck_assert(!sf_daemon_care_is_needed(&care));
}
END_TEST

/* ---- while the front runs ---- */

START_TEST(test_daemon_that_dies_is_started_again)
{
    begin_with_own();
    pid_t first = state.child;
    kill(first, SIGKILL);
    step_until_told("SF0534: session-fastd has ended (9): started again");
    ck_assert_int_gt(state.child, 0);
    ck_assert_int_ne(state.child, first);
}
END_TEST

START_TEST(test_daemon_that_dies_again_and_again_gets_a_pause)
{
    next_config = "die";
    sf_daemon_care_step(&care);
    step_until_told("SF0534: session-fastd has ended (3): it dies again and again");
    ck_assert_int_eq(state.child, 0);
    sf_daemon_care_step(&care);
    ck_assert_int_eq(state.child, 0);
    state.started -= SF_MINUTE; /* later */
    sf_daemon_care_step(&care);
    ck_assert_int_gt(state.child, 0);
}
END_TEST

START_TEST(test_daemon_that_lived_long_is_started_again_at_once)
{
    begin_with_own();
    state.quick_deaths = 99;
    state.started -= SF_MINUTE;
    kill(state.child, SIGKILL);
    step_until_told("SF0534: session-fastd has ended (9): started again");
    ck_assert_uint_eq(state.quick_deaths, 0);
}
END_TEST

START_TEST(test_start_that_fails_is_told_and_tried_again)
{
    next_config = NULL;
    sf_daemon_care_step(&care);
    ck_assert(was_told("SF0533: session-fastd was not started: disk full"));
    next_config = "serve";
    sf_daemon_care_step(&care);
    ck_assert_int_gt(state.child, 0);
}
END_TEST

START_TEST(test_start_that_fails_and_fails_gets_a_pause)
{
    next_config = NULL;
    for (int i = 0; i < 20; i++)
        sf_daemon_care_step(&care);
    ck_assert_int_lt(kept.count, 10);
}
END_TEST

START_TEST(test_daemon_of_another_front_is_followed_by_one_of_our_own)
{
    pid_t other = start_holder("serve");
    ck_assert_int_eq(sf_daemon_care_begin(&care, &error), SF_OK);
    kill(other, SIGKILL);
    step_until_told("SF0539: ");
    ck_assert_int_gt(state.child, 0);
    ck_assert_int_eq(state.other, 0);
}
END_TEST

START_TEST(test_faster_front_is_gone_along_with)
{
    begin_with_own();
    kill(state.child, SIGSTOP);
    sf_daemon_care_end_child(&care, NULL);
    pid_t other = start_holder("serve");
    sf_daemon_care_child_ended(&care, 0);
    ck_assert_int_eq(state.other, other);
    ck_assert_int_eq(state.child, 0);
    ck_assert(!was_told("SF0534"));
}
END_TEST

/* ---- end ---- */

START_TEST(test_own_daemon_ends_with_the_front)
{
    begin_with_own();
    sf_daemon_care_end(&care);
    ck_assert_int_eq(holder(), 0);
    ck_assert_int_eq(state.child, 0);
    sf_daemon_care_end(&care);
}
END_TEST

START_TEST(test_orphan_ends_with_the_last_front)
{
    start_orphan("serve");
    sf_daemon_care_end(&care);
    ck_assert_int_eq(holder(), 0);
}
END_TEST

START_TEST(test_orphan_is_left_to_itself_where_somebody_else_starts_daemons)
{
    pid_t orphan = start_orphan("serve");
    config.daemon = "none";
    sf_daemon_care_end(&care);
    ck_assert_int_eq(holder(), orphan);
}
END_TEST

START_TEST(test_replacement_is_told)
{
    begin_with_own();
    sf_daemon_care_end_child(&care, "options have changed");
    ck_assert(was_told("SF0535: options have changed: session-fastd (process "));
    ck_assert_int_eq(holder(), 0);
}
END_TEST

START_TEST(test_daemon_that_does_not_hear_is_killed_and_that_is_told)
{
    begin_with_own();
    sf_daemon_care_end_child(&care, NULL);
    state.child = start_holder("deaf");
    config.stop_timeout = 0;
    sf_daemon_care_end(&care);
    ck_assert(was_told("SF0532: session-fastd (process "));
    ck_assert_int_eq(holder(), 0);
}
END_TEST

static void
add_beginning_tests(TCase *tests)
{
    tcase_add_test(tests, test_daemon_is_started_where_there_is_none);
    tcase_add_test(tests, test_failing_start_says_why);
    tcase_add_test(tests, test_daemon_of_another_front_is_shared);
    tcase_add_test(tests, test_other_options_of_a_shared_daemon_are_told);
    tcase_add_test(tests, test_orphan_is_replaced);
    tcase_add_test(tests, test_options_name_the_program);
}

int
main(int argc, char **argv)
{
    sf_daemon_double(argc, argv);
    Suite *suite = suite_create("daemon_care");
    TCase *tests = tcase_create("daemon_care");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin_care, end_care);
    add_beginning_tests(tests);
    tcase_add_test(tests, test_daemon_that_dies_is_started_again);
    tcase_add_test(tests, test_daemon_that_dies_again_and_again_gets_a_pause);
    tcase_add_test(tests, test_daemon_that_lived_long_is_started_again_at_once);
    tcase_add_test(tests, test_start_that_fails_is_told_and_tried_again);
    tcase_add_test(tests, test_start_that_fails_and_fails_gets_a_pause);
    tcase_add_test(tests, test_daemon_of_another_front_is_followed_by_one_of_our_own);
    tcase_add_test(tests, test_faster_front_is_gone_along_with);
    tcase_add_test(tests, test_own_daemon_ends_with_the_front);
    tcase_add_test(tests, test_orphan_ends_with_the_last_front);
    tcase_add_test(tests, test_orphan_is_left_to_itself_where_somebody_else_starts_daemons);
    tcase_add_test(tests, test_replacement_is_told);
    tcase_add_test(tests, test_daemon_that_does_not_hear_is_killed_and_that_is_told);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
