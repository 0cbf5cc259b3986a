/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/cache_case.h"

static struct sf_l1_applied applied;

static enum sf_status
apply(uint64_t number, const struct sf_l1_change *change)
{
    struct sf_key key = sf_test_cache_key(number);

    return sf_l1_apply(cache.l1, &key, change, NULL, &applied);
}

START_TEST(test_change_counts_the_version_up)
{
    uint64_t version;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (uint64_t i = 2; i < 50; i++) {
        ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", &version), SF_OK);
        ck_assert_uint_eq(version, i);
    }
    ck_assert_int_eq(sf_test_look(cache.l1, 1, "n").integer, 48);
}
END_TEST

START_TEST(test_unknown_session_is_missed)
{
    struct sf_ops ops;

    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("n"), 1), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    struct sf_key key = sf_test_cache_key(9);
    ck_assert_int_eq(apply(9, &change), SF_NOT_FOUND);
    ck_assert(applied.missed);
    ck_assert(sf_key_equal(&applied.key, &key));
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_nothing_is_created_for_nothing)
{
    struct sf_ops ops;
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_usage usage;

    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_name(&ops, SF_OP_UNSET, sf_span_text("a")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.may_create = true;
    change.new_key = &key;
    ck_assert_int_eq(sf_l1_apply(cache.l1, NULL, &change, NULL, &applied), SF_NOT_FOUND);
    ck_assert(!applied.missed);
    sf_l1_usage(cache.l1, &usage);
    ck_assert_uint_eq(usage.index_used + usage.blocks_live + usage.blocks_owned, 0);
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_creating_a_key_that_is_there_is_a_conflict)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "c"), SF_CONFLICT);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "b");
}
END_TEST

START_TEST(test_change_of_nothing_writes_nothing)
{
    uint64_t changes;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    changes = sf_l1_changes(cache.l1);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_uint_eq(sf_l1_changes(cache.l1), changes);
    ck_assert_uint_eq(sf_test_look(cache.l1, 1, "a").version, 1);
}
END_TEST

START_TEST(test_record_out_has_the_new_record)
{
    struct sf_ops ops;
    struct sf_buffer record;
    struct sf_value value;
    struct sf_key key = sf_test_cache_key(1);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_ops_init(&ops);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text("c")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    for (int i = 0; i < 2; i++) { /* the second time nothing changes */
        ck_assert_int_eq(sf_l1_apply(cache.l1, &key, &change, &record, &applied), SF_OK);
        ck_assert_int_eq(applied.changed, i == 0);
        ck_assert_int_eq(sf_record_find(&value, sf_buffer_span(&record), sf_span_text("a")), SF_OK);
        ck_assert(sf_span_equal(value.bytes, sf_span_text("c")));
    }
    sf_buffer_fini(&record);
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_ended_session_stays_ended)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_OK);
    struct sf_test_seen seen = sf_test_look(cache.l1, 1, "a");
    ck_assert_int_eq(seen.kind, SF_RECORD_ENDED);
    ck_assert_uint_eq(seen.version, 2);
    ck_assert_str_eq(seen.text, "");
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "c"), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_fill(cache.l1, 1, 9, "late"), SF_OK); /* it is here, and ended */
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_expired_session_is_not_found_for_certain)
{
    struct sf_ops ops;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("n"), 1), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW + 30 * SF_MINUTE);
    ck_assert_int_eq(apply(1, &change), SF_NOT_FOUND);
    ck_assert(!applied.missed);
    struct sf_key key = sf_test_cache_key(1);
    sf_l1_touch(cache.l1, &key, SF_TEST_NOW + SF_MINUTE);
    ck_assert_int_eq(apply(1, &change), SF_OK);
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_rotation_forwards_changes_until_the_grace_ends)
{
    struct sf_ops ops;
    struct sf_key new_key = sf_test_cache_key(2);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, NULL), SF_OK);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, "a").kind, SF_RECORD_ENDED);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "b"); /* an image of what it was */
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text("late")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW + 9 * SF_SECOND);
    ck_assert_int_eq(apply(1, &change), SF_OK);
    ck_assert(sf_key_equal(&applied.key, &new_key));
    ck_assert_str_eq(sf_test_look(cache.l1, 2, "a").text, "late");
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "b");
    change.now = SF_TEST_NOW + 10 * SF_SECOND;
    ck_assert_int_eq(apply(1, &change), SF_NOT_FOUND);
    ck_assert(!applied.missed);
    sf_ops_fini(&ops);
}
END_TEST

