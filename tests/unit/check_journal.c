/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal.h"

#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/session/life.h"
#include "tests/support/failing_vfs.h"
#include "tests/support/test_cache.h"

static struct sf_test_cache cache;
static struct sf_temp_folder folder; /* the state folder */
static struct sf_journal *journal;
static struct sf_journal_state state;
static struct sf_store *store;
static uint64_t bytes_max, file_bytes;
static sf_time file_age;
static char lines[16][300];
static int line_count;

static void
keep_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    if (line_count < 16)
        snprintf(lines[line_count++], sizeof lines[0], "%s", line);
}

static const struct sf_log log_to_lines = {.write = keep_line, .level = SF_LOG_DEBUG};

static bool
was_logged(const char *id)
{
    for (int i = 0; i < line_count; i++)
        if (strncmp(lines[i], id, strlen(id)) == 0)
            return true;
    return false;
}

static void
open_journal(void)
{
    struct sf_error error;
    const struct sf_journal_options options = {
        .folder = folder.path, .bytes_max = bytes_max, .file_bytes = file_bytes, .file_age = file_age};
    ck_assert_msg(sf_journal_open(&journal, cache.l1, &options, &log_to_lines, &error) == SF_OK, "%s",
                  error.text);
}

static void
set_up(void)
{
    struct sf_error error;
    sf_failing_disk = (struct sf_failing_disk){.calls = 0};
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    sf_temp_folder_init(&folder);
    bytes_max = UINT64_MAX;
    file_bytes = 0;
    file_age = 0;
    line_count = 0;
    ck_assert_int_eq(sf_store_open(&store, "memory:test", "/nowhere", &error), SF_OK);
    open_journal();
}

static void
tear_down(void)
{
    sf_journal_close(journal);
    sf_store_close(store);
    sf_temp_folder_fini(&folder);
    sf_test_cache_fini(&cache);
}

/* As after kill -9, or a power cut that takes L1 too. */
static void
lose_cache(void)
{
    sf_test_cache_fini(&cache);
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
}

static void
restart(void)
{
    sf_journal_close(journal);
    line_count = 0;
    open_journal();
}

static void
change(uint64_t number)
{
    if (sf_test_look(cache.l1, number, "count").status == SF_NOT_FOUND)
        ck_assert_int_eq(sf_test_create(cache.l1, number, "count", "0"), SF_OK);
    else
        ck_assert_int_eq(sf_test_increment(cache.l1, number, "count", NULL), SF_OK);
}

static enum sf_status
commit_as(uint64_t number, uint64_t version, bool is_orphan)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(number), .version = version, .is_orphan = is_orphan};
    enum sf_status status = sf_journal_commit(journal, &mark, 1);
    ck_assert(status == SF_OK || mark.status == SF_UNCERTAIN);
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
    return mark.status;
}

static enum sf_status
commit(uint64_t number)
{
    return commit_as(number, 1, false);
}

