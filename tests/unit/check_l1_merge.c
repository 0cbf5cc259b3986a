/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts, each with a cache of its own, and what the store has: a row that the test moves by hand. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/cache/l1_trim.h"
#include "common/session/merge.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define NUMBER 1
#define INCREMENTS 3000

static struct sf_test_cache here, there;
static struct sf_buffer row;

static void
set_up(void)
{
    sf_test_cache_init(&here, 4 * SF_L1_BYTES_MIN);
    sf_test_cache_init(&there, 4 * SF_L1_BYTES_MIN);
    sf_l1_set_shared(here.l1, true);
    sf_l1_set_shared(there.l1, true);
    sf_buffer_init(&row, SF_RECORD_BYTES_MAX);
}

static void
tear_down(void)
{
    sf_buffer_fini(&row);
    sf_test_cache_fini(&here);
    sf_test_cache_fini(&there);
}

static void
read_record(struct sf_l1 *l1, uint64_t number, struct sf_buffer *record_out)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_l1_view view;
    ck_assert_int_eq(sf_l1_get(l1, &key, record_out, &view), SF_OK);
}

static struct sf_lineage
lineage_of(const struct sf_buffer *record)
{
    struct sf_lineage lineage;
    struct sf_record_head head;
    sf_lineage_init(&lineage);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(record)), SF_OK);
    ck_assert_int_eq(sf_lineage_decode(&lineage, head.lineage), SF_OK);
    return lineage;
}

static enum sf_status
take_row(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(NUMBER);
    return sf_l1_merge(l1, &key, &(struct sf_l1_answer){sf_buffer_span(&row), SF_TEST_NOW, false}, sf_clock_steady());
}

/* A load has brought it: of the store, or of the journal. */
static enum sf_status
confirm(struct sf_l1 *l1, const struct sf_buffer *record, bool is_journalled)
{
    struct sf_key key = sf_test_cache_key(NUMBER);
    struct sf_l1_question question;
    sf_l1_ask(l1, &key, &question);
    return sf_l1_confirm(l1, &key, &(struct sf_l1_answer){sf_buffer_span(record), SF_TEST_NOW, is_journalled},
                         &question);
}

static bool
is_stored(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(NUMBER);
    return sf_l1_has_stored(l1, &key, 1);
}

static uint64_t
base_of(struct sf_l1 *l1)
{
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    read_record(l1, NUMBER, &record);
    uint64_t base = sf_lineage_base(sf_buffer_span(&record));
    sf_buffer_fini(&record);
    return base;
}

/* What the spill does, when the journal has it. */
static void
spill(struct sf_l1 *l1)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    ck_assert_uint_eq(sf_l1_dirty_take(l1, &cursor, &item, 1), 1);
    sf_l1_settle_journalled(l1, &item.ticket, sf_clock_steady());
    sf_l1_dirty_fini(&item, 1);
}

/* The row gets what this host has, as a store that is shared does it, and the host hears of it. */
static void
store(struct sf_l1 *l1)
{
    struct sf_buffer ours, merged;
    bool is_new;
    sf_buffer_init(&ours, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&merged, SF_RECORD_BYTES_MAX);
    read_record(l1, NUMBER, &ours);
    if (row.size == 0)
        ck_assert_int_eq(sf_buffer_append_span(&merged, sf_buffer_span(&ours)), SF_OK);
    else
        ck_assert_int_eq(sf_record_merge(&merged, &is_new, sf_buffer_span(&row), sf_buffer_span(&ours)), SF_OK);
    sf_buffer_fini(&row);
    row = merged;
    ck_assert_int_eq(take_row(l1), SF_OK);
    sf_buffer_fini(&ours);
}

/* Both have it, and the store as well. */
static void
begin(void)
{
    ck_assert_int_eq(sf_test_create(here.l1, NUMBER, "a", "first"), SF_OK);
    read_record(here.l1, NUMBER, &row);
    ck_assert_uint_eq(sf_test_settle_all(here.l1), 1);
    sf_test_hand_over(there.l1, here.l1, NUMBER);
}

