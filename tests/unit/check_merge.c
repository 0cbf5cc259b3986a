/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/merge.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/merge_case.h"

START_TEST(test_sums_add_up_and_different_fields_both_stay)
{
    increment(&hosts[0], "n", 5);
    increment(&hosts[1], "n", 7);
    set(&hosts[0], "a", "first");
    set(&hosts[1], "b", "second");
    store(&hosts[0]);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "n"), "12");
    ck_assert_str_eq(look(&row, "a"), "first");
    ck_assert_str_eq(look(&row, "b"), "second");
    ck_assert_str_eq(look(&row, "theme"), "dark");
    store(&hosts[0]);
    ck_assert(sf_span_equal(sf_buffer_span(&hosts[0].record), sf_buffer_span(&row)));
}
END_TEST

START_TEST(test_what_both_set_is_what_came_last)
{
    set(&hosts[0], "theme", "light");
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "light");
}
END_TEST

START_TEST(test_set_that_is_stored_does_not_come_back)
{
    set(&hosts[0], "theme", "light");
    write_to_store(&hosts[0].record); /* the answer is late, or lost */
    store(&hosts[1]);
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "blue");
    ck_assert_str_eq(look(&row, "n"), "1");
}
END_TEST

START_TEST(test_unset_is_merged)
{
    change(&hosts[0], SF_OP_UNSET, "theme");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "-");
    ck_assert_str_eq(look(&row, "n"), "1");
}
END_TEST

START_TEST(test_cleared_fields_go_and_others_stay)
{
    set(&hosts[1], "new", "stays");
    do_op(&hosts[0], SF_OP_CLEAR);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "-");
    ck_assert_str_eq(look(&row, "new"), "stays");
}
END_TEST

START_TEST(test_set_counter_takes_the_place_of_sums)
{
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    store(&hosts[1]);
    set(&hosts[1], "n", "100");
    increment(&hosts[1], "n", 1);
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "n"), "101");
    store(&hosts[0]);
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "102");
}
END_TEST

START_TEST(test_flags_are_merged)
{
    change(&hosts[0], SF_OP_MARK, "pinned");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_uint_eq(head_of(&row).flags, SF_RECORD_PINNED);
}
END_TEST

START_TEST(test_row_of_an_older_copy_takes_nothing_back)
{
    struct sf_buffer older = new_buffer();
    copy(&older, &row);
    set(&hosts[0], "a", "1");
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    set(&hosts[0], "b", "1");
    increment(&hosts[0], "n", 1);
    copy(&row, &older);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "a"), "1");
    ck_assert_str_eq(look(&row, "b"), "1");
    ck_assert_str_eq(look(&row, "n"), "2");
    increment(&hosts[0], "n", 1);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "3");
    sf_buffer_fini(&older);
}
END_TEST

START_TEST(test_who_is_ended_stays_so)
{
    increment(&hosts[1], "n", 1);
    increment(&hosts[2], "n", 1);
    do_op(&hosts[0], SF_OP_END);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    store(&hosts[2]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    ck_assert_int_eq(head_of(&hosts[2].record).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_sum_of_what_is_no_number_counts_from_zero)
{
    set(&hosts[1], "n", "word");
    increment(&hosts[0], "n", INT64_MAX);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "n"), "9223372036854775807");
    increment(&hosts[2], "n", 5);
    store(&hosts[2]);
    ck_assert_str_eq(look(&row, "n"), "9223372036854775807");
}
END_TEST

START_TEST(test_damaged_lineage_is_corrupt)
{
    struct sf_buffer merged = new_buffer();
    bool is_new;
    increment(&hosts[0], "n", 5);
    struct sf_record_head head = head_of(&hosts[0].record);
    for (size_t i = 1; i <= head.lineage.size; i++) {
        unsigned char *at = hosts[0].record.data + hosts[0].record.size - i;
        unsigned char was = *at;
        *at ^= 0xff;
        enum sf_status status = sf_record_merge(&merged, &is_new, sf_buffer_span(&row),
                                                sf_buffer_span(&hosts[0].record));
        ck_assert(status == SF_OK || status == SF_CORRUPT || status == SF_INVALID);
        *at = was;
    }
    sf_buffer_fini(&merged);
}
END_TEST

