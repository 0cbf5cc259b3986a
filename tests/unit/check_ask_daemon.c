/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/ask_daemon.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fake_daemon.h"
#include "tests/support/run_suite.h"
#include "tests/support/temp_folder.h"

#define SOON 60        /* ms: a deadline that is to pass */
#define LATE 150       /* ms: well behind it */
#define PLENTY 5000    /* ms: a deadline that is not to pass */
#define SLACK 400      /* ms that a loaded machine may be late */

static struct sf_temp_folder folder;
static char path[100];
static struct sf_fake_daemon fake;
static struct sf_daemon_link *daemon_link;
static struct sf_daemon_reply reply;

static void
setup(void)
{
    sf_temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s", sf_temp_folder_path(&folder, "daemon.sock"));
    ck_assert_int_eq(sf_daemon_link_new(&daemon_link, path), SF_OK);
    sf_daemon_reply_init(&reply, 8);
}

static void
teardown(void)
{
    sf_daemon_reply_fini(&reply);
    sf_daemon_link_free(daemon_link);
    sf_temp_folder_fini(&folder);
}

#define START(...)                                                                \
    static const struct sf_fake_step steps[] = {__VA_ARGS__};                      \
    sf_fake_daemon_start(&fake, path, steps, sizeof steps / sizeof steps[0])

static enum sf_status
ask_within(const char *word, sf_time wait)
{
    const struct sf_span words[] = {sf_span_text(word), sf_span_text("x y")};
    return sf_daemon_ask(daemon_link, words, 2, sf_clock_steady() + wait, &reply);
}

static enum sf_status
ask(const char *word)
{
    return ask_within(word, PLENTY);
}

static bool
answer_is(const char *text)
{
    return reply.count > 0 && sf_span_equal(reply.values[0].text, sf_span_text(text));
}

START_TEST(test_answer_comes_back)
{
    START({.reply = "*2\r\n$1\r\na\r\n:7\r\n"});
    ck_assert_int_eq(ask("LOAD"), SF_OK);
    ck_assert_uint_eq(reply.count, 3);
    ck_assert_int_eq(reply.values[2].integer, 7);
    ck_assert_str_eq(fake.requests[0], "LOAD x y");
    ck_assert(sf_daemon_link_is_up(daemon_link));
    ck_assert_int_eq(sf_daemon_reply_status(&reply), SF_OK);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_connection_is_used_again)
{
    START({.reply = "+1\r\n"}, {.reply = "+2\r\n"}, {.reply = "+3\r\n"});
    ck_assert_int_eq(ask("A"), SF_OK);
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert_int_eq(ask("C"), SF_OK);
    ck_assert(answer_is("3"));
    ck_assert_uint_eq(fake.accepted, 1);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_error_reply_is_an_answer_with_a_status)
{
    START({.reply = "-NOT_FOUND no such session\r\n"}, {.reply = "-ERR what\r\n"}, {.reply = "-FULL\r\n"},
          {.reply = "-OK\r\n"});
    ck_assert_int_eq(ask("A"), SF_OK);
    ck_assert_int_eq(sf_daemon_reply_status(&reply), SF_NOT_FOUND);
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert_int_eq(sf_daemon_reply_status(&reply), SF_UNAVAILABLE);
    ck_assert_int_eq(ask("C"), SF_OK);
    ck_assert_int_eq(sf_daemon_reply_status(&reply), SF_FULL);
    ck_assert_int_eq(ask("D"), SF_OK);
    ck_assert_int_eq(sf_daemon_reply_status(&reply), SF_UNAVAILABLE);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_absent_daemon_is_unavailable_at_the_deadline)
{
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(ask_within("A", SOON), SF_UNAVAILABLE);
    sf_time waited = sf_clock_steady() - before;
    ck_assert_int_ge(waited, SOON / 2); /* it might just be starting */
    ck_assert_int_le(waited, SOON + SLACK);
    ck_assert(!sf_daemon_link_is_up(daemon_link));
}
END_TEST

static void *
start_late(void *argument)
{
    static const struct sf_fake_step steps[] = {{.reply = "+here\r\n"}};
    (void)argument;
    poll(NULL, 0, SOON);
    sf_fake_daemon_start(&fake, path, steps, 1);
    return NULL;
}

