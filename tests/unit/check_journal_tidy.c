/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that go bad while the daemon runs, and files that are kept for a few rows only. */
#include "common/writeback/journal.h"

#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run_suite.h"
#include "tests/unit/journal_case.h"

#define NAME "journal-00000001.db"

static bool
exists(const char *name)
{
    return access(sf_temp_folder_path(&folder, name), F_OK) == 0;
}

static void
tidy(bool is_end)
{
    sf_journal_tidy(journal, is_end);
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
}

/* As the spill does: the journal has it, L1 has not. */
static void
move_out(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    change(number);
    ck_assert_int_eq(commit_as(number, 1, true), SF_OK);
    sf_test_settle_all(cache.l1);
    ck_assert_int_eq(sf_l1_drop(cache.l1, &key), SF_OK);
}

/* By another program, in the file that is open. */
static void
run_sql(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(sf_temp_folder_path(&folder, NAME), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db);
}

/* The first byte of the key, in all copies that the log has. */
static void
damage_all_copies(uint64_t number)
{
    static unsigned char bytes[1 << 20];
    struct sf_key key = sf_test_cache_key(number);
    FILE *log_file = fopen(sf_temp_folder_path(&folder, NAME "-wal"), "r+b");
    ck_assert_ptr_nonnull(log_file);
    size_t size = fread(bytes, 1, sizeof bytes, log_file);
    for (size_t at = 0; at + SF_KEY_BYTES <= size; at++) {
        if (memcmp(bytes + at, key.bytes, SF_KEY_BYTES) == 0)
            bytes[at] ^= 1;
    }
    rewind(log_file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, log_file), size);
    fclose(log_file);
}

static size_t
take_all(void)
{
    struct sf_journal_orphan items[8] = {{.version = 0}};
    size_t count;
    sf_journal_orphans_again(journal);
    ck_assert_int_eq(sf_journal_orphans_take(journal, items, 8, &count), SF_OK);
    for (size_t i = 0; i < 8; i++)
        sf_buffer_fini(&items[i].record);
    return count;
}

/* ---- damage ---- */

START_TEST(test_row_that_nobody_can_read_is_lost_and_told_and_holds_nobody_up)
{
    move_out(1);
    move_out(2);
    damage_all_copies(1);
    ck_assert_uint_eq(take_all(), 1);
    tidy(false);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0220"), 1);
    ck_assert_uint_eq(state.damaged, 1);
    ck_assert_uint_eq(state.orphans, 1);
    ck_assert(exists(NAME ".bad") && !exists(NAME));
    ck_assert_uint_eq(journalled(1), 0);
    ck_assert_uint_eq(journalled(2), 1);
    ck_assert_uint_eq(take_all(), 1);
    note_stored(2, 1);
    ck_assert(!sf_journal_owes(journal, NULL));
}
END_TEST

START_TEST(test_damage_that_a_load_finds_is_looked_after_too)
{
    struct sf_key key = sf_test_cache_key(1);
    move_out(1);
    move_out(2);
    damage_all_copies(1);
    struct sf_stored stored;
    bool is_final;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_journal_load(journal, &key, &stored, &is_final), SF_CORRUPT);
    tidy(false);
    ck_assert_int_eq(sf_journal_load(journal, &key, &stored, &is_final), SF_NOT_FOUND);
    sf_buffer_fini(&stored.record);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_row_that_the_cache_still_has_is_written_anew)
{
    change(1);
    ck_assert_int_eq(commit_as(1, 1, true), SF_OK);
    damage_all_copies(1);
    ck_assert_uint_eq(take_all(), 0);
    tidy(false);
    ck_assert_uint_eq(state.damaged, 0);
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(take_all(), 1);
}
END_TEST

/* The log has the page as it was before. */
START_TEST(test_row_is_found_in_an_older_copy_of_its_page)
{
    move_out(1);
    move_out(2);
    run_sql("UPDATE journal SET version = 7 WHERE number = 1");
    ck_assert_uint_eq(take_all(), 1);
    tidy(false);
    ck_assert_uint_eq(state.salvaged, 1);
    ck_assert_uint_eq(state.orphans, 2);
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(take_all(), 2);
    restart();
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_rows_of_a_file_that_has_gone_are_lost_but_for_what_the_cache_has)
{
    move_out(1);
    change(2);
    ck_assert_int_eq(commit_as(2, 1, true), SF_OK);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, NAME)), 0);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, NAME "-wal")), 0);
    ck_assert_uint_eq(take_all(), 0);
    tidy(false);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0220"), 1);
    ck_assert_uint_eq(state.orphans, 1);
    ck_assert_uint_eq(take_all(), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

/* ---- few rows ---- */

/* The store has 1 and refuses 2. */
static void
make_pinned(void)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    move_out(2);
    note_stored(1, 1);
    struct sf_key key = sf_test_cache_key(2);
    sf_journal_refused(journal, &key, 1);
}

