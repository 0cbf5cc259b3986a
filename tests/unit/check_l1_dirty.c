/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_commit.h"
#include "common/cache/l1_hints.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

#define ITEMS 4

static struct sf_l1_cursor cursor;
static struct sf_l1_dirty items[ITEMS];

static void
begin(void)
{
    set_up();
    cursor = (struct sf_l1_cursor){.hint = 0};
    memset(items, 0, sizeof(items));
}

static void
end(void)
{
    sf_l1_dirty_fini(items, ITEMS);
    tear_down();
}

static size_t
take(void)
{
    return sf_l1_dirty_take(cache.l1, &cursor, items, ITEMS);
}

START_TEST(test_first_call_scans_what_was_there_before)
{
    for (uint64_t number = 0; number < 6; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 4);
    ck_assert_uint_eq(take(), 2);
    ck_assert_uint_eq(take(), 0);
}
END_TEST

START_TEST(test_hints_lead_to_later_changes)
{
    struct sf_key key = sf_test_cache_key(3);

    ck_assert_uint_eq(take(), 0);
    ck_assert_int_eq(sf_test_create(cache.l1, 3, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    ck_assert(sf_key_equal(&items[0].key, &key));
    ck_assert_int_gt(items[0].dirty_since, 0);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&items[0].record)), SF_OK);
    ck_assert_uint_eq(take(), 0);
}
END_TEST

START_TEST(test_only_the_last_of_several_changes_is_handed_out)
{
    struct sf_record_head head;

    ck_assert_uint_eq(take(), 0);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", NULL), SF_OK);
    ck_assert_uint_eq(take(), 1);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&items[0].record)), SF_OK);
    ck_assert_uint_eq(head.version, 21);
}
END_TEST

START_TEST(test_dirty_since_is_that_of_the_first_unstored_change)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    sf_time since = items[0].dirty_since;
    usleep(3000);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    ck_assert_int_eq(items[0].dirty_since, since);
    sf_l1_settle(cache.l1, &items[0].ticket, sf_clock_steady());
    usleep(3000);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "d"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    ck_assert_int_gt(items[0].dirty_since, since);
}
END_TEST

START_TEST(test_what_is_settled_is_as_old_as_the_write)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    sf_time written = items[0].dirty_since + 1;
    sf_l1_settle(cache.l1, &items[0].ticket, written);
    ck_assert_int_eq(view_of(1, SF_OK).since, written);
}
END_TEST

START_TEST(test_settling_an_old_version_leaves_the_new_one_dirty)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    struct sf_l1_ticket old = items[0].ticket;
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    sf_l1_settle(cache.l1, &old, sf_clock_steady());
    ck_assert(!sf_test_look(cache.l1, 1, NULL).is_clean);
    ck_assert_uint_eq(take(), 1);
    sf_l1_settle(cache.l1, &items[0].ticket, sf_clock_steady());
    ck_assert(sf_test_look(cache.l1, 1, NULL).is_clean);
}
END_TEST

START_TEST(test_overrun_hints_are_made_up_for_by_a_scan)
{
    ck_assert_uint_eq(take(), 0);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(cache.l1, 2, "a", "b"), SF_OK);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(sf_test_increment(cache.l1, 2, "n", NULL), SF_OK);
    ck_assert_uint_eq(take(), 2);
}
END_TEST

START_TEST(test_cursor_that_is_reset_finds_everything_again)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(take(), 1);
    ck_assert_uint_eq(take(), 0);
    cursor = (struct sf_l1_cursor){.hint = 0};
    ck_assert_uint_eq(take(), 1);
}
END_TEST

/*
 * Announced, and then killed before the hint was there: the next one must not wait for it for ever.
 */
START_TEST(test_hint_that_never_comes_is_made_up_for_by_a_scan)
{
    ck_assert_uint_eq(take(), 0);
    atomic_fetch_add(&cache.l1->header->hint_head, 1);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    size_t taken = 0;
    for (int i = 0; i < 4; i++)
        taken += take();
    ck_assert_uint_eq(taken, 1);
}
END_TEST

