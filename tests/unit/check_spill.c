/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/spill.h"

#include <check.h>

#include "common/store/store_shared.h"
#include "common/writeback/batch_writer.h"
#include "common/writeback/journal_drain.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_temp_folder folder;
static struct sf_journal *journal;
static struct sf_journal_state state;
static struct sf_spill spill;
static sf_time now;
static int lines;

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    lines += strncmp(line, "SF0218", 6) == 0;
}

static const struct sf_log log_counts = {.write = count_line, .level = SF_LOG_DEBUG};

static void
open_journal(uint64_t bytes_max)
{
    struct sf_error error;
    const struct sf_journal_options options = {.folder = folder.path, .bytes_max = bytes_max};
    ck_assert_int_eq(sf_journal_open(&journal, cache.l1, &options, NULL, &error), SF_OK);
    sf_spill_init(&spill, cache.l1, journal, &log_counts, 20);
}

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_temp_folder_init(&folder);
    open_journal(UINT64_MAX);
    now = sf_clock_steady();
    lines = 0;
}

static void
tear_down(void)
{
    sf_spill_fini(&spill);
    sf_journal_close(journal);
    sf_temp_folder_fini(&folder);
    sf_test_cache_fini(&cache);
}

/* Returns how many there was room for. */
static uint64_t
fill_cache(uint64_t from, uint64_t most)
{
    uint64_t made = 0;
    while (made < most && sf_test_create(cache.l1, from + made, "n", "01234567890123456789012345") == SF_OK)
        made++;
    return made;
}

static size_t
dirty(void)
{
    struct sf_l1_usage usage;
    sf_l1_usage(cache.l1, &usage);
    return usage.blocks_dirty;
}

static void
step_until_quiet(bool store_is_up)
{
    sf_time next;
    do {
        next = sf_spill_step(&spill, now, store_is_up);
        ck_assert_int_ge(next, now);
    } while (next == now);
    now += 10 * SF_SECOND;
    sf_journal_state(journal, &state);
}

START_TEST(test_few_changes_stay_in_the_cache)
{
    ck_assert_uint_eq(fill_cache(1, 10), 10);
    step_until_quiet(false);
    ck_assert_uint_eq(dirty(), 10);
    ck_assert_uint_eq(state.rows, 0);
}
END_TEST

START_TEST(test_many_move_to_the_journal_and_leave_room)
{
    uint64_t made = fill_cache(1, 1000000);
    ck_assert_uint_gt(made, SF_SPILL_CHUNK);
    ck_assert_uint_eq(fill_cache(made + 1, 1), 0); /* full, and nothing may go */
    step_until_quiet(false);
    ck_assert_uint_eq(dirty(), 0);
    ck_assert_uint_eq(state.orphans, made);
    ck_assert_uint_eq(spill.moved, made);
    ck_assert_int_eq(lines, 1);
    ck_assert_uint_gt(fill_cache(made + 1, made / 2), made / 4);
}
END_TEST

START_TEST(test_with_the_store_up_nothing_moves)
{
    uint64_t made = fill_cache(1, 1000000);
    step_until_quiet(true);
    ck_assert_uint_eq(dirty(), made);
    ck_assert_int_eq(spill.share, 0);
}
END_TEST

START_TEST(test_change_behind_the_spill_is_dirty_again)
{
    uint64_t made = fill_cache(1, 1000000);
    step_until_quiet(false);
    ck_assert_int_eq(sf_test_increment(cache.l1, made, "count", NULL), SF_OK);
    ck_assert_uint_eq(dirty(), 1);
    struct sf_key key = sf_test_cache_key(made);
    ck_assert(sf_journal_owes(journal, &key));
    sf_journal_stored(journal, &key, 2, sf_clock_steady());
    ck_assert(!sf_journal_owes(journal, &key));
}
END_TEST

START_TEST(test_journal_that_takes_nothing_leaves_everything_in_the_cache)
{
    sf_journal_close(journal);
    open_journal(0);
    uint64_t made = fill_cache(1, 1000000);
    step_until_quiet(false);
    step_until_quiet(false);
    ck_assert_uint_eq(dirty(), made);
    ck_assert_int_ge(spill.share, 20);
    ck_assert_uint_eq(spill.moved, 0);
    ck_assert_int_eq(lines, 1);
}
END_TEST

static void
keep_everything_out_of_the_journal(void)
{
    sf_spill_fini(&spill);
    sf_journal_close(journal);
    open_journal(0);
}

