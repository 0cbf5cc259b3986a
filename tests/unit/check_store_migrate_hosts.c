/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts, each with a daemon of its own, move from one store that both write to another one. */
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_hosts_case.h"

START_TEST(test_both_finish_in_the_same_moment)
{
    migrate_choose(ONE);
    migrate_fill(300);
    hosts_verify();
    ck_assert_uint_eq(migrate_look().hosts, 2);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert(migrate_look().is_ending);
    ck_assert_int_eq(hosts_put(ONE, 5, 2), SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK); /* it does not know yet */
    migrate_assert_both(5, 2);
    while (hosts_row(OLD).phase != SF_HOSTS_LEFT)
        migrate_step(1);
    ck_assert(migrate_look().is_ending); /* until it is there */
    hosts_step();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert(!migrate_look().is_ending);
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
    ck_assert_str_eq(migrate_look().authority, NEW_URL);
    ck_assert_int_eq(hosts_put(ONE, 5, 3), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 5), 3);
    migrate_choose(OTHER);
    ck_assert_uint_eq(migrate_version(migrate_store, 5), 3);
}
END_TEST

START_TEST(test_none_finishes_before_all_are_ready)
{
    hosts_begin(ONE);
    migrate_work_off();
    hosts_begin(OTHER);
    migrate_assert_refused(hosts_finish(ONE), "is not ready");
    migrate_choose(OTHER);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
}
END_TEST

/* It is still owed when all are asked: whoever owes holds when he has paid. */
START_TEST(test_what_is_owed_is_paid_before)
{
    hosts_verify();
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    hosts_step();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_VERIFIED);
    ck_assert(migrate_look().is_ending);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    for (int i = 0; i < 5; i++)
        hosts_step();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
    migrate_assert_both(5, 2);
}
END_TEST

/* The machine is gone; but whoever lives is not forgotten. */
START_TEST(test_who_is_forgotten_holds_nobody_up)
{
    hosts_verify();
    migrate_choose(OTHER);
    migrate_kill();
    migrate_choose(ONE);
    migrate_assert_refused(sf_migrate_forget(migrate, 100, &migrate_error), "no such host");
    migrate_assert_refused(sf_migrate_forget(migrate, 102, &migrate_error), "no such host");
    ck_assert_int_eq(sf_migrate_forget(migrate, 101, &migrate_error), SF_OK);
    if (_i == 1) {
        hosts_open(OTHER);
        migrate_step(1);
    }
    hosts_wait(ONE);
    ck_assert_uint_eq(migrate_look().hosts, _i == 1 ? 2 : 1);
    (void)!hosts_finish(ONE);
    ck_assert_int_eq(migrate_look().phase, _i == 1 ? SF_MIGRATE_VERIFIED : SF_MIGRATE_FINISHED);
}
END_TEST

/* What it changes goes to the old store only. */
START_TEST(test_none_finishes_without_who_has_aborted)
{
    hosts_verify();
    migrate_choose(OTHER);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    migrate_assert_refused(hosts_finish(ONE), "has aborted, or not begun");
    hosts_begin(OTHER);
    migrate_work_off();
    migrate_step(10);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    hosts_step();
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
}
END_TEST

START_TEST(test_who_does_not_hold_in_time_is_not_left_behind)
{
    hosts_verify();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(4);
    ck_assert(!migrate_look().is_ending);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(hosts_put(ONE, 5, 1), SF_OK);
    hosts_step();
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    ck_assert_int_eq(hosts_finish(OTHER), SF_OK);
    hosts_step();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
}
END_TEST

/* Its successor changes nothing before it knows what has become of that. */
START_TEST(test_who_is_killed_while_it_holds_goes_over_when_it_is_back)
{
    hosts_verify();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_kill();
    migrate_choose(OTHER);
    migrate_step(4);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    hosts_open(ONE);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_UNAVAILABLE);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 6), 0);
    migrate_step(1);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 6), 1);
}
END_TEST

