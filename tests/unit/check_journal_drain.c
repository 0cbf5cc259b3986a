/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_drain.h"

#include <check.h>
#include <sqlite3.h>
#include <string.h>

#include "tests/support/kept_lines.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_temp_folder folder;
static struct sf_journal *journal;
static struct sf_journal_state state;
static struct sf_journal_drain *drain;
static struct sf_store *store;
static sf_time now;
static struct sf_kept_lines kept;

static void
open_journal(void)
{
    struct sf_error error;
    const struct sf_journal_options options = {.folder = folder.path, .bytes_max = UINT64_MAX};
    ck_assert_int_eq(sf_journal_open(&journal, cache.l1, &options, NULL, &error), SF_OK);
}

static void
set_up(void)
{
    now = 1000000;
    sf_kept_lines_init(&kept);
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    sf_temp_folder_init(&folder);
    open_journal();
}

static void
tear_down(void)
{
    sf_journal_drain_free(drain);
    sf_journal_close(journal);
    sf_store_close(store);
    sf_temp_folder_fini(&folder);
    sf_test_cache_fini(&cache);
}

/* So many sessions of an earlier process. */
static void
begin(unsigned sessions, const char *url)
{
    struct sf_error error;
    for (unsigned i = 1; i <= sessions; i++) {
        ck_assert_int_eq(sf_test_create(cache.l1, i, "n", "1"), SF_OK);
        struct sf_journal_mark mark = {.key = sf_test_cache_key(i), .version = 1};
        ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
    }
    sf_journal_close(journal);
    open_journal();
    ck_assert_int_eq(sf_store_open(&store, url, "/nowhere", &error), SF_OK);
    ck_assert_int_eq(sf_journal_drain_new(&drain, journal, store, sf_l1_counters(cache.l1), &kept.log), SF_OK);
}

static void
step(bool store_is_up)
{
    sf_time next = sf_journal_drain_step(drain, now, store_is_up);
    ck_assert_int_ge(next, now);
    now = next;
    sf_journal_state(journal, &state);
}

static enum sf_status
load(unsigned number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_store_load_one(store, &key, sf_clock_steady() + 1000, &stored);
    sf_buffer_fini(&stored.record);
    return status;
}

START_TEST(test_all_of_an_earlier_process_goes_to_the_store)
{
    begin(20, "memory:test");
    step(true);
    ck_assert_uint_eq(state.orphans, 0);
    ck_assert_uint_eq(state.files, 0);
    for (unsigned i = 1; i <= 20; i++)
        ck_assert_int_eq(load(i), SF_OK);
    step(true);
    ck_assert_int_eq(kept.count, 1);
    ck_assert_ptr_nonnull(strstr(kept.lines[0], "SF0216: 20 changed sessions"));
}
END_TEST

START_TEST(test_store_that_is_away_is_left_alone)
{
    begin(2, "memory:test");
    step(false);
    ck_assert_uint_eq(state.orphans, 2);
    ck_assert_int_eq(load(1), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_failed_batch_is_tried_again)
{
    begin(3, "fail:write=UNAVAILABLE*2+UNCERTAIN+OK");
    for (int i = 0; i < 3; i++) {
        sf_time before = now;
        step(true);
        ck_assert_int_ge(now - before, 1000);
        ck_assert_uint_eq(state.orphans, 3);
    }
    step(true);
    ck_assert_uint_eq(state.orphans, 0);
    for (unsigned i = 1; i <= 3; i++)
        ck_assert_int_eq(load(i), SF_OK);
}
END_TEST

START_TEST(test_refused_one_does_not_hold_up_the_others)
{
    struct sf_key key = sf_test_cache_key(2);
    char url[64] = "fail:refuse=";
    sf_key_format(&key, url + strlen(url));
    begin(3, url);
    step(true);
    ck_assert_uint_eq(state.orphans, 1);
    step(true);
    ck_assert_ptr_nonnull(strstr(kept.lines[kept.count - 1], "SF0217"));
    ck_assert_uint_eq(state.refused, 1);
    ck_assert(!sf_journal_owes(journal, NULL) && sf_journal_owes(journal, &key)); /* nobody waits for it */
    int told = kept.count;
    for (int i = 0; i < 50; i++)
        step(true);
    ck_assert_int_eq(kept.count, told);
    now += 10 * SF_MINUTE;
    for (int i = 0; i < 5; i++)
        step(true);
    ck_assert_int_eq(kept.count, told + 1);
    ck_assert_uint_eq(state.orphans, 1);
}
END_TEST

/* By another program: the tree does not lead to the row any more, an older copy of the page has it. */
START_TEST(test_row_that_has_gone_is_not_owed_for_ever)
{
    sqlite3 *db;
    begin(3, "memory:test");
    ck_assert_int_eq(sqlite3_open(sf_temp_folder_path(&folder, "journal-00000001.db"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "DELETE FROM journal WHERE number = 2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db);
    for (int i = 0; i < 10 && sf_journal_owes(journal, NULL); i++)
        step(true);
    ck_assert(!sf_journal_owes(journal, NULL));
    for (unsigned i = 1; i <= 3; i++)
        ck_assert_int_eq(load(i), SF_OK);
}
END_TEST

START_TEST(test_drain_of_all_ends_with_nothing_left_or_says_so)
{
    begin(2, "fail:write=UNAVAILABLE+OK");
    ck_assert_int_eq(sf_journal_drain_all(drain, sf_clock_steady() + 10 * SF_SECOND), SF_UNAVAILABLE);
    ck_assert_int_eq(sf_journal_drain_all(drain, sf_clock_steady() + 10 * SF_SECOND), SF_OK);
    ck_assert(!sf_journal_owes(journal, NULL));
    ck_assert_int_eq(sf_journal_drain_all(drain, sf_clock_steady() - 1), SF_OK);
}
END_TEST

START_TEST(test_it_repeats_without_harm_what_the_store_has)
{
    begin(1, "memory:test");
    ck_assert_int_eq(sf_test_increment(cache.l1, 1, "n", NULL), SF_OK);
    struct sf_key key = sf_test_cache_key(1);
    struct sf_stored stored;
    struct sf_l1_view view;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_l1_get(cache.l1, &key, &stored.record, &view), SF_OK);
    struct sf_write write = {.kind = SF_WRITE_PUT, .key = key, .version = 2, .record = sf_buffer_span(&stored.record)};
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + 1000), SF_OK);
    step(true);
    ck_assert_int_eq(sf_store_load_one(store, &key, sf_clock_steady() + 1000, &stored), SF_OK);
    struct sf_record_head head;
    ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    ck_assert_uint_eq(head.version, 2);
    sf_buffer_fini(&stored.record);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal_drain");
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, set_up, tear_down);
    tcase_add_test(steps, test_all_of_an_earlier_process_goes_to_the_store);
    tcase_add_test(steps, test_store_that_is_away_is_left_alone);
    tcase_add_test(steps, test_failed_batch_is_tried_again);
    tcase_add_test(steps, test_refused_one_does_not_hold_up_the_others);
    tcase_add_test(steps, test_row_that_has_gone_is_not_owed_for_ever);
    tcase_add_test(steps, test_drain_of_all_ends_with_nothing_left_or_says_so);
    tcase_add_test(steps, test_it_repeats_without_harm_what_the_store_has);
    suite_add_tcase(suite, steps);
    return sf_run_suite(suite);
}
