/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_map.h"

#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_journal_map map;
static char file; /* any address */

static void
set_up(void)
{
    sf_journal_map_init(&map);
}

static void
tear_down(void)
{
    sf_journal_map_fini(&map);
}

static struct sf_journal_entry *
find(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    return sf_journal_map_find(&map, &key);
}

static void
add(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    ck_assert_int_eq(sf_journal_map_reserve(&map, 1), SF_OK);
    struct sf_journal_entry *entry = sf_journal_map_add(&map, &key);
    entry->file = (struct sf_journal_file *)(void *)&file;
    entry->version = number;
}

START_TEST(test_nothing_is_found_in_an_empty_one)
{
    uint32_t cursor = 0;
    ck_assert_ptr_null(find(1));
    ck_assert_ptr_null(sf_journal_map_next(&map, &cursor));
}
END_TEST

START_TEST(test_it_grows_and_finds_all)
{
    for (uint64_t i = 1; i <= 5000; i++)
        add(i);
    ck_assert_uint_eq(map.count, 5000);
    for (uint64_t i = 1; i <= 5000; i++)
        ck_assert_uint_eq(find(i)->version, i);
    ck_assert_ptr_null(find(5001));
}
END_TEST

START_TEST(test_removed_ones_are_gone_and_their_room_is_used_again)
{
    for (uint64_t i = 1; i <= 64; i++)
        add(i);
    uint32_t capacity = map.capacity;
    for (int round = 0; round < 50; round++) {
        for (uint64_t i = 1; i <= 64; i += 2)
            sf_journal_map_remove(&map, find(i));
        ck_assert_uint_eq(map.count, 32);
        for (uint64_t i = 1; i <= 64; i++)
            ck_assert_int_eq(find(i) == NULL, i % 2 == 1);
        for (uint64_t i = 1; i <= 64; i += 2)
            add(i);
    }
    ck_assert_uint_eq(map.capacity, capacity);
}
END_TEST

START_TEST(test_a_walk_meets_each_once)
{
    uint64_t sum = 0;
    uint32_t cursor = 0;
    for (uint64_t i = 1; i <= 300; i++)
        add(i);
    for (uint64_t i = 1; i <= 100; i++)
        sf_journal_map_remove(&map, find(i));
    const struct sf_journal_entry *entry;
    while ((entry = sf_journal_map_next(&map, &cursor)) != NULL)
        sum += entry->version;
    ck_assert_uint_eq(sum, 200 * 401 / 2);
}
END_TEST

START_TEST(test_room_that_is_not_used_is_given_back)
{
    const uint64_t many = 200000;
    for (uint64_t i = 1; i <= many; i++)
        add(i);
    uint32_t capacity = map.capacity, cursor = 0;
    sf_journal_map_shrink(&map);
    ck_assert_uint_eq(map.capacity, capacity);
    for (uint64_t i = 1; i <= many; i++)
        if (i % 100 != 0)
            sf_journal_map_remove(&map, find(i));
    sf_journal_map_shrink(&map);
    ck_assert_uint_eq(map.capacity, 16384);
    for (uint64_t i = 1; i <= many; i++)
        ck_assert_int_eq(find(i) != NULL && find(i)->version == i, i % 100 == 0);
    uint64_t met = 0;
    while (sf_journal_map_next(&map, &cursor) != NULL)
        met++;
    ck_assert_uint_eq(met, many / 100);
    for (uint64_t i = 1; i < many; i += 100)
        add(i);
    ck_assert_uint_eq(map.count, 2 * many / 100);
}
END_TEST

START_TEST(test_more_than_it_can_hold_is_refused)
{
    ck_assert_int_eq(sf_journal_map_reserve(&map, (size_t)1 << 29), SF_NO_MEMORY);
    add(1);
    ck_assert_uint_eq(map.count, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal_map");
    TCase *entries = tcase_create("entries");
    tcase_add_checked_fixture(entries, set_up, tear_down);
    tcase_add_test(entries, test_nothing_is_found_in_an_empty_one);
    tcase_add_test(entries, test_it_grows_and_finds_all);
    tcase_add_test(entries, test_removed_ones_are_gone_and_their_room_is_used_again);
    tcase_add_test(entries, test_a_walk_meets_each_once);
    tcase_add_test(entries, test_room_that_is_not_used_is_given_back);
    tcase_add_test(entries, test_more_than_it_can_hold_is_refused);
    suite_add_tcase(suite, entries);
    return sf_run_suite(suite);
}