START_TEST(test_level_rises_with_what_nobody_takes)
{
    uint64_t made = 0;
    int before = SF_L1_PRESSURE_NONE;
    keep_everything_out_of_the_journal();
    do {
        sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NONE); /* or nothing would come any more */
        made += fill_cache(made + 1, 100);
        step_until_quiet(false);
        ck_assert_int_ge(sf_l1_pressure(cache.l1), before);
        before = (int)sf_l1_pressure(cache.l1);
        ck_assert_int_eq(before > 0, spill.share >= 20);
        ck_assert_int_eq(before > 1, spill.share >= (20 + 95) / 2);
    } while (before < SF_L1_PRESSURE_NO_ANONYMOUS);
    ck_assert_uint_eq(fill_cache(made + 1, 1), 0);
    ck_assert_uint_eq(dirty(), made);
}
END_TEST

START_TEST(test_with_a_journal_that_takes_it_there_is_no_pressure)
{
    for (uint64_t made = 0; made < 10000; made += 500) {
        ck_assert_uint_eq(fill_cache(made + 1, 500), 500);
        step_until_quiet(false);
        ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
    }
}
END_TEST

/* The store is slow, but not away; somebody finds no room all the same. */
START_TEST(test_urge_in_vain_is_the_highest_level)
{
    keep_everything_out_of_the_journal();
    (void)fill_cache(1, 1000000);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_FULL);
}
END_TEST

START_TEST(test_visitor_in_vain_is_no_reason_to_refuse_users)
{
    keep_everything_out_of_the_journal();
    (void)fill_cache(1, 1000000);
    sf_spill_urge(&spill, SF_WANTED_BY_VISITOR);
    step_until_quiet(true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NO_ANONYMOUS);
}
END_TEST

START_TEST(test_urge_in_vain_among_few_changes_is_no_pressure)
{
    keep_everything_out_of_the_journal();
    ck_assert_uint_eq(fill_cache(1, 10), 10);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
}
END_TEST

START_TEST(test_level_falls_step_by_step_when_the_store_is_up)
{
    keep_everything_out_of_the_journal();
    (void)fill_cache(1, 1000000);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(false);
    for (int level = SF_L1_PRESSURE_FULL; level > SF_L1_PRESSURE_NONE; level--) {
        ck_assert_int_eq((int)sf_l1_pressure(cache.l1), level);
        step_until_quiet(true);
    }
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
}
END_TEST

START_TEST(test_next_daemon_goes_on_with_the_level)
{
    sf_l1_set_pressure(cache.l1, SF_L1_PRESSURE_NO_ANONYMOUS);
    keep_everything_out_of_the_journal();
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NO_ANONYMOUS);
    (void)sf_spill_step(&spill, now, true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NO_ANONYMOUS);
    (void)sf_spill_step(&spill, now + SF_SECOND, true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NO_NEW);
    (void)sf_spill_step(&spill, now + SF_SECOND + 10, true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NO_NEW);
    (void)sf_spill_step(&spill, now + 2 * SF_SECOND, true);
    ck_assert_int_eq(sf_l1_pressure(cache.l1), SF_L1_PRESSURE_NONE);
}
END_TEST

/* ---- with another host ---- */

static struct sf_store *
open_shared_store(void)
{
    struct sf_store *inner, *shared;
    struct sf_error error;
    ck_assert_int_eq(sf_store_open(&inner, "sqlite:shared.db", folder.path, &error), SF_OK);
    ck_assert_int_eq(sf_store_share(&shared, inner, NULL, NULL), SF_OK);
    ck_assert_int_eq(shared->ops->attach(shared, sf_clock_steady() + 10 * SF_SECOND, &error), SF_OK);
    return shared;
}

/* All that waits on this host. */
static void
write_all(struct sf_l1 *l1, struct sf_store *store, struct sf_journal *own_journal)
{
    struct sf_batch_writer *writer;
    const struct sf_batch_writer_options options = {
        .flush_batch = 10, .flush_delay = SF_SECOND, .write_deadline = 10 * SF_SECOND, .journal = own_journal};
    ck_assert_int_eq(sf_batch_writer_new(&writer, l1, store, &options, &log_counts), SF_OK);
    ck_assert_int_eq(sf_batch_writer_drain(writer, sf_clock_steady() + 10 * SF_SECOND), SF_OK);
    sf_batch_writer_free(writer);
}

static void
load_into(struct sf_l1 *l1, struct sf_store *store, uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_question question;
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_l1_ask(l1, &key, &question);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + 10 * SF_SECOND, &stored), SF_OK);
    const struct sf_l1_answer answer = {sf_buffer_span(&stored.record), SF_TEST_NOW, false};
    ck_assert_int_eq(sf_l1_confirm(l1, &key, &answer, &question), SF_OK);
    sf_buffer_fini(&stored.record);
}