START_TEST(test_clean_one_is_replaced_and_stays_clean)
{
    begin();
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, "a", "second"), SF_OK);
    store(there.l1);
    ck_assert_int_eq(take_row(here.l1), SF_OK);
    struct sf_test_seen seen = sf_test_look(here.l1, NUMBER, "a");
    ck_assert_str_eq(seen.text, "second");
    ck_assert(seen.is_clean);
    ck_assert_int_eq(take_row(here.l1), SF_OK);
    ck_assert_uint_eq(sf_test_look(here.l1, NUMBER, "a").version, seen.version);
}
END_TEST

START_TEST(test_change_on_both_hosts_is_merged_and_waits_for_the_store)
{
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "here"), SF_OK);
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, "c", "there"), SF_OK);
    store(there.l1);
    uint64_t before = sf_test_look(here.l1, NUMBER, "b").version;
    ck_assert_int_eq(take_row(here.l1), SF_OK);
    struct sf_test_seen seen = sf_test_look(here.l1, NUMBER, "c");
    ck_assert_str_eq(seen.text, "there");
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "b").text, "here");
    ck_assert(!seen.is_clean);
    ck_assert_uint_gt(seen.version, before);
    store(here.l1);
    ck_assert(sf_test_look(here.l1, NUMBER, "b").is_clean);
}
END_TEST

START_TEST(test_merge_takes_no_access_back)
{
    struct sf_key key = sf_test_cache_key(NUMBER);
    struct sf_buffer record;
    struct sf_l1_view view;
    sf_time here_at = SF_TEST_NOW + 5 * SF_MINUTE, there_at = here_at + SF_MINUTE;
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "here"), SF_OK);
    sf_l1_touch(here.l1, &key, here_at);
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, "c", "there"), SF_OK);
    store(there.l1);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (_i == 0)
        ck_assert_int_eq(take_row(here.l1), SF_OK);
    else
        ck_assert_int_eq(sf_l1_merge(here.l1, &key, &(struct sf_l1_answer){sf_buffer_span(&row), there_at, false},
                                     sf_clock_steady()),
                         SF_OK);
    ck_assert_int_eq(sf_l1_get(here.l1, &key, &record, &view), SF_OK);
    ck_assert(!view.is_clean);
    ck_assert_int_eq(view.last_access, _i == 0 ? here_at : there_at);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_row_that_is_ended_ends_what_was_changed)
{
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "here"), SF_OK);
    ck_assert_int_eq(sf_test_end(there.l1, NUMBER), SF_OK);
    store(there.l1);
    ck_assert_int_eq(take_row(here.l1), SF_OK);
    ck_assert_int_eq(sf_test_look(here.l1, NUMBER, NULL).kind, SF_RECORD_ENDED);
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "late"), SF_NOT_FOUND);
}
END_TEST

/* So many changes here, of which the store has since lost what it had; or which it never had. */
START_TEST(test_row_that_is_ended_ends_what_has_counted_further)
{
    bool is_journalled = _i % 2 != 0, is_dirty = _i % 3 == 0;
    int changes = 2 + _i / 6; /* the row has the same version, or an earlier one */
    begin();
    for (int i = 0; i < changes; i++)
        ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", i % 2 == 0 ? "one" : "two"), SF_OK);
    uint64_t version = sf_test_look(here.l1, NUMBER, NULL).version;
    if (is_journalled)
        spill(here.l1);
    else if (!is_dirty)
        ck_assert_uint_eq(sf_test_settle_all(here.l1), 1);
    ck_assert_int_eq(sf_test_end(there.l1, NUMBER), SF_OK);
    store(there.l1);
    ck_assert_uint_eq(sf_test_look(there.l1, NUMBER, NULL).version, 3);
    if (is_dirty || _i % 4 < 2)
        ck_assert_int_eq(take_row(here.l1), SF_OK);
    else
        ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK);
    struct sf_test_seen seen = sf_test_look(here.l1, NUMBER, NULL);
    ck_assert_int_eq(seen.kind, SF_RECORD_ENDED);
    ck_assert_uint_gt(seen.version, version);
    ck_assert(!seen.is_clean);
    store(here.l1);
    ck_assert_int_eq(take_row(there.l1), SF_OK);
    ck_assert_uint_ge(sf_test_look(there.l1, NUMBER, NULL).version, seen.version);
    ck_assert(is_stored(here.l1));
}
END_TEST

