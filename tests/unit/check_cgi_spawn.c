/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_spawn.h"

#include <apr_general.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/cgi_case.h"

static struct sf_cgi_process process;
static struct sf_error error;
static int status; /* what waitpid says */

static void
start(void)
{
    start_cgi_gateway("");
    process = (struct sf_cgi_process){0, -1, -1, -1, -1};
}

static void
finish(void)
{
    sf_cgi_process_close(&process.input);
    sf_cgi_process_close(&process.output);
    sf_cgi_process_close(&process.errors);
    sf_cgi_process_close(&process.handle);
    finish_cgi_gateway();
}

static enum sf_status
spawn(const char *text)
{
    struct sf_cgi_path path;
    ck_assert_int_eq(sf_cgi_path_open(&path, add_script("x", text), &error), SF_OK);
    enum sf_status spawned = sf_cgi_spawn(&process, &path, &at.request, &error);
    sf_cgi_path_close(&path);
    return spawned;
}

static void
spawn_good(const char *text)
{
    ck_assert_msg(spawn(text) == SF_OK, "%s", error.text);
}

/* All of it, to its end. */
static const char *
read_all(int descriptor)
{
    static char text[4096];
    struct pollfd wait = {descriptor, POLLIN, 0};
    size_t size = 0;
    ssize_t got;
    do {
        ck_assert_int_eq(poll(&wait, 1, (int)SOON), 1);
        got = read(descriptor, text + size, sizeof text - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    text[size] = '\0';
    return text;
}

static void
await_end(void)
{
    ck_assert(sf_cgi_process_await(&process, sf_clock_steady() + SOON, &status));
}

static const char *
output_of_script(const char *text)
{
    spawn_good(text);
    const char *output = read_all(process.output);
    await_end();
    return output;
}

/* ---- what it is given ---- */

START_TEST(test_input_output_and_errors_are_pipes_of_their_own)
{
    spawn_good("cat; echo wrong >&2");
    ck_assert_int_eq(write(process.input, "text", 4), 4);
    sf_cgi_process_close(&process.input);
    ck_assert_str_eq(read_all(process.output), "text");
    ck_assert_str_eq(read_all(process.errors), "wrong\n");
    await_end();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(test_our_ends_do_not_block)
{
    char byte;
    spawn_good("cat");
    ck_assert_int_eq(read(process.output, &byte, 1), -1);
    ck_assert_int_eq(fcntl(process.input, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    sf_cgi_process_close(&process.input);
    await_end();
}
END_TEST

START_TEST(test_environment_is_the_request_and_what_is_named)
{
    setenv("SF_OWN", "ours", 1);
    setenv("SF_BOTH", "ours", 1);
    setenv("SF_SECRET", "ours", 1);
    options()->cgi_environment = "SF_OWN SF_BOTH SF_NONE";
    set_param("REQUEST_METHOD", "GET");
    set_param("SF_BOTH", "theirs");
    const char *output = output_of_script("exec env");
    ck_assert_ptr_nonnull(strstr(output, "REQUEST_METHOD=GET\n"));
    ck_assert_ptr_nonnull(strstr(output, "SF_OWN=ours\n"));
    ck_assert_ptr_nonnull(strstr(output, "SF_BOTH=ours\n"));
    ck_assert_ptr_null(strstr(output, "SF_BOTH=theirs\n"));
    ck_assert_ptr_null(strstr(output, "SF_SECRET"));
    ck_assert_ptr_null(strstr(output, "SF_NONE"));
}
END_TEST

START_TEST(test_it_runs_in_its_folder)
{
    char expected[100];
    snprintf(expected, sizeof expected, "%s\n", scripts.path);
    ck_assert_str_eq(output_of_script("pwd"), expected);
}
END_TEST

START_TEST(test_no_other_descriptor_is_open_in_it)
{
    int left_open = dup2(STDERR_FILENO, 77);
    const char *output = output_of_script("[ -e /proc/$$/fd/77 ] && echo open || echo closed");
    close(left_open);
    ck_assert_int_eq(left_open, 77);
    ck_assert_str_eq(output, "closed\n");
}
END_TEST

START_TEST(test_no_signal_is_blocked_or_ignored_in_it)
{
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    const char *output = output_of_script("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'");
    signal(SIGPIPE, handler);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    unsigned long blocked = 1, ignored = 1;
    ck_assert_int_eq(sscanf(output, "SigBlk:%lx SigIgn:%lx", &blocked, &ignored), 2);
    ck_assert_uint_eq(blocked, 0);
    ck_assert_uint_eq(ignored & 0x7fffffff, 0); /* glibc ignores two of its own, above */
}
END_TEST

START_TEST(test_limits_hold_in_it)
{
    options()->cgi_open_files = 20;
    options()->cgi_cpu_time = 7 * SF_SECOND;
    ck_assert_str_eq(output_of_script("ulimit -n; ulimit -t; ulimit -H -n"), "20\n7\n20\n");
}
END_TEST

static const char *const for_the_loader[] = {
    "LD_PRELOAD", "LD_", "BASH_ENV", "BASH_FUNC_x%%", "PERL5LIB", "PYTHONPATH", "IFS"};
static const char *const for_programs[] = {"LD",        "OLD_X",           "BASH_ENVX",
                                           "PATH_INFO", "HTTP_LD_PRELOAD", ""};

START_TEST(test_what_says_how_programs_are_loaded_is_known)
{
    for (size_t i = 0; i < sizeof for_the_loader / sizeof for_the_loader[0]; i++)
        ck_assert_msg(sf_cgi_is_for_the_loader(for_the_loader[i]), "%s", for_the_loader[i]);
    for (size_t i = 0; i < sizeof for_programs / sizeof for_programs[0]; i++)
        ck_assert_msg(!sf_cgi_is_for_the_loader(for_programs[i]), "%s", for_programs[i]);
}
END_TEST

/* ---- that it cannot be run ---- */

START_TEST(test_program_without_its_interpreter_cannot_be_run)
{
    struct sf_cgi_path path;
    FILE *file = fopen(add_script("broken", ""), "we");
    ck_assert_ptr_nonnull(file);
    fputs("#!/no/such/interpreter\n", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(sf_cgi_path_open(&path, sf_temp_folder_path(&scripts, "broken"), &error),
                     SF_OK);
    ck_assert_int_eq(sf_cgi_spawn(&process, &path, &at.request, &error), SF_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "broken: cannot be run"));
    sf_cgi_path_close(&path);
}
END_TEST

/* For two pipes out of three. */
START_TEST(test_shortage_of_descriptors_is_told_and_loses_none)
{
    struct rlimit before, few;
    struct sf_cgi_path path;
    ck_assert_int_eq(sf_cgi_path_open(&path, add_script("x", ""), &error), SF_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    few = (struct rlimit){(rlim_t)lowest + 4, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    enum sf_status spawned = sf_cgi_spawn(&process, &path, &at.request, &error);
    int lowest_then = dup(STDERR_FILENO);
    close(lowest_then);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    sf_cgi_path_close(&path);
    ck_assert_int_eq(spawned, SF_UNAVAILABLE);
    ck_assert_int_eq(lowest_then, lowest);
}
END_TEST

/* ---- its end ---- */

START_TEST(test_end_is_seen_and_its_status)
{
    struct pollfd wait = {.events = POLLIN};
    spawn_good("cat; exit 3");
    ck_assert(!sf_cgi_process_await(&process, sf_clock_steady(), &status));
    wait.fd = process.handle;
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    sf_cgi_process_close(&process.input);
    ck_assert_int_eq(poll(&wait, 1, (int)SOON), 1);
    await_end();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    ck_assert_int_eq(process.handle, -1);
}
END_TEST

START_TEST(test_end_is_seen_without_a_handle)
{
    spawn_good("exit 3");
    sf_cgi_process_close(&process.handle);
    await_end();
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}
END_TEST

START_TEST(test_program_may_end_in_its_own_way)
{
    spawn_good("trap 'exit 5' TERM\n" ALIVE "sleep 60 & wait");
    await_begun();
    ck_assert_int_eq(getpgid(process.pid), process.pid);
    sf_cgi_process_kill(&process, &status);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    await_gone();
}
END_TEST

START_TEST(test_program_that_will_not_end_is_killed_with_all_it_has_started)
{
    spawn_good("trap '' TERM\n" ALIVE "sleep 60 & sleep 61");
    await_begun();
    sf_cgi_process_kill(&process, &status);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    await_gone();
}
END_TEST

START_TEST(test_what_a_program_has_left_is_killed_with_it)
{
    struct pollfd wait = {.events = POLLIN};
    spawn_good(ALIVE "sleep 60 &");
    await_begun();
    wait.fd = process.handle;
    ck_assert_int_eq(poll(&wait, 1, (int)SOON), 1);
    sf_cgi_process_kill(&process, &status);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    await_gone();
}
END_TEST

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], SF_CGI_LIMITED) == 0)
        return sf_cgi_become_limited(argv[2], argv[3]); /* as the gateway's own main does */
    apr_initialize();
    Suite *suite = suite_create("cgi_spawn");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, finish);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_input_output_and_errors_are_pipes_of_their_own);
    tcase_add_test(all, test_our_ends_do_not_block);
    tcase_add_test(all, test_environment_is_the_request_and_what_is_named);
    tcase_add_test(all, test_it_runs_in_its_folder);
    tcase_add_test(all, test_no_other_descriptor_is_open_in_it);
    tcase_add_test(all, test_no_signal_is_blocked_or_ignored_in_it);
    tcase_add_test(all, test_limits_hold_in_it);
    tcase_add_test(all, test_what_says_how_programs_are_loaded_is_known);
    tcase_add_test(all, test_program_without_its_interpreter_cannot_be_run);
    tcase_add_test(all, test_shortage_of_descriptors_is_told_and_loses_none);
    tcase_add_test(all, test_end_is_seen_and_its_status);
    tcase_add_test(all, test_end_is_seen_without_a_handle);
    tcase_add_test(all, test_program_may_end_in_its_own_way);
    tcase_add_test(all, test_program_that_will_not_end_is_killed_with_all_it_has_started);
    tcase_add_test(all, test_what_a_program_has_left_is_killed_with_it);
    suite_add_tcase(suite, all);
    return sf_run_suite(suite);
}
