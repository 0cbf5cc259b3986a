/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1.h"

#include <check.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cache/l1_index.h"
#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

static sf_time
last_access(uint64_t number)
{
    return view_of(number, SF_OK).last_access;
}

START_TEST(test_touch_moves_the_last_access_forward_only)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(last_access(1), SF_TEST_NOW);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(last_access(1), SF_TEST_NOW + SF_MINUTE);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_SECOND);
    ck_assert_int_eq(last_access(1), SF_TEST_NOW + SF_MINUTE);
    key = sf_test_cache_key(2);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW); /* unknown: nothing */
}
END_TEST

START_TEST(test_change_keeps_the_touched_time)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK); /* at SF_TEST_NOW */
    ck_assert_int_eq(last_access(1), SF_TEST_NOW + SF_MINUTE);
}
END_TEST

/* Overtaken between the copy and the look at it, when the block is another record's. */
START_TEST(test_last_access_is_that_of_the_record_that_was_read)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_HOUR);
    ck_assert_int_eq(sf_l1_find(cache.l1, &key, &record, &found), SF_OK);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", NULL), SF_OK);
    uint64_t control = sf_l1_peek(&found.place.control->state);
    ck_assert_uint_ne(sf_l1_control_gen(control), sf_l1_control_gen(found.control));
    ck_assert_int_eq(sf_l1_image_latest(&found.image), SF_TEST_NOW + SF_HOUR);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_is_stored_follows_the_dirty_mark)
{
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 1));
    sf_test_settle_all(cache.l1);
    ck_assert(sf_l1_is_stored(cache.l1, &key, 1));
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert(!sf_l1_is_stored(cache.l1, &key, 2));
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
    ck_assert(sf_l1_is_stored(cache.l1, &key, 2)); /* only what is stored may leave */
}
END_TEST

START_TEST(test_version_says_what_is_here_and_nothing_of_what_is_not)
{
    struct sf_key key = sf_test_cache_key(1);
    uint64_t version;
    bool is_clean;

    ck_assert_int_eq(sf_l1_version(cache.l1, &key, &version, &is_clean), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_OK);
    ck_assert_int_eq(sf_l1_version(cache.l1, &key, &version, &is_clean), SF_OK);
    ck_assert(version == 2 && !is_clean);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_version(cache.l1, &key, &version, &is_clean), SF_OK);
    ck_assert(version == 2 && is_clean);
}
END_TEST

static bool
count_visit(void *context, const struct sf_key *key, struct sf_span record,
            const struct sf_l1_view *view)
{
    unsigned *visits = context;
    struct sf_record_head head;

    ck_assert_int_eq(sf_record_check(record), SF_OK);
    ck_assert_int_eq(sf_record_head(&head, record), SF_OK);
    ck_assert_uint_eq(head.version, 1);
    ck_assert(!view->is_clean);
    ck_assert_uint_lt(key->bytes[8], 30);
    return ++*visits < 20;
}

START_TEST(test_each_visits_until_told_to_stop)
{
    unsigned visits = 0;

    for (uint64_t number = 0; number < 15; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
    sf_l1_each(cache.l1, count_visit, &visits);
    ck_assert_uint_eq(visits, 15);
    visits = 10;
    sf_l1_each(cache.l1, count_visit, &visits);
    ck_assert_uint_eq(visits, 20);
}
END_TEST

START_TEST(test_usage_counts_states)
{
    struct sf_l1_usage usage;

    for (uint64_t number = 0; number < 5; number++)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "a", "b"), SF_OK);
    ck_assert_uint_eq(sf_test_settle_all(cache.l1), 5);
    ck_assert_int_eq(sf_test_end(cache.l1, 4), SF_OK);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.blocks_live, 5);
    ck_assert_uint_eq(usage.blocks_dirty, 1);
    ck_assert_uint_eq(usage.tombstones, 1);
    ck_assert_uint_eq(usage.index_used, 5);
    ck_assert_uint_eq(usage.slabs_used, 1);
    ck_assert_uint_gt(usage.record_bytes, 0);
    ck_assert_int_gt(usage.oldest_dirty, 0);
    ck_assert_uint_eq(usage.processes, 1);
}
END_TEST

