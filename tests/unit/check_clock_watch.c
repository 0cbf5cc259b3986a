/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/clock_watch.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"

static struct clock_watch watch;
static sf_time steady, wall; /* moved by hand */
static char last_line[200];
static int line_count;

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    ck_assert_int_eq(level, SF_LOG_WARNING);
    strncpy(last_line, line, sizeof last_line - 1);
    line_count++;
}

static const struct sf_log log_to_keep = {.write = keep_line, .level = SF_LOG_DEBUG};

static bool
trusts(void)
{
    return clock_watch_trusts(&watch, steady, wall, &log_to_keep);
}

/* Both clocks go on, one of them by `jump` more. */
static void
pass(sf_time time, sf_time jump)
{
    steady += time;
    wall += time + jump;
}

static void
set_up(void)
{
    watch = (struct clock_watch){.has_offset = false};
    steady = 5 * SF_SECOND;
    wall = 1700000000000;
    line_count = 0;
    ck_assert(trusts());
}

START_TEST(test_time_that_passes_is_trusted)
{
    for (int i = 0; i < 100; i++) {
        pass(SF_HOUR, 0);
        ck_assert(trusts());
    }
    ck_assert_int_eq(line_count, 0);
}
END_TEST

START_TEST(test_drift_is_no_jump)
{
    for (int i = 0; i < 1000; i++) {
        pass(SF_SECOND, SF_SECOND);
        ck_assert(trusts());
    }
}
END_TEST

START_TEST(test_clock_that_was_set_is_not_trusted_for_ten_minutes)
{
    const sf_time jumps[] = {2 * SF_HOUR, -2 * SF_HOUR};
    const char *const lines[] = {"SF0115: the clock was set 7200 s forward: ",
                                 "SF0115: the clock was set 7200 s back: "};
    for (int i = 0; i < 2; i++) {
        pass(50, jumps[i]);
        ck_assert(!trusts());
        ck_assert_int_eq(strncmp(last_line, lines[i], strlen(lines[i])), 0);
        pass(10 * SF_MINUTE - 1, 0);
        ck_assert(!trusts());
        pass(1, 0);
        ck_assert(trusts());
        ck_assert_int_eq(line_count, i + 1);
    }
}
END_TEST

START_TEST(test_clock_that_is_set_right_again_begins_anew)
{
    pass(50, SF_HOUR);
    ck_assert(!trusts());
    pass(9 * SF_MINUTE, -SF_HOUR);
    ck_assert(!trusts());
    pass(9 * SF_MINUTE, 0);
    ck_assert(!trusts());
    pass(SF_MINUTE, 0);
    ck_assert(trusts());
    ck_assert_int_eq(line_count, 2);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("clock_watch");
    TCase *tests = tcase_create("clock_watch");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, test_time_that_passes_is_trusted);
    tcase_add_test(tests, test_drift_is_no_jump);
    tcase_add_test(tests, test_clock_that_was_set_is_not_trusted_for_ten_minutes);
    tcase_add_test(tests, test_clock_that_is_set_right_again_begins_anew);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