/* The version that a load would find in the journal; 0: none. */
static uint64_t
journalled(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    bool is_final;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (sf_journal_load(journal, &key, &stored, &is_final) == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    return head.version;
}

static void
note_stored(uint64_t number, uint64_t version)
{
    struct sf_key key = sf_test_cache_key(number);
    sf_journal_stored(journal, &key, version);
    sf_journal_trim(journal);
    sf_journal_state(journal, &state);
}

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
    ck_assert(was_logged("SF0214"));
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

/* The row is entered when the batch has already told; see journal.c. */
START_TEST(test_batch_that_was_faster_than_the_commit_leaves_no_entry)
{
    change(1);
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    ck_assert_uint_eq(sf_l1_dirty_take(cache.l1, &cursor, &item, 1), 1);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_uint_eq(state.sessions, 1);
    sf_l1_settle(cache.l1, &item.ticket);
    sf_journal_stored(journal, &item.key, 1);
    sf_l1_dirty_fini(&item, 1);
    sf_journal_state(journal, &state);
    ck_assert_uint_eq(state.sessions, 0);
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
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_record_head head = {.version = 0};
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status =
        sf_journal_load_both(journal, store, &key, sf_clock_steady() + SF_SECOND, &stored, asked_out);
    if (status == SF_OK)
        ck_assert_int_eq(sf_record_head(&head, sf_buffer_span(&stored.record)), SF_OK);
    sf_buffer_fini(&stored.record);
    *version_out = head.version;
    return status;
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

/* ---- files ---- */

START_TEST(test_large_file_is_followed_by_a_new_one_and_goes_when_it_is_empty)
{
    sf_journal_close(journal);
    file_bytes = 65536;
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
    file_bytes = 65536;
    bytes_max = 4 * 65536;
    open_journal();
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    for (int i = 0; i < 300; i++) {
        change(1);
        ck_assert_int_eq(commit(1), SF_OK);
        ck_assert_uint_le(state.bytes, bytes_max + 2 * file_bytes);
    }
    ck_assert_uint_eq(journalled(1), 300);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_limit_is_kept_behind_a_file_of_an_earlier_process)
{
    change(2);
    ck_assert_int_eq(commit(2), SF_OK);
    file_bytes = 65536;
    bytes_max = 4 * 65536;
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

/* By then the store may have forgotten that the session was ended: a row of it would bring it back. */
START_TEST(test_row_that_the_store_has_is_not_found_by_a_later_process)
{
    sf_journal_close(journal);
    file_age = 1;
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

START_TEST(test_file_that_cannot_be_read_is_kept)
{
    const char *log_name = "journal-00000001.db-wal";
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_journal_close(journal);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, log_name)), 0);
    ck_assert_int_eq(symlink(log_name, sf_temp_folder_path(&folder, log_name)), 0); /* ELOOP, for root too */
    open_journal();
    ck_assert(was_logged("SF0215"));
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000001.db.bad"), F_OK), 0);
}
END_TEST

START_TEST(test_beyond_the_limit_nothing_is_confirmed_until_there_is_room)
{
    sf_journal_close(journal);
    file_bytes = 65536;
    bytes_max = 2 * 65536;
    open_journal();
    uint64_t number = 0;
    enum sf_status status = SF_OK;
    while (status == SF_OK) {
        ck_assert_uint_lt(++number, 1000);
        change(number);
        status = commit(number);
    }
    ck_assert_int_eq(status, SF_UNCERTAIN);
    ck_assert(!state.is_up && was_logged("SF0212"));
    ck_assert_ptr_nonnull(strstr(state.error, "SessionFastJournalLimit"));
    for (uint64_t i = 1; i < number; i++)
        note_stored(i, 1);
    sf_time began = sf_clock_steady();
    while ((status = commit(number)) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(state.is_up && was_logged("SF0213"));
}
END_TEST

START_TEST(test_removed_file_is_noticed_before_anything_is_lost)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db-wal")), 0);
    ck_assert_int_eq(commit(2), SF_OK);
    ck_assert(was_logged("SF0211"));
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

/* L1 has a later version by then, which nobody has asked the journal for. */
START_TEST(test_removed_file_whose_session_has_changed_since_loses_nothing)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    change(1);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db")), 0);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000001.db-wal")), 0);
    ck_assert_int_eq(commit(2), SF_OK);
    lose_cache();
    restart();
    ck_assert_uint_eq(journalled(1), 2);
}
END_TEST

/* ---- a disk that fails ---- */

static const struct {
    unsigned calls;
    int code;
} failures[] = {
    {SF_FAILING_SYNC, SQLITE_IOERR_FSYNC},
    {SF_FAILING_WRITE, SQLITE_IOERR_WRITE},
    {SF_FAILING_WRITE, SQLITE_FULL},
    {SF_FAILING_SYNC | SF_FAILING_WRITE | SF_FAILING_OPEN, SQLITE_IOERR},
};

/*
 * The n-th call fails, for each n: whatever was confirmed is there after the loss of cache and
 * process, and each change is confirmed, because the next file works. _i: which failure.
 */
START_TEST(test_one_failure_anywhere_loses_nothing)
{
    bool was_hit = true;
    for (long n = 1; was_hit; n++) {
        ck_assert_int_lt(n, 300);
        sf_failing_disk = (struct sf_failing_disk){
            .calls = failures[_i].calls, .fail_at = n, .code = failures[_i].code};
        uint64_t versions[4] = {0};
        for (uint64_t round = 0; round < 12; round++) {
            change(round % 4);
            sf_journal_state(journal, &state);
            if (commit(round % 4) == SF_OK)
                versions[round % 4] = sf_test_look(cache.l1, round % 4, "count").version;
            else
                ck_assert_int_eq(sf_failing_disk.failed, 1); /* only the making of the first file */
        }
        was_hit = sf_failing_disk.failed > 0;
        sf_failing_disk.fail_at = 0;
        lose_cache();
        restart();
        for (uint64_t i = 0; i < 4; i++)
            ck_assert_uint_ge(journalled(i), versions[i]);
        for (uint64_t i = 0; i < 4; i++)
            note_stored(i, 1000);
    }
}
END_TEST

/* A failed descriptor is never used again: with syncs that work once more, the next file is a new one. */
START_TEST(test_failed_file_is_not_written_again)
{
    change(1);
    change(2);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_failing_disk =
        (struct sf_failing_disk){.calls = SF_FAILING_SYNC, .fail_at = 1, .code = SQLITE_IOERR_FSYNC};
    ck_assert_int_eq(commit(2), SF_OK);
    ck_assert_uint_eq(state.failures, 1);
    ck_assert_uint_eq(state.files, 1);
    ck_assert_int_ne(access(sf_temp_folder_path(&folder, "journal-00000001.db"), F_OK), 0);
    ck_assert_int_eq(access(sf_temp_folder_path(&folder, "journal-00000002.db"), F_OK), 0);
    ck_assert_uint_eq(journalled(1), 1);
    ck_assert_uint_eq(journalled(2), 1);
}
END_TEST

