/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_commit.h"
#include "common/cache/l1_evict.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

/* Runs in a process that then dies without leaving. */
static void
die_after(void (*act)(struct sf_l1 *l1))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        act(sf_test_cache_attach(&cache));
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

static void
must(bool is_true)
{
    if (!is_true)
        _exit(EXIT_FAILURE);
}

static struct sf_l1_draft
draft_of_key_1(struct sf_l1 *l1, const struct sf_key *under, struct sf_l1_found *found_out)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_draft draft;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    must(sf_l1_find(l1, &key, &record, found_out) == SF_OK);
    must(sf_l1_draft_make(&draft, l1, under, sf_buffer_span(&record), NULL) == SF_OK);
    sf_buffer_fini(&record);
    return draft;
}

static void
leave_draft(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    (void)draft_of_key_1(l1, &key, &found);
}

START_TEST(test_block_that_was_never_published_is_freed)
{
    struct sf_l1_usage usage;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    die_after(leave_draft);
    ck_assert_int_eq(sf_l1_check(cache.l1, true, &error), SF_CORRUPT);
    ck_assert_int_eq(sf_l1_check(cache.l1, false, &error), SF_OK);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 1);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_owned, 0);
    ck_assert_uint_eq(usage.blocks_live, 1);
}
END_TEST

static void
leave_published(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;
    struct sf_l1_draft draft = draft_of_key_1(l1, &key, &found);

    must(sf_l1_replace(found.word, found.value, draft.owned.block));
}

START_TEST(test_published_change_is_completed_and_dirty)
{
    struct sf_l1_usage usage;

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "b"), SF_OK);
    die_after(leave_published);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 2);
    ck_assert(!sf_test_look(cache.l1, 1, NULL).is_clean);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live, 1);
    ck_assert_uint_eq(usage.blocks_dirty, 1);
}
END_TEST

START_TEST(test_change_of_a_dead_process_can_be_changed_before_it_is_repaired)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    die_after(leave_published);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "c");
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "c");
}
END_TEST

static void
leave_unconfirmed_fill(struct sf_l1 *l1)
{
    static const unsigned char junk[SF_RECORD_HEAD_BYTES];
    struct sf_l1_owned owned;
    struct sf_l1_image image = {
        .key = sf_test_cache_key(2), .length = sizeof(junk), .last_access = SF_TEST_NOW};
    _Atomic uint64_t *word;
    uint64_t value;

    must(sf_l1_room_for(l1, sizeof(junk), SF_L1_FOR_FILL, &owned) == SF_OK);
    sf_l1_block_fill(l1, &owned, &image, sf_span_of(junk, sizeof(junk)));
    must(sf_l1_insert(l1, &image.key, owned.block, &word, &value) == SF_OK);
}

START_TEST(test_fill_that_was_not_confirmed_is_never_read_and_undone)
{
    die_after(leave_unconfirmed_fill);
    ck_assert_int_eq(sf_test_look(cache.l1, 2, NULL).status, SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_fill(cache.l1, 2, 5, "x"),
                     SF_CONFLICT); /* until it is known that he is dead */
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 1);
    ck_assert_int_eq(sf_test_fill(cache.l1, 2, 5, "x"), SF_OK);
    ck_assert_uint_eq(sf_test_look(cache.l1, 2, NULL).version, 5);
}
END_TEST

static void
leave_evicted(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    must(sf_l1_find(l1, &key, NULL, &found) == SF_OK);
    must(sf_l1_evict_block(l1, found.block, &found.place, found.control, SF_L1_LOSE_TOUCHES));
}

START_TEST(test_evicted_block_that_nobody_took_is_freed)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "b"), SF_OK);
    die_after(leave_evicted);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 1);
}
END_TEST

START_TEST(test_blocks_of_the_living_are_left_alone)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    struct sf_l1_draft draft = draft_of_key_1(other, &key, &found);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 0);
    ck_assert(sf_l1_draft_replace(other, &draft, &found));
    sf_l1_close(other);
}
END_TEST

