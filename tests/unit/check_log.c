/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/run_suite.h"

struct capture {
    int count;
    enum sf_log_level level;
    char line[2000];
};

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    struct capture *capture = context;
    capture->count++;
    capture->level = level;
    snprintf(capture->line, sizeof capture->line, "%s", line);
}

START_TEST(test_line_begins_with_its_id)
{
    struct capture capture = {0};
    struct sf_log log = {.write = keep_line, .context = &capture, .level = SF_LOG_INFO};
    sf_log_write(&log, SF_LOG_WARNING, "SF0101", "started in %d ms", 12);
    ck_assert_str_eq(capture.line, "SF0101: started in 12 ms");
    ck_assert_int_eq(capture.level, SF_LOG_WARNING);
}
END_TEST

START_TEST(test_lines_above_the_level_are_dropped)
{
    struct capture capture = {0};
    struct sf_log log = {.write = keep_line, .context = &capture, .level = SF_LOG_NOTICE};
    sf_log_write(&log, SF_LOG_INFO, "SF0101", "quiet");
    ck_assert_int_eq(capture.count, 0);
    sf_log_write(&log, SF_LOG_NOTICE, "SF0101", "loud");
    ck_assert_int_eq(capture.count, 1);
}
END_TEST

START_TEST(test_no_log_is_fine)
{
    struct sf_log log = {.write = NULL, .level = SF_LOG_DEBUG};
    sf_log_write(NULL, SF_LOG_ERROR, "SF0101", "nobody reads this");
    sf_log_write(&log, SF_LOG_ERROR, "SF0101", "nobody reads this");
}
END_TEST

START_TEST(test_control_characters_cannot_forge_a_line)
{
    struct capture capture = {0};
    struct sf_log log = {.write = keep_line, .context = &capture, .level = SF_LOG_INFO};
    sf_log_write(&log, SF_LOG_INFO, "SF0101", "user %s", "a\nSF0102: forged\x1b[0m");
    ck_assert_str_eq(capture.line, "SF0101: user a?SF0102: forged?[0m");
}
END_TEST

START_TEST(test_long_line_is_cut_at_1000_bytes)
{
    struct capture capture = {0};
    struct sf_log log = {.write = keep_line, .context = &capture, .level = SF_LOG_INFO};
    sf_log_write(&log, SF_LOG_INFO, "SF0101", "%01500d", 7);
    ck_assert_uint_eq(strlen(capture.line), 1000);
}
END_TEST

/* What a write to standard error leaves in a pipe that stands in for it. */
static void
capture_stderr(sf_log_fn *write, void *context, char *text_out, size_t size)
{
    int ends[2];
    int kept = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    write(context, SF_LOG_ERROR, "SF0101: no");
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    ssize_t got = read(ends[0], text_out, size - 1);
    ck_assert_int_gt(got, 0);
    text_out[got] = '\0';
    close(ends[0]);
    close(ends[1]);
    close(kept);
}

START_TEST(test_standard_error_gets_program_level_and_line)
{
    char program[] = "some-program";
    char text[200];
    capture_stderr(sf_log_to_stderr, program, text, sizeof text);
    ck_assert_str_eq(text, "some-program: error: SF0101: no\n");
}
END_TEST

START_TEST(test_program_without_a_given_name_uses_its_own)
{
    char text[200];
    capture_stderr(sf_log_to_stderr, NULL, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "check_log: error: SF0101: no\n"));
}
END_TEST

/* "[Sat Nov 21 19:35:42.129 2026] " */
START_TEST(test_pipe_gets_the_time_as_httpd_writes_it)
{
    char program[] = "some-program", text[200], day[8], month[8];
    int date, hour, minute, second, fraction, year, end = 0;
    capture_stderr(sf_log_to_stderr_dated, program, text, sizeof text);
    int found = sscanf(text, "[%3s %3s %2d %2d:%2d:%2d.%6d %4d] some-program: error: SF0101: no\n%n", day, month, &date,
                       &hour, &minute, &second, &fraction, &year, &end);
    ck_assert_msg(found == 8 && end == (int)strlen(text) && year >= 1970, "%s", text);
}
END_TEST

/* The journal of systemd is a socket, and writes its own. */
START_TEST(test_socket_gets_no_time)
{
    int ends[2], kept = dup(STDERR_FILENO);
    char program[] = "some-program", text[200];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    sf_log_to_stderr_dated(program, SF_LOG_ERROR, "SF0101: no");
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    ck_assert_int_gt(got, 0);
    text[got] = '\0';
    ck_assert_str_eq(text, "some-program: error: SF0101: no\n");
    close(ends[0]);
    close(ends[1]);
    close(kept);
}
END_TEST

START_TEST(test_first_up_is_silent)
{
    struct sf_log_state state = {0};
    ck_assert(!sf_log_state_changed(&state, true));
    ck_assert(!sf_log_state_changed(&state, true));
}
END_TEST

START_TEST(test_first_down_is_told_once)
{
    struct sf_log_state state = {0};
    ck_assert(sf_log_state_changed(&state, false));
    ck_assert(!sf_log_state_changed(&state, false));
}
END_TEST

START_TEST(test_each_change_is_told_once)
{
    struct sf_log_state state = {0};
    ck_assert(!sf_log_state_changed(&state, true));
    ck_assert(sf_log_state_changed(&state, false));
    ck_assert(!sf_log_state_changed(&state, false));
    ck_assert(sf_log_state_changed(&state, true));
    ck_assert(!sf_log_state_changed(&state, true));
    ck_assert(sf_log_state_changed(&state, false));
}
END_TEST

START_TEST(test_what_happens_often_is_told_seldom)
{
    struct sf_log_seldom seldom = {.times = 0};
    unsigned times = 99;
    ck_assert(sf_log_seldom(&seldom, &times));
    ck_assert_uint_eq(times, 1);
    ck_assert(!sf_log_seldom(&seldom, &times));
    ck_assert(!sf_log_seldom(&seldom, &times));
    seldom.next = 0; /* a minute later */
    ck_assert(sf_log_seldom(&seldom, &times));
    ck_assert_uint_eq(times, 3);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, test_line_begins_with_its_id);
    tcase_add_test(tests, test_lines_above_the_level_are_dropped);
    tcase_add_test(tests, test_no_log_is_fine);
    tcase_add_test(tests, test_control_characters_cannot_forge_a_line);
    tcase_add_test(tests, test_long_line_is_cut_at_1000_bytes);
    tcase_add_test(tests, test_standard_error_gets_program_level_and_line);
    tcase_add_test(tests, test_program_without_a_given_name_uses_its_own);
    tcase_add_test(tests, test_pipe_gets_the_time_as_httpd_writes_it);
    tcase_add_test(tests, test_socket_gets_no_time);
    tcase_add_test(tests, test_first_up_is_silent);
    tcase_add_test(tests, test_first_down_is_told_once);
    tcase_add_test(tests, test_each_change_is_told_once);
    tcase_add_test(tests, test_what_happens_often_is_told_seldom);
    return sf_run_suite(suite);
}