START_TEST(test_daemon_that_is_just_starting_is_waited_for)
{
    pthread_t starter;
    ck_assert_int_eq(pthread_create(&starter, NULL, start_late, NULL), 0);
    ck_assert_int_eq(ask("A"), SF_OK);
    ck_assert(answer_is("here"));
    pthread_join(starter, NULL);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_silent_daemon_is_uncertain_at_the_deadline)
{
    START({.reply = NULL});
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(ask_within("A", SOON), SF_UNCERTAIN);
    sf_time waited = sf_clock_steady() - before;
    ck_assert_int_ge(waited, SOON);
    ck_assert_int_le(waited, SOON + SLACK);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_half_an_answer_is_uncertain_at_the_deadline)
{
    START({.reply = "*2\r\n$1\r\na\r\n:"});
    ck_assert_int_eq(ask_within("A", SOON), SF_UNCERTAIN);
    ck_assert_uint_eq(reply.count, 0);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_late_answer_never_reaches_the_next_question)
{
    START({.reply = "+for A\r\n", .delay_ms = LATE}, {.reply = "+for B\r\n"});
    ck_assert_int_eq(ask_within("A", SOON), SF_UNCERTAIN);
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert(answer_is("for B"));
    ck_assert_uint_eq(fake.accepted, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_answer_with_more_behind_it_is_not_trusted)
{
    START({.reply = "+for A\r\n+for somebody else\r\n"}, {.reply = "+for B\r\n"});
    ck_assert_int_eq(ask("A"), SF_UNCERTAIN);
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert(answer_is("for B"));
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_garbage_is_uncertain_and_the_connection_is_dropped)
{
    START({.reply = "HTTP/1.1 400 Bad Request\r\n"}, {.reply = "+fine\r\n"});
    ck_assert_int_eq(ask("A"), SF_UNCERTAIN);
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert_uint_eq(fake.accepted, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_more_values_than_asked_for_are_no_answer)
{
    START({.reply = "*9\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n"});
    ck_assert_int_eq(ask("A"), SF_UNCERTAIN);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_connection_closed_instead_of_an_answer_is_uncertain)
{
    START({.reply = NULL, .closes = true});
    ck_assert_int_eq(ask("A"), SF_UNCERTAIN);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_connection_closed_between_questions_is_replaced)
{
    START({.reply = "+1\r\n", .closes = true}, {.reply = "+2\r\n"});
    ck_assert_int_eq(ask("A"), SF_OK);
    poll(NULL, 0, 20); /* the close comes behind the answer */
    ck_assert_int_eq(ask("B"), SF_OK);
    ck_assert_uint_eq(fake.accepted, 2);
    sf_fake_daemon_stop(&fake);
}
END_TEST

/* A listener that never accepts: the question is taken by the kernel, and thrown away when the daemon dies. */
START_TEST(test_question_that_nobody_read_is_unavailable)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    pid_t asker = fork();
    if (asker == 0) {
        close(fd);
        _exit(ask_within("A", LATE) == SF_UNAVAILABLE ? 0 : 1);
    }
    poll(NULL, 0, SOON);
    close(fd);
    int result;
    ck_assert_int_eq(waitpid(asker, &result, 0), asker);
    ck_assert_int_eq(result, 0);
}
END_TEST

START_TEST(test_full_backlog_is_waited_for_until_the_deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(first, (const struct sockaddr *)&address, sizeof address), 0);
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(ask_within("A", SOON), SF_UNAVAILABLE);
    ck_assert_int_le(sf_clock_steady() - before, SOON + SLACK);
    close(first);
    close(fd);
}
END_TEST

START_TEST(test_large_questions_and_answers_pass)
{
    static char big[300000];
    int used = snprintf(big, sizeof big, "$%d\r\n", 299000);
    for (size_t i = 0; i < 299000; i++)
        big[(size_t)used + i] = 'x';
    snprintf(big + used + 299000, 3, "\r\n");
    static struct sf_fake_step steps[] = {{.reply = big}};
    sf_fake_daemon_start(&fake, path, steps, 1);
    const struct sf_span words[] = {sf_span_text("A"), sf_span_of(big, 250000)};
    ck_assert_int_eq(sf_daemon_ask(daemon_link, words, 2, sf_clock_steady() + PLENTY, &reply), SF_OK);
    ck_assert_uint_eq(reply.values[0].text.size, 299000);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_too_many_words_are_full)
{
    static struct sf_span words[SF_RESP_WORDS_MAX + 1];
    START({.reply = "+OK\r\n"});
    enum sf_status status =
        sf_daemon_ask(daemon_link, words, SF_RESP_WORDS_MAX + 1, sf_clock_steady() + PLENTY, &reply);
    ck_assert_int_eq(status, SF_FULL);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_long_paths_are_refused)
{
    struct sf_daemon_link *other;
    char name[200];
    for (size_t i = 0; i < sizeof name - 1; i++)
        name[i] = 'x';
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(sf_daemon_link_new(&other, name), SF_INVALID);
    ck_assert_int_eq(sf_daemon_link_new(&other, ""), SF_INVALID);
}
END_TEST

/* ---- the breaker ---- */

