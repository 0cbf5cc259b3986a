/* SPDX-License-Identifier: Apache-2.0 */
/* What is committed, what a load finds, and what is owed to the store. */
#include "common/writeback/journal.h"

#include <check.h>
#include <dirent.h>
#include <pthread.h>

#include "common/session/life.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_records.h"
#include "tests/unit/journal_case.h"

static size_t
files_there(void)
{
    size_t count = 0;
    DIR *opened = opendir(folder.path);
    const struct dirent *entry;
    while ((entry = readdir(opened)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(opened);
    return count;
}

/* ---- committing ---- */

START_TEST(test_nothing_is_made_for_nothing)
{
    change(1);
    restart();
    ck_assert_uint_eq(files_there(), 0);
}
END_TEST

START_TEST(test_change_that_was_committed_survives_cache_and_process)
{
    change(1);
    change(1);
    ck_assert_int_eq(commit_as(1, 2, false), SF_OK);
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 2);
    ck_assert(sf_kept_lines_with(&kept, "SF0214") > 0);
}
END_TEST

START_TEST(test_group_is_one_transaction)
{
    struct sf_journal_mark marks[64];
    for (uint64_t i = 0; i < 64; i++) {
        change(i);
        marks[i] = (struct sf_journal_mark){.key = sf_test_cache_key(i), .version = 1};
    }
    ck_assert_int_eq(sf_journal_commit(journal, marks, 64), SF_OK);
    sf_journal_state(journal, &state);
    ck_assert_uint_eq(state.commits, 1);
    ck_assert_uint_eq(state.rows, 64);
    ck_assert_uint_eq(state.sessions, 64);
    for (uint64_t i = 0; i < 64; i++)
        ck_assert_int_eq(marks[i].status, SF_OK);
}
END_TEST

START_TEST(test_version_that_is_there_is_not_written_again)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_uint_eq(state.rows, 1);
    change(1);
    ck_assert_int_eq(commit(1), SF_OK); /* "1 or later": the second is what stands there now */
    ck_assert_uint_eq(state.rows, 2);
    ck_assert_uint_eq(state.sessions, 1);
}
END_TEST

START_TEST(test_same_session_twice_in_a_group_is_harmless)
{
    change(1);
    struct sf_journal_mark marks[2] = {{.key = sf_test_cache_key(1), .version = 1},
                                       {.key = sf_test_cache_key(1), .version = 1}};
    ck_assert_int_eq(sf_journal_commit(journal, marks, 2), SF_OK);
    ck_assert_int_eq(marks[0].status, SF_OK);
    ck_assert_int_eq(marks[1].status, SF_OK);
    ck_assert_uint_eq(journalled(1), 1);
    note_stored(1, 1);
    ck_assert_uint_eq(state.sessions, 0);
}
END_TEST

START_TEST(test_what_the_store_has_needs_no_row)
{
    change(1);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(commit(2), SF_OK); /* evicted, as far as anybody knows */
    ck_assert_uint_eq(state.rows, 0);
    ck_assert_uint_eq(files_there(), 0);
}
END_TEST

START_TEST(test_version_that_was_never_there_is_not_confirmed)
{
    change(1);
    ck_assert_int_eq(commit_as(1, 2, false), SF_NOT_FOUND);
    ck_assert_int_eq(commit_as(1, 1, false), SF_OK);
}
END_TEST

START_TEST(test_what_the_store_has_is_forgotten)
{
    change(1);
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    note_stored(1, 1);
    ck_assert_uint_eq(state.sessions, 1);
    note_stored(1, 2);
    ck_assert_uint_eq(state.sessions, 0);
    ck_assert_uint_eq(journalled(1), 0);
    restart();
    ck_assert_uint_eq(files_there(), 0);
}
END_TEST

START_TEST(test_what_an_earlier_process_left_is_written_again_for_who_waits)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    restart();
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_uint_eq(state.rows, 1); /* whether the old row is on disk nobody knows */
    ck_assert_uint_eq(state.orphans, 0);
    ck_assert_uint_eq(state.files, 1);
}
END_TEST

