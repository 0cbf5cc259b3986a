/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/batch_writer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_commit.h"
#include "tests/support/test_cache.h"

#define DELAY ((sf_time)5000)

static struct sf_test_cache cache;
static struct sf_store *store;
static struct sf_batch_writer *writer;
static struct sf_batch_writer_state state;
static sf_time now; /* steady; moved by hand */
static char lines[8][300];
static int line_count;

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    ck_assert_int_lt(line_count, 8);
    snprintf(lines[line_count++], sizeof lines[0], "%s", line);
}

static const struct sf_log log_to_lines = {.write = keep_line, .level = SF_LOG_DEBUG};

static void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    store = NULL;
    writer = NULL;
    now = 1000000;
    line_count = 0;
}

static void
tear_down(void)
{
    sf_batch_writer_free(writer);
    sf_store_close(store);
    sf_test_cache_fini(&cache);
}

static void
open_writer(const char *url, size_t batch_max)
{
    struct sf_error error;
    const struct sf_batch_writer_options options = {
        .flush_batch = 10, .flush_delay = DELAY, .write_deadline = 1000, .batch_max = batch_max};
    ck_assert_msg(sf_store_open(&store, url, "/nowhere", &error) == SF_OK, "%s", error.text);
    ck_assert_int_eq(sf_batch_writer_new(&writer, cache.l1, store, &options, &log_to_lines), SF_OK);
}

/* A writer whose first look, which a predecessor's leftovers are for, is behind it. */
static void
open_quiet_writer(const char *url)
{
    open_writer(url, 0);
    (void)sf_batch_writer_step(writer, now);
}

static void
open_writer_refusing(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    char url[64] = "fail:refuse=";
    sf_key_format(&key, url + strlen(url));
    open_quiet_writer(url);
}

static void
step(void)
{
    sf_time next = sf_batch_writer_step(writer, now);
    ck_assert_int_ge(next, now);
    sf_batch_writer_state(writer, &state);
}

static void
step_after(sf_time pause)
{
    now += pause;
    step();
}

/* Counts one up in the session; makes it when it is not there. */
static void
change(unsigned number)
{
    if (sf_test_look(cache.l1, number, "count").status == SF_NOT_FOUND)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "count", "0"), SF_OK);
    else
        ck_assert_int_eq(sf_test_increment(cache.l1, number, "count", NULL), SF_OK);
}

/* Version of the record that the store has; 0: none. */
static uint64_t
stored_version(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (store->ops->load(store, &key, sf_clock_steady() + 1000, &stored) == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    return head.version;
}

static sf_time
stored_access(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(store->ops->load(store, &key, sf_clock_steady() + 1000, &stored), SF_OK);
    sf_buffer_fini(&stored.record);
    return stored.last_access;
}

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
        sf_l1_block_publish(&draft.owned);
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

/* ---- touches ---- */

START_TEST(test_touch_alone_is_written_within_seconds)
{
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    sf_time later = SF_TEST_NOW + SF_MINUTE + SF_SECOND;
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, later);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 1);
    ck_assert_int_ge(stored_access(1), later - SF_SECOND);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 1);
}
END_TEST

/* Changed, and used on while the store was away. */
START_TEST(test_record_is_written_with_its_last_access)
{
    struct sf_key key = sf_test_cache_key(1);
    open_quiet_writer("memory:");
    change(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_int_eq(stored_access(1), SF_TEST_NOW + 20 * SF_MINUTE);
}
END_TEST

START_TEST(test_drain_writes_touches_of_what_it_has_just_written)
{
    struct sf_key key = sf_test_cache_key(1);
    open_writer("memory:", 1);
    change(1);
    change(2);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 20 * SF_MINUTE);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10000), SF_OK);
    ck_assert_int_eq(stored_access(1), SF_TEST_NOW + 20 * SF_MINUTE);
    struct sf_l1_touched touched;
    uint32_t from = 0;
    ck_assert_uint_eq(sf_l1_touched_take(cache.l1, &from, &touched, 1), 0);
}
END_TEST

