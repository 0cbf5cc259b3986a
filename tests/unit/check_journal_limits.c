/* SPDX-License-Identifier: Apache-2.0 */
/* When a file of the journal is followed by another, when it goes, and what happens at SessionFastJournalLimit. */
#include "common/writeback/journal.h"

#include <check.h>
#include <string.h>

#include "tests/support/run_suite.h"
#include "tests/unit/journal_case.h"

START_TEST(test_large_file_is_followed_by_a_new_one_and_goes_when_it_is_empty)
{
    sf_journal_close(journal);
    options.file_bytes = 65536;
    open_journal();
    for (int i = 0; i < 40; i++) {
        change(1);
        ck_assert_int_eq(commit(1), SF_OK);
    }
    ck_assert_uint_eq(state.files, 1); /* each row supersedes the one before */
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    for (int i = 0; i < 40; i++) {
        change(1);
        ck_assert_int_eq(commit(1), SF_OK);
    }
    ck_assert_uint_ge(state.files, 2); /* one for 2 */
    ck_assert_uint_eq(journalled(1), 80);
    ck_assert_uint_eq(journalled(2), 1);
    note_stored(2, 1);
    ck_assert_uint_eq(state.files, 1);
}
END_TEST

START_TEST(test_limit_is_kept_by_writing_what_is_left_of_a_sparse_file_again)
{
    sf_journal_close(journal);
    options.file_bytes = 65536;
    options.bytes_max = 4 * 65536;
    open_journal();
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    for (int i = 0; i < 300; i++) {
        change(1);
        ck_assert_int_eq(commit(1), SF_OK);
        ck_assert_uint_le(state.bytes, options.bytes_max + 2 * options.file_bytes);
    }
    ck_assert_uint_eq(journalled(1), 300);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_limit_is_kept_behind_a_file_of_an_earlier_process)
{
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    options.file_bytes = 65536;
    options.bytes_max = 4 * 65536;
    restart();
    for (uint64_t i = 0; i < 400; i++) {
        uint64_t number = i % 20 == 0 ? 10 + i : 1; /* so that each file is needed */
        change(number);
        ck_assert_int_eq(commit(number), SF_OK);
    }
    ck_assert_uint_eq(journalled(1), 380);
    ck_assert_uint_eq(journalled(2), 1);
    ck_assert_uint_eq(journalled(10), 1);
}
END_TEST

