/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_host.h"

#include <check.h>

#include "common/session/lineage.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;

static void
set_up(void)
{
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_l1_set_shared(cache.l1, true);
}

static void
tear_down(void)
{
    sf_test_cache_fini(&cache);
}

START_TEST(test_who_is_alone_is_nobody)
{
    uint64_t id = sf_l1_host_id(cache.l1);
    ck_assert_uint_eq(sf_l1_host(cache.l1), id);
    sf_l1_set_shared(cache.l1, false);
    ck_assert_uint_eq(sf_l1_host(cache.l1), 0);
    ck_assert_uint_ne(id, 0);
    ck_assert_uint_eq(sf_l1_host_id(cache.l1), id);
}
END_TEST

START_TEST(test_number_stays_while_the_store_is_the_same)
{
    uint64_t number = sf_l1_host(cache.l1);
    sf_l1_meet_store(cache.l1, 0); /* not known yet */
    sf_l1_meet_store(cache.l1, 7);
    sf_l1_meet_store(cache.l1, 7);
    sf_l1_meet_store(cache.l1, 0);
    sf_l1_meet_store(cache.l1, 7);
    ck_assert_uint_eq(sf_l1_host(cache.l1), number);
}
END_TEST

/* Also one that was met before: it may have gone back meanwhile. */
START_TEST(test_another_store_makes_another_number)
{
    static const uint64_t stores[] = {7, 8, 7, 9};
    uint64_t seen[4], id = sf_l1_host_id(cache.l1);
    for (size_t i = 0; i < 4; i++) {
        sf_l1_meet_store(cache.l1, stores[i]);
        seen[i] = sf_l1_host(cache.l1);
        ck_assert_uint_ne(seen[i], 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_uint_ne(seen[i], seen[j]);
    }
    ck_assert_uint_eq(sf_l1_host_id(cache.l1), id);
}
END_TEST

/* A daemon that begins finds what its predecessor has met. */
START_TEST(test_number_stands_in_the_segment)
{
    sf_l1_meet_store(cache.l1, 7);
    sf_l1_meet_store(cache.l1, 8);
    struct sf_l1 *other = sf_test_cache_attach(&cache);
    sf_l1_set_shared(other, true);
    sf_l1_meet_store(other, 8);
    ck_assert_uint_eq(sf_l1_host(other), sf_l1_host(cache.l1));
    sf_l1_meet_store(other, 9);
    ck_assert_uint_eq(sf_l1_host(other), sf_l1_host(cache.l1));
    sf_l1_close(other);
}
END_TEST

static uint64_t
merged_version(uint64_t host)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_lineage lineage;
    struct sf_record_head head;
    struct sf_l1_view view;
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    sf_lineage_init(&lineage);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &record, &view), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&record)), SF_OK);
    ck_assert_int_eq(sf_lineage_decode(&lineage, head.lineage), SF_OK);
    uint64_t version = sf_lineage_merged(&lineage, host);
    sf_lineage_fini(&lineage);
    sf_buffer_fini(&record);
    return version;
}

START_TEST(test_changes_go_on_under_the_new_number)
{
    uint64_t former = sf_l1_host(cache.l1);
    sf_l1_meet_store(cache.l1, 7);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_l1_meet_store(cache.l1, 8);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_uint_eq(merged_version(former), 1);
    ck_assert_uint_eq(merged_version(sf_l1_host(cache.l1)), 2);
}
END_TEST

START_TEST(test_it_says_since_when_it_knows_the_store)
{
    ck_assert_int_eq(sf_l1_store_since(cache.l1), 0);
    sf_time before = sf_clock_steady();
    sf_l1_set_store(cache.l1, 7);
    ck_assert_uint_eq(sf_l1_store(cache.l1), 7);
    ck_assert_int_ge(sf_l1_store_since(cache.l1), before);
    ck_assert_int_le(sf_l1_store_since(cache.l1), sf_clock_steady());
}
END_TEST

/* And with what is dirty there: that grew from what some store had before. */
START_TEST(test_number_goes_on_in_the_next_segment)
{
    struct sf_test_cache next;
    sf_test_cache_init(&next, SF_L1_BYTES_MIN);
    sf_l1_set_shared(next.l1, true);
    sf_l1_meet_store(cache.l1, 7);
    sf_l1_meet_store(cache.l1, 8);
    sf_time before = sf_clock_steady();
    sf_l1_host_inherit(next.l1, cache.l1);
    ck_assert_uint_eq(sf_l1_host_id(next.l1), sf_l1_host_id(cache.l1));
    ck_assert_uint_eq(sf_l1_host(next.l1), sf_l1_host(cache.l1));
    ck_assert_int_ge(sf_l1_store_since(next.l1), before);
    sf_l1_meet_store(next.l1, 8);
    ck_assert_uint_eq(sf_l1_host(next.l1), sf_l1_host(cache.l1));
    sf_l1_meet_store(next.l1, 9);
    ck_assert_uint_ne(sf_l1_host(next.l1), sf_l1_host(cache.l1));
    sf_test_cache_fini(&next);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_host");
    TCase *tests = tcase_create("l1_host");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_who_is_alone_is_nobody);
    tcase_add_test(tests, test_number_stays_while_the_store_is_the_same);
    tcase_add_test(tests, test_another_store_makes_another_number);
    tcase_add_test(tests, test_number_stands_in_the_segment);
    tcase_add_test(tests, test_changes_go_on_under_the_new_number);
    tcase_add_test(tests, test_it_says_since_when_it_knows_the_store);
    tcase_add_test(tests, test_number_goes_on_in_the_next_segment);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