/* Whoever holds it would take the session over. */
START_TEST(test_old_id_gets_no_new_one)
{
    struct sf_key new_key = sf_test_cache_key(2);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, NULL), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 3, NULL), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 4, "eve"), SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_look(cache.l1, 2, "a").kind, SF_RECORD_SESSION);
    ck_assert_int_eq(sf_test_look(cache.l1, 3, "a").status, SF_NOT_FOUND);
    ck_assert_int_eq(sf_test_look(cache.l1, 4, "a").status, SF_NOT_FOUND);
    sf_test_settle_all(cache.l1); /* the successor is not even asked for */
    ck_assert_int_eq(sf_l1_drop(cache.l1, &new_key), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 3, NULL), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_old_id_still_ends_the_session)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, NULL), SF_OK);
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_OK);
    ck_assert_int_eq(sf_test_look(cache.l1, 2, "a").kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_nothing_leads_from_the_old_id_to_a_login)
{
    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, "bob"), SF_OK);
    ck_assert_int_eq(sf_test_set(cache.l1, 1, "a", "evil"), SF_NOT_FOUND);
    ck_assert_str_eq(sf_test_look(cache.l1, 2, "a").text, "b");
    ck_assert_int_eq(sf_test_look(cache.l1, 2, "a").kind, SF_RECORD_SESSION);
}
END_TEST

START_TEST(test_successor_that_is_not_here_is_what_is_missed)
{
    struct sf_ops ops;
    struct sf_key new_key = sf_test_cache_key(2);

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    ck_assert_int_eq(sf_test_rotate(cache.l1, 1, 2, NULL), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &new_key), SF_OK);
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("n"), 1), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    ck_assert_int_eq(apply(1, &change), SF_NOT_FOUND);
    ck_assert(applied.missed);
    ck_assert(sf_key_equal(&applied.key, &new_key));
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_too_large_is_told_from_no_room)
{
    struct sf_ops ops;
    static char large[2000];

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    memset(large, 'x', sizeof(large) - 1);
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text(large)), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.max_bytes = 1000;
    ck_assert_int_eq(apply(1, &change), SF_FULL);
    ck_assert_uint_gt(applied.version, 0);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "b");
    sf_ops_fini(&ops);
}
END_TEST

/* The limit may have been turned down since. A value of the same size does not get round it. */
START_TEST(test_record_above_the_limit_takes_no_change)
{
    struct sf_ops ops;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_set(&ops, sf_span_text("a"), sf_span_text("c")), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    change.max_bytes = 90;
    ck_assert_int_eq(apply(1, &change), SF_FULL);
    ck_assert_uint_gt(applied.version, 0);
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "a").text, "b");
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_failed_compare_changes_nothing)
{
    struct sf_op op = {
        .kind = SF_OP_COMPARE_AND_SET,
        .name = sf_span_text("a"),
        .value = {.type = SF_VALUE_STRING, .bytes = sf_span_text("c")},
        .expected = {.type = SF_VALUE_STRING, .bytes = sf_span_text("other")},
    };
    struct sf_ops ops;

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add_increment(&ops, sf_span_text("n"), 1), SF_OK);
    ck_assert_int_eq(sf_ops_add(&ops, &op), SF_OK);
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    ck_assert_int_eq(apply(1, &change), SF_CONFLICT);
    ck_assert_int_eq(sf_test_look(cache.l1, 1, "n").integer, 0);
    ck_assert_uint_eq(sf_test_look(cache.l1, 1, "n").version, 1);
    sf_ops_fini(&ops);
}
END_TEST

START_TEST(test_processes_that_add_at_once_all_succeed)
{
    enum { PROCESSES = 40, TIMES = 25 };

    ck_assert_int_eq(sf_test_create(cache.l1, 1, "a", "b"), SF_OK);
    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            struct sf_l1 *own = sf_test_cache_attach(&cache);
            int failed = 0;

            for (int j = 0; j < TIMES; j++)
                failed += sf_test_increment(own, 1, "n", NULL) != SF_OK;
            sf_l1_close(own);
            _exit(failed);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;

        wait(&status);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(sf_test_look(cache.l1, 1, "n").integer, PROCESSES * TIMES);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("l1_apply");
    TCase *tests = tcase_create("l1_apply");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_change_counts_the_version_up);
    tcase_add_test(tests, test_unknown_session_is_missed);
    tcase_add_test(tests, test_nothing_is_created_for_nothing);
    tcase_add_test(tests, test_creating_a_key_that_is_there_is_a_conflict);
    tcase_add_test(tests, test_change_of_nothing_writes_nothing);
    tcase_add_test(tests, test_record_out_has_the_new_record);
    tcase_add_test(tests, test_ended_session_stays_ended);
    tcase_add_test(tests, test_expired_session_is_not_found_for_certain);
    tcase_add_test(tests, test_rotation_forwards_changes_until_the_grace_ends);
    tcase_add_test(tests, test_old_id_gets_no_new_one);
    tcase_add_test(tests, test_old_id_still_ends_the_session);
    tcase_add_test(tests, test_nothing_leads_from_the_old_id_to_a_login);
    tcase_add_test(tests, test_successor_that_is_not_here_is_what_is_missed);
    tcase_add_test(tests, test_too_large_is_told_from_no_room);
    tcase_add_test(tests, test_record_above_the_limit_takes_no_change);
    tcase_add_test(tests, test_failed_compare_changes_nothing);
    tcase_add_test(tests, test_processes_that_add_at_once_all_succeed);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
