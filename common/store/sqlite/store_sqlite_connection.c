/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/sqlite/store_sqlite_connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/store/store_path_examine.h"


/* Ops of SQLite's machine between two looks at the clock: some 50 microseconds. */
#define PROGRESS_OPS 1000

/*
 * Version N of the schema is what the first N steps make: never change one, add another. An
 * ordinary table: records do not fit into the leaves of a WITHOUT ROWID table, which was three
 * times as large and half as fast at 1 KiB.
 */
static const char *const schema_steps[] = {
    "CREATE TABLE session (\n"
    "  key BLOB NOT NULL PRIMARY KEY, -- 16 bytes, a keyed hash of the session id\n"
    "  version INTEGER NOT NULL,      -- stored only over a smaller one\n"
    "  last_access INTEGER NOT NULL,  -- milliseconds since 1970\n"
    "  expires INTEGER NOT NULL,      -- the same; 0: never\n"
    "  ended INTEGER NOT NULL,        -- 1: logged out, remembered until it expires\n"
    "  user TEXT NOT NULL,            -- '': anonymous\n"
    "  checksum INTEGER NOT NULL,     -- of key, version and record\n"
    "  record BLOB NOT NULL\n"
    ");\n"
    "CREATE INDEX session_expires ON session (expires) WHERE expires <> 0;\n"
    "CREATE INDEX session_user ON session (user, key) WHERE user <> '';\n",
};

#define SCHEMA_VERSION ((int)(sizeof schema_steps / sizeof schema_steps[0]))
const int sf_sqlite_schema_version = SCHEMA_VERSION;

/* ---- errors ---- */

/* No file will ever be there. Missing permissions are an outage, which an administrator can end. */
static bool
is_no_place(int number)
{
    return number == ENOTDIR || number == ELOOP || number == EISDIR;
}

static enum sf_status
status_of(int code, int number)
{
    switch (code & 0xff) {
    case SQLITE_FULL: return SF_FULL;
    case SQLITE_NOMEM: return SF_NO_MEMORY;
    case SQLITE_NOTADB: return SF_INVALID;
    default: return is_no_place(number) ? SF_INVALID : SF_UNAVAILABLE;
    }
}

/* After these the connection is as good as before. */
static bool
is_harmless(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: return true;
    default: return false;
    }
}

/* SQLite remembers errno for these two only. */
static int
system_error(sqlite3 *db, int code)
{
    int primary = code & 0xff;
    if (db == NULL || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
        return 0;
    return sqlite3_system_errno(db);
}

enum sf_status
sf_sqlite_fail(struct sf_sqlite_connection *connection, int code, const char *doing,
               struct sf_error *error)
{
    int number = system_error(connection->db, code);
    const char *reason = sqlite3_errstr(code);
    if (connection->db != NULL && sqlite3_extended_errcode(connection->db) == code)
        reason = sqlite3_errmsg(connection->db);
    if ((code & 0xff) == SQLITE_INTERRUPT)
        reason = "no answer before the deadline";
    enum sf_status status = status_of(code, number);
    if (number != 0)
        sf_error_set(error, status, "sqlite:%s: %s: %s (%s)", connection->database->path, doing,
                     reason, strerror(number));
    else
        sf_error_set(error, status, "sqlite:%s: %s: %s", connection->database->path, doing, reason);
    if (!is_harmless(code))
        sf_sqlite_close(connection);
    return status;
}

/* ---- the file ---- */

static enum sf_status
fail_with_errno(const struct sf_sqlite_connection *connection, int number, struct sf_error *error)
{
    return sf_error_set(error, is_no_place(number) ? SF_INVALID : SF_UNAVAILABLE, "sqlite:%s: %s",
                        connection->database->path, strerror(number));
}

/* 0 or errno. */
static int
look_at_file(const char *path, struct sf_sqlite_file *file_out)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return errno;
    *file_out = (struct sf_sqlite_file){found.st_dev, found.st_ino, found.st_mode, found.st_uid};
    return 0;
}

static bool
is_same_file(const struct sf_sqlite_file *a, const struct sf_sqlite_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->mode == b->mode
           && a->owner == b->owner;
}

/* Mode 0600 whatever the umask says; SQLite gives its -wal and -shm the same. */
static enum sf_status
make_file(const struct sf_sqlite_connection *connection, struct sf_error *error)
{
    const char *path = connection->database->path;
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return errno == EEXIST ? SF_OK : fail_with_errno(connection, errno, error);
    int failed = fchmod(file, 0600) == 0 ? 0 : errno;
    close(file);
    return failed == 0 ? SF_OK : fail_with_errno(connection, failed, error);
}

static bool
was_open(const struct sf_sqlite_database *database)
{
    return atomic_load_explicit(&database->inode, memory_order_relaxed) != 0;
}

