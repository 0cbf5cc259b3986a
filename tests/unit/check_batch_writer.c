/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/batch_writer.h"

#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_commit.h"
#include "tests/support/run_suite.h"
#include "tests/unit/writer_case.h"

/* ---- when a batch is due ---- */

START_TEST(test_idle_writer_writes_nothing_and_looks_again_soon)
{
    open_quiet_writer("memory:");
    for (int i = 0; i < 100; i++) {
        sf_time next = sf_batch_writer_step(writer, now);
        ck_assert_int_gt(next, now);
        ck_assert_int_le(next, now + 50);
        now = next;
    }
    sf_batch_writer_state(writer, &state);
    ck_assert_uint_eq(state.batches, 0);
    ck_assert(state.is_up);
}
END_TEST

START_TEST(test_enough_changes_are_a_batch_at_once)
{
    open_quiet_writer("memory:");
    for (unsigned i = 0; i < 9; i++)
        change(i);
    step_after(50);
    ck_assert_uint_eq(state.batches, 0);
    change(9);
    step_after(50);
    ck_assert_uint_eq(state.batches, 1);
    ck_assert_uint_eq(state.records, 10);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(stored_version(i), 1);
}
END_TEST

START_TEST(test_a_few_changes_wait_for_the_delay)
{
    open_quiet_writer("memory:");
    change(1);
    step_after(50);
    step_after(DELAY - 1);
    ck_assert_uint_eq(state.batches, 0);
    step_after(1);
    ck_assert_uint_eq(state.batches, 1);
    ck_assert_uint_eq(stored_version(1), 1);
    step_after(2 * DELAY);
    ck_assert_uint_eq(state.batches, 1);
}
END_TEST

START_TEST(test_writer_wakes_for_the_end_of_the_delay)
{
    open_quiet_writer("memory:");
    change(1);
    step_after(50);
    now += DELAY - 20;
    ck_assert_int_eq(sf_batch_writer_step(writer, now), now + 20);
}
END_TEST

#define AGED_CHANGES 400

/* A change at a time, not in step with the writer; each flush takes `flush_ms`. Returns the oldest that any became. */
static sf_time
oldest_age(sf_time flush_ms)
{
    sf_time changed_at[AGED_CHANGES], oldest = 0, next = now;
    unsigned made = 0, stored = 0;
    while (stored < AGED_CHANGES) {
        sf_time change_at = made == 0 ? now + 7 : changed_at[made - 1] + 7 + made * 131 % 1500;
        if (made < AGED_CHANGES && change_at <= next) {
            now = changed_at[made] = change_at;
            change(made++);
            continue;
        }
        now = next;
        uint64_t batches = state.batches;
        next = sf_batch_writer_step(writer, now);
        sf_batch_writer_state(writer, &state);
        if (state.batches == batches)
            continue;
        next = next < now + flush_ms ? now + flush_ms : next;
        for (; stored < made && stored_version(stored) > 0; stored++)
            if (now + flush_ms - changed_at[stored] > oldest)
                oldest = now + flush_ms - changed_at[stored];
    }
    return oldest;
}

/* 50 ms are for the look that notices it. */
START_TEST(test_no_change_waits_for_longer_than_the_delay_and_one_flush)
{
    static const sf_time flushes[] = {0, 30, 400, 3000};
    sf_time flush = flushes[_i];
    open_quiet_writer("memory:");
    sf_time oldest = oldest_age(flush);
    ck_assert_int_le(oldest, DELAY + 50 + flush + flush);
    ck_assert_int_ge(oldest, DELAY / 4);
}
END_TEST

