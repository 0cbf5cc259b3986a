/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/journaler.h"

#include <check.h>
#include <poll.h>

#include "session_daemon/daemon.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define CLIENTS 40
#define LONG (60 * SF_SECOND)

/* The journal's thread, and the test as the main thread, without clients. */
static struct sf_test_cache cache;
static struct daemon daemon_;
static struct connection clients[CLIENTS];
static enum sf_status answers[CLIENTS]; /* SF_INVALID: none yet */

void
connection_resume(struct connection *connection, const struct answer *answer)
{
    answers[connection - clients] = answer->status;
    connection->waiting = (struct waiting){.resume = NULL};
}

void
caller_task_finish(struct caller_task *task, const struct answer *answer)
{
    if (task->caller != NULL)
        connection_resume(task->caller, answer);
}

static void
set_up(void)
{
    struct sf_error error;
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    daemon_ = (struct daemon){.l1 = cache.l1};
    const struct sf_journal_options options = {.folder = cache.folder.path, .bytes_max = UINT64_MAX};
    ck_assert_int_eq(sf_journal_open(&daemon_.journaler.journal, cache.l1, &options, NULL, &error), SF_OK);
    const struct sf_batch_writer_options writer = {.flush_batch = 10, .flush_delay = LONG};
    ck_assert_int_eq(sf_store_open(&daemon_.store, "memory:", "/nowhere", &error), SF_OK);
    ck_assert_int_eq(sf_batch_writer_new(&daemon_.writer.batch, cache.l1, daemon_.store, &writer, NULL), SF_OK);
    daemon_.config.flush_delay = LONG;
    daemon_.config.dirty_limit = 50;
    daemon_.started = sf_clock_wall();
    ck_assert_int_eq(task_queue_init(&daemon_.server.done, true), SF_OK);
    TAILQ_INIT(&daemon_.server.journal_waiters);
    ck_assert_int_eq(journaler_start(&daemon_.journaler, &daemon_), SF_OK);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct connection){.daemon = &daemon_};
        answers[i] = SF_INVALID;
    }
}

static void
finish_all(void)
{
    struct task *next;
    for (struct task *task = task_queue_take_all(&daemon_.server.done); task != NULL; task = next) {
        next = task->next;
        task->finish(task, &daemon_);
    }
}

static void
tear_down(void)
{
    ck_assert(journaler_stop(&daemon_.journaler, sf_clock_steady() + LONG));
    finish_all();
    journaler_fini(&daemon_.journaler);
    sf_batch_writer_free(daemon_.writer.batch);
    sf_store_close(daemon_.store);
    task_queue_fini(&daemon_.server.done);
    sf_test_cache_fini(&cache);
}

static void
join(unsigned client, uint64_t session, sf_time wait)
{
    struct waiting *waiting = &clients[client].waiting;
    waiting->marks[0] = (struct stored_mark){.key = sf_test_cache_key(session), .version = 1};
    waiting->mark_count = 1;
    waiting->until = sf_clock_steady() + wait;
    ck_assert(journaler_join(&daemon_, &clients[client]));
}

static void
wait_for_answers(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sf_time until = sf_clock_steady() + LONG;
        while (answers[i] == SF_INVALID && sf_clock_steady() < until) {
            struct pollfd done = {.fd = daemon_.server.done.event_fd, .events = POLLIN};
            (void)poll(&done, 1, 1000);
            finish_all();
        }
    }
}

START_TEST(test_all_who_wait_are_answered)
{
    struct sf_journal_state state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(sf_test_create(cache.l1, i, "n", "1"), SF_OK);
        join(i, i, LONG);
    }
    wait_for_answers(CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(answers[i], SF_OK);
    ck_assert(TAILQ_EMPTY(&daemon_.server.journal_waiters));
    sf_journal_state(daemon_.journaler.journal, &state);
    ck_assert_uint_eq(state.rows, CLIENTS);
    ck_assert_uint_le(state.commits, CLIENTS);
}
END_TEST

START_TEST(test_version_that_is_not_there_is_uncertain)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    clients[0].waiting = (struct waiting){
        .marks = {{.key = sf_test_cache_key(1), .version = 1}, {.key = sf_test_cache_key(1), .version = 2}},
        .mark_count = 2,
        .until = sf_clock_steady() + LONG,
    };
    ck_assert(journaler_join(&daemon_, &clients[0]));
    wait_for_answers(1);
    ck_assert_int_eq(answers[0], SF_UNCERTAIN);
}
END_TEST

START_TEST(test_who_cannot_wait_any_longer_is_told_so)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    join(0, 1, 0);
    join(1, 1, LONG);
    journaler_check(&daemon_);
    ck_assert_int_eq(answers[0], SF_UNCERTAIN);
    ck_assert_int_eq(answers[1], SF_INVALID);
    wait_for_answers(2);
    ck_assert_int_eq(answers[0], SF_UNCERTAIN); /* the commit goes on without him */
    ck_assert_int_eq(answers[1], SF_OK);
}
END_TEST

START_TEST(test_client_that_has_gone_is_not_answered)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    join(0, 1, LONG);
    join(1, 1, LONG);
    journaler_leave(&clients[0]);
    answers[0] = SF_NOT_FOUND;
    wait_for_answers(2);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
    ck_assert(TAILQ_EMPTY(&daemon_.server.journal_waiters));
}
END_TEST

START_TEST(test_who_finds_no_room_gets_it_from_the_journal)
{
    struct sf_l1_usage usage;
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    journaler_make_room(&daemon_.journaler, SF_WANTED_BY_USER);
    sf_time until = sf_clock_steady() + LONG;
    do
        sf_l1_usage(cache.l1, &usage);
    while (usage.blocks_dirty > 0 && sf_clock_steady() < until);
    ck_assert_uint_eq(usage.blocks_dirty, 0);
    ck_assert(sf_journal_owes(daemon_.journaler.journal, NULL));
}
END_TEST

START_TEST(test_what_has_arrived_is_committed_before_it_ends)
{
    struct sf_journal_state state;
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    join(0, 1, LONG);
    ck_assert(journaler_stop(&daemon_.journaler, sf_clock_steady() + LONG));
    finish_all();
    ck_assert_int_eq(answers[0], SF_OK);
    sf_journal_state(daemon_.journaler.journal, &state);
    ck_assert_uint_eq(state.rows, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journaler");
    TCase *waits = tcase_create("waits");
    tcase_add_checked_fixture(waits, set_up, tear_down);
    tcase_set_timeout(waits, 120);
    tcase_add_test(waits, test_all_who_wait_are_answered);
    tcase_add_test(waits, test_version_that_is_not_there_is_uncertain);
    tcase_add_test(waits, test_who_cannot_wait_any_longer_is_told_so);
    tcase_add_test(waits, test_client_that_has_gone_is_not_answered);
    tcase_add_test(waits, test_who_finds_no_room_gets_it_from_the_journal);
    tcase_add_test(waits, test_what_has_arrived_is_committed_before_it_ends);
    suite_add_tcase(suite, waits);
    return sf_run_suite(suite);
}