START_TEST(test_who_is_killed_while_it_holds_goes_on_where_the_others_have_not_left)
{
    hosts_verify();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_kill();
    hosts_open(ONE);
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_step(1); /* all are still asked to hold */
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(4);
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_OK);
    migrate_assert_both(6, 1);
}
END_TEST

/* ONE was away when it was forgotten, and the others have left. */
static void
leave_one_behind(void)
{
    struct sf_migrate_hosts hosts = hosts_row(OLD);
    hosts.phase = SF_HOSTS_LEFT;
    hosts.count = 1;
    hosts.list[0] = (struct sf_migrate_host){.id = NUMBER_OF(OTHER), .state = SF_HOST_HOLDS};
    hosts_change_row(OLD, &hosts);
}

START_TEST(test_who_was_left_behind_and_owes_nothing_goes_over)
{
    hosts_verify();
    leave_one_behind();
    migrate_step(4);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert_str_eq(migrate_look().trouble, "");
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_OK);
}
END_TEST

/* It has acknowledged what the others do not know. */
START_TEST(test_who_was_left_behind_and_owes_changes_nothing_before_it_has_paid)
{
    hosts_verify();
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(ONE, 5, 2), SF_OK);
    leave_one_behind();
    migrate_step(4);
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "without this one"));
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_UNAVAILABLE);
    migrate_assert_both(6, 0);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(10);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    migrate_assert_both(5, 2);
}
END_TEST

/* What it owes somebody else has changed there. */
START_TEST(test_who_was_left_behind_goes_over_when_it_is_told_to)
{
    hosts_verify();
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(ONE, 5, 2), SF_OK);
    leave_one_behind();
    migrate_step(4);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_VERIFIED);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    migrate_step(1);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
}
END_TEST

/* Those of a migration that all of them but this one have aborted. */
START_TEST(test_who_moves_elsewhere_goes_nowhere_with_the_others)
{
    hosts_verify();
    struct sf_migrate_hosts hosts = hosts_row(OLD);
    hosts.target++;
    hosts.count = 1;
    hosts.list[0] = (struct sf_migrate_host){.id = 7, .state = SF_HOST_READY};
    hosts_change_row(OLD, &hosts);
    migrate_step(10);
    hosts = hosts_row(OLD);
    ck_assert_int_eq(sf_migrate_hosts_find(&hosts, NUMBER_OF(ONE))->state, SF_HOST_GONE);
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "abort it here"));
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_OK);
    hosts = hosts_row(OLD);
    hosts.phase = SF_HOSTS_LEFT;
    hosts_change_row(OLD, &hosts);
    migrate_step(10);
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "for another one"));
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_VERIFIED);
    ck_assert_int_eq(hosts_put(ONE, 6, 2), SF_UNAVAILABLE);
}
END_TEST

/* It lives, and has changed something that the new store does not know; then all finish at once. */
START_TEST(test_none_finishes_while_somebody_is_asked_whether_he_lives)
{
    hosts_verify();
    ck_assert_int_eq(sf_migrate_forget(migrate, NUMBER_OF(OTHER), &migrate_error), SF_OK);
    ck_assert(migrate_look().is_asking);
    migrate_assert_refused(sf_migrate_forget(migrate, NUMBER_OF(OTHER), &migrate_error), "is being asked");
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "is asked");
    migrate_choose(OTHER);
    migrate_step(1);
    hosts_wait(ONE);
    ck_assert(!migrate_look().is_asking);
    ck_assert_uint_eq(migrate_look().hosts, 2);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
}
END_TEST

/* Whoever has aborted does not look at the row; it is asked before it writes. */
START_TEST(test_who_has_aborted_and_was_forgotten_writes_nothing_that_is_lost)
{
    hosts_verify();
    migrate_choose(OTHER);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    migrate_choose(ONE);
    ck_assert_int_eq(sf_migrate_forget(migrate, NUMBER_OF(OTHER), &migrate_error), SF_OK);
    if (_i == 1)
        ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
    if (_i == 1)
        migrate_assert_refused(hosts_finish(ONE), "has aborted");
    else
        ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(hosts_phase(ONE), _i == 1 ? SF_MIGRATE_VERIFIED : SF_MIGRATE_FINISHED);
    if (_i == 0)
        ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_UNAVAILABLE);
}
END_TEST