START_TEST(test_what_came_from_the_journal_is_merged_although_it_is_clean)
{
    struct sf_buffer journalled;
    struct sf_key key = sf_test_cache_key(NUMBER);
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "here"), SF_OK);
    sf_buffer_init(&journalled, SF_RECORD_BYTES_MAX);
    read_record(here.l1, NUMBER, &journalled);
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, "c", "there"), SF_OK);
    store(there.l1);
    ck_assert_int_eq(sf_l1_drop(there.l1, &key), SF_OK);
    ck_assert_int_eq(confirm(there.l1, &journalled, true), SF_OK);
    ck_assert(sf_test_look(there.l1, NUMBER, "b").is_clean);
    ck_assert(!is_stored(there.l1));
    ck_assert_int_eq(take_row(there.l1), SF_OK);
    struct sf_test_seen seen = sf_test_look(there.l1, NUMBER, "b");
    ck_assert_str_eq(seen.text, "here");
    ck_assert(!seen.is_clean);
    ck_assert_str_eq(sf_test_look(there.l1, NUMBER, "c").text, "there");
    sf_buffer_fini(&journalled);
}
END_TEST

START_TEST(test_change_behind_a_spill_grew_from_the_stored_version)
{
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "spilled"), SF_OK);
    spill(here.l1);
    ck_assert(sf_test_look(here.l1, NUMBER, "b").is_clean);
    ck_assert(!is_stored(here.l1));
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "c", "later"), SF_OK);
    ck_assert_uint_eq(base_of(here.l1), 1);
    ck_assert_int_eq(sf_test_end(there.l1, NUMBER), SF_OK); /* with the number of what was spilled */
    store(there.l1);
    store(here.l1);
    ck_assert_int_eq(sf_test_look(here.l1, NUMBER, NULL).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_what_the_journal_has_brought_to_the_store_is_stored)
{
    struct sf_key key = sf_test_cache_key(NUMBER);
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "spilled"), SF_OK);
    spill(here.l1);
    sf_l1_settle_key(here.l1, &key, 1, sf_clock_steady());
    ck_assert(!is_stored(here.l1));
    sf_l1_settle_key(here.l1, &key, 2, sf_clock_steady());
    ck_assert(is_stored(here.l1));
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "later"), SF_OK);
    ck_assert_uint_eq(base_of(here.l1), 2);
}
END_TEST

START_TEST(test_writer_has_the_last_word_on_what_moved_to_the_journal)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "both"), SF_OK);
    ck_assert_uint_eq(sf_l1_dirty_take(here.l1, &cursor, &item, 1), 1);
    sf_l1_settle_journalled(here.l1, &item.ticket, sf_clock_steady());
    sf_l1_settle(here.l1, &item.ticket, sf_clock_steady());
    ck_assert(is_stored(here.l1));
    sf_l1_settle_journalled(here.l1, &item.ticket, sf_clock_steady());
    ck_assert(is_stored(here.l1));
    sf_l1_dirty_fini(&item, 1);
}
END_TEST

START_TEST(test_answer_about_what_was_spilled_is_merged)
{
    struct sf_buffer ours;
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "spilled"), SF_OK);
    sf_buffer_init(&ours, SF_RECORD_BYTES_MAX);
    read_record(here.l1, NUMBER, &ours);
    spill(here.l1);
    ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK); /* asked before the journal had it */
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "b").text, "spilled");
    ck_assert_int_eq(confirm(here.l1, &ours, true), SF_OK);
    ck_assert(!is_stored(here.l1));
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, "c", "there"), SF_OK);
    store(there.l1); /* the same version, another record */
    ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK);
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "b").text, "spilled");
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "c").text, "there");
    store(here.l1);
    ck_assert(is_stored(here.l1));
    sf_buffer_fini(&ours);
}
END_TEST

START_TEST(test_store_that_has_what_was_spilled_says_so)
{
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "spilled"), SF_OK);
    read_record(here.l1, NUMBER, &row);
    spill(here.l1);
    uint64_t version = sf_test_look(here.l1, NUMBER, "b").version;
    ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK);
    ck_assert(is_stored(here.l1));
    ck_assert_uint_eq(sf_test_look(here.l1, NUMBER, "b").version, version);
}
END_TEST

