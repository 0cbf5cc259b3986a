/* SPDX-License-Identifier: Apache-2.0 */
/* What only the journal has is handed out once, in its newest version. */
#include "common/writeback/journal.h"

#include <check.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "common/writeback/journal_private.h"
#include "tests/unit/journal_case.h"

static void (*meanwhile)(void); /* once: behind a walk through a file, or before a commit is known */

static void
let_others_run(void)
{
    void (*now)(void) = meanwhile;
    meanwhile = NULL;
    if (now != NULL)
        now();
}

enum sf_status __real_sf_journal_file_each(struct sf_journal_file *file, uint64_t after, sf_journal_visit_fn *visit,
                                           void *context, struct sf_error *error);
enum sf_status __wrap_sf_journal_file_each(struct sf_journal_file *file, uint64_t after, sf_journal_visit_fn *visit,
                                           void *context, struct sf_error *error);
void __real_sf_journal_publish(struct sf_journal *one);
void __wrap_sf_journal_publish(struct sf_journal *one);

enum sf_status
__wrap_sf_journal_file_each(struct sf_journal_file *file, uint64_t after, sf_journal_visit_fn *visit, void *context,
                            struct sf_error *error)
{
    enum sf_status status = __real_sf_journal_file_each(file, after, visit, context, error);
    let_others_run();
    return status;
}

void
__wrap_sf_journal_publish(struct sf_journal *one)
{
    let_others_run();
    __real_sf_journal_publish(one);
}

static size_t
take(struct sf_journal_orphan *items, size_t limit)
{
    size_t count;
    ck_assert_int_eq(sf_journal_orphans_take(journal, items, limit, &count), SF_OK);
    return count;
}

START_TEST(test_orphans_are_handed_out_once_in_their_newest_version)
{
    struct sf_journal_orphan items[8] = {{.version = 0}};
    for (uint64_t i = 1; i <= 5; i++) {
        change(i);
        ck_assert_int_eq(commit(i), SF_OK);
    }
    change(3);
    ck_assert_int_eq(commit(3), SF_OK);
    ck_assert_uint_eq(take(items, 8), 0); /* L1 has them all */
    restart();
    ck_assert_uint_eq(take(items, 2), 2);
    ck_assert_uint_eq(take(items + 2, 6), 3);
    ck_assert_uint_eq(take(items, 8), 0);
    uint64_t versions = 0;
    for (int i = 0; i < 5; i++)
        versions += items[i].version;
    ck_assert_uint_eq(versions, 6);
    sf_journal_orphans_again(journal);
    ck_assert_uint_eq(take(items, 8), 5);
    for (int i = 0; i < 8; i++)
        sf_buffer_fini(&items[i].record);
}
END_TEST

START_TEST(test_file_that_has_gone_does_not_keep_the_orphans_of_others)
{
    struct sf_journal_orphan items[4] = {{.version = 0}};
    sf_journal_close(journal);
    options.file_bytes = 1;
    open_journal();
    for (uint64_t i = 1; i <= 3; i++) {
        change(i);
        ck_assert_int_eq(commit_as(i, 1, true), SF_OK);
    }
    ck_assert_uint_eq(state.files, 3);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000002.db")), 0);
    ck_assert_uint_eq(take(items, 4), 2);
    ck_assert_uint_eq(take(items, 4), 0);
    for (int i = 0; i < 4; i++)
        sf_buffer_fini(&items[i].record);
}
END_TEST

START_TEST(test_row_that_becomes_an_orphan_later_is_handed_out_too)
{
    struct sf_journal_orphan items[4] = {{.version = 0}};
    struct sf_key key = sf_test_cache_key(1);
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(commit_as(2, 1, true), SF_OK);
    ck_assert_uint_eq(take(items, 4), 1);
    ck_assert(!sf_journal_owes(journal, &key) && sf_journal_owes(journal, NULL));
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    ck_assert(sf_journal_owes(journal, &key));
    ck_assert_uint_eq(state.rows, 2);
    ck_assert_uint_eq(state.orphans, 2);
    ck_assert_uint_ge(take(items, 4), 1);
    note_stored(1, 1);
    note_stored(2, 1);
    ck_assert(!sf_journal_owes(journal, NULL));
    for (int i = 0; i < 4; i++)
        sf_buffer_fini(&items[i].record);
}
END_TEST

static void
spill_one(void)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(1), .version = 1, .is_orphan = true};
    ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
}

static void
take_none(void)
{
    struct sf_journal_orphan item = {.version = 0};
    ck_assert_uint_eq(take(&item, 1), 0);
}

/* Every orphan is handed out, and no file is taken for damaged. */
static void
assert_taken(size_t count)
{
    struct sf_journal_orphan items[4] = {{.version = 0}};
    ck_assert_uint_eq(take(items, 4), count);
    sf_journal_tidy(journal, false);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0220"), 0);
    for (int i = 0; i < 4; i++)
        sf_buffer_fini(&items[i].record);
}

START_TEST(test_row_that_becomes_an_orphan_behind_the_walk_is_handed_out_next)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    change(2);
    ck_assert_int_eq(commit_as(2, 1, true), SF_OK);
    meanwhile = spill_one;
    assert_taken(1);
    ck_assert(meanwhile == NULL);
    note_stored(2, 1);
    assert_taken(1);
}
END_TEST

START_TEST(test_row_that_was_seen_before_it_was_known_is_handed_out_next)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    meanwhile = take_none;
    spill_one();
    ck_assert(meanwhile == NULL);
    assert_taken(1);
}
END_TEST

START_TEST(test_refused_one_is_handed_out_only_when_all_are_again)
{
    struct sf_journal_orphan items[4] = {{.version = 0}};
    struct sf_key key = sf_test_cache_key(1);
    change(1);
    change(2);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    ck_assert_int_eq(commit_as(2, 1, true), SF_OK);
    ck_assert_uint_eq(take(items, 4), 2);
    sf_journal_refused(journal, &key, 1);
    note_stored(2, 1);
    ck_assert(!sf_journal_owes(journal, NULL));
    sf_journal_tidy(journal, true); /* which gives its row another place */
    ck_assert_uint_eq(take(items, 4), 0);
    sf_journal_orphans_again(journal);
    ck_assert_uint_eq(take(items, 4), 1);
    ck_assert_uint_eq(take(items, 4), 0);
    for (int i = 0; i < 4; i++)
        sf_buffer_fini(&items[i].record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal_orphans");
    TCase *tests = tcase_create("journal_orphans");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_orphans_are_handed_out_once_in_their_newest_version);
    tcase_add_test(tests, test_file_that_has_gone_does_not_keep_the_orphans_of_others);
    tcase_add_test(tests, test_row_that_becomes_an_orphan_later_is_handed_out_too);
    tcase_add_test(tests, test_row_that_becomes_an_orphan_behind_the_walk_is_handed_out_next);
    tcase_add_test(tests, test_row_that_was_seen_before_it_was_known_is_handed_out_next);
    tcase_add_test(tests, test_refused_one_is_handed_out_only_when_all_are_again);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
