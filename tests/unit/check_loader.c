/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/loader.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/loader_case.h"

START_TEST(test_one_load_answers_all_who_ask)
{
    struct sf_key key = sf_test_key(1);
    ck_assert(loader_join(&daemon_, &first, &key, false));
    ck_assert(loader_join(&daemon_, &second, &key, false));
    struct task *task = run_next();
    ck_assert_ptr_null(task_queue_pop(&daemon_.loader.worker.queue, 0));
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
    ck_assert_int_eq(answers[1], SF_NOT_FOUND);
}
END_TEST

static void
run_nothing(struct task *task, struct daemon *daemon)
{
    (void)task;
    (void)daemon;
}

/* In the middle of a long task, with another one waiting that is none. */
START_TEST(test_loads_have_their_turn)
{
    struct task other = {.run = run_nothing};
    struct sf_key key = sf_test_key(1);
    ck_assert_int_eq(task_queue_init(&daemon_.server.done, false), SF_OK);
    loader_run_waiting(&daemon_);
    task_queue_push(&daemon_.loader.worker.queue, &other);
    ck_assert(loader_join(&daemon_, &first, &key, false));
    loader_run_waiting(&daemon_);
    struct task *done = task_queue_pop(&daemon_.server.done, 0);
    ck_assert_ptr_nonnull(done);
    done->finish(done, &daemon_);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
    ck_assert_ptr_eq(task_queue_pop(&daemon_.loader.worker.queue, 0), &other);
    ck_assert(loader_join(&daemon_, &second, &key, false)); /* the queue is whole */
    struct task *next = run_next();
    next->finish(next, &daemon_);
    ck_assert_int_eq(answers[1], SF_NOT_FOUND);
    task_queue_fini(&daemon_.server.done);
}
END_TEST

START_TEST(test_loads_that_wait_are_asked_for_at_once)
{
    struct sf_key keys[] = {sf_test_key(1), sf_test_key(2)};
    ck_assert_int_eq(task_queue_init(&daemon_.server.done, false), SF_OK);
    ck_assert(loader_join(&daemon_, &first, &keys[0], false));
    ck_assert(loader_join(&daemon_, &second, &keys[1], false));
    struct task *task = run_next();
    ck_assert_ptr_null(task_queue_pop(&daemon_.loader.worker.queue, 0));
    struct task *other = task_queue_pop(&daemon_.server.done, 0);
    ck_assert_ptr_nonnull(other);
    task->finish(task, &daemon_);
    other->finish(other, &daemon_);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
    ck_assert_int_eq(answers[1], SF_NOT_FOUND);
    task_queue_fini(&daemon_.server.done);
}
END_TEST

START_TEST(test_what_only_the_journal_has_is_loaded_from_there)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(7), .version = 1, .is_orphan = true};
    create_now(&mark.key);
    ck_assert_int_eq(sf_journal_commit(daemon_.journaler.journal, &mark, 1), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &mark.key), SF_OK);
    for (int i = 0; i < 2; i++) { /* out of the cache, and into it */
        ck_assert(loader_join(&daemon_, &first, &mark.key, i == 0));
        struct task *task = run_next();
        task->finish(task, &daemon_);
        ck_assert_int_eq(answers[0], SF_OK);
        ck_assert(is_in_cache == (i == 1));
    }
    ck_assert(!sf_l1_is_stored(cache.l1, &mark.key, 1));
}
END_TEST

START_TEST(test_store_that_was_restarted_logs_nobody_out)
{
    struct sf_key key = sf_test_key(1);
    restart_store();
    ck_assert(loader_join(&daemon_, &first, &key, false));
    struct task *task = run_next();
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_UNAVAILABLE);
    sf_l1_set_store(cache.l1, 2); /* what the cache has is there again */
    ck_assert(loader_join(&daemon_, &first, &key, false));
    task = run_next();
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
}
END_TEST