/* ---- loads ---- */

static enum sf_status
load_both(uint64_t number, uint64_t *version_out, bool *asked_out)
{
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    struct sf_load one = {.key = sf_test_cache_key(number), .stored = &stored};
    sf_journal_load_both(journal, store, &one, 1, sf_clock_steady() + SF_SECOND);
    *asked_out = !one.is_own;
    if (one.status == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    *version_out = head.version;
    return one.status;
}

static void
put_into_store(uint64_t number, uint64_t version)
{
    struct sf_buffer record;
    struct sf_session session;
    sf_session_init(&session);
    sf_session_begin(&session, SF_TEST_NOW, SF_MINUTE, 0);
    session.head.version = version;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_session_encode(&session, SF_RECORD_BYTES_MAX, &record), SF_OK);
    struct sf_write write = {.kind = SF_WRITE_PUT,
                             .key = sf_test_cache_key(number),
                             .version = version,
                             .last_access = SF_TEST_NOW,
                             .record = sf_buffer_span(&record)};
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    sf_buffer_fini(&record);
    sf_session_fini(&session);
}

START_TEST(test_load_takes_the_later_of_journal_and_store)
{
    uint64_t version;
    bool asked;
    change(1);
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(commit(2), SF_OK);
    lose_cache();
    restart();
    put_into_store(1, 1);
    put_into_store(2, 9);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert_uint_eq(version, 2);
    ck_assert_int_eq(load_both(2, &version, &asked), SF_OK);
    ck_assert_uint_eq(version, 9);
    ck_assert(asked);
    ck_assert_int_eq(load_both(3, &version, &asked), SF_NOT_FOUND);
}
END_TEST

START_TEST(test_own_orphan_is_loaded_without_the_store)
{
    uint64_t version;
    bool asked;
    struct sf_error error;
    change(1);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "fail:load=UNAVAILABLE", "/nowhere", &error), SF_OK);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert_uint_eq(version, 1);
    ck_assert(!asked);
}
END_TEST

START_TEST(test_own_orphan_is_not_the_last_word_once_it_is_doubted)
{
    uint64_t version;
    bool asked;
    struct sf_key key = sf_test_cache_key(1);
    change(1);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    put_into_store(1, 2);
    sf_journal_doubt(journal, &key);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert(asked);
    ck_assert_uint_eq(version, 2);
    change(1);
    change(1);
    ck_assert_int_eq(commit_as(1, 3, true), SF_OK); /* L1 had the session meanwhile */
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert(!asked);
    ck_assert_uint_eq(version, 3);
}
END_TEST

static void
lose_store(void)
{
    struct sf_error error;
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "fail:load=UNAVAILABLE", "/nowhere", &error), SF_OK);
}

START_TEST(test_where_hosts_share_the_store_it_has_the_last_word_if_it_answers)
{
    uint64_t version;
    bool asked;
    sf_l1_set_shared(cache.l1, true);
    change(1);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert(asked);
    ck_assert_uint_eq(version, 1);
    lose_store();
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert(!asked);
    ck_assert_uint_eq(version, 1);
}
END_TEST

/* Nobody is shown less than that afterwards. */
START_TEST(test_where_another_host_had_a_part_in_it_the_journal_alone_is_not_enough)
{
    uint64_t version;
    bool asked;
    sf_l1_set_shared(cache.l1, true);
    change(1);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    put_into_store(1, 9);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert(asked);
    ck_assert_uint_eq(version, 10); /* both are in it */
    lose_store();
    ck_assert_int_eq(load_both(1, &version, &asked), SF_UNAVAILABLE);
}
END_TEST