START_TEST(test_read_only_handle_reads_and_changes_nothing)
{
    struct sf_l1 *reader;
    struct sf_key key = sf_test_cache_key(1);
    uint32_t cursor = 0;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_l1_attach(&reader, &cache.instance, SF_L1_READ_ONLY, &error), SF_OK);
    ck_assert_str_eq(sf_test_look(reader, 1, "a").text, "b");
    sf_l1_touch(reader, &key, SF_TEST_NOW + SF_HOUR);
    ck_assert_int_eq(last_access(1), SF_TEST_NOW);
    ck_assert_int_eq(sf_test_set(reader, 1, "a", "c"), SF_INVALID);
    ck_assert_int_eq(sf_test_fill(reader, 2, 1, "c"), SF_INVALID);
    ck_assert_int_eq(sf_l1_drop(reader, &key), SF_INVALID);
    ck_assert(!sf_l1_lead(reader, SF_L1_FLUSHER));
    ck_assert_uint_eq(sf_l1_repair(reader, SF_TEST_NOW, &cursor, 1000), 0);
    ck_assert_msg(sf_l1_check(reader, true, &error) == SF_OK, "%s", error.text);
    sf_l1_close(reader);
}
END_TEST

START_TEST(test_one_handle_leads_until_it_is_closed)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);

    ck_assert(sf_l1_lead(cache.l1, SF_L1_FLUSHER));
    ck_assert(sf_l1_lead(cache.l1, SF_L1_FLUSHER));
    ck_assert(!sf_l1_lead(other, SF_L1_FLUSHER));
    ck_assert(sf_l1_lead(other, SF_L1_SWEEPER));
    ck_assert(!sf_l1_lead(cache.l1, SF_L1_SWEEPER));
    sf_l1_close(other);
    ck_assert(sf_l1_lead(cache.l1, SF_L1_SWEEPER));
}
END_TEST

START_TEST(test_counters_are_summed_over_handles)
{
    struct sf_l1 *other = sf_test_cache_attach(&cache);
    uint64_t values[SF_COUNTER_COUNT];

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    (void)sf_test_look(cache.l1, 1, NULL);
    (void)sf_test_look(other, 1, NULL);
    (void)sf_test_look(other, 2, NULL);
    sf_l1_counters_sum(cache.l1, values);
    ck_assert_uint_eq(values[SF_COUNTER_l1_hits], 2);
    ck_assert_uint_eq(values[SF_COUNTER_l1_misses], 1);
    ck_assert_uint_eq(values[SF_COUNTER_sessions_created], 1);
    sf_l1_close(other);
    sf_l1_counters_sum(cache.l1, values);
    ck_assert_uint_eq(values[SF_COUNTER_l1_hits], 2);
}
END_TEST

START_TEST(test_closing_an_inherited_handle_leaves_the_parents_slot)
{
    struct sf_l1_usage usage;
    pid_t child = fork();

    if (child == 0) {
        sf_l1_close(cache.l1);
        struct sf_l1 *own = sf_test_cache_attach(&cache);
        bool is_created = sf_test_create(own, 5, "a", "b") == SF_OK;
        sf_l1_close(own);
        _exit(!is_created);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.processes, 1);
    ck_assert_str_eq(sf_test_look(cache.l1, 5, "a").text, "b");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1");
    TCase *tests = tcase_create("l1");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_touch_moves_the_last_access_forward_only);
    tcase_add_test(tests, test_change_keeps_the_touched_time);
    tcase_add_test(tests, test_last_access_is_that_of_the_record_that_was_read);
    tcase_add_test(tests, test_is_stored_follows_the_dirty_mark);
    tcase_add_test(tests, test_version_says_what_is_here_and_nothing_of_what_is_not);
    tcase_add_test(tests, test_each_visits_until_told_to_stop);
    tcase_add_test(tests, test_usage_counts_states);
    tcase_add_test(tests, test_read_only_handle_reads_and_changes_nothing);
    tcase_add_test(tests, test_one_handle_leads_until_it_is_closed);
    tcase_add_test(tests, test_counters_are_summed_over_handles);
    tcase_add_test(tests, test_closing_an_inherited_handle_leaves_the_parents_slot);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