START_TEST(test_writer_hears_that_the_store_is_back)
{
    struct sf_key key = sf_test_key(1);
    reopen_store("fail:load=UNAVAILABLE+OK");
    writer_retries = 0;
    for (int loads = 0; loads < 3; loads++) {
        ck_assert(loader_join(&daemon_, &first, &key, false));
        struct task *task = run_next();
        task->finish(task, &daemon_);
        ck_assert_int_eq(answers[0], loads == 0 ? SF_UNAVAILABLE : SF_NOT_FOUND);
        ck_assert_int_eq(writer_retries, loads > 0);
    }
}
END_TEST

START_TEST(test_load_for_nobody_does_not_ask_the_store)
{
    struct sf_key key = sf_test_key(1);
    ck_assert(loader_join(&daemon_, &first, &key, false));
    loader_leave(&first);
    struct task *task = run_next();
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_INVALID);
}
END_TEST

START_TEST(test_load_that_was_left_out_begins_again_for_who_comes_late)
{
    struct sf_key key = sf_test_key(1);
    ck_assert(loader_join(&daemon_, &first, &key, false));
    loader_leave(&first);
    struct task *task = run_next();
    ck_assert(loader_join(&daemon_, &second, &key, false));
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[1], SF_INVALID);
    task = run_next();
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[1], SF_NOT_FOUND);
    ck_assert_int_eq(answers[0], SF_INVALID);
}
END_TEST

START_TEST(test_held_key_is_loaded_after_its_release)
{
    struct sf_key key = sf_test_key(1);
    ck_assert(loader_hold(&daemon_, &key));
    ck_assert(!loader_hold(&daemon_, &key));
    ck_assert(loader_join(&daemon_, &first, &key, false));
    ck_assert_ptr_null(task_queue_pop(&daemon_.loader.worker.queue, 0));
    loader_release(&daemon_, &key);
    struct task *task = run_next();
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
}
END_TEST

/* ---- what L1 has already, and is to be compared with the store ---- */

START_TEST(test_what_the_store_has_no_more_leaves_the_cache)
{
    struct sf_key key = fill_stale();
    load_once(&key);
    ck_assert_int_eq(answers[0], SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_later_version_of_the_store_takes_the_place_of_the_cached)
{
    struct sf_key key = fill_stale();
    store(&key, 9, "new");
    load_once(&key);
    ck_assert_uint_eq(sf_test_look(cache.l1, 1, NULL).version, 9);
}
END_TEST

/* While the store is asked it changes, is stored and dropped: by somebody who goes on with what is loaded. */
START_TEST(test_who_changes_it_in_the_store_gets_what_was_loaded_since_he_came)
{
    struct sf_key key = fill_stale();
    store(&key, 3, "old");
    ck_assert(loader_join(&daemon_, &first, &key, false));
    struct task *task = run_next();
    store(&key, 4, "new");
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert(loader_join(&daemon_, &second, &key, true));
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[1], SF_INVALID);
    task = run_next();
    task->finish(task, &daemon_);
    ck_assert_uint_eq(versions[1], 4);
    ck_assert_uint_eq(versions[0], 4);
}
END_TEST

START_TEST(test_store_without_an_answer_takes_nothing_from_the_cache)
{
    struct sf_key key = fill_stale();
    reopen_store("fail:load=UNAVAILABLE");
    ck_assert(loader_may_check(&daemon_));
    load_once(&key);
    ck_assert_int_eq(answers[0], SF_UNAVAILABLE);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "old");
    ck_assert(!loader_may_check(&daemon_)); /* for the time being */
    ck_assert_uint_eq(atomic_load(&sf_l1_counters(cache.l1)->values[SF_COUNTER_l1_stale_served]), 1);
}
END_TEST

START_TEST(test_store_that_hangs_is_not_asked_about_what_is_there)
{
    ck_assert(loader_may_check(&daemon_));
    atomic_store(&daemon_.loader.busy_since, sf_clock_steady() - SF_SECOND);
    ck_assert(!loader_may_check(&daemon_));
    atomic_store(&daemon_.loader.busy_since, sf_clock_steady());
    ck_assert(loader_may_check(&daemon_));
}
END_TEST

