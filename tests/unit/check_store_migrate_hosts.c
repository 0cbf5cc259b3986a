/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts, each with a daemon of its own, move from one store that both write to another one. */
#include <string.h>

#include "common/store/migrate_hosts.h"
#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

#define ONE 0
#define OTHER 1

static void
open_host(unsigned host)
{
    migrate_choose(host);
    migrate_host = 100 + host;
    ck_assert_msg(migrate_open(OLD_URL, "") == SF_OK, "%s", migrate_error.text);
}

static void
set_up(void)
{
    migrate_set_up();
    open_host(ONE);
    open_host(OTHER);
}

static void
begin_on(unsigned host)
{
    migrate_choose(host);
    migrate_begin(0);
}

/* Both have copied and compared, and owe nothing. */
static void
verify_both(void)
{
    begin_on(ONE);
    migrate_work_off();
    begin_on(OTHER);
    migrate_work_off();
    migrate_step(10);
    migrate_choose(ONE);
    migrate_step(10);
}

static enum sf_migrate_phase
phase_of(unsigned host)
{
    migrate_choose(host);
    return migrate_look().phase;
}

static enum sf_status
finish(unsigned host)
{
    migrate_choose(host);
    return sf_migrate_finish(migrate, &migrate_error);
}

/* A few times each, in turn. */
static void
step_both(void)
{
    for (int i = 0; i < 10; i++) {
        migrate_choose(i % 2 == 0 ? ONE : OTHER);
        migrate_step(1);
    }
}

/* Held back until the deadline of the call. */
static enum sf_status
put_quickly(unsigned host, unsigned number, uint64_t version)
{
    struct sf_buffer record = sf_test_record(version, "alice", sf_span_text("some value"));
    struct sf_write write = sf_test_put(number, version, &record);
    migrate_choose(host);
    enum sf_status status = migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady());
    sf_buffer_fini(&record);
    return status;
}

START_TEST(test_both_finish_in_the_same_moment)
{
    migrate_choose(ONE);
    migrate_fill(300);
    verify_both();
    ck_assert_uint_eq(migrate_look().hosts, 2);
    ck_assert_int_eq(finish(ONE), SF_OK);
    ck_assert(migrate_look().is_ending);
    ck_assert_int_eq(put_quickly(ONE, 5, 2), SF_UNAVAILABLE);
    ck_assert_int_eq(put_quickly(OTHER, 5, 2), SF_OK); /* it does not know yet */
    migrate_assert_both(5, 2);
    step_both();
    ck_assert_int_eq(phase_of(ONE), SF_MIGRATE_FINISHED);
    ck_assert(!migrate_look().is_ending);
    ck_assert_int_eq(phase_of(OTHER), SF_MIGRATE_FINISHED);
    ck_assert_str_eq(migrate_look().authority, NEW_URL);
    ck_assert_int_eq(put_quickly(ONE, 5, 3), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 5), 3);
    migrate_choose(OTHER);
    ck_assert_uint_eq(migrate_version(migrate_store, 5), 3);
}
END_TEST

START_TEST(test_none_finishes_before_all_are_ready)
{
    begin_on(ONE);
    migrate_work_off();
    begin_on(OTHER);
    migrate_assert_refused(finish(ONE), "is not ready");
    migrate_choose(OTHER);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(finish(ONE), SF_OK);
}
END_TEST

