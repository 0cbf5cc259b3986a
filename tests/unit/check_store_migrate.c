/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and writes while a store is moved. */
#include "common/store/migrate/store_migrate.h"

#include "tests/support/run_suite.h"
#include "tests/unit/migrate_case.h"

#define MANY 400 /* sessions */

static void
assert_both_and_read_there(unsigned number, uint64_t version)
{
    migrate_assert_both(number, version);
    migrate_calls(NEW, SIDE_LOAD);
    ck_assert_uint_eq(migrate_version(migrate_store, number), version);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), 1);
}

START_TEST(test_without_a_migration_there_is_one_store)
{
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 3);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 1), 3);
    ck_assert_uint_eq(migrate_version(migrate_side(NEW), 1), 0);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_NONE);
}
END_TEST

START_TEST(test_changes_go_to_both)
{
    migrate_begin(0);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_OK);
    migrate_assert_both(1, 3);
    ck_assert_int_eq(migrate_end(migrate_store, 1, 4), SF_OK);
    migrate_assert_both(1, 4);
}
END_TEST

/* None of what one host would read from it is there. */
START_TEST(test_what_was_not_copied_yet_is_there)
{
    migrate_fill(MANY);
    migrate_begin(100);
    migrate_calls(NEW, SIDE_LOAD);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), 0);
    ck_assert_int_eq(migrate_load(MANY), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_so_many_percent_are_read_from_the_new_store)
{
    static const int percents[] = {0, 10, 50, 100};
    migrate_fill(MANY);
    migrate_verify(percents[_i]);
    migrate_calls(NEW, SIDE_LOAD);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    unsigned calls = migrate_calls(NEW, SIDE_LOAD), wanted = MANY * (unsigned)percents[_i] / 100;
    ck_assert_uint_ge(calls, wanted * 3 / 4);
    ck_assert_uint_le(calls, wanted * 5 / 4);
}
END_TEST

/* Who once was read from the new store is still when there are more. */
START_TEST(test_the_same_keys_are_read_there_each_time_and_more_when_it_is_turned_up)
{
    migrate_fill(MANY);
    migrate_verify(0);
    bool was_new[MANY] = {false};
    for (int percent = 0; percent <= 100; percent += 25) {
        ck_assert_int_eq(sf_migrate_set_percent(migrate, percent, &migrate_error), SF_OK);
        for (unsigned i = 0; i < MANY; i++) {
            migrate_calls(NEW, SIDE_LOAD);
            ck_assert_int_eq(migrate_load(i), SF_OK);
            bool is_new = migrate_calls(NEW, SIDE_LOAD) > 0;
            ck_assert(is_new || !was_new[i]);
            was_new[i] = is_new;
        }
    }
}
END_TEST

START_TEST(test_no_is_the_authoritys_word)
{
    migrate_fill(1);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_LOAD, SF_NOT_FOUND);
    ck_assert_int_eq(migrate_load(0), SF_OK);
    ck_assert_int_eq(migrate_load(1), SF_NOT_FOUND);
    struct sf_difference listed[SF_DIFFERENCES_KEPT];
    ck_assert_uint_eq(sf_migrate_differences(migrate, listed), 1);
    ck_assert_int_eq(listed[0].kind, SF_DIFFERENCE_MISSING);
    ck_assert_uint_eq(migrate_look().owed, 1);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_load(1), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_a_new_store_that_does_not_answer_is_not_noticed)
{
    static const enum sf_status answers[] = {SF_UNAVAILABLE, SF_CORRUPT, SF_NO_MEMORY};
    migrate_fill(3);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_LOAD, answers[_i]);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    ck_assert_int_eq(migrate_load(3), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_the_new_store_stands_in_for_the_old_one_where_it_is_known_to_be_equal)
{
    migrate_fill(3);
    migrate_verify(0);
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    ck_assert_int_eq(migrate_load(3), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_what_the_new_store_has_not_taken_is_not_read_there)
{
    static const enum sf_status answers[] = {SF_UNAVAILABLE, SF_UNCERTAIN, SF_INVALID, SF_FULL};
    migrate_fill(3);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_WRITE, answers[_i]);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    ck_assert_uint_eq(migrate_look().owed, 1);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_work_off();
    assert_both_and_read_there(1, 2);
}
END_TEST

static enum sf_status
change_another(void)
{
    return migrate_put(migrate_store, 2, 7);
}