START_TEST(test_alone_the_later_version_counts_for_what_was_spilled)
{
    sf_l1_set_shared(here.l1, false);
    ck_assert_int_eq(sf_test_create(here.l1, NUMBER, "a", "first"), SF_OK);
    read_record(here.l1, NUMBER, &row);
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "a", "second"), SF_OK);
    spill(here.l1);
    ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK);
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "a").text, "second");
    ck_assert(!is_stored(here.l1));
    read_record(here.l1, NUMBER, &row);
    ck_assert_int_eq(confirm(here.l1, &row, true), SF_OK);
    ck_assert(!is_stored(here.l1));
    ck_assert_int_eq(confirm(here.l1, &row, false), SF_OK);
    ck_assert(is_stored(here.l1));
}
END_TEST

static void
set_there(const char *name)
{
    ck_assert_int_eq(sf_test_set(there.l1, NUMBER, name, "there"), SF_OK);
    store(there.l1);
}

/* The store has called it stored, went back, and another host went on from there. Heard, or asked. */
START_TEST(test_row_that_lacks_what_is_here_is_merged)
{
    begin();
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "lost"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(here.l1), 1);
    set_there("c");
    set_there("d");
    ck_assert_int_eq(_i == 0 ? take_row(here.l1) : confirm(here.l1, &row, false), SF_OK);
    struct sf_test_seen seen = sf_test_look(here.l1, NUMBER, "b");
    ck_assert_str_eq(seen.text, "lost");
    ck_assert(!seen.is_clean);
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "c").text, "there");
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "d").text, "there");
    store(here.l1);
    seen = sf_test_look(here.l1, NUMBER, "b");
    ck_assert_str_eq(seen.text, "lost");
    ck_assert(seen.is_clean);
}
END_TEST

START_TEST(test_row_that_does_not_know_of_the_end_brings_nobody_back)
{
    begin();
    ck_assert_int_eq(sf_test_end(here.l1, NUMBER), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(here.l1), 1);
    set_there("c");
    set_there("d");
    ck_assert_int_eq(_i == 0 ? take_row(here.l1) : confirm(here.l1, &row, false), SF_OK);
    struct sf_test_seen seen = sf_test_look(here.l1, NUMBER, "a");
    ck_assert_int_eq(seen.kind, SF_RECORD_ENDED);
    ck_assert(!seen.is_clean);
}
END_TEST

START_TEST(test_late_answer_takes_nothing_back)
{
    struct sf_buffer early;
    begin();
    sf_buffer_init(&early, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_buffer_append_span(&early, sf_buffer_span(&row)), SF_OK);
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "a", "second"), SF_OK);
    store(here.l1);
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "b", "waits"), SF_OK);
    uint64_t version = sf_test_look(here.l1, NUMBER, "b").version;
    sf_buffer_fini(&row);
    row = early;
    ck_assert_int_eq(take_row(here.l1), SF_OK);
    struct sf_buffer ours;
    sf_buffer_init(&ours, SF_RECORD_BYTES_MAX);
    read_record(here.l1, NUMBER, &ours);
    ck_assert_uint_eq(sf_lineage_base(sf_buffer_span(&ours)), 3); /* where it was merged */
    ck_assert_uint_eq(sf_test_look(here.l1, NUMBER, "b").version, version);
    ck_assert_str_eq(sf_test_look(here.l1, NUMBER, "a").text, "second");
    sf_buffer_fini(&ours);
}
END_TEST

START_TEST(test_what_is_not_here_is_not_found)
{
    begin();
    struct sf_key other = sf_test_cache_key(NUMBER + 1);
    const struct sf_l1_answer answer = {sf_buffer_span(&row), SF_TEST_NOW, false};
    const struct sf_l1_answer none = {sf_span_text("no record"), 0, false};
    ck_assert_int_eq(sf_l1_merge(here.l1, &other, &answer, sf_clock_steady()), SF_NOT_FOUND);
    ck_assert_int_eq(sf_l1_merge(here.l1, &other, &none, 0), SF_CORRUPT);
}
END_TEST