/* No memory for a copy: whatever is behind must not be taken for stored. */
START_TEST(test_record_that_cannot_be_copied_is_not_passed_over)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (int round = 0; round < 2; round++) { /* by the scan, then by hints */
        for (size_t i = 0; i < ITEMS; i++)
            sf_buffer_init(&items[i].record, 16);
        ck_assert_uint_eq(take(), 0);
        ck_assert(cursor.is_stuck);
        ck_assert_uint_eq(take(), 0);
        sf_l1_dirty_fini(items, ITEMS);
        ck_assert_uint_eq(take(), 1);
        ck_assert(!cursor.is_stuck);
        ck_assert_uint_eq(sf_l1_cursor_changes(&cursor), sf_l1_changes(cache.l1));
        sf_l1_dirty_fini(items, ITEMS);
        ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    }
}
END_TEST

START_TEST(test_death_without_a_hint_is_followed_by_a_scan)
{
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "old"), SF_OK);
    ck_assert_uint_eq(take(), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sf_l1 *own = sf_test_cache_attach(&cache);
        struct sf_key key = sf_test_cache_key(1);
        struct sf_l1_found found;
        struct sf_l1_draft draft;
        struct sf_buffer record;

        sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
        _exit(sf_l1_find(own, &key, &record, &found) != SF_OK ||
              sf_l1_draft_make(&draft, own, &key, sf_buffer_span(&record), NULL) != SF_OK ||
              !sf_l1_replace(found.word, found.value, draft.owned.block));
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(take(), 0); /* not confirmed */
    ck_assert_uint_eq(sf_test_repair_all(cache.l1, SF_TEST_NOW), 2);
    ck_assert_uint_eq(take(), 1);
}
END_TEST

/* ---- a burial while hints are followed ---- */

enum sf_l1_hint_answer __real_sf_l1_hint_read(const struct sf_l1 *l1, uint64_t at,
                                              struct sf_l1_hint *hint_out);
enum sf_l1_hint_answer __wrap_sf_l1_hint_read(const struct sf_l1 *l1, uint64_t at,
                                              struct sf_l1_hint *hint_out);
static void (*before_the_next_hint)(void);

enum sf_l1_hint_answer
__wrap_sf_l1_hint_read(const struct sf_l1 *l1, uint64_t at, struct sf_l1_hint *hint_out)
{
    void (*act)(void) = before_the_next_hint;

    before_the_next_hint = NULL;
    if (act != NULL)
        act();
    return __real_sf_l1_hint_read(l1, at, hint_out);
}

/* What somebody who waits for the store would ask for behind the burial. */
static uint64_t changes_at_burial;

static void
bury_and_change(void)
{
    ck_assert_uint_gt(sf_test_repair_all(cache.l1, SF_TEST_NOW), 0);
    changes_at_burial = sf_l1_changes(cache.l1);
    ck_assert_int_eq(sf_test_create(cache.l1, 2, "a", "b"), SF_OK);
}

/* Killed behind sf_l1_block_publish, before its hint. */
static void
die_without_a_hint(void)
{
    struct sf_l1 *own = sf_test_cache_attach(&cache);
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;
    struct sf_l1_draft draft;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_l1_find(own, &key, &record, &found) != SF_OK ||
        sf_l1_draft_make(&draft, own, &key, sf_buffer_span(&record), NULL) != SF_OK ||
        !sf_l1_replace(found.word, found.value, draft.owned.block))
        _exit(EXIT_FAILURE);
    sf_l1_block_publish(&draft.owned, 0);
    _exit(EXIT_SUCCESS);
}

START_TEST(test_burial_while_hints_are_followed_is_not_counted_before_it_is_seen)
{
    int status = 0;

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "old"), SF_OK);
    ck_assert_uint_eq(take(), 0);
    pid_t child = fork();
    if (child == 0)
        die_without_a_hint();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    before_the_next_hint = bury_and_change;
    size_t taken = take();
    ck_assert_uint_ge(sf_l1_cursor_changes(&cursor), changes_at_burial);
    bool is_buried_change_taken = false;
    struct sf_key key = sf_test_cache_key(1);
    for (size_t i = 0; i < taken; i++)
        is_buried_change_taken |= sf_key_equal(&items[i].key, &key);
    ck_assert(is_buried_change_taken);
}
END_TEST

/* ---- touches ---- */

static size_t
take_touched(struct sf_l1_touched *touched)
{
    uint32_t from = 0;

    return sf_l1_touched_take(cache.l1, &from, touched, ITEMS);
}

