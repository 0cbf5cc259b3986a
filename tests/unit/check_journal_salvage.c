/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real journal of a few rows, damaged in every way that a disk can: whatever is intact is there
 * when it is opened again, nothing is what it never was, and what was lost is told.
 */
#include "common/writeback/journal_salvage.h"

#include <check.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/writeback/journal.h"
#include "tests/support/run_suite.h"
#include "tests/support/test_cache.h"

#define ROWS 5 /* the last one has a record that fills several pages */
#define LARGE 9000
#define NAME "journal-00000001.db"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SLOW true
#else
#define IS_SLOW false
#endif
#define SAMPLE 16

struct content {
    unsigned char bytes[131072];
    size_t size;
};

static struct sf_test_cache cache;
static struct sf_temp_folder folder;
static struct sf_journal *journal;
static struct content database, log_file;
static size_t ends[ROWS + 1]; /* size of the log when so many rows were committed */
static int damage_lines;
static size_t stride; /* of the places that are damaged */

static void
count_line(void *context, enum sf_log_level level, const char *line)
{
    (void)context;
    (void)level;
    damage_lines += strncmp(line, "SF0215", 6) == 0;
}

static const struct sf_log log_counts = {.write = count_line, .level = SF_LOG_DEBUG};

static void
open_journal(void)
{
    struct sf_error error;
    const struct sf_journal_options options = {.folder = folder.path, .bytes_max = UINT64_MAX};
    damage_lines = 0;
    ck_assert_msg(sf_journal_open(&journal, cache.l1, &options, &log_counts, &error) == SF_OK, "%s", error.text);
}