START_TEST(test_urge_does_not_wait)
{
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(state.records, 1);
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

static bool
is_stored(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    return sf_l1_is_stored(cache.l1, &key, 1);
}

/* Steps as the daemon does until the session is stored. Returns how long that took. */
static sf_time
step_until_stored(unsigned number)
{
    sf_time began = now, next = now;
    do {
        now = next;
        next = sf_batch_writer_step(writer, now);
    } while (!is_stored(number) && now - began < SF_MINUTE);
    sf_batch_writer_state(writer, &state);
    return now - began;
}

/* A process that is stopped between announcing a hint and leaving it. */
START_TEST(test_who_urges_does_not_wait_for_a_hint_that_does_not_come)
{
    open_quiet_writer("memory:");
    for (unsigned i = 0; i < 4; i++) {
        atomic_fetch_add(&cache.l1->header->hint_head, 1);
        change(i);
        sf_batch_writer_urge(writer);
        ck_assert_int_le(step_until_stored(i), 10);
        ck_assert(is_stored(i));
    }
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

/* Killed behind the publication, before the hint: nothing else changes, ever. */
START_TEST(test_change_of_the_dead_without_a_hint_is_written)
{
    struct sf_key key = sf_test_cache_key(1), other = sf_test_cache_key(2);
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    pid_t child = fork();
    if (child == 0) {
        struct sf_l1 *l1 = sf_test_cache_attach(&cache);
        struct sf_l1_found found;
        struct sf_l1_draft draft;
        struct sf_l1_committed named;
        struct sf_buffer record;
        sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
        if (sf_l1_find(l1, &key, &record, &found) != SF_OK
            || sf_l1_draft_make(&draft, l1, &other, sf_buffer_span(&record), NULL) != SF_OK
            || sf_l1_draft_name(l1, &draft, &named) != SF_OK)
            _exit(EXIT_FAILURE);
        sf_l1_block_publish(&draft.owned, 0);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_uint_lt(state.stored_changes, sf_l1_changes(cache.l1));
    ck_assert_int_le(step_until_stored(2), DELAY + 50);
    ck_assert_uint_eq(stored_version(2), 1);
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

START_TEST(test_changes_of_one_session_are_one_write)
{
    open_quiet_writer("memory:");
    for (int i = 0; i < 12; i++)
        change(1);
    step_after(50);
    ck_assert_uint_eq(state.records, 1);
    ck_assert_uint_eq(stored_version(1), sf_test_look(cache.l1, 1, "count").version);
}
END_TEST

START_TEST(test_what_a_dead_predecessor_left_is_written_first)
{
    change(1);
    change(2);
    open_writer("memory:", 0);
    step();
    ck_assert_uint_eq(state.records, 2);
}
END_TEST

START_TEST(test_large_backlog_goes_in_chunks)
{
    for (unsigned i = 0; i < 10; i++)
        change(i);
    open_writer("memory:", 4);
    ck_assert_int_eq(sf_batch_writer_step(writer, now), now);
    ck_assert_int_eq(sf_batch_writer_step(writer, now), now);
    step();
    ck_assert_uint_eq(state.batches, 3);
    ck_assert_uint_eq(state.records, 10);
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

START_TEST(test_written_session_is_clean)
{
    open_quiet_writer("memory:");
    change(1);
    struct sf_key key = sf_test_cache_key(1);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
    sf_batch_writer_urge(writer);
    step();
    ck_assert(sf_l1_is_stored(cache.l1, &key, 1));
    struct sf_l1_usage usage;
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_dirty, 0);
}
END_TEST

START_TEST(test_ended_session_is_written_as_ended)
{
    open_quiet_writer("memory:");
    change(1);
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_OK);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(stored_version(1), sf_test_look(cache.l1, 1, "count").version);
}
END_TEST

/* ---- at the end ---- */

START_TEST(test_drain_writes_everything)
{
    open_writer("memory:", 4);
    for (unsigned i = 0; i < 10; i++)
        change(i);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10000), SF_OK);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(stored_version(i), 1);
}
END_TEST

START_TEST(test_drain_into_a_store_that_is_down_leaves_all_in_the_cache)
{
    open_quiet_writer("fail:write=UNAVAILABLE");
    change(1);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10000), SF_UNAVAILABLE);
    struct sf_key key = sf_test_cache_key(1);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
}
END_TEST

START_TEST(test_drain_without_time_says_so)
{
    open_quiet_writer("memory:");
    change(1);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() - 1), SF_UNAVAILABLE);
    ck_assert_uint_eq(stored_version(1), 0);
}
END_TEST

START_TEST(test_drain_that_leaves_a_refused_record_says_so)
{
    open_writer_refusing(2);
    change(1);
    change(2);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10000), SF_UNAVAILABLE);
    ck_assert_uint_eq(stored_version(1), 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("batch_writer");
    TCase *tests = tcase_create("batch_writer");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_idle_writer_writes_nothing_and_looks_again_soon);
    tcase_add_test(tests, test_enough_changes_are_a_batch_at_once);
    tcase_add_test(tests, test_a_few_changes_wait_for_the_delay);
    tcase_add_test(tests, test_writer_wakes_for_the_end_of_the_delay);
    tcase_add_loop_test(tests, test_no_change_waits_for_longer_than_the_delay_and_one_flush, 0, 4);
    tcase_add_test(tests, test_urge_does_not_wait);
    tcase_add_test(tests, test_who_urges_does_not_wait_for_a_hint_that_does_not_come);
    tcase_add_test(tests, test_change_of_the_dead_without_a_hint_is_written);
    tcase_add_test(tests, test_changes_of_one_session_are_one_write);
    tcase_add_test(tests, test_what_a_dead_predecessor_left_is_written_first);
    tcase_add_test(tests, test_large_backlog_goes_in_chunks);
    tcase_add_test(tests, test_written_session_is_clean);
    tcase_add_test(tests, test_ended_session_is_written_as_ended);
    tcase_add_test(tests, test_drain_writes_everything);
    tcase_add_test(tests, test_drain_into_a_store_that_is_down_leaves_all_in_the_cache);
    tcase_add_test(tests, test_drain_without_time_says_so);
    tcase_add_test(tests, test_drain_that_leaves_a_refused_record_says_so);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