/* Whoever waits for the acknowledgement does not wait for it. */
START_TEST(test_a_new_store_that_hangs_holds_a_change_up_for_a_moment_and_once)
{
    migrate_fill(3);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    migrate_calls(NEW, SIDE_WRITE);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(migrate_put(migrate_store, i, 2), SF_OK);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_WRITE), 1);
    ck_assert_int_le(migrate_patience(NEW, SIDE_WRITE), 150);
    ck_assert_uint_eq(migrate_look().owed, 3);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_during(NEW, SIDE_WRITE, change_another); /* while it is connected to */
    migrate_work_off();
    ck_assert_uint_eq(migrate_version(migrate_store, 2), 7);
    migrate_assert_both(2, 7);
    migrate_calls(NEW, SIDE_WRITE);
    ck_assert_int_eq(migrate_put(migrate_store, 1, 3), SF_OK);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_WRITE), 1);
    migrate_assert_both(1, 3);
}
END_TEST

/* And a load, too: the others ask the old one at once, until the work in the background has had an answer. */
START_TEST(test_a_new_store_that_hangs_is_waited_for_by_one_load)
{
    migrate_fill(3);
    migrate_verify(100);
    migrate_answer(NEW, SIDE_LOAD, SF_UNAVAILABLE);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    migrate_calls(NEW, SIDE_LOAD);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(migrate_load(i), SF_OK);
    migrate_step(2);
    ck_assert_int_eq(migrate_load(0), SF_OK);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), 1);
    ck_assert_uint_eq(migrate_look().waits, 1);
    migrate_answer(NEW, SIDE_LOAD, SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_pass_time(SF_SECOND);
    migrate_step(1);
    ck_assert_int_eq(migrate_load(0), SF_OK);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), 1);
    ck_assert_uint_eq(migrate_look().waits, 1);
}
END_TEST

static enum sf_status
load_twice(void)
{
    enum sf_status status = migrate_load(1);
    return status == SF_OK ? migrate_load(2) : status;
}

/* Its lane is taken by a page of the comparison that it does not answer. */
START_TEST(test_a_lane_of_the_new_store_that_is_taken_is_waited_for_by_one_load)
{
    migrate_fill(3);
    migrate_verify(100);
    ck_assert_int_eq(sf_migrate_compare(migrate, &migrate_error), SF_OK);
    migrate_during(NEW, SIDE_SCAN, load_twice);
    migrate_step(1);
    ck_assert_uint_eq(migrate_look().waits, 1);
}
END_TEST

static enum sf_status
load_by_a_deadline(void)
{
    struct sf_key key = sf_test_key(1);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_store_load_one(migrate_store, &key, sf_clock_steady() + 100, &stored);
    sf_buffer_fini(&stored.record);
    ck_assert_int_eq(status, SF_UNAVAILABLE);
    return SF_OK;
}

/* Nobody else can be asked, but nobody is held beyond his deadline either. */
START_TEST(test_a_lane_of_the_old_store_that_is_taken_is_waited_for_until_the_deadline)
{
    migrate_fill(3);
    migrate_verify(100);
    ck_assert_int_eq(sf_migrate_compare(migrate, &migrate_error), SF_OK);
    migrate_answer(NEW, SIDE_LOAD, SF_UNAVAILABLE);
    migrate_during(OLD, SIDE_SCAN, load_by_a_deadline);
    migrate_step(1);
    ck_assert_int_eq(migrate_load(1), SF_OK);
}
END_TEST

/* The work in the background waits for it without keeping anybody out. */
START_TEST(test_changes_go_on_while_the_new_store_hangs)
{
    migrate_fill(3);
    migrate_verify(100);
    if (_i == 0) {
        migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
        ck_assert_int_eq(migrate_put(migrate_store, 1, 2), SF_OK);
    } else {
        ck_assert_int_eq(migrate_put(migrate_side(OLD), 1, 2), SF_OK); /* a difference */
        ck_assert_int_eq(sf_migrate_compare(migrate, &migrate_error), SF_OK);
    }
    migrate_during(NEW, SIDE_LOAD, change_another);
    migrate_step(3);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 2), 7);
    migrate_work_off();
    migrate_assert_both(1, 2);
    migrate_assert_both(2, 7);
}
END_TEST

START_TEST(test_what_the_authority_has_not_taken_the_other_one_does_not_get)
{
    migrate_fill(1);
    migrate_verify(100);
    migrate_answer(OLD, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_put(migrate_store, 0, 2), SF_UNAVAILABLE);
    migrate_answer(OLD, SIDE_WRITE, SF_OK);
    migrate_assert_both(0, 1);
    ck_assert_uint_eq(migrate_look().owed, 0);
}
END_TEST

