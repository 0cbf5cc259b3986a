/* SPDX-License-Identifier: Apache-2.0 */
/* Who may write a store that hosts move from, or to. */
#include <string.h>

#include "common/store/migrate/store_migrate_hosts.h"
#include "tests/support/run_suite.h"
#include "tests/unit/migrate_hosts_case.h"

/* What the host has seen of the row is long ago. */
static void
forget_what_was_seen(unsigned host)
{
    migrate_choose(host);
    migrate->known_until = 0;
}

START_TEST(test_who_has_not_begun_is_in_the_row_before_it_writes)
{
    hosts_begin(ONE);
    migrate_work_off();
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    struct sf_migrate_hosts hosts = hosts_row(OLD);
    ck_assert_int_eq(sf_migrate_hosts_find(&hosts, NUMBER_OF(OTHER))->state, SF_HOST_GONE);
    migrate_assert_refused(hosts_finish(ONE), "not begun");
    hosts_begin(OTHER);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    hosts_step();
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
    migrate_assert_both(5, 1);
}
END_TEST

START_TEST(test_who_does_not_know_that_the_others_have_left_writes_nothing)
{
    struct sf_error error = {.text = ""};
    hosts_move_one();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE);
    migrate_assert_both(5, 0);
    migrate_store->ops->explain(migrate_store, &error);
    ck_assert_ptr_nonnull(strstr(error.text, "have moved to another one"));
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "have moved to another one"));
    migrate_choose(ONE);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    ck_assert_str_eq(migrate_look().trouble, "");
}
END_TEST

/* And not by each write, but now and then. */
START_TEST(test_nothing_is_written_where_the_row_cannot_be_read)
{
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE);
    migrate_answer(OLD, SIDE_LOAD, SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    migrate->known_until = INT64_MAX; /* this does not depend on how fast it is */
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    migrate->known_until = 0;
    ck_assert_int_eq(hosts_put(OTHER, 5, 3), SF_UNAVAILABLE);
}
END_TEST

/* Others that take writes, as of a Cluster, do not wait for the one with the row. */
START_TEST(test_server_with_the_row_that_is_away_stops_no_other)
{
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    hosts_open(OTHER);
    struct sf_store_ops ops = *migrate->authority.store->ops;
    const struct sf_store_ops *whole = migrate->authority.store->ops;
    ops.flags |= SF_STORE_PARTS;
    migrate->authority.store->ops = &ops;
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE); /* nobody has said yet whether hosts move */
    migrate_answer(OLD, SIDE_LOAD, SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    forget_what_was_seen(OTHER);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    migrate_answer(OLD, SIDE_LOAD, SF_OK);
    hosts_begin(ONE);
    migrate_work_off();
    forget_what_was_seen(OTHER);
    ck_assert_int_eq(hosts_put(OTHER, 5, 3), SF_OK);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    forget_what_was_seen(OTHER);
    ck_assert_int_eq(hosts_put(OTHER, 5, 4), SF_UNAVAILABLE); /* hosts do move */
    migrate_answer(OLD, SIDE_LOAD, SF_OK);
    migrate_choose(OTHER);
    migrate->authority.store->ops = whole;
}
END_TEST

START_TEST(test_who_writes_alone_asks_nobody)
{
    migrate_choose(ONE);
    migrate_host = 0;
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
    migrate_calls(OLD, SIDE_LOAD);
    ck_assert_int_eq(hosts_put(ONE, 5, 1), SF_OK);
    ck_assert_uint_eq(migrate_calls(OLD, SIDE_LOAD), 0);
}
END_TEST

/* The store was away when it started. */
START_TEST(test_who_starts_while_the_row_cannot_be_read_asks_before_it_writes)
{
    hosts_move_one();
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    hosts_open(OTHER);
    migrate_answer(OLD, SIDE_LOAD, SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE);
}
END_TEST

