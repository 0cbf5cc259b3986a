/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/files.h"
#include "common/session/record.h"
#include "common/store/row_checksum.h"

#define APPLICATION_ID 0x73666a6c /* "sfjl" */
#define NAME_BEFORE "journal-"
#define NAME_BEHIND ".db"
#define DIGITS 8 /* another spelling of a number would be a second file of that number */
#define FRAME_BYTES (SF_JOURNAL_PAGE_BYTES + 24u)
#define BUSY_TIMEOUT 250 /* ms: somebody who looks into the file may be opening it */

static const char schema[] =
    "BEGIN IMMEDIATE;\n"
    "CREATE TABLE journal (\n"
    "  number INTEGER PRIMARY KEY, -- in the order of arrival\n"
    "  time INTEGER NOT NULL,      -- milliseconds since 1970\n"
    "  key BLOB NOT NULL,          -- 16 bytes, a keyed hash of the session id\n"
    "  version INTEGER NOT NULL,\n"
    "  checksum INTEGER NOT NULL,  -- of key, version and record\n"
    "  record BLOB NOT NULL        -- see record-format.md\n"
    ");\n"
    "PRAGMA application_id = 1936091756; PRAGMA user_version = 1;\n"
    "COMMIT";
static_assert(APPLICATION_ID == 1936091756, "as the schema says");

enum write_statement { WRITE_BEGIN, WRITE_ADD, WRITE_COMMIT };
enum read_statement { READ_ONE, READ_BEHIND };
enum column { COLUMN_NUMBER, COLUMN_TIME, COLUMN_KEY, COLUMN_VERSION, COLUMN_CHECKSUM, COLUMN_RECORD };

#define COLUMNS "number, time, key, version, checksum, record"

static const char *const write_sql[SF_JOURNAL_STATEMENTS] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_ADD] = "INSERT INTO journal (time, key, version, checksum, record)"
                  " VALUES (?1, ?2, ?3, ?4, ?5)",
    [WRITE_COMMIT] = "COMMIT",
};

static const char *const read_sql[SF_JOURNAL_STATEMENTS] = {
    [READ_ONE] = "SELECT " COLUMNS " FROM journal WHERE number = ?1",
    [READ_BEHIND] = "SELECT " COLUMNS " FROM journal WHERE number > ?1 ORDER BY number",
};

/* ---- errors ---- */

static enum sf_status
fail(const struct sf_journal_file *file, int code, const char *doing, struct sf_error *error)
{
    enum sf_status status = SF_UNAVAILABLE;
    if ((code & 0xff) == SQLITE_FULL)
        status = SF_FULL;
    else if ((code & 0xff) == SQLITE_NOMEM)
        status = SF_NO_MEMORY;
    else if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        status = SF_CORRUPT;
    return sf_error_set(error, status, "%s: %s: %s", file->path, doing, sqlite3_errstr(code));
}

/* A file that has gone, or has lost its log and with it the table, is as bad as a damaged one. */
static enum sf_status
fail_to_open(const struct sf_journal_file *file, int code, struct sf_error *error)
{
    bool has_gone = access(file->path, F_OK) != 0 && errno == ENOENT;
    enum sf_status status = fail(file, code, "open", error);
    return has_gone || (code & 0xff) == SQLITE_ERROR ? SF_CORRUPT : status;
}

static enum sf_status
fail_with_errno(const char *path, struct sf_error *error)
{
    enum sf_status status = errno == ENOSPC || errno == EDQUOT ? SF_FULL : SF_UNAVAILABLE;
    return sf_error_set(error, status, "%s: %s", path, strerror(errno));
}

/* ---- names ---- */

static const char *const parts[] = {"", "-journal", "-wal", "-shm"};

static const char *
part_path(const struct sf_journal_file *file, const char *part, char path_out[SF_JOURNAL_PATH_MAX + 8])
{
    snprintf(path_out, SF_JOURNAL_PATH_MAX + 8, "%s%s", file->path, part);
    return path_out;
}