START_TEST(test_slot_of_the_dead_is_free_after_a_pass)
{
    struct sf_l1_usage usage;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (int i = 0; i < 3; i++)
        die_after(leave_draft);
    ck_assert_uint_eq(atomic_load(&cache.l1->slots.slots[1].word) & 1, 1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    for (int i = 1; i < 4; i++)
        ck_assert_uint_eq(atomic_load(&cache.l1->slots.slots[i].word) & 1, 0);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.processes, 1);
}
END_TEST

START_TEST(test_many_deaths_are_one_scan_for_the_flusher)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (int i = 0; i < 5; i++)
        die_after(leave_draft);
    uint64_t before = sf_l1_changes(cache.l1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_uint_eq(sf_l1_changes(cache.l1), before + 1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_uint_eq(sf_l1_changes(cache.l1), before + 1);
}
END_TEST

/* Readers do not look at checksums: docs/decisions/0011. */
static void
assert_damage_is_removed(void)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;
    struct sf_l1_usage usage;

    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    atomic_fetch_xor(&found.place.words[SF_L1_BLOCK_WORDS + 2], 4);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_uint_eq(sf_l1_counters(cache.l1)->values[SF_COUNTER_l1_bad], 1);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live + usage.index_used, 0);
}

START_TEST(test_dirty_record_that_is_damaged_is_counted_and_removed)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    assert_damage_is_removed();
}
END_TEST

START_TEST(test_clean_record_that_is_damaged_is_counted_and_removed)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 5, "x"), SF_OK);
    assert_damage_is_removed();
}
END_TEST

/* Nobody can say whose it was: what is counted, once, is the word that leads to it. */
START_TEST(test_dirty_record_whose_key_is_damaged_is_counted_and_removed)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    atomic_fetch_xor(&found.place.words[SF_L1_AT_KEY], 4);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 2); /* block and word */
    ck_assert_uint_eq(sf_l1_counters(cache.l1)->values[SF_COUNTER_l1_bad], 1);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_pass_in_small_steps_does_the_same)
{
    uint32_t cursor = 0;
    size_t repairs = 0;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    die_after(leave_draft);
    do
        repairs += sf_l1_repair(cache.l1, SF_TEST_NOW, &cursor, 7);
    while (cursor != 0);
    ck_assert_uint_eq(repairs, 1);
}
END_TEST

START_TEST(test_pass_takes_as_many_calls_as_its_budget_is_made_for)
{
    uint32_t cursor = 0;
    unsigned calls = 0;

    for (uint64_t number = 0; number < 3000; number++)
        (void)!sf_test_fill(cache.l1, number, 3, "a");
    uint32_t budget = sf_l1_repair_budget(cache.l1, 100);
    do {
        (void)sf_l1_repair(cache.l1, SF_TEST_NOW, &cursor, budget);
        calls++;
    } while (cursor != 0);
    ck_assert_uint_le(calls, 100);
    ck_assert_uint_ge(calls, 90);
}
END_TEST

START_TEST(test_expired_records_are_dropped_once_they_are_clean)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + SF_DAY);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
    sf_test_settle_all(cache.l1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + 29 * SF_MINUTE);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + 31 * SF_MINUTE);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_what_is_bypassed_goes_once_it_is_clean)
{
    ck_assert(!sf_l1_is_bypassed(cache.l1));
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_test_create(cache.l1, 2, "a", "b"), SF_OK);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
    sf_l1_set_bypassed(cache.l1, true);
    ck_assert(sf_l1_is_bypassed(cache.l1));
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_look(cache.l1, 2, NULL).status, SF_OK);
    sf_l1_set_bypassed(cache.l1, false);
    sf_test_settle_all(cache.l1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW);
    ck_assert_int_eq(sf_test_look(cache.l1, 2, NULL).status, SF_OK);
}
END_TEST

