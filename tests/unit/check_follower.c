/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/follower.h"

#include <check.h>
#include <string.h>

#include "session_daemon/daemon.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

/*
 * The thread is real; the store is made here and says what the test wants, and the test itself takes what is
 * handed to the main thread.
 */
#define PATIENCE (20 * SF_SECOND)
#define NEWS_MAX 1000

static struct sf_test_cache cache;
static struct daemon daemon_;

/* ---- the store ---- */

static struct sf_store store;
static struct sf_store_ops ops;
static atomic_int answer;  /* an enum sf_status */
static atomic_int to_tell; /* so many sessions are news, told at the next call */
static atomic_int is_all;  /* anything is */
static atomic_int calls;

static enum sf_status
follow(struct sf_store *self, sf_time until, struct sf_follow *how)
{
    int news = atomic_exchange(&to_tell, 0);
    ck_assert_ptr_eq(self, &store);
    atomic_fetch_add(&calls, 1);
    if (atomic_load(&answer) != SF_OK)
        return sf_error_set(&how->error, (enum sf_status)atomic_load(&answer), "told why");
    if (atomic_exchange(&is_all, 0))
        how->news(how->context, NULL);
    for (int i = 0; i < news; i++) {
        struct sf_key key = sf_test_cache_key((uint64_t)i);
        how->news(how->context, &key);
    }
    while (sf_clock_steady() < until && atomic_load(&to_tell) == 0 && atomic_load(&answer) == SF_OK)
        continue;
    how->proven = sf_clock_steady();
    return SF_OK;
}

/* ---- the main thread ---- */

static int heard[NEWS_MAX], losses;

static int
number_of(const struct sf_key *key)
{
    for (int i = 0; i < NEWS_MAX; i++) {
        struct sf_key one = sf_test_cache_key((uint64_t)i);
        if (sf_key_equal(key, &one))
            return i;
    }
    ck_abort_msg("of no session of the test");
    return 0;
}

void
loader_hear(struct daemon *daemon, const struct sf_key *key, unsigned half)
{
    ck_assert_ptr_eq(daemon, &daemon_);
    heard[number_of(key)]++;
    lease_settle(&daemon->follower.lease, half, 1);
}

void
loader_hear_of_anything(struct daemon *daemon)
{
    ck_assert_ptr_eq(daemon, &daemon_);
    losses++; /* the follower's; the test looks when it has ended */
}

/* So many pieces of news that nobody had heard before. */
static int
take_news(void)
{
    struct task *next;
    int count = 0;
    for (struct task *task = task_queue_take_all(&daemon_.server.done); task != NULL; task = next) {
        next = task->next;
        task->finish(task, &daemon_);
    }
    for (int i = 0; i < NEWS_MAX; i++)
        count += heard[i];
    memset(heard, 0, sizeof heard);
    return count;
}

static int notices;

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    if (level == SF_LOG_NOTICE && strstr(line, "SF0118") != NULL) {
        ck_assert_ptr_nonnull(strstr(line, "(news:)"));
        notices++;
    }
}

static void
set_up(void)
{
    notices = 0;
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    ops = (struct sf_store_ops){.scheme = "news", .follow = follow};
    store.ops = &ops;
    daemon_ = (struct daemon){.l1 = cache.l1, .store = &store};
    daemon_.log = (struct sf_log){.write = keep_line, .level = SF_LOG_NOTICE};
    daemon_.config.store = "news:x";
    daemon_.config.freshness = SF_HOUR;
    daemon_.config.cache_ttl = SF_DAY;
    atomic_store(&answer, SF_OK);
    atomic_store(&to_tell, 0);
    atomic_store(&is_all, 0);
    atomic_store(&calls, 0);
    losses = 0;
    ck_assert_int_eq(task_queue_init(&daemon_.server.done, false), SF_OK);
    sf_l1_set_shared(cache.l1, true);
}

static void
start(void)
{
    ck_assert_int_eq(follower_start(&daemon_.follower, &daemon_), SF_OK);
}

static void
stop(void)
{
    ck_assert(follower_stop(&daemon_.follower, sf_clock_steady() + PATIENCE));
}

static void
tear_down(void)
{
    stop();
    (void)take_news();
    follower_fini(&daemon_.follower);
    task_queue_fini(&daemon_.server.done);
    sf_test_cache_fini(&cache);
}