START_TEST(test_lasting_failure_is_told_once_and_recovers_by_itself)
{
    change(1);
    ck_assert_int_eq(commit(1), SF_OK);
    sf_failing_disk = (struct sf_failing_disk){
        .calls = SF_FAILING_SYNC, .fail_at = 1, .is_lasting = true, .code = SQLITE_IOERR_FSYNC};
    change(1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(commit_as(1, 2, false), SF_UNCERTAIN);
    ck_assert(!state.is_up);
    ck_assert_uint_eq(journalled(1), 1);
    int told = 0;
    for (int i = 0; i < line_count; i++)
        told += strncmp(lines[i], "SF0212", 6) == 0;
    ck_assert_int_eq(told, 1);
    sf_failing_disk.fail_at = 0;
    sf_time began = sf_clock_steady();
    while (commit_as(1, 2, false) != SF_OK)
        ck_assert_int_lt(sf_clock_steady() - began, 10 * SF_SECOND);
    ck_assert(state.is_up && was_logged("SF0213"));
    ck_assert_uint_eq(journalled(1), 2);
}
END_TEST

/* ---- orphans ---- */

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
    size_t count;
    sf_journal_close(journal);
    file_bytes = 1;
    open_journal();
    for (uint64_t i = 1; i <= 3; i++) {
        change(i);
        ck_assert_int_eq(commit_as(i, 1, true), SF_OK);
    }
    ck_assert_uint_eq(state.files, 3);
    ck_assert_int_eq(unlink(sf_temp_folder_path(&folder, "journal-00000002.db")), 0);
    ck_assert_uint_eq(take(items, 4), 2);
    ck_assert_int_eq(sf_journal_orphans_take(journal, items, 4, &count), SF_UNAVAILABLE);
    ck_assert_uint_eq(count, 0);
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
            sf_journal_stored(journal, &mark.key, 1);
        sf_journal_trim(journal);
    }
    return NULL;
}

START_TEST(test_threads_commit_read_and_trim_at_once)
{
    pthread_t threads[THREADS];
    uint64_t bases[THREADS];
    sf_journal_close(journal);
    file_bytes = 65536;
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

static void
add_cases(Suite *suite)
{
    TCase *commits = tcase_create("commits");
    tcase_add_checked_fixture(commits, set_up, tear_down);
    tcase_add_test(commits, test_nothing_is_made_for_nothing);
    tcase_add_test(commits, test_change_that_was_committed_survives_cache_and_process);
    tcase_add_test(commits, test_group_is_one_transaction);
    tcase_add_test(commits, test_version_that_is_there_is_not_written_again);
    tcase_add_test(commits, test_same_session_twice_in_a_group_is_harmless);
    tcase_add_test(commits, test_what_the_store_has_needs_no_row);
    tcase_add_test(commits, test_version_that_was_never_there_is_not_confirmed);
    tcase_add_test(commits, test_what_the_store_has_is_forgotten);
    tcase_add_test(commits, test_batch_that_was_faster_than_the_commit_leaves_no_entry);
    tcase_add_test(commits, test_what_an_earlier_process_left_is_written_again_for_who_waits);
    tcase_add_test(commits, test_load_takes_the_later_of_journal_and_store);
    tcase_add_test(commits, test_own_orphan_is_loaded_without_the_store);
    tcase_add_test(commits, test_inherited_row_is_not_the_last_word_while_the_store_is_away);
    suite_add_tcase(suite, commits);

    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_set_timeout(files, 120);
    tcase_add_test(files, test_large_file_is_followed_by_a_new_one_and_goes_when_it_is_empty);
    tcase_add_test(files, test_limit_is_kept_by_writing_what_is_left_of_a_sparse_file_again);
    tcase_add_test(files, test_limit_is_kept_behind_a_file_of_an_earlier_process);
    tcase_add_test(files, test_row_that_the_store_has_is_not_found_by_a_later_process);
    tcase_add_test(files, test_file_that_cannot_be_read_is_kept);
    tcase_add_test(files, test_beyond_the_limit_nothing_is_confirmed_until_there_is_room);
    tcase_add_test(files, test_removed_file_is_noticed_before_anything_is_lost);
    tcase_add_test(files, test_removed_file_whose_session_has_changed_since_loses_nothing);
    tcase_add_loop_test(files, test_one_failure_anywhere_loses_nothing, 0, 4);
    tcase_add_test(files, test_failed_file_is_not_written_again);
    tcase_add_test(files, test_lasting_failure_is_told_once_and_recovers_by_itself);
    tcase_add_test(files, test_orphans_are_handed_out_once_in_their_newest_version);
    tcase_add_test(files, test_file_that_has_gone_does_not_keep_the_orphans_of_others);
    tcase_add_test(files, test_row_that_becomes_an_orphan_later_is_handed_out_too);
    tcase_add_test(files, test_threads_commit_read_and_trim_at_once);
    suite_add_tcase(suite, files);
}

int
main(void)
{
    sf_failing_vfs_register();
    Suite *suite = suite_create("journal");
    add_cases(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