START_TEST(test_row_that_is_needed_does_not_keep_others_for_ever)
{
    options.file_age = 1;
    restart();
    make_pinned();
    change(3); /* so that there is another file by now */
    sf_time made = sf_clock_steady();
    while (sf_clock_steady() - made < 3)
        continue;
    ck_assert_int_eq(commit(3), SF_OK);
    tidy(false);
    ck_assert(!exists(NAME));
    sf_time rows = (sf_time)state.rows;
    tidy(false);
    ck_assert_int_eq((sf_time)state.rows, rows);
    restart();
    ck_assert_uint_eq(journalled(1), 0);
    ck_assert_uint_eq(journalled(2), 1);
    ck_assert_uint_eq(journalled(3), 1);
}
END_TEST

START_TEST(test_young_file_is_left_alone_but_for_the_end)
{
    make_pinned();
    tidy(false);
    ck_assert(exists(NAME));
    tidy(true);
    ck_assert(!exists(NAME));
    ck_assert_uint_eq(state.files, 1);
    restart();
    ck_assert_uint_eq(journalled(1), 0);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_inherited_file_is_tidied_and_its_row_stays_behind)
{
    struct sf_key key = sf_test_cache_key(2);
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(commit(2), SF_OK);
    lose_cache();
    restart();
    note_stored(1, 1);
    tidy(false);
    ck_assert(!exists(NAME));
    struct sf_stored stored;
    bool is_final;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    ck_assert_int_eq(sf_journal_load(journal, &key, &stored, &is_final), SF_OK);
    sf_buffer_fini(&stored.record);
    ck_assert(!is_final);
}
END_TEST

START_TEST(test_many_files_that_are_hardly_needed_become_one)
{
    options.file_bytes = 1;
    restart();
    for (uint64_t i = 0; i < 10; i += 2) {
        struct sf_journal_mark marks[2] = {{.key = sf_test_cache_key(i), .version = 1},
                                           {.key = sf_test_cache_key(i + 1), .version = 1}};
        change(i);
        change(i + 1);
        ck_assert_int_eq(sf_journal_commit(journal, marks, 2), SF_OK);
    }
    options.file_bytes = 0;
    restart();
    for (uint64_t i = 0; i < 10; i += 2)
        note_stored(i, 1);
    ck_assert_uint_eq(state.files, 5);
    tidy(false);
    ck_assert_uint_eq(state.files, 1);
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_uint_eq(journalled(i), i % 2);
}
END_TEST

/* ---- while others commit ---- */

#define THREADS 3
#define SESSIONS 7
#define ROUNDS 60

static _Atomic int running;

/* Each changes its own sessions; the store has the even ones at once, and the others never. */
static void *
commit_many(void *argument)
{
    uint64_t base = *(const uint64_t *)argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t number = base + i % SESSIONS;
        struct sf_journal_mark mark = {.key = sf_test_cache_key(number), .version = 1};
        change(number);
        ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
        ck_assert_int_eq(mark.status, SF_OK);
        if (number % 2 == 0)
            sf_journal_stored(journal, &mark.key, UINT64_MAX, sf_clock_steady());
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

START_TEST(test_tidying_while_others_commit_loses_nothing)
{
    pthread_t threads[THREADS];
    uint64_t bases[THREADS];
    options.file_age = 20;
    restart();
    atomic_store(&running, THREADS);
    for (uint64_t i = 0; i < THREADS; i++) {
        bases[i] = i * 100;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, commit_many, &bases[i]), 0);
    }
    while (atomic_load(&running) > 0)
        tidy(false);
    for (uint64_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(sf_kept_lines_with(&kept, "SF0220"), 0);
    for (uint64_t i = 0; i < THREADS * SESSIONS; i++) {
        uint64_t number = bases[i / SESSIONS] + i % SESSIONS;
        ck_assert_uint_eq(journalled(number), number % 2 == 0 ? 0 : sf_test_look(cache.l1, number, "count").version);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("journal_tidy");
    TCase *tests = tcase_create("journal_tidy");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_row_that_nobody_can_read_is_lost_and_told_and_holds_nobody_up);
    tcase_add_test(tests, test_damage_that_a_load_finds_is_looked_after_too);
    tcase_add_test(tests, test_row_that_the_cache_still_has_is_written_anew);
    tcase_add_test(tests, test_row_is_found_in_an_older_copy_of_its_page);
    tcase_add_test(tests, test_rows_of_a_file_that_has_gone_are_lost_but_for_what_the_cache_has);
    tcase_add_test(tests, test_row_that_is_needed_does_not_keep_others_for_ever);
    tcase_add_test(tests, test_young_file_is_left_alone_but_for_the_end);
    tcase_add_test(tests, test_inherited_file_is_tidied_and_its_row_stays_behind);
    tcase_add_test(tests, test_many_files_that_are_hardly_needed_become_one);
    tcase_add_test(tests, test_tidying_while_others_commit_loses_nothing);
    suite_add_tcase(suite, tests);
    return sf_run_suite(suite);
}