START_TEST(test_touch_rides_with_a_batch)
{
    open_quiet_writer("memory:");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE + SF_SECOND);
    change(2);
    sf_batch_writer_urge(writer);
    step_after(5 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    ck_assert_uint_eq(state.touches, 1);
    ck_assert_uint_eq(state.records, 2);
}
END_TEST

START_TEST(test_touches_do_not_hurry_young_changes)
{
    open_quiet_writer("memory:");
    now += 10 * SF_SECOND - 100;
    change(1);
    step();
    step_after(100);
    ck_assert_uint_eq(state.batches, 0);
    ck_assert_uint_eq(stored_version(1), 0);
}
END_TEST

/* ---- a store that fails ---- */

START_TEST(test_outage_is_logged_once_and_so_is_its_end)
{
    open_quiet_writer("fail:write=UNAVAILABLE*5+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    for (int i = 0; i < 5; i++) {
        ck_assert(!state.is_up);
        now = state.retry_at;
        step();
    }
    ck_assert(state.is_up);
    ck_assert_uint_eq(state.failures, 5);
    ck_assert_uint_eq(stored_version(1), 1);
    ck_assert_int_eq(line_count, 2);
    ck_assert_ptr_nonnull(strstr(lines[0], "SF0201: "));
    ck_assert_ptr_nonnull(strstr(lines[0], "write answers UNAVAILABLE"));
    ck_assert_ptr_nonnull(strstr(lines[1], "SF0202: "));
    ck_assert_ptr_nonnull(strstr(lines[1], " 1 changed session"));
}
END_TEST

START_TEST(test_store_that_is_down_is_left_in_peace)
{
    open_quiet_writer("fail:write=UNAVAILABLE");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    sf_time retry_at = state.retry_at;
    for (; now < retry_at; now++) {
        sf_batch_writer_urge(writer);
        ck_assert_int_eq(sf_batch_writer_step(writer, now), retry_at);
    }
    sf_batch_writer_state(writer, &state);
    ck_assert_uint_eq(state.failures, 1);
}
END_TEST

START_TEST(test_pauses_grow_to_ten_seconds)
{
    open_quiet_writer("fail:write=UNAVAILABLE");
    change(1);
    sf_batch_writer_urge(writer);
    sf_time expected = 250;
    for (int i = 0; i < 12; i++) {
        step();
        sf_time pause = state.retry_at - now;
        ck_assert_int_ge(pause, expected * 3 / 4);
        ck_assert_int_le(pause, expected * 5 / 4);
        expected = expected >= 5000 ? 10000 : 2 * expected;
        now = state.retry_at;
    }
}
END_TEST

START_TEST(test_nothing_is_called_stored_in_an_outage)
{
    open_quiet_writer("fail:write=UNAVAILABLE*2+OK");
    uint64_t before = sf_l1_changes(cache.l1);
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
    ck_assert_uint_eq(state.stored_changes, before);
    change(1);
    now = state.retry_at;
    step();
    now = state.retry_at;
    step();
    ck_assert_uint_eq(stored_version(1), 2);
    ck_assert(sf_l1_is_stored(cache.l1, &key, 2));
    ck_assert_uint_eq(state.stored_changes, sf_l1_changes(cache.l1));
}
END_TEST

START_TEST(test_uncertain_batch_is_repeated)
{
    open_quiet_writer("fail:write=UNCERTAIN+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(stored_version(1), 1);
    ck_assert(!state.is_up);
    now = state.retry_at;
    step();
    ck_assert(state.is_up);
    ck_assert_uint_eq(stored_version(1), 1);
}
END_TEST

START_TEST(test_touches_of_an_outage_are_written_after_it)
{
    open_quiet_writer("fail:write=OK+UNAVAILABLE+OK");
    change(1);
    sf_batch_writer_urge(writer);
    step();
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE + SF_SECOND);
    step_after(10 * SF_SECOND);
    ck_assert_uint_eq(state.touches, 0);
    now = state.retry_at;
    step();
    ck_assert_uint_eq(state.touches, 1);
}
END_TEST