static void
wait_for_state(const char *name)
{
    while (strcmp(follower_state_name(&daemon_.follower), name) != 0)
        continue;
}

/* A session that is older than its TTL, and so fresh under a lease alone. */
static bool
is_leased(void)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_view view = {.since = 2};
    sf_l1_set_ttl(cache.l1, 1);
    return !sf_l1_is_stale(cache.l1, &key, &view);
}

/* ---- */

START_TEST(test_what_is_told_comes_to_the_main_thread)
{
    daemon_.config.cache_ttl = 0;
    start();
    wait_for_state("up");
    atomic_store(&to_tell, 700); /* in more than one piece */
    for (int count = 0; count < 700;)
        count += take_news();
    stop();
    ck_assert_int_eq(take_news(), 0);
    ck_assert_int_eq(losses, 0);
}
END_TEST

START_TEST(test_anything_may_have_changed)
{
    atomic_store(&is_all, 1);
    start();
    wait_for_state("up");
    stop();
    ck_assert_int_eq(losses, 1);
}
END_TEST

START_TEST(test_lease_lasts_while_the_store_tells)
{
    daemon_.config.cache_ttl = 0;
    ck_assert(!is_leased());
    start();
    while (!is_leased())
        continue;
    wait_for_state("up"); /* it is down to begin with, too */
    atomic_store(&answer, SF_UNAVAILABLE);
    wait_for_state("down");
    ck_assert(!is_leased());
    struct sf_error error;
    follower_error(&daemon_.follower, &error);
    ck_assert_str_eq(error.text, "told why");
    atomic_store(&answer, SF_OK);
    wait_for_state("up");
    follower_error(&daemon_.follower, &error);
    ck_assert_str_eq(error.text, "");
    stop();
    ck_assert(!is_leased());
}
END_TEST

START_TEST(test_lease_runs_out_while_the_main_thread_has_not_dealt_with_the_news)
{
    daemon_.config.cache_ttl = 0;
    daemon_.config.freshness = 200;
    start();
    while (!is_leased())
        continue;
    atomic_store(&to_tell, 1);
    while (is_leased())
        continue;
    ck_assert_str_eq(follower_state_name(&daemon_.follower), "up");
    while (take_news() == 0)
        continue;
    while (!is_leased())
        continue;
}
END_TEST

START_TEST(test_server_that_will_not_is_not_pressed)
{
    atomic_store(&answer, SF_INVALID);
    start();
    wait_for_state("refused");
    ck_assert(!is_leased());
    ck_assert_int_eq(atomic_load(&calls), 1);
}
END_TEST

START_TEST(test_where_nothing_is_told_nothing_is_asked)
{
    ops.follow = NULL;
    start();
    ck_assert_str_eq(follower_state_name(&daemon_.follower), "none");
    ck_assert_int_eq(notices, 1);
    follower_fini(&daemon_.follower);
    ops.follow = follow;
    sf_l1_set_shared(cache.l1, false);
    start();
    ck_assert_str_eq(follower_state_name(&daemon_.follower), "none");
    ck_assert_int_eq(atomic_load(&calls), 0);
    ck_assert_int_eq(notices, 1); /* who is alone need not be told */
}
END_TEST

/* The daemon before this one was killed. */
START_TEST(test_lease_of_a_predecessor_does_not_count)
{
    sf_l1_lease(cache.l1, 0, sf_clock_steady() + SF_DAY);
    ck_assert(is_leased());
    atomic_store(&answer, SF_UNAVAILABLE);
    start();
    ck_assert(!is_leased());
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("follower");
    TCase *tests = tcase_create("follower");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_what_is_told_comes_to_the_main_thread);
    tcase_add_test(tests, test_anything_may_have_changed);
    tcase_add_test(tests, test_lease_lasts_while_the_store_tells);
    tcase_add_test(tests, test_lease_runs_out_while_the_main_thread_has_not_dealt_with_the_news);
    tcase_add_test(tests, test_server_that_will_not_is_not_pressed);
    tcase_add_test(tests, test_where_nothing_is_told_nothing_is_asked);
    tcase_add_test(tests, test_lease_of_a_predecessor_does_not_count);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
