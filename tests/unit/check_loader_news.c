/* SPDX-License-Identifier: Apache-2.0 */
/* What another host has changed, and what it does to loads and lease. */
#include <check.h>

#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/loader_case.h"

static void
hear(const struct sf_key *key)
{
    loader_hear(&daemon_, key, lease_hear(&daemon_.follower.lease));
}

/* How far the lease goes when all has been told until 9. */
static sf_time
dealt_with(void)
{
    return lease_prove(&daemon_.follower.lease, 9);
}

/* A load that began before does not do it. */
START_TEST(test_news_hold_up_the_lease_until_they_are_loaded)
{
    struct sf_key key = fill_stale();
    store(&key, 9, "new");
    hear(&key);
    ck_assert_int_eq(dealt_with(), 0);
    struct task *task = run_next();
    hear(&key);
    task->finish(task, &daemon_);
    ck_assert_int_eq(dealt_with(), 0);
    finish_next();
    ck_assert_int_eq(dealt_with(), 9);
}
END_TEST

START_TEST(test_news_of_what_the_cache_has_is_loaded)
{
    struct sf_key key = fill_stale();
    store(&key, 9, "new");
    hear(&key);
    finish_next();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "new");
    ck_assert_uint_eq(counted(SF_COUNTER_news), 1);
    ck_assert_uint_eq(counted(SF_COUNTER_news_loads), 1);
    ck_assert_int_eq(writer_urges, 0);
}
END_TEST

START_TEST(test_news_of_what_the_cache_has_not_is_nothing)
{
    struct sf_key key = sf_test_cache_key(1);
    hear(&key);
    hear(&key);
    ck_assert(is_idle());
    ck_assert_uint_eq(counted(SF_COUNTER_news), 2);
    ck_assert_uint_eq(counted(SF_COUNTER_news_loads), 0);
}
END_TEST

/* As it may have been given here, where the store has lost it since: it is no echo of what is here. */
START_TEST(test_end_is_news_whatever_its_version)
{
    struct sf_key key = fill_stale();
    struct sf_buffer record = sf_test_tombstone((uint64_t)_i, sf_clock_wall() + SF_HOUR);
    struct sf_write write = sf_test_put(1, (uint64_t)_i, &record);
    sf_l1_set_shared(cache.l1, true);
    write.key = key;
    ck_assert_int_eq(daemon_.store->ops->write(daemon_.store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    hear(&key);
    finish_next();
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).kind, SF_RECORD_ENDED);
    ck_assert(is_idle());
    sf_buffer_fini(&record);
}
END_TEST

/* The store has nothing of it: it was removed there. */
START_TEST(test_news_of_a_removal)
{
    struct sf_key key = fill_stale();
    hear(&key);
    finish_next();
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
}
END_TEST

START_TEST(test_load_under_way_is_repeated)
{
    struct sf_key key = sf_test_cache_key(1);
    store(&key, 3, "old");
    ck_assert(loader_join(&daemon_, &first, &key, false));
    struct task *task = run_next();
    store(&key, 4, "new");
    hear(&key);
    task->finish(task, &daemon_);
    ck_assert_int_eq(answers[0], SF_INVALID); /* not yet */
    ck_assert_int_eq(sf_test_look(cache.l1, 1, NULL).status, SF_NOT_FOUND);
    finish_next();
    ck_assert_int_eq(answers[0], SF_OK);
    ck_assert(is_idle());
}
END_TEST

/* The reader gets his answer; but it is not kept. */
START_TEST(test_load_is_not_repeated_for_ever)
{
    struct sf_key key = sf_test_cache_key(1);
    store(&key, 3, "old");
    ck_assert(loader_join(&daemon_, &first, &key, false));
    for (int i = 0; answers[0] == SF_INVALID; i++) {
        struct task *task = run_next();
        ck_assert_int_lt(i, 10);
        hear(&key);
        task->finish(task, &daemon_);
    }
    ck_assert_int_eq(answers[0], SF_OK);
    ck_assert_int_ne(sf_test_look(cache.l1, 1, NULL).status, SF_OK);
    ck_assert(is_idle());
}
END_TEST

/* The cache follows, and nothing else is the worse for it. */
START_TEST(test_session_that_changes_all_the_time)
{
    struct sf_key key = fill_stale();
    hear(&key);
    for (uint64_t version = 4; version < 24; version++) {
        store(&key, version, "new");
        struct task *task = run_next();
        hear(&key);
        task->finish(task, &daemon_);
        ck_assert_uint_ge(sf_test_look(cache.l1, 1, NULL).version + 4, version);
    }
    finish_next();
    ck_assert_uint_eq(sf_test_look(cache.l1, 1, NULL).version, 23);
    ck_assert_uint_eq(counted(SF_COUNTER_news_losses), 0);
    ck_assert(is_idle());
}
END_TEST

START_TEST(test_news_that_cannot_be_loaded_leave_nothing_to_be_trusted)
{
    struct sf_key key = fill_stale();
    ck_assert_int_eq(sf_test_fill(cache.l1, 2, 3, "other"), SF_OK);
    wait_until_older_than_the_ttl();
    ck_assert(is_trusted(2));
    reopen_store("fail:load=UNAVAILABLE");
    hear(&key);
    finish_next();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "old");
    ck_assert(!is_trusted(1));
    ck_assert(!is_trusted(2));
    ck_assert_int_eq(writer_urges, 1);
    ck_assert_uint_eq(counted(SF_COUNTER_l1_stale_served), 0);
}
END_TEST

/* The cache has evicted it, and the store goes away before it has been asked. */
START_TEST(test_what_only_the_journal_has_is_not_shown_behind_news_of_it)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(7), .version = 1, .is_orphan = true};
    sf_l1_set_shared(cache.l1, true);
    create_now(&mark.key);
    ck_assert_int_eq(sf_journal_commit(daemon_.journaler.journal, &mark, 1), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &mark.key), SF_OK);
    reopen_store("fail:load=UNAVAILABLE");
    hear(&mark.key);
    ck_assert(is_idle());
    load_once(&mark.key);
    ck_assert_int_eq(answers[0], SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_news_of_a_key_that_is_held_are_loaded_after_its_release)
{
    struct sf_key key = fill_stale();
    ck_assert(loader_hold(&daemon_, &key));
    store(&key, 9, "new");
    hear(&key);
    ck_assert(is_idle());
    loader_release(&daemon_, &key);
    finish_next();
    ck_assert_str_eq(sf_test_look(cache.l1, 1, "value").text, "new");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("loader_news");
    TCase *tests = tcase_create("loader_news");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_news_hold_up_the_lease_until_they_are_loaded);
    tcase_add_test(tests, test_news_of_what_the_cache_has_is_loaded);
    tcase_add_test(tests, test_news_of_what_the_cache_has_not_is_nothing);
    tcase_add_loop_test(tests, test_end_is_news_whatever_its_version, 2, 5);
    tcase_add_test(tests, test_news_of_a_removal);
    tcase_add_test(tests, test_load_under_way_is_repeated);
    tcase_add_test(tests, test_load_is_not_repeated_for_ever);
    tcase_add_test(tests, test_session_that_changes_all_the_time);
    tcase_add_test(tests, test_news_that_cannot_be_loaded_leave_nothing_to_be_trusted);
    tcase_add_test(tests, test_what_only_the_journal_has_is_not_shown_behind_news_of_it);
    tcase_add_test(tests, test_news_of_a_key_that_is_held_are_loaded_after_its_release);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