/* The log of the file that was here before would be replayed into this one and tear it apart. */
static bool
has_foreign_log(const struct sf_sqlite_database *database, const struct sf_sqlite_file *now)
{
    if (!was_open(database)
        || (atomic_load_explicit(&database->inode, memory_order_relaxed) == now->inode
            && atomic_load_explicit(&database->device, memory_order_relaxed) == now->device))
        return false;
    char log[PATH_MAX];
    struct stat found;
    int length = snprintf(log, sizeof log, "%s-wal", database->path);
    return length > 0 && (size_t)length < sizeof log && stat(log, &found) == 0 && found.st_size > 0;
}

/*
 * Asks for permission here, because SQLite may reuse a descriptor of the other connection that was
 * opened in better times.
 */
static enum sf_status
find_file(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    const struct sf_sqlite_database *database = connection->database;
    int failed = look_at_file(database->path, &connection->file);
    if (failed == ENOENT && !was_open(database)) {
        enum sf_status status = make_file(connection, error);
        if (status != SF_OK)
            return status;
        failed = look_at_file(database->path, &connection->file);
    }
    if (failed == 0 && faccessat(AT_FDCWD, database->path, R_OK | W_OK, AT_EACCESS) != 0)
        failed = errno;
    if (failed != 0)
        return fail_with_errno(connection, failed, error);
    if (has_foreign_log(database, &connection->file))
        return sf_error_set(error, SF_UNAVAILABLE,
                            "sqlite:%s: replaced while in use: stop the server, remove its -wal and"
                            " -shm, start again",
                            database->path);
    return SF_OK;
}

/* ---- opening ---- */

static int
wait_for_lock(void *context, int tries)
{
    const struct sf_sqlite_connection *connection = context;
    sf_time left = connection->deadline - sf_clock_steady();
    if (left <= 0)
        return 0;
    sf_time pause = tries < 4 ? 1 : 5;
    sqlite3_sleep((int)(left < pause ? left : pause));
    return 1;
}

static int
is_late(void *context)
{
    const struct sf_sqlite_connection *connection = context;
    return sf_clock_steady() >= connection->deadline;
}

/* SQLITE_OK, or why it could not be read. */
static int
read_integer(sqlite3 *db, const char *sql, int *value_out)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *value_out = sqlite3_column_int(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

static int
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* In one transaction: another daemon may be making the schema. */
static int
read_identity(sqlite3 *db, int *application_out, int *version_out, int *tables_out)
{
    int code = run(db, "BEGIN");
    if (code != SQLITE_OK)
        return code;
    code = read_integer(db, "PRAGMA application_id", application_out);
    if (code == SQLITE_OK)
        code = read_integer(db, "PRAGMA user_version", version_out);
    if (code == SQLITE_OK)
        code = read_integer(db, "SELECT count(*) FROM sqlite_schema", tables_out);
    int end = run(db, "ROLLBACK"); /* nothing was written */
    return code != SQLITE_OK ? code : end;
}

/* *version_out: of the schema that is there; 0: the database is empty. */
static enum sf_status
check_identity(struct sf_sqlite_connection *connection, int *version_out, struct sf_error *error)
{
    int application = 0, tables = 0;
    int code = read_identity(connection->db, &application, version_out, &tables);
    if (code != SQLITE_OK)
        return sf_sqlite_fail(connection, code, "open", error);
    if (application == 0 && *version_out == 0 && tables == 0)
        return SF_OK;
    if (application != SF_SQLITE_APPLICATION_ID || *version_out < 1)
        return sf_error_set(error, SF_INVALID,
                            "sqlite:%s: a database of another program (application_id %d)",
                            connection->database->path, application);
    if (*version_out > SCHEMA_VERSION)
        return sf_error_set(error, SF_INVALID,
                            "sqlite:%s: made by a later session-fast: its schema has version %d,"
                            " this program knows %d",
                            connection->database->path, *version_out, SCHEMA_VERSION);
    return SF_OK;
}

static int
run_schema_steps(sqlite3 *db)
{
    int version = 0; /* read again: now nobody else can change it */
    int code = read_integer(db, "PRAGMA user_version", &version);
    while (code == SQLITE_OK && version < SCHEMA_VERSION)
        code = run(db, schema_steps[version++]);
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d",
             SF_SQLITE_APPLICATION_ID, version);
    return code == SQLITE_OK ? run(db, sql) : code;
}

static enum sf_status
upgrade_schema(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    int code = run(connection->db, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK)
        code = run_schema_steps(connection->db);
    if (code == SQLITE_OK)
        code = run(connection->db, "COMMIT");
    if (code == SQLITE_OK)
        return SF_OK;
    enum sf_status status = sf_sqlite_fail(connection, code, "make the schema", error);
    sf_sqlite_close(connection);
    return status;
}

/*
 * Defensive and untrusting: the file may come from anywhere, and no SQL in it should run for us.
 * A log of 4,000 pages (16 MiB) makes a third more rows a second than one of 1,000.
 */