/* The authority has it, and nobody knows. */
START_TEST(test_a_lost_answer_of_the_authority_is_looked_after)
{
    migrate_fill(1);
    migrate_verify(100);
    migrate_answer(OLD, SIDE_WRITE, SF_UNCERTAIN);
    ck_assert_int_eq(migrate_put(migrate_store, 0, 2), SF_UNCERTAIN);
    migrate_answer(OLD, SIDE_WRITE, SF_OK);
    ck_assert_uint_eq(migrate_look().owed, 1);
    ck_assert_uint_eq(migrate_version(migrate_store, 0), 2);
    migrate_work_off();
    migrate_assert_both(0, 2);
}
END_TEST

START_TEST(test_the_authority_judges_what_a_change_expects)
{
    migrate_fill(1);
    migrate_verify(100);
    ck_assert_int_eq(migrate_put(migrate_side(NEW), 0, 5), SF_OK); /* behind everybody's back */
    struct sf_buffer record = sf_test_record(6, NULL, sf_span_text("other"));
    struct sf_write write = sf_test_put(0, 6, &record);
    write.expected = 5;
    ck_assert_int_eq(migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady() + SF_SECOND), SF_CONFLICT);
    ck_assert_uint_eq(migrate_version(migrate_side(OLD), 0), 1);
    write.expected = 1;
    ck_assert_int_eq(migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    migrate_assert_both(0, 6);
    sf_buffer_fini(&record);
}
END_TEST

static enum sf_status
touch(unsigned number, sf_time access)
{
    struct sf_write write = sf_test_touch(number, access, access + SF_DAY);
    return migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady() + SF_SECOND);
}

static sf_time
access_of(struct sf_store *store, unsigned number)
{
    struct sf_key key = sf_test_key(number);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + SF_SECOND, &stored), SF_OK);
    sf_buffer_fini(&stored.record);
    return stored.last_access;
}

START_TEST(test_accesses_go_to_both)
{
    migrate_fill(2);
    migrate_begin(0);
    ck_assert_int_eq(touch(1, 5000), SF_OK); /* not copied yet: the copy knows it */
    ck_assert_uint_eq(migrate_look().owed, 0);
    migrate_work_off();
    ck_assert_int_eq(access_of(migrate_side(NEW), 1), 5000);
    ck_assert_int_eq(touch(1, 6000), SF_OK);
    ck_assert_int_eq(access_of(migrate_side(OLD), 1), 6000);
    ck_assert_int_eq(access_of(migrate_side(NEW), 1), 6000);
    migrate_answer(NEW, SIDE_WRITE, SF_UNAVAILABLE);
    ck_assert_int_eq(touch(1, 7000), SF_OK);
    migrate_answer(NEW, SIDE_WRITE, SF_OK);
    migrate_work_off();
    ck_assert_int_eq(access_of(migrate_side(NEW), 1), 7000);
    ck_assert_int_eq(touch(77, 7000), SF_NOT_FOUND);
    ck_assert_uint_eq(migrate_look().owed, 0);
}
END_TEST