static void
read_file(const char *name, struct content *content)
{
    int fd = open(sf_temp_folder_path(&folder, name), O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t got = read(fd, content->bytes, sizeof content->bytes);
    ck_assert_int_ge(got, 0);
    ck_assert_uint_lt((size_t)got, sizeof content->bytes);
    content->size = (size_t)got;
    close(fd);
}

static void
write_file(const char *name, const struct content *content, size_t size)
{
    int fd = open(sf_temp_folder_path(&folder, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, content->bytes, size), (ssize_t)size);
    close(fd);
}

static size_t
log_size(void)
{
    struct stat found;
    ck_assert_int_eq(stat(sf_temp_folder_path(&folder, NAME "-wal"), &found), 0);
    return (size_t)found.st_size;
}

static void
make_session(uint64_t number)
{
    static char text[LARGE + 1];
    memset(text, 'x', number == ROWS ? LARGE : 40);
    text[number == ROWS ? LARGE : 40] = '\0';
    ck_assert_int_eq(sf_test_create(cache.l1, number, "text", text), SF_OK);
}

static void
make_journal(void)
{
    open_journal();
    for (uint64_t i = 1; i <= ROWS; i++) {
        make_session(i);
        struct sf_journal_mark mark = {.key = sf_test_cache_key(i), .version = 1};
        ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
        ends[i] = log_size();
    }
    sf_journal_close(journal);
    read_file(NAME, &database);
    read_file(NAME "-wal", &log_file);
}

/* Memory as a disk, where there is one: a sync costs nothing there, and none of these tests needs it. */
static void
make_folder(void)
{
    snprintf(folder.path, sizeof folder.path, "/dev/shm/session-fast-test-XXXXXX");
    if (mkdtemp(folder.path) == NULL)
        sf_temp_folder_init(&folder);
}

static void
set_up(void)
{
    sf_test_cache_init(&cache, 4 * SF_L1_BYTES_MIN);
    make_folder();
    make_journal();
}

static void
tear_down(void)
{
    sf_temp_folder_fini(&folder);
    sf_test_cache_fini(&cache);
}

static void
remove_all(void)
{
    sf_temp_folder_fini(&folder);
    make_folder();
}

/* The session as it was made: the right fields under the right key, or nothing. */
static bool
is_there(uint64_t number)
{
    struct sf_key key = sf_test_cache_key(number);
    struct sf_stored stored;
    struct sf_session session;
    bool is_final;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_journal_load(journal, &key, &stored, &is_final);
    ck_assert(!is_final || status == SF_NOT_FOUND); /* the store may have a later one */
    if (status == SF_OK) {
        sf_session_init(&session);
        ck_assert_int_eq(sf_session_decode(&session, sf_buffer_span(&stored.record)), SF_OK);
        ck_assert_uint_eq(session.head.version, 1);
        ck_assert_uint_eq(session.count, 1);
        ck_assert_uint_eq(session.fields[0].value.bytes.size, number == ROWS ? LARGE : 40);
        sf_session_fini(&session);
    }
    sf_buffer_fini(&stored.record);
    return status == SF_OK;
}

static void
open_damaged(size_t database_size, size_t log_bytes)
{
    remove_all();
    write_file(NAME, &database, database_size);
    write_file(NAME "-wal", &log_file, log_bytes);
    open_journal();
}

/* What was opened can be written, and that is there afterwards. */
static void
check_it_goes_on(void)
{
    struct sf_journal_mark mark = {.key = sf_test_cache_key(1), .version = 1};
    ck_assert_int_eq(sf_journal_commit(journal, &mark, 1), SF_OK);
    ck_assert_int_eq(mark.status, SF_OK);
    sf_journal_close(journal);
    open_journal();
    ck_assert(is_there(1));
    sf_journal_close(journal);
}

static size_t
place_in_frame(size_t at)
{
    return at < 32 ? 0 : (at - 32) % (24 + SF_JOURNAL_PAGE_BYTES);
}

START_TEST(test_log_that_is_cut_at_any_byte_has_all_whole_transactions)
{
    for (size_t size = 0; size <= log_file.size; size += stride) {
        open_damaged(database.size, size);
        for (uint64_t i = 1; i <= ROWS; i++)
            ck_assert_msg(is_there(i) || size < ends[i], "%zu of %zu bytes: row %d", size, log_file.size, (int)i);
        ck_assert_int_eq(damage_lines, 0); /* as a crash would have left it */
        if (size % 4099 == 0)
            check_it_goes_on();
        else
            sf_journal_close(journal);
    }
}
END_TEST

START_TEST(test_database_that_is_cut_costs_nothing)
{
    for (size_t size = 0; size <= database.size; size += 13 * stride) {
        open_damaged(size, log_file.size);
        for (uint64_t i = 1; i <= ROWS; i++)
            ck_assert_msg(is_there(i), "%zu of %zu bytes: row %d", size, database.size, (int)i);
        sf_journal_close(journal);
    }
}
END_TEST

static size_t
count_there(void)
{
    size_t count = 0;
    for (uint64_t i = 1; i <= ROWS; i++)
        count += is_there(i);
    return count;
}

/*
 * All bits of the headers, a sample of the rest. The leaf is written with each commit: all but the
 * last row stand in several frames. So a flipped bit costs that one row at most.
 */
START_TEST(test_flipped_bit_costs_no_row_but_its_own)
{
    for (size_t at = 0; at < log_file.size; at++) {
        bool is_header = place_in_frame(at) < 24 + 16;
        if (!is_header && at % 7 != 0)
            continue;
        if (at % stride != 0)
            continue;
        unsigned char bit = (unsigned char)(1u << (at * 5 % 8));
        log_file.bytes[at] ^= bit;
        open_damaged(database.size, log_file.size);
        log_file.bytes[at] ^= bit;
        size_t there = count_there();
        if (at < ends[ROWS - 1])
            ck_assert_msg(there == ROWS || (is_header && there >= ROWS - 1), "byte %zu: %zu rows", at, there);
        ck_assert_msg(there >= ROWS - 1, "byte %zu: %zu rows", at, there);
        if (at < ends[ROWS - 1] && at >= 32)
            ck_assert_msg(damage_lines > 0, "byte %zu", at);
        if (at % 1009 == 0)
            check_it_goes_on();
        else
            sf_journal_close(journal);
    }
}
END_TEST

START_TEST(test_flipped_bit_of_the_database_costs_nothing)
{
    for (size_t at = 0; at < database.size; at += at < 128 ? 1 : 31 * stride) {
        database.bytes[at] ^= (unsigned char)(1u << (at % 8));
        open_damaged(database.size, log_file.size);
        database.bytes[at] ^= (unsigned char)(1u << (at % 8));
        ck_assert_uint_eq(count_there(), ROWS);
        sf_journal_close(journal);
    }
}
END_TEST

/* As a shell that was opened on it leaves it: all rows moved into the database. */
static void
checkpoint(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(sf_temp_folder_path(&folder, NAME), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(test_rows_in_the_database_itself_are_found_when_it_is_damaged)
{
    open_damaged(database.size, log_file.size);
    sf_journal_close(journal);
    checkpoint();
    static struct content whole;
    read_file(NAME, &whole);
    ck_assert_uint_gt(whole.size, 2 * SF_JOURNAL_PAGE_BYTES);
    for (size_t at = 0; at < whole.size; at += 97 * stride) {
        unsigned char before = whole.bytes[at];
        remove_all();
        whole.bytes[at] ^= 0x40;
        write_file(NAME, &whole, whole.size);
        whole.bytes[at] = before;
        open_journal();
        bool is_leaf = at >= SF_JOURNAL_PAGE_BYTES && at < 2 * SF_JOURNAL_PAGE_BYTES;
        bool is_large = at >= 2 * SF_JOURNAL_PAGE_BYTES;
        size_t there = count_there();
        ck_assert_msg(is_leaf || there >= (is_large ? ROWS - 1u : ROWS), "byte %zu: %zu rows", at, there);
        sf_journal_close(journal);
    }
}
END_TEST

START_TEST(test_end_tells_a_crash_from_damage)
{
    struct sf_journal_file *file;
    remove_all();
    write_file(NAME, &database, database.size);
    write_file(NAME "-wal", &log_file, log_file.size);
    ck_assert_int_eq(sf_journal_file_find(&file, folder.path, 1), SF_OK);
    ck_assert_int_eq(sf_journal_end(file), SF_JOURNAL_WHOLE);
    write_file(NAME "-wal", &log_file, ends[2] + 1000);
    ck_assert_int_eq(sf_journal_end(file), SF_JOURNAL_TORN);
    log_file.bytes[ends[1] + 500] ^= 1;
    write_file(NAME "-wal", &log_file, log_file.size);
    ck_assert_int_eq(sf_journal_end(file), SF_JOURNAL_CUT);
    write_file(NAME "-wal", &log_file, 0);
    ck_assert_int_eq(sf_journal_end(file), SF_JOURNAL_TORN);
    sf_journal_file_close(file);
}
END_TEST

int
main(void)
{
    stride = IS_SLOW ? SAMPLE : 1;
    Suite *suite = suite_create("journal_salvage");
    TCase *damage = tcase_create("damage");
    tcase_add_checked_fixture(damage, set_up, tear_down);
    tcase_set_timeout(damage, 300);
    tcase_add_test(damage, test_log_that_is_cut_at_any_byte_has_all_whole_transactions);
    tcase_add_test(damage, test_database_that_is_cut_costs_nothing);
    tcase_add_test(damage, test_flipped_bit_costs_no_row_but_its_own);
    tcase_add_test(damage, test_flipped_bit_of_the_database_costs_nothing);
    tcase_add_test(damage, test_rows_in_the_database_itself_are_found_when_it_is_damaged);
    tcase_add_test(damage, test_end_tells_a_crash_from_damage);
    suite_add_tcase(suite, damage);
    return sf_run_suite(suite);
}