/* Or it would be taken for expired. */
START_TEST(test_what_is_bypassed_stays_until_its_last_access_is_stored)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_touched touched;
    uint32_t cursor = 0;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_test_settle_all(cache.l1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 10 * SF_MINUTE);
    sf_l1_set_bypassed(cache.l1, true);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + 10 * SF_MINUTE);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
    ck_assert_uint_eq(sf_l1_touched_take(cache.l1, &cursor, &touched, 1), 1);
    sf_l1_touched_settle(cache.l1, &touched);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + 10 * SF_MINUTE);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_tombstones_are_dropped_after_their_time)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_OK);
    sf_test_settle_all(cache.l1);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + 59 * SF_MINUTE);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).kind, SF_RECORD_ENDED);
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + SF_HOUR + SF_SECOND);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_image_whose_grace_is_over_becomes_an_empty_tombstone)
{
    struct sf_l1_usage before, after;
    sf_time end = SF_TEST_NOW + 10 * SF_SECOND;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "a text that is not for long"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, NULL), SF_OK);
    sf_test_settle_all(cache.l1);
    sf_l1_usage(cache.l1, &before);
    uint64_t version = sf_test_look(cache.l1, 1, NULL).version;
    (void)sf_test_repair_all(cache.l1, end);
    ck_assert_str_ne(sf_test_look(cache.l1, 1, "a").text, "");
    (void)sf_test_repair_all(cache.l1, end + 2 * SF_SECOND);
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, "a");
    ck_assert_int_eq(seen.kind, SF_RECORD_ENDED);
    ck_assert_str_eq(seen.text, "");
    ck_assert_uint_eq(seen.version, version + 1);
    ck_assert(!seen.is_clean);
    sf_l1_usage(cache.l1, &after);
    ck_assert_uint_lt(after.record_bytes, before.record_bytes);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 1);
    (void)sf_test_repair_all(cache.l1, end + 4 * SF_SECOND);
    ck_assert(sf_test_look(cache.l1, 1, NULL).is_clean); /* once is enough */
    ck_assert_str_ne(sf_test_look(cache.l1, 2, "a").text, "");
    (void)sf_test_repair_all(cache.l1, SF_TEST_NOW + SF_HOUR + SF_SECOND);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_word_that_names_a_free_block_is_emptied)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, NULL, &found), SF_OK);
    atomic_store(&found.place.control->state,
                 sf_l1_control_make(SF_L1_FREE, 0, sf_l1_control_gen(found.control)));
    ck_assert_int_eq(sf_l1_check(cache.l1, true, &error), SF_CORRUPT);
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_repair");
    TCase *tests = tcase_create("l1_repair");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_block_that_was_never_published_is_freed);
    tcase_add_test(tests, test_published_change_is_completed_and_dirty);
    tcase_add_test(tests, test_change_of_a_dead_process_can_be_changed_before_it_is_repaired);
    tcase_add_test(tests, test_fill_that_was_not_confirmed_is_never_read_and_undone);
    tcase_add_test(tests, test_evicted_block_that_nobody_took_is_freed);
    tcase_add_test(tests, test_blocks_of_the_living_are_left_alone);
    tcase_add_test(tests, test_slot_of_the_dead_is_free_after_a_pass);
    tcase_add_test(tests, test_many_deaths_are_one_scan_for_the_flusher);
    tcase_add_test(tests, test_dirty_record_that_is_damaged_is_counted_and_removed);
    tcase_add_test(tests, test_clean_record_that_is_damaged_is_counted_and_removed);
    tcase_add_test(tests, test_dirty_record_whose_key_is_damaged_is_counted_and_removed);
    tcase_add_test(tests, test_pass_in_small_steps_does_the_same);
    tcase_add_test(tests, test_pass_takes_as_many_calls_as_its_budget_is_made_for);
    tcase_add_test(tests, test_expired_records_are_dropped_once_they_are_clean);
    tcase_add_test(tests, test_what_is_bypassed_goes_once_it_is_clean);
    tcase_add_test(tests, test_what_is_bypassed_stays_until_its_last_access_is_stored);
    tcase_add_test(tests, test_tombstones_are_dropped_after_their_time);
    tcase_add_test(tests, test_image_whose_grace_is_over_becomes_an_empty_tombstone);
    tcase_add_test(tests, test_word_that_names_a_free_block_is_emptied);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