uint32_t
sf_journal_file_number(const char *name, const char **rest_out)
{
    size_t before = strlen(NAME_BEFORE), digits = strspn(name + strnlen(name, before), "0123456789");
    int64_t number;
    if (strncmp(name, NAME_BEFORE, before) != 0 || digits != DIGITS
        || sf_int64_parse(sf_span_of(name + before, digits), &number) != SF_OK)
        return 0;
    const char *behind = name + before + digits;
    if (strncmp(behind, NAME_BEHIND, strlen(NAME_BEHIND)) != 0)
        return 0;
    *rest_out = behind + strlen(NAME_BEHIND);
    return (uint32_t)number;
}

static struct sf_journal_file *
file_new(const char *folder, uint32_t number)
{
    struct sf_journal_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->number = number;
    snprintf(file->path, sizeof file->path, "%s/" NAME_BEFORE "%0*u" NAME_BEHIND, folder, DIGITS, number);
    return file;
}

/* The database first: a log without one is nobody's. */
static void
remove_parts(const struct sf_journal_file *file)
{
    char path[SF_JOURNAL_PATH_MAX + 8];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        (void)unlink(part_path(file, parts[i], path));
}

/* ---- connections ---- */

static void
disconnect(struct sf_journal_connection *connection)
{
    for (size_t i = 0; i < SF_JOURNAL_STATEMENTS; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    (void)sqlite3_close(connection->db);
    connection->db = NULL;
}

/* The rows stay in the log: moving them would write each a second time, for nothing. */
static int
set_up(sqlite3 *db)
{
    sqlite3_busy_timeout(db, BUSY_TIMEOUT);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA synchronous=FULL;"
                            "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0",
                        NULL, NULL, NULL);
}

static int
connect_to(const struct sf_journal_file *file, struct sf_journal_connection *connection)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
                      | SQLITE_OPEN_EXRESCODE;
    struct stat found;
    if (lstat(file->path, &found) != 0 || !S_ISREG(found.st_mode))
        return SQLITE_CANTOPEN; /* NOFOLLOW would refuse a link in the folder's path as well */
    int code = sqlite3_open_v2(file->path, &connection->db, flags, NULL);
    return code == SQLITE_OK ? set_up(connection->db) : code;
}

static int
prepare(struct sf_journal_connection *connection, const char *const *sql)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < SF_JOURNAL_STATEMENTS && sql[i] != NULL && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(connection->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &connection->statements[i], NULL);
    return code;
}

static int
run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int
note_size(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sf_journal_file *file = context;
    (void)db;
    (void)name;
    atomic_store_explicit(&file->bytes, (uint64_t)pages * FRAME_BYTES, memory_order_relaxed);
    return SQLITE_OK;
}

/* ---- making ---- */

/* Inodes of database and log; 0: not there. */
static void
look(const struct sf_journal_file *file, uint64_t identities_out[2])
{
    char log[SF_JOURNAL_PATH_MAX + 8];
    struct stat found;
    identities_out[0] = stat(file->path, &found) == 0 ? found.st_ino : 0;
    identities_out[1] = stat(part_path(file, "-wal", log), &found) == 0 ? found.st_ino : 0;
}

bool
sf_journal_file_is_there(const struct sf_journal_file *file)
{
    uint64_t now[2];
    look(file, now);
    return now[0] != 0 && now[1] != 0 && now[0] == file->identities[0] && now[1] == file->identities[1];
}

static enum sf_status
make_empty(const struct sf_journal_file *file, struct sf_error *error)
{
    remove_parts(file); /* the log of a predecessor would be replayed */
    int made = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made < 0)
        return fail_with_errno(file->path, error);
    bool is_good = fchmod(made, 0600) == 0;
    enum sf_status status = is_good ? SF_OK : fail_with_errno(file->path, error);
    close(made);
    return status;
}