START_TEST(test_logout_on_another_host_is_not_undone_by_what_follows_a_spill)
{
    struct sf_test_cache other;
    struct sf_store *mine = open_shared_store(), *others = open_shared_store();
    sf_test_cache_init(&other, SF_L1_BYTES_MIN);
    sf_l1_set_shared(cache.l1, true);
    sf_l1_set_shared(other.l1, true);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "both know it"), SF_OK);
    write_all(cache.l1, mine, journal);
    load_into(other.l1, others, 1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "n", "while the store is away"), SF_OK);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(false);
    ck_assert_uint_eq(dirty(), 0);
    ck_assert_int_eq(sf_test_end(other.l1, 1), SF_OK);
    write_all(other.l1, others, NULL); /* the version that was spilled here */
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "n", "later"), SF_OK);
    write_all(cache.l1, mine, journal);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).kind, SF_RECORD_ENDED);
    load_into(other.l1, others, 1);
    ck_assert_int_eq(sf_test_look(other.l1, 1, NULL).kind, SF_RECORD_ENDED);
    sf_store_close(mine);
    sf_store_close(others);
    sf_test_cache_fini(&other);
}
END_TEST

START_TEST(test_drain_brings_along_what_another_host_has_changed)
{
    struct sf_test_cache other;
    struct sf_store *mine = open_shared_store(), *others = open_shared_store();
    struct sf_key key = sf_test_cache_key(1);
    struct sf_journal_drain *drain;
    sf_test_cache_init(&other, SF_L1_BYTES_MIN);
    sf_l1_set_shared(cache.l1, true);
    sf_l1_set_shared(other.l1, true);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "both know it"), SF_OK);
    write_all(cache.l1, mine, journal);
    load_into(other.l1, others, 1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "here"), SF_OK);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(false);
    ck_assert_int_eq(sf_test_set(other.l1, 1, "b", "there"), SF_OK);
    write_all(other.l1, others, NULL);
    ck_assert_int_eq(sf_journal_drain_new(&drain, journal, mine, sf_l1_counters(cache.l1), &log_counts), SF_OK);
    ck_assert_int_eq(sf_journal_drain_all(drain, sf_clock_steady() + 10 * SF_SECOND), SF_OK);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "b").text, "there");
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "here");
    ck_assert(sf_l1_has_stored(cache.l1, &key, 3));
    sf_journal_drain_free(drain);
    sf_store_close(mine);
    sf_store_close(others);
    sf_test_cache_fini(&other);
}
END_TEST

START_TEST(test_what_is_drained_is_stored)
{
    struct sf_store *store;
    struct sf_journal_drain *drain;
    struct sf_error error;
    struct sf_key key = sf_test_cache_key(1);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "n", "1"), SF_OK);
    sf_spill_urge(&spill, SF_WANTED_BY_USER);
    step_until_quiet(false);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
    ck_assert_int_eq(sf_store_open(&store, "memory:test", "/nowhere", &error), SF_OK);
    ck_assert_int_eq(sf_journal_drain_new(&drain, journal, store, sf_l1_counters(cache.l1), &log_counts), SF_OK);
    ck_assert_int_eq(sf_journal_drain_all(drain, sf_clock_steady() + 10 * SF_SECOND), SF_OK);
    ck_assert(sf_l1_has_stored(cache.l1, &key, 1));
    sf_journal_drain_free(drain);
    sf_store_close(store);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("spill");
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, set_up, tear_down);
    tcase_set_timeout(steps, 60);
    tcase_add_test(steps, test_few_changes_stay_in_the_cache);
    tcase_add_test(steps, test_many_move_to_the_journal_and_leave_room);
    tcase_add_test(steps, test_with_the_store_up_nothing_moves);
    tcase_add_test(steps, test_change_behind_the_spill_is_dirty_again);
    tcase_add_test(steps, test_journal_that_takes_nothing_leaves_everything_in_the_cache);
    tcase_add_test(steps, test_level_rises_with_what_nobody_takes);
    tcase_add_test(steps, test_with_a_journal_that_takes_it_there_is_no_pressure);
    tcase_add_test(steps, test_urge_in_vain_is_the_highest_level);
    tcase_add_test(steps, test_visitor_in_vain_is_no_reason_to_refuse_users);
    tcase_add_test(steps, test_urge_in_vain_among_few_changes_is_no_pressure);
    tcase_add_test(steps, test_level_falls_step_by_step_when_the_store_is_up);
    tcase_add_test(steps, test_next_daemon_goes_on_with_the_level);
    tcase_add_test(steps, test_logout_on_another_host_is_not_undone_by_what_follows_a_spill);
    tcase_add_test(steps, test_drain_brings_along_what_another_host_has_changed);
    tcase_add_test(steps, test_what_is_drained_is_stored);
    suite_add_tcase(suite, steps);
    return sf_run_suite(suite);
}