START_TEST(test_both_are_swept)
{
    size_t removed;
    migrate_begin(0);
    struct sf_buffer record = sf_test_record(1, NULL, sf_span_text("x"));
    struct sf_write write = sf_test_put(1, 1, &record);
    write.expires = 2000;
    ck_assert_int_eq(migrate_store->ops->write(migrate_store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    sf_buffer_fini(&record);
    migrate_assert_both(1, 1);
    sf_time soon = sf_clock_steady() + SF_SECOND;
    ck_assert_int_eq(migrate_store->ops->sweep(migrate_store, 3000, 10, soon, &removed), SF_OK);
    ck_assert_uint_eq(removed, 1);
    migrate_assert_both(1, 0);
}
END_TEST

START_TEST(test_the_authority_is_listed)
{
    migrate_fill(5);
    migrate_begin(100);
    ck_assert_uint_eq(migrate_count(migrate_store), 5);
}
END_TEST

/* Its server was restarted, and has forgotten the last change. */
static void
lose_last_change(void)
{
    ck_assert_int_eq(migrate_put(migrate_side(OLD), 1, 2), SF_OK);
    migrate_restart(NEW);
}

START_TEST(test_a_new_store_that_was_restarted_is_not_believed_until_it_is_copied_again)
{
    migrate_fill(3);
    migrate_verify(100);
    lose_last_change();
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_COPYING);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
    assert_both_and_read_there(1, 2);
}
END_TEST

START_TEST(test_nor_does_it_stand_in_for_the_old_one)
{
    migrate_fill(3);
    migrate_verify(0);
    lose_last_change();
    migrate_answer(OLD, SIDE_LOAD, SF_UNAVAILABLE);
    ck_assert_int_eq(migrate_load(1), SF_UNAVAILABLE);
}
END_TEST

START_TEST(test_a_restart_of_the_new_store_is_noticed_by_the_next_process)
{
    migrate_fill(3);
    migrate_verify(100);
    migrate_step(2); /* saved */
    migrate_kill();
    lose_last_change();
    ck_assert_int_eq(migrate_open(OLD_URL, ""), SF_OK);
    ck_assert_uint_eq(migrate_version(migrate_store, 1), 2);
    ck_assert(migrate_look().is_copying);
}
END_TEST

/* Nobody knows whether the authority has them. */
START_TEST(test_more_than_can_be_owed_is_copied_once_more)
{
    migrate_fill(4);
    migrate_verify(100);
    migrate_answer(OLD, SIDE_WRITE, SF_UNCERTAIN);
    for (unsigned i = 0; i <= 65536; i++)
        ck_assert_int_eq(touch(1000 + i, 7000), SF_UNCERTAIN);
    migrate_answer(OLD, SIDE_WRITE, SF_OK);
    struct sf_migrate_report report = migrate_look();
    ck_assert(report.is_copying);
    ck_assert_int_eq(report.phase, SF_MIGRATE_COPYING);
    ck_assert_uint_eq(report.owed, 0);
    migrate_calls(NEW, SIDE_LOAD);
    ck_assert_uint_eq(migrate_version(migrate_store, 3), 1);
    ck_assert_uint_eq(migrate_calls(NEW, SIDE_LOAD), 0);
    migrate_work_off();
    ck_assert_int_eq(migrate_look().phase, SF_MIGRATE_VERIFIED);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_migrate");
    TCase *tests = tcase_create("store_migrate");
    tcase_add_checked_fixture(tests, migrate_set_up, migrate_tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_without_a_migration_there_is_one_store);
    tcase_add_test(tests, test_changes_go_to_both);
    tcase_add_test(tests, test_what_was_not_copied_yet_is_there);
    tcase_add_loop_test(tests, test_so_many_percent_are_read_from_the_new_store, 0, 4);
    tcase_add_test(tests, test_the_same_keys_are_read_there_each_time_and_more_when_it_is_turned_up);
    tcase_add_test(tests, test_no_is_the_authoritys_word);
    tcase_add_loop_test(tests, test_a_new_store_that_does_not_answer_is_not_noticed, 0, 3);
    tcase_add_test(tests, test_the_new_store_stands_in_for_the_old_one_where_it_is_known_to_be_equal);
    tcase_add_loop_test(tests, test_what_the_new_store_has_not_taken_is_not_read_there, 0, 4);
    tcase_add_test(tests, test_a_new_store_that_hangs_holds_a_change_up_for_a_moment_and_once);
    tcase_add_test(tests, test_a_new_store_that_hangs_is_waited_for_by_one_load);
    tcase_add_test(tests, test_a_lane_of_the_new_store_that_is_taken_is_waited_for_by_one_load);
    tcase_add_test(tests, test_a_lane_of_the_old_store_that_is_taken_is_waited_for_until_the_deadline);
    tcase_add_loop_test(tests, test_changes_go_on_while_the_new_store_hangs, 0, 2);
    tcase_add_test(tests, test_what_the_authority_has_not_taken_the_other_one_does_not_get);
    tcase_add_test(tests, test_a_lost_answer_of_the_authority_is_looked_after);
    tcase_add_test(tests, test_the_authority_judges_what_a_change_expects);
    tcase_add_test(tests, test_accesses_go_to_both);
    tcase_add_test(tests, test_both_are_swept);
    tcase_add_test(tests, test_the_authority_is_listed);
    tcase_add_test(tests, test_a_new_store_that_was_restarted_is_not_believed_until_it_is_copied_again);
    tcase_add_test(tests, test_nor_does_it_stand_in_for_the_old_one);
    tcase_add_test(tests, test_a_restart_of_the_new_store_is_noticed_by_the_next_process);
    tcase_add_test(tests, test_more_than_can_be_owed_is_copied_once_more);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