static void
fail_three_times(void)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_ne(ask_within("A", 10), SF_OK);
}

START_TEST(test_after_three_failures_nobody_waits)
{
    fail_three_times();
    sf_time before = sf_clock_steady();
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(ask_within("A", PLENTY), SF_UNAVAILABLE);
    ck_assert_int_lt(sf_clock_steady() - before, SLACK);
}
END_TEST

START_TEST(test_a_probe_that_is_answered_ends_the_pause)
{
    fail_three_times();
    START({.reply = "+1\r\n"}, {.reply = "+2\r\n"});
    poll(NULL, 0, LATE);
    ck_assert_int_eq(ask("A"), SF_OK);
    ck_assert(sf_daemon_link_is_up(daemon_link));
    ck_assert_int_eq(ask("B"), SF_OK);
    sf_fake_daemon_stop(&fake);
}
END_TEST

START_TEST(test_a_probe_that_fails_begins_another_pause)
{
    fail_three_times();
    poll(NULL, 0, LATE);
    ck_assert_int_eq(ask_within("A", 10), SF_UNAVAILABLE);
    sf_time before = sf_clock_steady();
    ck_assert_int_eq(ask_within("A", PLENTY), SF_UNAVAILABLE);
    ck_assert_int_lt(sf_clock_steady() - before, SLACK);
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define QUESTIONS 200

static void *
ask_many(void *argument)
{
    int *failed = argument;
    struct sf_daemon_reply own;
    sf_daemon_reply_init(&own, 8);
    const struct sf_span words[] = {sf_span_text("A")};
    for (int i = 0; i < QUESTIONS; i++)
        if (sf_daemon_ask(daemon_link, words, 1, sf_clock_steady() + PLENTY, &own) != SF_OK)
            ++*failed;
    sf_daemon_reply_fini(&own);
    return NULL;
}

START_TEST(test_threads_ask_at_the_same_time)
{
    static struct sf_fake_step steps[THREADS * QUESTIONS];
    pthread_t threads[THREADS];
    int failed[THREADS] = {0};
    for (size_t i = 0; i < THREADS * QUESTIONS; i++)
        steps[i].reply = "+OK\r\n";
    sf_fake_daemon_start(&fake, path, steps, THREADS * QUESTIONS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_many, &failed[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(failed[i], 0);
    }
    ck_assert_uint_le(fake.accepted, THREADS);
    sf_fake_daemon_stop(&fake);
}
END_TEST

static TCase *
question_tests(void)
{
    TCase *tests = tcase_create("questions");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_answer_comes_back);
    tcase_add_test(tests, test_connection_is_used_again);
    tcase_add_test(tests, test_error_reply_is_an_answer_with_a_status);
    tcase_add_test(tests, test_absent_daemon_is_unavailable_at_the_deadline);
    tcase_add_test(tests, test_daemon_that_is_just_starting_is_waited_for);
    tcase_add_test(tests, test_silent_daemon_is_uncertain_at_the_deadline);
    tcase_add_test(tests, test_half_an_answer_is_uncertain_at_the_deadline);
    tcase_add_test(tests, test_late_answer_never_reaches_the_next_question);
    tcase_add_test(tests, test_answer_with_more_behind_it_is_not_trusted);
    tcase_add_test(tests, test_garbage_is_uncertain_and_the_connection_is_dropped);
    tcase_add_test(tests, test_more_values_than_asked_for_are_no_answer);
    tcase_add_test(tests, test_connection_closed_instead_of_an_answer_is_uncertain);
    tcase_add_test(tests, test_connection_closed_between_questions_is_replaced);
    tcase_add_test(tests, test_question_that_nobody_read_is_unavailable);
    tcase_add_test(tests, test_full_backlog_is_waited_for_until_the_deadline);
    tcase_add_test(tests, test_large_questions_and_answers_pass);
    tcase_add_test(tests, test_too_many_words_are_full);
    tcase_add_test(tests, test_long_paths_are_refused);
    return tests;
}

static TCase *
breaker_tests(void)
{
    TCase *tests = tcase_create("breaker");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_after_three_failures_nobody_waits);
    tcase_add_test(tests, test_a_probe_that_is_answered_ends_the_pause);
    tcase_add_test(tests, test_a_probe_that_fails_begins_another_pause);
    return tests;
}

static TCase *
thread_tests(void)
{
    TCase *tests = tcase_create("threads");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_threads_ask_at_the_same_time);
    return tests;
}

int
main(void)
{
    Suite *suite = suite_create("ask_daemon");
    suite_add_tcase(suite, question_tests());
    suite_add_tcase(suite, breaker_tests());
    suite_add_tcase(suite, thread_tests());
    return sf_run_suite(suite);
}