START_TEST(test_what_only_the_journal_has_is_not_taken_for_stored)
{
    set(&hosts[0], "a", "journalled");
    increment(&hosts[0], "n", 5);
    forget(&hosts[0], hosts[0].id, false);
    set(&hosts[1], "b", "first"); /* two versions, so that the row's has the number of ours */
    increment(&hosts[1], "n", 7);
    store(&hosts[1]);
    set(&hosts[0], "c", "later");
    store(&hosts[0]);
    drain(&hosts[0]);
    ck_assert_str_eq(look(&row, "a"), "journalled");
    ck_assert_str_eq(look(&row, "b"), "first");
    ck_assert_str_eq(look(&row, "c"), "later");
    ck_assert_str_eq(look(&row, "n"), "12");
}
END_TEST

START_TEST(test_store_that_went_back_gets_what_a_host_still_has)
{
    struct sf_buffer backup = new_buffer();
    copy(&backup, &row);
    set(&hosts[0], "a", "lost");
    increment(&hosts[0], "n", 5);
    store(&hosts[0]);
    refresh(&hosts[1]);
    copy(&row, &backup);
    set(&hosts[1], "b", "here");
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    ck_assert_str_eq(look(&row, "a"), "lost");
    ck_assert_str_eq(look(&row, "b"), "here");
    ck_assert_str_eq(look(&row, "n"), "6");
    sf_buffer_fini(&backup);
}
END_TEST

/* One host has all that was lost, another one goes on from what was not, in so many batches. */
static void
go_back_and_change(int batches)
{
    char name[16];
    struct sf_buffer backup = new_buffer();
    copy(&backup, &row);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "a%d", i);
        set(&hosts[0], name, "lost");
        increment(&hosts[0], "n", 5);
        store(&hosts[0]);
    }
    copy(&row, &backup);
    for (int i = 0; i < batches; i++) {
        snprintf(name, sizeof name, "b%d", i);
        set(&hosts[1], name, "here");
        increment(&hosts[1], "n", 1);
        store(&hosts[1]);
    }
    sf_buffer_fini(&backup);
}

START_TEST(test_store_that_went_back_has_both_histories)
{
    char name[16];
    go_back_and_change(_i);
    restore(&hosts[0]);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "a%d", i);
        ck_assert_str_eq(look(&row, name), "lost");
    }
    for (int i = 0; i < _i; i++) {
        snprintf(name, sizeof name, "b%d", i);
        ck_assert_str_eq(look(&row, name), "here");
    }
    snprintf(name, sizeof name, "%d", 4 * 5 + _i);
    ck_assert_str_eq(look(&row, "n"), name);
    struct sf_buffer before = new_buffer();
    copy(&before, &row);
    restore(&hosts[0]);
    restore(&hosts[1]);
    ck_assert(sf_span_equal(sf_buffer_span(&before), sf_buffer_span(&row)));
    sf_buffer_fini(&before);
}
END_TEST

START_TEST(test_what_was_ended_in_either_history_stays_so)
{
    go_back_and_change(_i / 2);
    do_op(&hosts[_i % 2], SF_OP_END);
    if (_i % 2 == 1)
        store(&hosts[1]);
    restore(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
}
END_TEST

START_TEST(test_what_was_changed_while_nobody_shared_is_all_merged)
{
    uint64_t id = hosts[0].id;
    hosts[0].id = 0;
    set(&hosts[0], "theme", "light");
    set(&hosts[0], "a", "first");
    ck_assert_uint_eq(head_of(&hosts[0].record).lineage.size, 0);
    hosts[0].id = id;
    increment(&hosts[0], "n", 1);
    increment(&hosts[1], "n", 1);
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "theme"), "light");
    ck_assert_str_eq(look(&row, "a"), "first");
    ck_assert_str_eq(look(&row, "n"), "2");
}
END_TEST