START_TEST(test_touch_is_for_the_store_after_a_minute)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_touched touched[ITEMS];

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "x"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 59 * SF_SECOND);
    ck_assert_uint_eq(take_touched(touched), 0);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + 60 * SF_SECOND);
    ck_assert_uint_eq(take_touched(touched), 1);
    ck_assert(sf_key_equal(&touched[0].key, &key));
    ck_assert_int_eq(touched[0].last_access, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(touched[0].expires, SF_TEST_NOW + 31 * SF_MINUTE);
    sf_l1_touched_settle(cache.l1, &touched[0]);
    ck_assert_uint_eq(take_touched(touched), 0);
}
END_TEST

START_TEST(test_touch_of_a_dirty_record_goes_with_the_record)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_touched touched[ITEMS];

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_HOUR);
    ck_assert_uint_eq(take_touched(touched), 0);
    sf_test_settle_all(cache.l1); /* the record had the earlier access */
    ck_assert_uint_eq(take_touched(touched), 1);
}
END_TEST

START_TEST(test_settling_a_touch_of_a_block_taken_again_changes_nothing)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_touched touched[ITEMS];

    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 3, "x"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert_uint_eq(take_touched(touched), 1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    for (uint64_t number = 10; number < 800; number++)
        ck_assert_int_eq(sf_test_fill(cache.l1, number, 3, "x"), SF_OK);
    sf_l1_touched_settle(cache.l1, &touched[0]);
    ck_assert_uint_eq(take_touched(touched), 0);
}
END_TEST

START_TEST(test_clean_ones_are_taken_with_their_tombstones)
{
    uint32_t at = 0;

    for (uint64_t number = 0; number < 3; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 0), SF_OK);
    ck_assert_uint_eq(sf_l1_clean_take(cache.l1, &at, items, ITEMS), 0);
    ck_assert_uint_eq(at, 0);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK); /* dirty again */
    ck_assert_uint_eq(sf_l1_clean_take(cache.l1, &at, items, 1), 1);
    ck_assert_uint_ne(at, 0);
    ck_assert_uint_eq(sf_l1_clean_take(cache.l1, &at, &items[1], ITEMS - 1), 1);
    ck_assert_uint_eq(at, 0);
    ck_assert(!sf_key_equal(&items[0].key, &items[1].key));
    ck_assert_int_gt(items[0].dirty_since, 0);
    ck_assert_int_eq(sf_record_check(sf_buffer_span(&items[1].record)), SF_OK);
}
END_TEST

START_TEST(test_segment_knows_its_store)
{
    ck_assert_uint_eq(sf_l1_store(cache.l1), 0);
    sf_l1_set_store(cache.l1, 7);
    struct sf_l1 *other = sf_test_cache_attach(&cache);
    ck_assert_uint_eq(sf_l1_store(other), 7);
    sf_l1_close(other);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_dirty");
    TCase *tests = tcase_create("l1_dirty");

    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_first_call_scans_what_was_there_before);
    tcase_add_test(tests, test_clean_ones_are_taken_with_their_tombstones);
    tcase_add_test(tests, test_segment_knows_its_store);
    tcase_add_test(tests, test_hints_lead_to_later_changes);
    tcase_add_test(tests, test_only_the_last_of_several_changes_is_handed_out);
    tcase_add_test(tests, test_dirty_since_is_that_of_the_first_unstored_change);
    tcase_add_test(tests, test_what_is_settled_is_as_old_as_the_write);
    tcase_add_test(tests, test_settling_an_old_version_leaves_the_new_one_dirty);
    tcase_add_test(tests, test_overrun_hints_are_made_up_for_by_a_scan);
    tcase_add_test(tests, test_cursor_that_is_reset_finds_everything_again);
    tcase_add_test(tests, test_hint_that_never_comes_is_made_up_for_by_a_scan);
    tcase_add_test(tests, test_record_that_cannot_be_copied_is_not_passed_over);
    tcase_add_test(tests, test_death_without_a_hint_is_followed_by_a_scan);
    tcase_add_test(tests, test_burial_while_hints_are_followed_is_not_counted_before_it_is_seen);
    tcase_add_test(tests, test_touch_is_for_the_store_after_a_minute);
    tcase_add_test(tests, test_touch_of_a_dirty_record_goes_with_the_record);
    tcase_add_test(tests, test_settling_a_touch_of_a_block_taken_again_changes_nothing);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