START_TEST(test_nobody_waits_for_a_store_that_hangs_when_the_cache_has_it)
{
    struct sf_key cached = fill_stale(), missing = sf_test_key(2);
    ck_assert_int_eq(task_queue_init(&daemon_.server.done, false), SF_OK);
    ck_assert(loader_join(&daemon_, &first, &cached, false));
    ck_assert(loader_join(&daemon_, &second, &missing, false));
    atomic_store(&daemon_.loader.busy_since, sf_clock_steady());
    loader_check(&daemon_);
    ck_assert_int_eq(answers[0], SF_INVALID); /* it does not hang yet */
    atomic_store(&daemon_.loader.busy_since, sf_clock_steady() - SF_SECOND);
    loader_check(&daemon_);
    ck_assert_int_eq(answers[0], SF_UNAVAILABLE);
    ck_assert_int_eq(answers[1], SF_INVALID);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "old");
    ck_assert_uint_eq(atomic_load(&sf_l1_counters(cache.l1)->values[SF_COUNTER_l1_stale_served]), 1);
    struct task *task = run_next(); /* of both, for the one that waits */
    struct task *other = task_queue_pop(&daemon_.server.done, 0);
    ck_assert_ptr_nonnull(other);
    task->finish(task, &daemon_);
    other->finish(other, &daemon_);
    task_queue_fini(&daemon_.server.done);
    ck_assert_int_eq(answers[1], SF_NOT_FOUND);
    ck_assert_int_eq(answers[0], SF_UNAVAILABLE); /* once */
}
END_TEST

/* Though the store says it while that goes on. */
START_TEST(test_what_was_asked_of_the_former_store_is_asked_again)
{
    struct sf_key key = sf_test_cache_key(1);
    store(&key, 3, "old");
    ck_assert(loader_join(&daemon_, &first, &key, false));
    struct task *task = run_next();
    wait_until_older_than_the_ttl();
    sf_l1_set_store(cache.l1, 2); /* all that is here is in another one now */
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_INVALID); /* not yet */
    finish_next();
    ck_assert_int_eq(answers[0], SF_OK);
    ck_assert(is_in_cache);
    ck_assert(is_idle());
}
END_TEST

/* The first one waits for version 3, from a store alone, or a shared one. */
static struct sf_key
join_first(bool is_store_only)
{
    struct sf_key key = sf_test_cache_key(1);
    daemon_.is_store_only = is_store_only;
    sf_l1_set_shared(cache.l1, !is_store_only);
    store(&key, 3, "old");
    ck_assert(loader_join(&daemon_, &first, &key, true));
    return key;
}

/* Sessions are in the store only, or others change them there: what it has said is no answer for who comes too late. */
START_TEST(test_who_comes_when_the_store_was_asked_has_it_asked_again)
{
    struct sf_key key = join_first(_i == 0);
    struct task *task = run_next();
    store(&key, 4, "new");
    ck_assert(loader_join(&daemon_, &second, &key, true));
    task->finish(task, &daemon_);
    ck_assert_uint_eq(versions[0], 3);
    ck_assert_int_eq(answers[1], SF_INVALID);
    finish_next();
    ck_assert_uint_eq(versions[1], 4);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_who_comes_in_time_shares_the_answer)
{
    struct sf_key key = join_first(_i == 0);
    daemon_.config.freshness = SF_HOUR;
    struct task *task = _i == 1 ? run_next() : NULL;
    ck_assert(loader_join(&daemon_, &second, &key, true));
    task = task == NULL ? run_next() : task;
    task->finish(task, &daemon_);
    ck_assert(versions[0] == 3 && versions[1] == 3);
}
END_TEST

START_TEST(test_who_came_late_and_left_is_not_waited_for)
{
    struct sf_key key = join_first(true);
    struct task *task = run_next();
    ck_assert(loader_join(&daemon_, &second, &key, true));
    loader_leave(&second);
    task->finish(task, &daemon_);
    ck_assert_uint_eq(versions[0], 3);
    ck_assert(is_idle());
}
END_TEST

/* Who was answered changes it at once, and who came late waits for that. */
START_TEST(test_who_came_late_waits_for_a_change_that_was_faster)
{
    struct sf_key key = join_first(true);
    struct task *task = run_next();
    ck_assert(loader_join(&daemon_, &second, &key, true));
    held_by_first = &key;
    task->finish(task, &daemon_);
    ck_assert_ptr_null(held_by_first);
    ck_assert(is_idle());
    store(&key, 4, "new");
    loader_release(&daemon_, &key);
    finish_next();
    ck_assert_uint_eq(versions[1], 4);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    ck_assert(!is_in_cache);
}
END_TEST