START_TEST(test_version_never_goes_back)
{
    set(&hosts[1], "theme", "blue");
    store(&hosts[1]);
    for (int i = 0; i < 4; i++)
        increment(&hosts[0], "n", i % 2 == 0 ? 1 : -1);
    uint64_t version = head_of(&hosts[0].record).version;
    store(&hosts[0]);
    ck_assert_uint_gt(head_of(&hosts[0].record).version, version);
    ck_assert_str_eq(look(&row, "theme"), "blue");
}
END_TEST

START_TEST(test_counters_without_end_become_sets)
{
    char name[16];
    for (int i = 0; i < SF_LINEAGE_SUMS_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        increment(&hosts[0], name, 1);
    }
    increment(&hosts[0], "one more", 1);
    set(&hosts[1], "b", "here");
    store(&hosts[1]);
    store(&hosts[0]);
    ck_assert_str_eq(look(&row, "one more"), "1");
    ck_assert_str_eq(look(&row, "n1000"), "1");
    ck_assert_str_eq(look(&row, "b"), "here");
}
END_TEST

START_TEST(test_end_needs_no_room_for_what_the_row_counted)
{
    struct sf_ops ops;
    struct sf_lineage lineage;
    char name[16];
    sf_ops_init(&ops);
    ck_assert_int_eq(sf_ops_add(&ops, &(struct sf_op){.kind = SF_OP_END}), SF_OK);
    for (int i = 0; i < SF_LINEAGE_SUMS_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        increment(&hosts[1], name, 1);
    }
    store(&hosts[1]);
    ck_assert_uint_gt(row.size, 10 * SF_LINEAGE_SUMS_MAX);
    apply(&hosts[0], &ops);
    store(&hosts[0]);
    ck_assert_int_eq(head_of(&row).kind, SF_RECORD_ENDED);
    sf_lineage_init(&lineage);
    ck_assert_int_eq(sf_lineage_decode(&lineage, head_of(&row).lineage), SF_OK);
    ck_assert_uint_eq(lineage.set_count + lineage.sum_count, 0);
    ck_assert_uint_eq(sf_lineage_merged(&lineage, hosts[1].id), head_of(&hosts[1].record).version);
    sf_lineage_fini(&lineage);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, test_sums_add_up_and_different_fields_both_stay);
    tcase_add_test(all, test_what_both_set_is_what_came_last);
    tcase_add_test(all, test_set_that_is_stored_does_not_come_back);
    tcase_add_test(all, test_unset_is_merged);
    tcase_add_test(all, test_cleared_fields_go_and_others_stay);
    tcase_add_test(all, test_set_counter_takes_the_place_of_sums);
    tcase_add_test(all, test_flags_are_merged);
    tcase_add_test(all, test_row_of_an_older_copy_takes_nothing_back);
    tcase_add_test(all, test_who_is_ended_stays_so);
    tcase_add_test(all, test_sum_of_what_is_no_number_counts_from_zero);
    tcase_add_test(all, test_damaged_lineage_is_corrupt);
    tcase_add_test(all, test_what_only_the_journal_has_is_not_taken_for_stored);
    tcase_add_test(all, test_store_that_went_back_gets_what_a_host_still_has);
    tcase_add_loop_test(all, test_store_that_went_back_has_both_histories, 0, 12);
    tcase_add_loop_test(all, test_what_was_ended_in_either_history_stays_so, 0, 12);
    tcase_add_test(all, test_what_was_changed_while_nobody_shared_is_all_merged);
    tcase_add_test(all, test_version_never_goes_back);
    tcase_add_test(all, test_counters_without_end_become_sets);
    tcase_add_test(all, test_end_needs_no_room_for_what_the_row_counted);
    suite_add_tcase(suite, all);
    return suite;
}

int
main(void)
{
    return sf_run_suite(make_suite());
}