/* Also under the number of the row that ours grew from: that was lost, and the other host gave it once more. */
START_TEST(test_who_was_logged_out_on_another_host_does_not_come_back_from_the_journal)
{
    struct sf_buffer record = sf_test_tombstone((uint64_t)_i, SF_TEST_NOW + SF_HOUR);
    struct sf_write write = sf_test_put(1, (uint64_t)_i, &record);
    uint64_t version;
    bool asked;
    sf_l1_set_shared(cache.l1, true);
    write.key = sf_test_cache_key(1);
    change(1);
    sf_test_settle_all(cache.l1);
    change(1);
    ck_assert_int_eq(commit_as(1, 2, true), SF_OK);
    ck_assert_int_eq(store->ops->write(store, &write, 1, sf_clock_steady() + SF_SECOND), SF_OK);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_OK);
    ck_assert_uint_eq(version, 3);
    lose_store();
    ck_assert_int_eq(load_both(1, &version, &asked), SF_UNAVAILABLE);
    sf_buffer_fini(&record);
}
END_TEST

START_TEST(test_inherited_row_is_not_the_last_word_while_the_store_is_away)
{
    uint64_t version;
    bool asked;
    struct sf_error error;
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    restart();
    sf_store_close(store);
    ck_assert_int_eq(sf_store_open(&store, "fail:load=UNAVAILABLE", "/nowhere", &error), SF_OK);
    ck_assert_int_eq(load_both(1, &version, &asked), SF_UNAVAILABLE);
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 60

static void *
commit_many(void *argument)
{
    uint64_t base = *(const uint64_t *)argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct sf_journal_mark mark = {.key = sf_test_cache_key(base + i % 7), .version = 1};
        ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
        ck_assert_int_eq(mark.status, SF_OK);
        ck_assert_uint_ge(journalled(base + i % 7), 1);
        if (i % 7 == 6)
            sf_journal_stored(journal, &mark.key, 1, sf_clock_steady());
        sf_journal_trim(journal);
    }
    return NULL;
}

START_TEST(test_threads_commit_read_and_trim_at_once)
{
    pthread_t threads[THREADS];
    uint64_t bases[THREADS];
    sf_journal_close(journal);
    options.file_bytes = 65536;
    open_journal();
    for (uint64_t i = 0; i < THREADS; i++)
        for (uint64_t j = 0; j < 7; j++)
            change(i * 100 + j);
    for (uint64_t i = 0; i < THREADS; i++) {
        bases[i] = i * 100;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, commit_many, &bases[i]), 0);
    }
    for (uint64_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    sf_journal_state(journal, &state);
    ck_assert_uint_ge(state.sessions, THREADS * 6);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tests = tcase_create("journal");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_nothing_is_made_for_nothing);
    tcase_add_test(tests, test_change_that_was_committed_survives_cache_and_process);
    tcase_add_test(tests, test_group_is_one_transaction);
    tcase_add_test(tests, test_version_that_is_there_is_not_written_again);
    tcase_add_test(tests, test_same_session_twice_in_a_group_is_harmless);
    tcase_add_test(tests, test_what_the_store_has_needs_no_row);
    tcase_add_test(tests, test_version_that_was_never_there_is_not_confirmed);
    tcase_add_test(tests, test_what_the_store_has_is_forgotten);
    tcase_add_test(tests, test_what_an_earlier_process_left_is_written_again_for_who_waits);
    tcase_add_test(tests, test_load_takes_the_later_of_journal_and_store);
    tcase_add_test(tests, test_own_orphan_is_loaded_without_the_store);
    tcase_add_test(tests, test_own_orphan_is_not_the_last_word_once_it_is_doubted);
    tcase_add_test(tests, test_where_hosts_share_the_store_it_has_the_last_word_if_it_answers);
    tcase_add_test(tests, test_where_another_host_had_a_part_in_it_the_journal_alone_is_not_enough);
    tcase_add_loop_test(tests, test_who_was_logged_out_on_another_host_does_not_come_back_from_the_journal, 1, 3);
    tcase_add_test(tests, test_inherited_row_is_not_the_last_word_while_the_store_is_away);
    tcase_add_test(tests, test_threads_commit_read_and_trim_at_once);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