static int
make_schema(struct sf_journal_file *file)
{
    sqlite3 *db = file->writer.db;
    int code = sqlite3_exec(db, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, schema, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = prepare(&file->writer, write_sql);
    sqlite3_wal_hook(db, note_size, file);
    look(file, file->identities);
    return code;
}

static enum sf_status
make(struct sf_journal_file *file, const char *folder, struct sf_error *error)
{
    enum sf_status status = make_empty(file, error);
    if (status != SF_OK)
        return status;
    int code = connect_to(file, &file->writer);
    if (code == SQLITE_OK)
        code = make_schema(file);
    if (code != SQLITE_OK)
        return fail(file, code, "make", error);
    return sf_sync_folder(folder) ? SF_OK : fail_with_errno(folder, error);
}

enum sf_status
sf_journal_file_create(struct sf_journal_file **file_out, const char *folder, uint32_t number,
                       struct sf_error *error)
{
    *file_out = NULL;
    struct sf_journal_file *file = file_new(folder, number);
    if (file == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    file->made = sf_clock_steady();
    enum sf_status status = make(file, folder, error);
    if (status != SF_OK) {
        sf_journal_file_remove(file);
        return status;
    }
    *file_out = file;
    return SF_OK;
}

enum sf_status
sf_journal_file_find(struct sf_journal_file **file_out, const char *folder, uint32_t number)
{
    struct sf_journal_file *file = file_new(folder, number);
    char log[SF_JOURNAL_PATH_MAX + 8];
    struct stat found;
    *file_out = file;
    if (file == NULL)
        return SF_NO_MEMORY;
    file->is_inherited = true;
    if (stat(part_path(file, "-wal", log), &found) == 0)
        atomic_store_explicit(&file->bytes, (uint64_t)found.st_size, memory_order_relaxed);
    return SF_OK;
}

void
sf_journal_file_close(struct sf_journal_file *file)
{
    if (file == NULL)
        return;
    disconnect(&file->writer);
    disconnect(&file->reader);
    free(file);
}

void
sf_journal_file_remove(struct sf_journal_file *file)
{
    disconnect(&file->writer);
    disconnect(&file->reader);
    remove_parts(file);
    free(file);
}

void
sf_journal_file_sweep(const char *folder, uint32_t number)
{
    struct sf_journal_file *file = file_new(folder, number);
    if (file != NULL && access(file->path, F_OK) != 0 && errno == ENOENT)
        remove_parts(file);
    free(file);
}

void
sf_journal_file_set_aside(struct sf_journal_file *file)
{
    char from[SF_JOURNAL_PATH_MAX + 8], to[SF_JOURNAL_PATH_MAX + 16];
    disconnect(&file->writer);
    disconnect(&file->reader);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        part_path(file, parts[i], from);
        snprintf(to, sizeof to, "%s.bad%s", file->path, parts[i]);
        (void)rename(from, to);
    }
    free(file);
}

/* ---- writing ---- */

enum sf_status
sf_journal_file_begin(struct sf_journal_file *file, struct sf_error *error)
{
    int code = run(file->writer.statements[WRITE_BEGIN]);
    return code == SQLITE_OK ? SF_OK : fail(file, code, "begin", error);
}

enum sf_status
sf_journal_file_add(struct sf_journal_file *file, struct sf_journal_row *row, struct sf_error *error)
{
    sqlite3_stmt *statement = file->writer.statements[WRITE_ADD];
    uint64_t checksum = sf_row_checksum(&row->key, row->version, row->record);
    sqlite3_bind_int64(statement, 1, row->time);
    sqlite3_bind_blob(statement, 2, row->key.bytes, SF_KEY_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)row->version);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)checksum);
    sqlite3_bind_blob(statement, 5, row->record.data, (int)row->record.size, SQLITE_STATIC);
    int code = run(statement);
    if (code != SQLITE_OK)
        return fail(file, code, "write", error);
    row->number = (uint64_t)sqlite3_last_insert_rowid(file->writer.db);
    file->rows++;
    return SF_OK;
}