/* ---- what nobody vouches for ---- */

/* As a cache before the store does that was last known to be right a while ago. */
static void
load_as_of_then(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    sf_store_memory.load(store, loads, count, deadline);
    for (size_t i = 0; i < count; i++)
        loads[i].as_of = sf_clock_steady() - SF_SECOND;
}

START_TEST(test_what_a_cache_has_said_is_as_old_there_as_it_was_here)
{
    struct sf_store_ops ops = *daemon_.store->ops;
    struct sf_key key = sf_test_cache_key(1);
    store(&key, 3, "old");
    ops.load = load_as_of_then;
    daemon_.store->ops = &ops;
    sf_l1_set_ttl(cache.l1, SF_SECOND);
    load_once(&key);
    ck_assert(is_in_cache);
    struct sf_buffer record;
    struct sf_l1_view view;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_OK);
    ck_assert(sf_l1_is_stale(cache.l1, &key, &view));
    sf_buffer_fini(&record);
    daemon_.store->ops = &sf_store_memory;
}
END_TEST

/* News of it was passed over while the journal alone had it. */
START_TEST(test_what_the_journal_alone_has_said_is_compared_later)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(7), .version = 1, .is_orphan = true};
    sf_l1_set_shared(cache.l1, true);
    sf_l1_set_ttl(cache.l1, 1);
    create_now(&mark.key);
    ck_assert_int_eq(sf_journal_commit(daemon_.journaler.journal, &mark, 1), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &mark.key), SF_OK);
    reopen_store("fail:load=UNAVAILABLE");
    load_once(&mark.key);
    ck_assert_int_eq(answers[0], SF_OK);
    ck_assert(is_in_cache);
    wait_until_older_than_the_ttl();
    ck_assert(!is_trusted(7));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("loader");
    TCase *tests = tcase_create("loader");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_one_load_answers_all_who_ask);
    tcase_add_test(tests, test_loads_have_their_turn);
    tcase_add_test(tests, test_loads_that_wait_are_asked_for_at_once);
    tcase_add_test(tests, test_what_only_the_journal_has_is_loaded_from_there);
    tcase_add_test(tests, test_store_that_was_restarted_logs_nobody_out);
    tcase_add_test(tests, test_writer_hears_that_the_store_is_back);
    tcase_add_test(tests, test_load_for_nobody_does_not_ask_the_store);
    tcase_add_test(tests, test_load_that_was_left_out_begins_again_for_who_comes_late);
    tcase_add_test(tests, test_held_key_is_loaded_after_its_release);
    tcase_add_test(tests, test_what_the_store_has_no_more_leaves_the_cache);
    tcase_add_test(tests, test_later_version_of_the_store_takes_the_place_of_the_cached);
    tcase_add_test(tests, test_who_changes_it_in_the_store_gets_what_was_loaded_since_he_came);
    tcase_add_test(tests, test_store_without_an_answer_takes_nothing_from_the_cache);
    tcase_add_test(tests, test_store_that_hangs_is_not_asked_about_what_is_there);
    tcase_add_test(tests, test_nobody_waits_for_a_store_that_hangs_when_the_cache_has_it);
    tcase_add_test(tests, test_what_a_cache_has_said_is_as_old_there_as_it_was_here);
    tcase_add_test(tests, test_what_the_journal_alone_has_said_is_compared_later);
    tcase_add_test(tests, test_what_was_asked_of_the_former_store_is_asked_again);
    tcase_add_loop_test(tests, test_who_comes_when_the_store_was_asked_has_it_asked_again, 0, 2);
    tcase_add_loop_test(tests, test_who_comes_in_time_shares_the_answer, 0, 2);
    tcase_add_test(tests, test_who_came_late_and_left_is_not_waited_for);
    tcase_add_test(tests, test_who_came_late_waits_for_a_change_that_was_faster);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