static enum sf_status
set_up(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    sqlite3 *db = connection->db;
    sqlite3_busy_handler(db, wait_for_lock, connection);
    sqlite3_progress_handler(db, PROGRESS_OPS, is_late, connection);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    int code = run(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA synchronous=FULL;"
                       "PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;"
                       "PRAGMA wal_autocheckpoint=4000");
    return code == SQLITE_OK ? SF_OK : sf_sqlite_fail(connection, code, "set up", error);
}

static int
switch_to_wal(sqlite3 *db, bool *is_wal_out)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    *is_wal_out = code == SQLITE_ROW
                  && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return code;
}

/* SQLite does not always ask its handler here while another daemon does the same. */
static enum sf_status
use_write_ahead_log(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    bool is_wal;
    int code, tries = 0;
    do
        code = switch_to_wal(connection->db, &is_wal);
    while ((code & 0xff) == SQLITE_BUSY && wait_for_lock(connection, tries++));
    if (is_wal)
        return SF_OK;
    if (code != SQLITE_ROW)
        return sf_sqlite_fail(connection, code, "use a write-ahead log", error);
    return sf_error_set(error, SF_INVALID,
                        "sqlite:%s: a write-ahead log does not work here (a network file system?)",
                        connection->database->path);
}

/*
 * What an earlier process wrote may be in the log without having reached the disk: a repeated write
 * would find its version there and be called stored. Moving the log into the database syncs both.
 * Busy readers may keep a part of it: synced is enough.
 */
static enum sf_status
settle_log(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    const int mode = SQLITE_CHECKPOINT_TRUNCATE;
    int code = sqlite3_wal_checkpoint_v2(connection->db, "main", mode, NULL, NULL);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY)
        return SF_OK;
    return sf_sqlite_fail(connection, code, "checkpoint", error);
}

static enum sf_status
prepare_all(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    assert(connection->sql_count <= SF_SQLITE_STATEMENTS_MAX);
    for (size_t i = 0; i < connection->sql_count; i++) {
        int code = sqlite3_prepare_v3(connection->db, connection->sql[i], -1,
                                      SQLITE_PREPARE_PERSISTENT, &connection->statements[i], NULL);
        if (code != SQLITE_OK)
            return sf_sqlite_fail(connection, code, "prepare", error);
    }
    return SF_OK;
}

static enum sf_status
make_usable(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    int version = 0;
    enum sf_status status = set_up(connection, error);
    if (status == SF_OK)
        status = check_identity(connection, &version, error);
    if (status == SF_OK && version == 0 && was_open(connection->database))
        status = sf_error_set(error, SF_UNAVAILABLE, "sqlite:%s: replaced by an empty file",
                              connection->database->path);
    if (status == SF_OK)
        status = use_write_ahead_log(connection, error);
    if (status == SF_OK && version < SCHEMA_VERSION)
        status = upgrade_schema(connection, error);
    if (status == SF_OK && connection->role == SF_SQLITE_WRITER)
        status = settle_log(connection, error);
    if (status == SF_OK)
        status = prepare_all(connection, error);
    return status;
}

static enum sf_status
open_file(struct sf_sqlite_connection *connection, struct sf_error *error)
{
    struct sf_sqlite_database *database = connection->database;
    enum sf_status status = find_file(connection, error);
    if (status != SF_OK)
        return status;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
                      | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(database->path, &connection->db, flags, NULL);
    if (code != SQLITE_OK)
        return sf_sqlite_fail(connection, code, "open", error);
    status = make_usable(connection, error);
    if (status != SF_OK) {
        sf_sqlite_close(connection);
        return status;
    }
    atomic_store_explicit(&database->device, connection->file.device, memory_order_relaxed);
    atomic_store_explicit(&database->inode, connection->file.inode, memory_order_relaxed);
    return SF_OK;
}

enum sf_status
sf_sqlite_begin_call(struct sf_sqlite_connection *connection, sf_time deadline,
                     struct sf_error *error)
{
    const char *path = connection->database->path;
    struct sf_sqlite_file now;
    connection->deadline = deadline;
    if (sf_clock_steady() >= deadline)
        return sf_error_set(error, SF_UNAVAILABLE, "sqlite:%s: no time left before the deadline",
                            path);
    if (connection->db != NULL && look_at_file(path, &now) == 0
        && is_same_file(&now, &connection->file))
        return SF_OK;
    sf_sqlite_close(connection);
    return open_file(connection, error);
}

void
sf_sqlite_close(struct sf_sqlite_connection *connection)
{
    for (size_t i = 0; i < connection->sql_count; i++) {
        sqlite3_finalize(connection->statements[i]);
        connection->statements[i] = NULL;
    }
    int code = sqlite3_close(connection->db);
    assert(code == SQLITE_OK);
    (void)code;
    connection->db = NULL;
}