/* Or each logout and login would be a conflict. */
START_TEST(test_what_a_rotation_and_its_trim_leave_grew_from_the_stored_version)
{
    struct sf_buffer former;
    struct sf_key key = sf_test_cache_key(NUMBER);
    begin();
    sf_buffer_init(&former, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_test_rotate(here.l1, NUMBER, 2, NULL), SF_OK);
    read_record(here.l1, NUMBER, &former);
    struct sf_lineage lineage = lineage_of(&former);
    ck_assert_uint_eq(lineage.base, 1);
    sf_lineage_fini(&lineage);
    read_record(here.l1, 2, &former);
    lineage = lineage_of(&former);
    ck_assert_uint_eq(lineage.base, 0);
    sf_lineage_fini(&lineage);
    ck_assert_uint_eq(sf_test_settle_all(here.l1), 2);
    ck_assert_int_eq(sf_l1_trim(here.l1, &key, SF_TEST_NOW + SF_MINUTE), SF_OK);
    read_record(here.l1, NUMBER, &former);
    lineage = lineage_of(&former);
    ck_assert_uint_eq(lineage.base, 2);
    sf_lineage_fini(&lineage);
    sf_buffer_fini(&former);
}
END_TEST

START_TEST(test_alone_nothing_keeps_a_lineage)
{
    struct sf_buffer record;
    begin();
    sf_l1_set_shared(here.l1, false);
    ck_assert_uint_eq(sf_l1_host(here.l1), 0);
    ck_assert_int_eq(sf_test_set(here.l1, NUMBER, "a", "other"), SF_OK); /* as long as the former */
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    read_record(here.l1, NUMBER, &record);
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&record)), SF_OK);
    ck_assert_uint_eq(head.lineage.size, 0);
    sf_buffer_fini(&record);
}
END_TEST

static _Atomic bool is_over;

static void *
increment_here(void *unused)
{
    (void)unused;
    uint64_t version;
    for (int i = 0; i < INCREMENTS; i++)
        ck_assert_int_eq(sf_test_increment(here.l1, NUMBER, "n", &version), SF_OK);
    atomic_store(&is_over, true);
    return NULL;
}

START_TEST(test_changes_and_merges_at_once_lose_nothing)
{
    pthread_t thread;
    uint64_t version;
    int there_too = 0;
    begin();
    atomic_store(&is_over, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, increment_here, NULL), 0);
    struct sf_l1 *mine = sf_test_cache_attach(&here); /* each thread has a handle of its own */
    do {
        store(mine);
        ck_assert_int_eq(sf_test_increment(there.l1, NUMBER, "n", &version), SF_OK);
        there_too++;
        store(there.l1);
    } while (!atomic_load(&is_over));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    store(mine);
    ck_assert_int_eq(sf_test_look(mine, NUMBER, "n").integer, INCREMENTS + there_too);
    ck_assert(sf_test_look(mine, NUMBER, "n").is_clean);
    sf_l1_close(mine);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("l1_merge");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_clean_one_is_replaced_and_stays_clean);
    tcase_add_test(all, test_change_on_both_hosts_is_merged_and_waits_for_the_store);
    tcase_add_loop_test(all, test_merge_takes_no_access_back, 0, 2);
    tcase_add_test(all, test_row_that_is_ended_ends_what_was_changed);
    tcase_add_loop_test(all, test_row_that_is_ended_ends_what_has_counted_further, 0, 12);
    tcase_add_test(all, test_what_came_from_the_journal_is_merged_although_it_is_clean);
    tcase_add_test(all, test_change_behind_a_spill_grew_from_the_stored_version);
    tcase_add_test(all, test_what_the_journal_has_brought_to_the_store_is_stored);
    tcase_add_test(all, test_writer_has_the_last_word_on_what_moved_to_the_journal);
    tcase_add_test(all, test_answer_about_what_was_spilled_is_merged);
    tcase_add_test(all, test_store_that_has_what_was_spilled_says_so);
    tcase_add_test(all, test_alone_the_later_version_counts_for_what_was_spilled);
    tcase_add_loop_test(all, test_row_that_lacks_what_is_here_is_merged, 0, 2);
    tcase_add_loop_test(all, test_row_that_does_not_know_of_the_end_brings_nobody_back, 0, 2);
    tcase_add_test(all, test_late_answer_takes_nothing_back);
    tcase_add_test(all, test_what_is_not_here_is_not_found);
    tcase_add_test(all, test_what_a_rotation_and_its_trim_leave_grew_from_the_stored_version);
    tcase_add_test(all, test_alone_nothing_keeps_a_lineage);
    tcase_add_test(all, test_changes_and_merges_at_once_lose_nothing);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