/* A batch was under way when it was killed: it is held until it has paid. */
START_TEST(test_who_is_killed_before_it_holds_pays_what_it_owes_and_holds)
{
    hosts_verify();
    hosts_wait(OTHER); /* its file says that it has found both equal */
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_choose(OTHER);
    migrate_kill();
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    hosts_open(OTHER);
    migrate_pass_time(3 * SF_SECOND);
    hosts_step();
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
    migrate_assert_both(5, 2);
}
END_TEST

static void
reboot_other(void)
{
    migrate_choose(OTHER);
    migrate_reboot();
    hosts_open(OTHER);
}

static void
abort_other(void)
{
    migrate_choose(OTHER);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
}

/* It has to copy once more, or has aborted: those who hold are not kept waiting. */
START_TEST(test_all_go_on_when_one_cannot_hold)
{
    void (*const cannot_hold[])(void) = {reboot_other, abort_other};
    hosts_verify();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(hosts_put(ONE, 5, 1), SF_UNAVAILABLE);
    cannot_hold[_i]();
    migrate_step(1);
    migrate_choose(ONE);
    migrate_step(3);
    ck_assert(!migrate_look().is_ending);
    ck_assert_int_eq(hosts_put(ONE, 5, 1), SF_OK);
    migrate_choose(OTHER);
    migrate_step(1);
    ck_assert_int_eq(hosts_put(OTHER, 6, 1), SF_OK);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_VERIFIED);
}
END_TEST

/* A failover to what is behind: all have left in the meantime, for what this host knows. */
START_TEST(test_who_holds_does_not_believe_a_row_that_went_back)
{
    if (_i == 1)
        migrate_back_up(OLD); /* it has no row yet, and another host makes one */
    hosts_verify();
    if (_i == 0)
        migrate_back_up(OLD);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_choose(OTHER);
    migrate_step(4);
    ck_assert_int_eq(hosts_phase(OTHER), SF_MIGRATE_FINISHED);
    migrate_go_back(OLD);
    if (_i == 1) {
        struct sf_migrate_hosts hosts = {.store = 7, .target = hosts_row(NEW).store, .phase = SF_HOSTS_COPYING};
        hosts_change_row(OLD, &hosts);
    }
    migrate_choose(ONE);
    migrate_pass_time(20 * SF_SECOND);
    migrate_step(4);
    ck_assert_ptr_nonnull(strstr(migrate_look().trouble, "has lost what the hosts have agreed on"));
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_int_eq(hosts_put(ONE, 6, 1), SF_OK);
}
END_TEST

/* Whoever writes has not necessarily looked yet, and does it in the old store alone. */
START_TEST(test_none_compares_before_all_who_write_may_know)
{
    hosts_begin(ONE);
    while (migrate_look().is_copying)
        migrate_step(1);
    if (_i == 1) {
        migrate_pass_time(2 * SF_SECOND);
        migrate_step(2); /* its file says that it has copied */
        migrate_kill();
        hosts_open(ONE);
    }
    migrate_step(10);
    ck_assert_int_eq(migrate_put(migrate_side(OLD), 5, 1), SF_OK);
    migrate_work_off();
    migrate_assert_both(5, 1);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
}
END_TEST

/* It has aborted, or its machine is gone with what it owed: what it acknowledged the old store has, and nobody owes. */
START_TEST(test_what_only_a_host_that_was_forgotten_knew_is_brought_over)
{
    hosts_verify();
    if (_i == 0) {
        migrate_choose(OTHER);
        ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    }
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(hosts_put(OTHER, 5, 2), SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 5), 0);
    migrate_choose(ONE);
    ck_assert_int_eq(sf_migrate_forget(migrate, NUMBER_OF(OTHER), &migrate_error), SF_OK);
    hosts_wait(ONE);
    ck_assert_uint_eq(migrate_look().hosts, 1);
    migrate_assert_refused(sf_migrate_finish(migrate, &migrate_error), "have not been found equal");
    migrate_work_off();
    migrate_assert_both(5, 2);
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(hosts_phase(ONE), SF_MIGRATE_FINISHED);
}
END_TEST