/* Its SessionFastStore names the new one too early. */
START_TEST(test_nobody_uses_the_new_store_before_the_hosts_are_there)
{
    hosts_begin(ONE);
    migrate_work_off();
    migrate_choose(OTHER);
    migrate_host = NUMBER_OF(OTHER);
    migrate_assert_refused(migrate_open(NEW_URL, ""), "are not there yet");
    migrate_answer(NEW, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    migrate_answer(NEW, SIDE_LOAD, SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 5), 1);
}
END_TEST

/* Back to where they came from: until they are there it is as if they had just left. */
START_TEST(test_nobody_uses_a_store_that_hosts_are_on_the_way_back_to)
{
    hosts_move_one();
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    ck_assert_int_eq(sf_migrate_start(migrate, OLD_URL, 0, sf_clock_steady() + SF_SECOND, &migrate_error), SF_OK);
    migrate_work_off();
    migrate_choose(OTHER);
    migrate_assert_refused(migrate_open(OLD_URL, ""), "are not there yet");
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    hosts_open(OTHER);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
}
END_TEST

/* A way back that is refused has changed nothing. */
START_TEST(test_an_abort_that_is_refused_leaves_the_old_store_left)
{
    hosts_move_one();
    migrate_answer(OLD, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(ONE, 5, 1), SF_OK);
    migrate_assert_refused(sf_migrate_abort(migrate, &migrate_error), "are not in the other store yet");
    ck_assert_int_eq(hosts_row(OLD).phase, SF_HOSTS_LEFT);
}
END_TEST

static enum sf_status
leave_without_one(void)
{
    struct sf_migrate_hosts hosts = hosts_row(OLD);
    hosts.phase = SF_HOSTS_LEFT;
    hosts.count = 0;
    hosts_change_row(OLD, &hosts);
    migrate->known_until = 0;
    return migrate_put(migrate_side(NEW), 7, 1);
}

/* It has slept in the middle of its first copy, in which what only the new store has is removed. */
START_TEST(test_who_was_left_behind_removes_nothing_from_the_new_store)
{
    ck_assert_int_eq(hosts_put(ONE, 1, 1), SF_OK);
    hosts_begin(ONE);
    migrate_during(NEW, SIDE_SCAN, leave_without_one);
    migrate_step(2);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 7), 1);
}
END_TEST

START_TEST(test_who_is_asked_whether_it_lives_says_so_when_it_writes)
{
    hosts_verify();
    ck_assert_int_eq(sf_migrate_forget(migrate, NUMBER_OF(OTHER), &migrate_error), SF_OK);
    forget_what_was_seen(OTHER);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    struct sf_migrate_hosts hosts = hosts_row(OLD);
    ck_assert_int_eq(sf_migrate_hosts_find(&hosts, NUMBER_OF(OTHER))->state, SF_HOST_COPIES);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_row");
    TCase *tests = tcase_create("store_migrate_row");
    tcase_add_checked_fixture(tests, hosts_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_who_has_not_begun_is_in_the_row_before_it_writes);
    tcase_add_test(tests, test_who_does_not_know_that_the_others_have_left_writes_nothing);
    tcase_add_test(tests, test_nothing_is_written_where_the_row_cannot_be_read);
    tcase_add_test(tests, test_server_with_the_row_that_is_away_stops_no_other);
    tcase_add_test(tests, test_who_writes_alone_asks_nobody);
    tcase_add_test(tests, test_who_starts_while_the_row_cannot_be_read_asks_before_it_writes);
    tcase_add_test(tests, test_nobody_uses_the_new_store_before_the_hosts_are_there);
    tcase_add_test(tests, test_nobody_uses_a_store_that_hosts_are_on_the_way_back_to);
    tcase_add_test(tests, test_an_abort_that_is_refused_leaves_the_old_store_left);
    tcase_add_test(tests, test_who_was_left_behind_removes_nothing_from_the_new_store);
    tcase_add_test(tests, test_who_is_asked_whether_it_lives_says_so_when_it_writes);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