/* It is still owed when all are asked: whoever owes holds when he has paid. */
START_TEST(test_what_is_owed_is_paid_before)
{
    verify_both();
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(put_quickly(OTHER, 5, 2), SF_OK);
    ck_assert_int_eq(finish(ONE), SF_OK);
    step_both();
    ck_assert_int_eq(phase_of(ONE), SF_MIGRATE_VERIFIED);
    ck_assert(migrate_look().is_ending);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    for (int i = 0; i < 5; i++)
        step_both();
    ck_assert_int_eq(phase_of(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(phase_of(OTHER), SF_MIGRATE_FINISHED);
    migrate_assert_both(5, 2);
}
END_TEST

/* The machine is gone; but whoever lives is not forgotten. */
START_TEST(test_who_is_forgotten_holds_nobody_up)
{
    verify_both();
    migrate_choose(OTHER);
    migrate_kill();
    migrate_choose(ONE);
    migrate_assert_refused(sf_migrate_forget(migrate, 100, &migrate_error), "no such host");
    migrate_assert_refused(sf_migrate_forget(migrate, 102, &migrate_error), "no such host");
    ck_assert_int_eq(sf_migrate_forget(migrate, 101, &migrate_error), SF_OK);
    if (_i == 1) {
        open_host(OTHER);
        migrate_step(1);
        migrate_choose(ONE);
        migrate_step(10);
        ck_assert_uint_eq(migrate_look().hosts, 2);
    }
    (void)!finish(ONE);
    ck_assert_int_eq(migrate_look().phase, _i == 1 ? SF_MIGRATE_VERIFIED : SF_MIGRATE_FINISHED);
}
END_TEST

/* What it changes goes to the old store only. */
START_TEST(test_none_finishes_without_who_has_aborted)
{
    verify_both();
    migrate_choose(OTHER);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    migrate_assert_refused(finish(ONE), "has aborted");
    begin_on(OTHER);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(finish(ONE), SF_OK);
    step_both();
    ck_assert_int_eq(phase_of(OTHER), SF_MIGRATE_FINISHED);
}
END_TEST

START_TEST(test_who_does_not_hold_in_time_is_not_left_behind)
{
    verify_both();
    ck_assert_int_eq(finish(ONE), SF_OK);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(4);
    ck_assert(!migrate_look().is_ending);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(put_quickly(ONE, 5, 1), SF_OK);
    step_both();
    ck_assert_int_eq(phase_of(OTHER), SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(put_quickly(OTHER, 5, 2), SF_OK);
    ck_assert_int_eq(finish(OTHER), SF_OK);
    step_both();
    ck_assert_int_eq(phase_of(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(phase_of(OTHER), SF_MIGRATE_FINISHED);
}
END_TEST

/* Its successor changes nothing before it knows what has become of that. */
START_TEST(test_who_is_killed_while_it_holds_goes_over_when_it_is_back)
{
    verify_both();
    ck_assert_int_eq(finish(ONE), SF_OK);
    migrate_kill();
    migrate_choose(OTHER);
    migrate_step(4);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(put_quickly(OTHER, 5, 1), SF_OK);
    open_host(ONE);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_UNAVAILABLE);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 6), 0);
    migrate_step(1);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 6), 1);
}
END_TEST

START_TEST(test_who_is_killed_while_it_holds_goes_on_where_the_others_have_not_left)
{
    verify_both();
    ck_assert_int_eq(finish(ONE), SF_OK);
    migrate_kill();
    open_host(ONE);
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_step(1); /* all are still asked to hold */
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(4);
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_OK);
    migrate_assert_both(6, 1);
}
END_TEST

/* It was away when its row was taken out. */
START_TEST(test_who_was_left_behind_changes_nothing_any_more)
{
    struct sf_migrate_hosts hosts;
    sf_time soon = sf_clock_steady() + SF_SECOND;
    verify_both();
    ck_assert_int_eq(sf_migrate_hosts_load(&hosts, migrate_side(OLD), soon), SF_OK);
    hosts.phase = SF_HOSTS_LEFT;
    ck_assert_int_eq(sf_migrate_hosts_store(&hosts, migrate_side(OLD), soon), SF_OK);
    migrate_step(4);
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "without this one"));
    ck_assert_int_eq(put_quickly(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_assert_both(6, 0);
}
END_TEST

/* No other host knows what one of them owes to the new store. */
START_TEST(test_of_several_none_reads_from_the_new_store)
{
    begin_on(ONE);
    ck_assert_int_eq(sf_migrate_set_percent(migrate, 100, &migrate_error), SF_OK); /* nobody else is there yet */
    migrate_work_off();
    begin_on(OTHER);
    migrate_work_off();
    migrate_choose(ONE);
    migrate_step(10);
    migrate_assert_refused(sf_migrate_set_percent(migrate, 50, &migrate_error), "other hosts write");
    ck_assert_int_eq(put_quickly(OTHER, 5, 1), SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    migrate_choose(OTHER);
    ck_assert_int_eq(migrate_end(migrate_store, 5, 2), SF_OK);
    migrate_choose(ONE);
    ck_assert_uint_eq(migrate_version(migrate_store, 5), 2);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_load(5), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_a_percentage_is_refused_at_the_start_where_others_are)
{
    begin_on(ONE);
    migrate_choose(OTHER);
    enum sf_status status =
        sf_migrate_start(migrate, NEW_URL, 10, sf_clock_steady() + SF_SECOND, &migrate_error);
    migrate_assert_refused(status, "other hosts write");
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
}
END_TEST

START_TEST(test_a_host_alone_reads_there_and_asks_the_old_one_for_the_truth)
{
    struct sf_stored stored;
    migrate_choose(ONE);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 1), SF_OK);
    migrate_begin(100);
    migrate_work_off();
    struct sf_load load = {.key = sf_test_key(1), .stored = &stored};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    for (int i = 0; i < 2; i++) {
        migrate_step(1);
        migrate_calls(NEW, SIDE_LOAD);
        load.needs_truth = i == 1;
        migrate_store->ops->load(migrate_store, &load, 1, sf_clock_steady() + SF_SECOND);
        ck_assert_int_eq(load.status, SF_OK);
        ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), i == 0 ? 1 : 0);
    }
    sf_buffer_fini(&stored.record);
    ck_assert_int_eq(finish(ONE), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_str_eq(migrate_look().authority, OLD_URL);
    begin_on(ONE);
}
END_TEST