/* No other host knows what one of them owes to the new store. */
START_TEST(test_of_several_none_reads_from_the_new_store)
{
    hosts_begin(ONE);
    ck_assert_int_eq(sf_migrate_set_percent(migrate, 100, &migrate_error), SF_OK); /* nobody else is there yet */
    migrate_work_off();
    hosts_begin(OTHER);
    migrate_work_off();
    migrate_choose(ONE);
    migrate_step(10);
    migrate_assert_refused(sf_migrate_set_percent(migrate, 50, &migrate_error), "other hosts write");
    ck_assert_int_eq(hosts_put(OTHER, 5, 1), SF_OK);
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
    hosts_begin(ONE);
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
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_FINISHED);
    ck_assert_int_eq(sf_migrate_abort(migrate, &migrate_error), SF_OK);
    ck_assert_str_eq(migrate_look().authority, OLD_URL);
    hosts_begin(ONE);
}
END_TEST

START_TEST(test_they_move_to_the_same_place)
{
    hosts_begin(ONE);
    migrate_choose(OTHER);
    sf_time soon = sf_clock_steady() + SF_SECOND;
    enum sf_status status = sf_migrate_start(migrate, "memory:elsewhere", 0, soon, &migrate_error);
    migrate_assert_refused(status, "move to another store");
}
END_TEST

START_TEST(test_none_goes_back_alone_nor_stays_behind)
{
    hosts_verify();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    hosts_step();
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
    hosts_move_one();
    migrate_host = _i == 0 ? 100 : 0;
    ck_assert_int_eq(migrate_open(NEW_URL, ""), SF_OK);
    ck_assert_int_eq(sf_migrate_start(migrate, OLD_URL, 0, sf_clock_steady() + SF_SECOND, &migrate_error), SF_OK);
    migrate_work_off();
    ck_assert_int_eq(hosts_finish(ONE), SF_OK);
    migrate_host = 100;
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
}
END_TEST

START_TEST(test_the_row_is_no_session)
{
    hosts_verify();
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
    tcase_add_checked_fixture(tests, hosts_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_both_finish_in_the_same_moment);
    tcase_add_test(tests, test_none_finishes_before_all_are_ready);
    tcase_add_test(tests, test_what_is_owed_is_paid_before);
    tcase_add_loop_test(tests, test_who_is_forgotten_holds_nobody_up, 0, 2);
    tcase_add_test(tests, test_none_finishes_without_who_has_aborted);
    tcase_add_test(tests, test_who_does_not_hold_in_time_is_not_left_behind);
    tcase_add_test(tests, test_who_is_killed_while_it_holds_goes_over_when_it_is_back);
    tcase_add_test(tests, test_who_is_killed_while_it_holds_goes_on_where_the_others_have_not_left);
    tcase_add_test(tests, test_who_was_left_behind_and_owes_nothing_goes_over);
    tcase_add_test(tests, test_who_was_left_behind_and_owes_changes_nothing_before_it_has_paid);
    tcase_add_test(tests, test_who_was_left_behind_goes_over_when_it_is_told_to);
    tcase_add_test(tests, test_who_moves_elsewhere_goes_nowhere_with_the_others);
    tcase_add_test(tests, test_none_finishes_while_somebody_is_asked_whether_he_lives);
    tcase_add_loop_test(tests, test_who_has_aborted_and_was_forgotten_writes_nothing_that_is_lost, 0, 2);
    tcase_add_test(tests, test_who_is_killed_before_it_holds_pays_what_it_owes_and_holds);
    tcase_add_loop_test(tests, test_all_go_on_when_one_cannot_hold, 0, 2);
    tcase_add_loop_test(tests, test_who_holds_does_not_believe_a_row_that_went_back, 0, 2);
    tcase_add_loop_test(tests, test_none_compares_before_all_who_write_may_know, 0, 2);
    tcase_add_loop_test(tests, test_what_only_a_host_that_was_forgotten_knew_is_brought_over, 0, 2);
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