enum sf_status
sf_journal_file_commit(struct sf_journal_file *file, struct sf_error *error)
{
    int code = run(file->writer.statements[WRITE_COMMIT]);
    return code == SQLITE_OK ? SF_OK : fail(file, code, "commit", error);
}

void
sf_journal_file_give_up(struct sf_journal_file *file)
{
    disconnect(&file->writer);
}

/* ---- reading ---- */

static int
open_reader(struct sf_journal_file *file)
{
    if (file->reader.db != NULL)
        return SQLITE_OK;
    int code = connect_to(file, &file->reader);
    if (code == SQLITE_OK)
        code = prepare(&file->reader, read_sql);
    if (code != SQLITE_OK)
        disconnect(&file->reader);
    return code;
}

/* The spans live until the statement moves on. false: not as it was written. */
static bool
read_row(sqlite3_stmt *statement, struct sf_journal_row *row_out)
{
    *row_out = (struct sf_journal_row){
        .number = (uint64_t)sqlite3_column_int64(statement, COLUMN_NUMBER),
        .time = sqlite3_column_int64(statement, COLUMN_TIME),
        .version = (uint64_t)sqlite3_column_int64(statement, COLUMN_VERSION),
    };
    const void *key = sqlite3_column_blob(statement, COLUMN_KEY);
    if (key == NULL || sqlite3_column_bytes(statement, COLUMN_KEY) != SF_KEY_BYTES)
        return false;
    memcpy(row_out->key.bytes, key, SF_KEY_BYTES);
    const void *record = sqlite3_column_blob(statement, COLUMN_RECORD);
    size_t size = (size_t)sqlite3_column_bytes(statement, COLUMN_RECORD);
    row_out->record = sf_span_of(record, size);
    return record != NULL && size <= SF_RECORD_BYTES_MAX
           && sf_row_checksum(&row_out->key, row_out->version, row_out->record)
                  == (uint64_t)sqlite3_column_int64(statement, COLUMN_CHECKSUM);
}

enum sf_status
sf_journal_file_read(struct sf_journal_file *file, uint64_t number, struct sf_key *key_out,
                     uint64_t *version_out, struct sf_buffer *record_out)
{
    struct sf_error error;
    struct sf_journal_row row;
    int code = open_reader(file);
    if (code != SQLITE_OK)
        return fail_to_open(file, code, &error);
    sqlite3_stmt *statement = file->reader.statements[READ_ONE];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
    code = sqlite3_step(statement);
    enum sf_status status = SF_NOT_FOUND;
    if (code == SQLITE_ROW)
        status = read_row(statement, &row) ? SF_OK : SF_CORRUPT;
    else if (code != SQLITE_DONE)
        status = fail(file, code, "read", &error);
    if (status == SF_OK) {
        *key_out = row.key;
        *version_out = row.version;
        sf_buffer_clear(record_out);
        status = sf_buffer_append_span(record_out, row.record);
    }
    sqlite3_reset(statement);
    return status;
}

enum sf_status
sf_journal_file_each(struct sf_journal_file *file, uint64_t after, sf_journal_visit_fn *visit,
                     void *context, struct sf_error *error)
{
    int code = open_reader(file);
    if (code != SQLITE_OK)
        return fail_to_open(file, code, error);
    sqlite3_stmt *statement = file->reader.statements[READ_BEHIND];
    struct sf_journal_row row;
    bool goes_on = true;
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)after);
    while (goes_on && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        bool is_intact = read_row(statement, &row);
        goes_on = visit(context, &row, is_intact);
    }
    sqlite3_reset(statement);
    return !goes_on || code == SQLITE_DONE ? SF_OK : fail(file, code, "read", error);
}