START_TEST(test_they_move_to_the_same_place)
{
    begin_on(ONE);
    migrate_choose(OTHER);
    sf_time soon = sf_clock_steady() + SF_SECOND;
    enum sf_status status = sf_migrate_start(migrate, "memory:elsewhere", 0, soon, &migrate_error);
    migrate_assert_refused(status, "move to another store");
}
END_TEST

START_TEST(test_none_goes_back_alone_nor_stays_behind)
{
    verify_both();
    ck_assert_int_eq(finish(ONE), SF_OK);
    step_both();
    migrate_choose(ONE);
    migrate_assert_refused(sf_migrate_abort(migrate, &migrate_error), "goes back alone");
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    migrate_host = 103;
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_INVALID); /* with another configuration */
    ck_assert_ptr_nonnull(strstr(migrate_error.text, "have moved to another one"));
}
END_TEST

/* The row says nothing of a store any more that hosts have come back to. */
START_TEST(test_a_store_that_was_left_can_be_moved_to_again)
{
    begin_on(ONE);
    migrate_work_off();
    ck_assert_int_eq(finish(ONE), SF_OK);
    migrate_host = _i == 0 ? 100 : 0;
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    ck_assert_int_eq(sf_migrate_start(migrate, OLD_URL, 0, sf_clock_steady() + SF_SECOND, &migrate_error), SF_OK);
    migrate_work_off();
    ck_assert_int_eq(finish(ONE), SF_OK);
    migrate_host = 100;
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
}
END_TEST

START_TEST(test_the_row_is_no_session)
{
    verify_both();
    ck_assert_uint_eq(migrate_count(migrate_store), 0);
    ck_assert_uint_eq(migrate_count(migrate_side(OLD)), 1);
    ck_assert_uint_eq(migrate_look().compared, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate_hosts");
    TCase *tests = tcase_create("store_migrate_hosts");
    tcase_add_checked_fixture(tests, set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_both_finish_in_the_same_moment);
    tcase_add_test(tests, test_none_finishes_before_all_are_ready);
    tcase_add_test(tests, test_what_is_owed_is_paid_before);
    tcase_add_loop_test(tests, test_who_is_forgotten_holds_nobody_up, 0, 2);
    tcase_add_test(tests, test_none_finishes_without_who_has_aborted);
    tcase_add_test(tests, test_who_does_not_hold_in_time_is_not_left_behind);
    tcase_add_test(tests, test_who_is_killed_while_it_holds_goes_over_when_it_is_back);
    tcase_add_test(tests, test_who_is_killed_while_it_holds_goes_on_where_the_others_have_not_left);
    tcase_add_test(tests, test_who_was_left_behind_changes_nothing_any_more);
    tcase_add_test(tests, test_of_several_none_reads_from_the_new_store);
    tcase_add_test(tests, test_a_percentage_is_refused_at_the_start_where_others_are);
    tcase_add_test(tests, test_a_host_alone_reads_there_and_asks_the_old_one_for_the_truth);
    tcase_add_test(tests, test_they_move_to_the_same_place);
    tcase_add_test(tests, test_none_goes_back_alone_nor_stays_behind);
    tcase_add_loop_test(tests, test_a_store_that_was_left_can_be_moved_to_again, 0, 2);
    tcase_add_test(tests, test_the_row_is_no_session);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