START_TEST(test_beyond_the_limit_nothing_is_confirmed_until_there_is_room)
{
    sf_journal_close(journal);
    options.file_bytes = 65536;
    options.bytes_max = 2 * 65536;
    open_journal();
    uint64_t number = 0;
    enum sf_status status = SF_OK;
    while (status == SF_OK) {
        ck_assert_uint_lt(++number, 1000);
        change(number);
        status = commit(number);
    }
    ck_assert_int_eq(status, SF_UNCERTAIN);
    ck_assert(!state.is_up && sf_kept_lines_with(&kept, "SF0212") > 0);
    ck_assert_ptr_nonnull(strstr(state.error, "SessionFastJournalLimit"));
    for (uint64_t i = 1; i < number; i++)
        note_stored(i, 1);
    sf_time began = sf_clock_steady();
    while ((status = commit(number)) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(state.is_up && sf_kept_lines_with(&kept, "SF0213") > 0);
}
END_TEST

static uint64_t
fill_journal(void)
{
    uint64_t number = 0;
    sf_journal_close(journal);
    options.file_bytes = 65536;
    options.bytes_max = 1 << 20;
    open_journal();
    do {
        ck_assert_uint_lt(++number, 10000);
        change(number);
    } while (commit(number) == SF_OK);
    return number;
}

static enum sf_status
end_and_commit(uint64_t number)
{
    ck_assert_int_eq(sf_test_end(cache.l1, number), SF_OK);
    return commit_as(number, 2, false);
}

START_TEST(test_beyond_the_limit_an_end_is_confirmed_and_nothing_else)
{
    uint64_t last = fill_journal();
    for (uint64_t number = 1; number < 10; number++) {
        ck_assert_int_eq(end_and_commit(number), SF_OK);
        ck_assert_int_eq(commit(last), SF_UNCERTAIN);
        ck_assert_uint_eq(journalled(number), 2);
    }
    ck_assert(!state.is_up);
    ck_assert_uint_eq(state.failures, 0);
    ck_assert_uint_eq(journalled(last), 0);
}
END_TEST

START_TEST(test_beyond_the_limit_an_end_does_not_fail_with_others_of_its_group)
{
    uint64_t last = fill_journal();
    ck_assert_int_eq(sf_test_end(cache.l1, 1), SF_OK);
    struct sf_journal_mark marks[] = {
        {.key = sf_test_cache_key(last), .version = 1},
        {.key = sf_test_cache_key(1), .version = 2},
        {.key = sf_test_cache_key(2), .version = 1},
    };
    ck_assert_int_eq(sf_journal_commit(journal, marks, 3), SF_FULL);
    ck_assert_int_eq(marks[0].status, SF_UNCERTAIN);
    ck_assert_int_eq(marks[1].status, SF_OK);
    ck_assert_int_eq(marks[2].status, SF_OK); /* it is there since long */
}
END_TEST

START_TEST(test_reserve_of_ends_has_an_end_and_is_there_again_behind_it)
{
    uint64_t last = fill_journal(), other = last;
    do /* of sessions that have no rows to be superseded */
        change(++other);
    while (end_and_commit(other) == SF_OK);
    ck_assert_uint_gt(other - last, 10);
    ck_assert_uint_le(state.bytes, options.bytes_max / 20 * 21 + 3 * options.file_bytes);
    for (uint64_t number = 1; number < other; number++)
        note_stored(number, 2);
    sf_time began = sf_clock_steady();
    while (commit(last) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(state.is_up);
    ck_assert_uint_eq(journalled(last), 1);
}
END_TEST

/* It is as good as any other: what is in it is needed. */
START_TEST(test_end_beyond_the_limit_survives_cache_and_process)
{
    (void)fill_journal();
    ck_assert_int_eq(end_and_commit(1), SF_OK);
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 2);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_small_limit_is_kept_with_small_files)
{
    sf_journal_close(journal);
    options.bytes_max = 1 << 20;
    open_journal();
    uint64_t number = 0;
    do {
        ck_assert_uint_lt(++number, 10000);
        change(number);
    } while (commit(number) == SF_OK);
    ck_assert_uint_le(state.bytes, options.bytes_max + options.bytes_max / 8);
}
END_TEST

/* By then the store may have forgotten that the session was ended: a row of it would bring it back. */
START_TEST(test_row_that_the_store_has_is_not_found_by_a_later_process)
{
    sf_journal_close(journal);
    options.file_age = 1;
    open_journal();
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    for (sf_time until = sf_clock_steady() + 2; sf_clock_steady() < until;)
        sf_journal_trim(journal);
    ck_assert_uint_eq(journalled(1), 1); /* it is old, and needed */
    note_stored(1, 1);
    ck_assert_uint_eq(state.files, 0);
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal_limits");
    TCase *tests = tcase_create("journal_limits");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_large_file_is_followed_by_a_new_one_and_goes_when_it_is_empty);
    tcase_add_test(tests, test_limit_is_kept_by_writing_what_is_left_of_a_sparse_file_again);
    tcase_add_test(tests, test_limit_is_kept_behind_a_file_of_an_earlier_process);
    tcase_add_test(tests, test_beyond_the_limit_nothing_is_confirmed_until_there_is_room);
    tcase_add_test(tests, test_beyond_the_limit_an_end_is_confirmed_and_nothing_else);
    tcase_add_test(tests, test_beyond_the_limit_an_end_does_not_fail_with_others_of_its_group);
    tcase_add_test(tests, test_reserve_of_ends_has_an_end_and_is_there_again_behind_it);
    tcase_add_test(tests, test_end_beyond_the_limit_survives_cache_and_process);
    tcase_add_test(tests, test_small_limit_is_kept_with_small_files);
    tcase_add_test(tests, test_row_that_the_store_has_is_not_found_by_a_later_process);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