START_TEST(test_refused_record_does_not_hold_up_the_others)
{
    open_writer_refusing(2);
    for (unsigned i = 0; i < 5; i++)
        change(i);
    sf_batch_writer_urge(writer);
    step();
    ck_assert(state.is_up);
    ck_assert_uint_eq(state.records, 4);
    ck_assert_uint_eq(state.refused, 1);
    ck_assert_int_eq(line_count, 1);
    ck_assert_ptr_nonnull(strstr(lines[0], "SF0203: the store refuses session "));
    change(7);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(state.records, 5);
    ck_assert_uint_eq(state.batches, 2);
}
END_TEST

START_TEST(test_refused_record_comes_back_after_its_pause_without_a_word)
{
    open_writer_refusing(2);
    change(2);
    sf_batch_writer_urge(writer);
    step();
    ck_assert_uint_eq(state.batches, 1);
    step_after(9 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 1);
    step_after(SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    step_after(19 * SF_SECOND);
    ck_assert_uint_eq(state.batches, 2);
    step_after(SF_SECOND);
    ck_assert_uint_eq(state.batches, 3);
    ck_assert_int_eq(line_count, 1);
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

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("batch_writer");
    TCase *due = tcase_create("due");
    tcase_add_checked_fixture(due, set_up, tear_down);
    tcase_add_test(due, test_idle_writer_writes_nothing_and_looks_again_soon);
    tcase_add_test(due, test_enough_changes_are_a_batch_at_once);
    tcase_add_test(due, test_a_few_changes_wait_for_the_delay);
    tcase_add_test(due, test_writer_wakes_for_the_end_of_the_delay);
    tcase_add_loop_test(due, test_no_change_waits_for_longer_than_the_delay_and_one_flush, 0, 4);
    tcase_add_test(due, test_urge_does_not_wait);
    tcase_add_test(due, test_who_urges_does_not_wait_for_a_hint_that_does_not_come);
    tcase_add_test(due, test_change_of_the_dead_without_a_hint_is_written);
    tcase_add_test(due, test_changes_of_one_session_are_one_write);
    tcase_add_test(due, test_what_a_dead_predecessor_left_is_written_first);
    tcase_add_test(due, test_large_backlog_goes_in_chunks);
    tcase_add_test(due, test_written_session_is_clean);
    tcase_add_test(due, test_ended_session_is_written_as_ended);
    tcase_add_test(due, test_touch_alone_is_written_within_seconds);
    tcase_add_test(due, test_record_is_written_with_its_last_access);
    tcase_add_test(due, test_drain_writes_touches_of_what_it_has_just_written);
    tcase_add_test(due, test_touch_rides_with_a_batch);
    tcase_add_test(due, test_touches_do_not_hurry_young_changes);
    suite_add_tcase(suite, due);

    TCase *failure = tcase_create("failure");
    tcase_add_checked_fixture(failure, set_up, tear_down);
    tcase_add_test(failure, test_outage_is_logged_once_and_so_is_its_end);
    tcase_add_test(failure, test_store_that_is_down_is_left_in_peace);
    tcase_add_test(failure, test_pauses_grow_to_ten_seconds);
    tcase_add_test(failure, test_nothing_is_called_stored_in_an_outage);
    tcase_add_test(failure, test_uncertain_batch_is_repeated);
    tcase_add_test(failure, test_touches_of_an_outage_are_written_after_it);
    tcase_add_test(failure, test_refused_record_does_not_hold_up_the_others);
    tcase_add_test(failure, test_refused_record_comes_back_after_its_pause_without_a_word);
    suite_add_tcase(suite, failure);

    TCase *drain = tcase_create("drain");
    tcase_add_checked_fixture(drain, set_up, tear_down);
    tcase_add_test(drain, test_drain_writes_everything);
    tcase_add_test(drain, test_drain_into_a_store_that_is_down_leaves_all_in_the_cache);
    tcase_add_test(drain, test_drain_without_time_says_so);
    tcase_add_test(drain, test_drain_that_leaves_a_refused_record_says_so);
    suite_add_tcase(suite, drain);
    return suite;
}

int
main(void)
{
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
