/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite.c - the embedded store: one file, its write-ahead log, one transaction a batch.
 *
 * sqlite:PATH, relative below the state folder. Two connections, because the daemon loads in one
 * thread while it writes in another. docs/stores.md says what each failure does.
 */
#include "common/store/store.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h> /* asprintf */
#include <stdlib.h>
#include <string.h>

#include "common/store/row_checksum.h"
#include "common/store/sqlite/store_sqlite_connection.h"
#include "common/store/store_path_examine.h"

#define SCHEME "sqlite:"
#define PATH_BYTES_MAX (PATH_MAX - 16) /* "-wal" and "-journal" are appended */

enum read_statement { READ_LOAD, READ_SCAN, READ_SCAN_USER };

static const char *const read_sql[] = {
    [READ_LOAD] = "SELECT key, version, last_access, checksum, record FROM session WHERE key = ?1",
    [READ_SCAN] = "SELECT key, version, last_access, checksum, record FROM session"
                  " WHERE key > ?1 ORDER BY key LIMIT ?2",
    [READ_SCAN_USER] = "SELECT key, version, last_access, checksum, record FROM session"
                       " WHERE key > ?1 AND user = ?3 AND user <> '' ORDER BY key LIMIT ?2",
};

enum read_column { COLUMN_KEY, COLUMN_VERSION, COLUMN_LAST_ACCESS, COLUMN_CHECKSUM, COLUMN_RECORD };

enum write_statement {
    WRITE_BEGIN,
    WRITE_COMMIT,
    WRITE_ROLLBACK,
    WRITE_PUT,
    WRITE_REPLACE,
    WRITE_TOUCH,
    WRITE_EXISTS,
    WRITE_SWEEP
};

/*
 * Nothing moves back: neither the version of a record nor the last access, nor, where that is later than
 * the one of a put which is no end, the expiry; 0 is the latest.
 */
#define LATER_EXPIRES(expires_put, last_access_put, ended_put) \
    "CASE WHEN last_access <= " last_access_put " OR " ended_put " THEN " expires_put \
    " WHEN expires = 0 OR " expires_put " = 0 THEN 0 ELSE max(expires, " expires_put ") END"

static const char *const write_sql[] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_PUT] =
        "INSERT INTO session (key, version, last_access, expires, ended, user, checksum, record)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (key) DO UPDATE SET"
        " version = excluded.version, last_access = max(last_access, excluded.last_access),"
        " expires = " LATER_EXPIRES("excluded.expires", "excluded.last_access", "excluded.ended") ","
        " ended = excluded.ended, user = excluded.user,"
        " checksum = excluded.checksum, record = excluded.record"
        " WHERE excluded.version > version AND ?9 = 0",
    [WRITE_REPLACE] =
        "UPDATE session SET version = ?2, last_access = max(last_access, ?3),"
        " expires = " LATER_EXPIRES("?4", "?3", "?5") ","
        " ended = ?5, user = ?6, checksum = ?7, record = ?8 WHERE key = ?1 AND version = ?9",
    [WRITE_TOUCH] = "UPDATE session SET last_access = ?2, expires = ?3"
                    " WHERE key = ?1 AND last_access < ?2 AND ended = 0",
    [WRITE_EXISTS] = "SELECT 1 FROM session WHERE key = ?1",
    [WRITE_SWEEP] = "DELETE FROM session WHERE key IN (SELECT key FROM session"
                    " WHERE expires <> 0 AND expires < ?1 ORDER BY expires LIMIT ?2)",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct sqlite_store {
    struct sf_store base;
    struct sf_sqlite_database database;
    struct sf_sqlite_connection reader, writer;
    pthread_mutex_t lock; /* guards `last` */
    struct sf_error last;
};

static sf_store_open_fn sqlite_open;
static sf_store_attach_fn sqlite_attach;
static sf_store_load_fn sqlite_load;
static sf_store_write_fn sqlite_write;
static sf_store_sweep_fn sqlite_sweep;
static sf_store_scan_fn sqlite_scan;
static sf_store_explain_fn sqlite_explain;
static sf_store_close_fn sqlite_close;
static sf_store_incarnation_fn sqlite_incarnation;
static sf_store_examine_fn sqlite_examine;

const struct sf_store_ops sf_store_sqlite = {
    .scheme = "sqlite",
    .flags = SF_STORE_DURABLE,
    .open = sqlite_open,
    .attach = sqlite_attach,
    .load = sqlite_load,
    .write = sqlite_write,
    .sweep = sqlite_sweep,
    .scan = sqlite_scan,
    .explain = sqlite_explain,
    .close = sqlite_close,
    .incarnation = sqlite_incarnation,
    .examine = sqlite_examine,
};

/* ---- life ---- */

static enum sf_status
build_path(char **path_out, const char *path, const char *state, struct sf_error *error)
{
    if (path[0] == '\0' || path[0] == ':')
        return sf_error_set(error, SF_INVALID, SCHEME "PATH: the path is missing");
    bool is_relative = path[0] != '/';
    size_t size = strlen(path) + (is_relative ? strlen(state) + 1 : 0) + 1;
    if (size > PATH_BYTES_MAX)
        return sf_error_set(error, SF_INVALID, SCHEME "PATH: longer than %d bytes", PATH_BYTES_MAX);
    if (asprintf(path_out, "%s%s%s", is_relative ? state : "", is_relative ? "/" : "", path) < 0)
        return sf_error_set(error, SF_NO_MEMORY, SCHEME "%s: no memory", path);
    return SF_OK;
}

static enum sf_status
sqlite_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    char *path;
    enum sf_status status = build_path(&path, url + strlen(SCHEME), state, error);
    if (status != SF_OK)
        return status;
    struct sqlite_store *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL) {
        free(path);
        return sf_error_set(error, SF_NO_MEMORY, "%s: no memory", url);
    }
    sqlite->base.ops = &sf_store_sqlite;
    sqlite->database.path = path;
    sqlite->reader = (struct sf_sqlite_connection){.database = &sqlite->database,
                                                   .role = SF_SQLITE_READER,
                                                   .sql = read_sql,
                                                   .sql_count = COUNT(read_sql)};
    sqlite->writer = (struct sf_sqlite_connection){.database = &sqlite->database,
                                                   .role = SF_SQLITE_WRITER,
                                                   .sql = write_sql,
                                                   .sql_count = COUNT(write_sql)};
    pthread_mutex_init(&sqlite->lock, NULL);
    *store_out = &sqlite->base;
    return SF_OK;
}

static void
sqlite_close(struct sf_store *store)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    sf_sqlite_close(&sqlite->reader);
    sf_sqlite_close(&sqlite->writer); /* the last one empties and removes the log */
    pthread_mutex_destroy(&sqlite->lock);
    free(sqlite->database.path);
    free(sqlite);
}

static enum sf_status
sqlite_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    (void)deadline;
    return sf_store_sqlite_path_examine(((struct sqlite_store *)store)->database.path, sf_sqlite_schema_version,
                                        findings);
}

static void
remember(struct sqlite_store *sqlite, const struct sf_error *error)
{
    pthread_mutex_lock(&sqlite->lock);
    sqlite->last = *error;
    pthread_mutex_unlock(&sqlite->lock);
}

static void
sqlite_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    pthread_mutex_lock(&sqlite->lock);
    *error_out = sqlite->last;
    pthread_mutex_unlock(&sqlite->lock);
}

static enum sf_status
sqlite_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    struct sf_error reason = {.status = SF_OK};
    enum sf_status status = sf_sqlite_begin_call(&sqlite->writer, deadline, &reason);
    if (status != SF_OK) {
        remember(sqlite, &reason);
        return sf_error_set(error, status, "%s", reason.text);
    }
    return SF_OK;
}

/*
 * The end of every call but attach: keeps the reason for explain. What a start refuses (another
 * version) is, once running, an outage that an administrator can end.
 */
static enum sf_status
finish_call(struct sqlite_store *sqlite, enum sf_status status, const struct sf_error *error)
{
    if (status == SF_OK || status == SF_NOT_FOUND)
        return status;
    remember(sqlite, error);
    return status == SF_INVALID ? SF_UNAVAILABLE : status;
}

/* ---- reading ---- */

/* SF_CORRUPT: the row was changed by somebody else than us, or by the disk. */
static enum sf_status
read_row(sqlite3_stmt *row, struct sf_key *key_out, struct sf_stored *stored_out)
{
    const void *key = sqlite3_column_blob(row, COLUMN_KEY);
    if (sqlite3_column_bytes(row, COLUMN_KEY) != SF_KEY_BYTES || key == NULL)
        return SF_CORRUPT;
    memcpy(key_out->bytes, key, SF_KEY_BYTES);
    const void *bytes = sqlite3_column_blob(row, COLUMN_RECORD);
    struct sf_span record = sf_span_of(bytes, (size_t)sqlite3_column_bytes(row, COLUMN_RECORD));
    uint64_t version = (uint64_t)sqlite3_column_int64(row, COLUMN_VERSION);
    if (record.size == 0 || record.size > SF_RECORD_BYTES_MAX ||
        sf_row_checksum(key_out, version, record) !=
            (uint64_t)sqlite3_column_int64(row, COLUMN_CHECKSUM))
        return SF_CORRUPT;
    stored_out->last_access = sqlite3_column_int64(row, COLUMN_LAST_ACCESS);
    sf_buffer_clear(&stored_out->record);
    return sf_buffer_append_span(&stored_out->record, record);
}

static void
release(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static enum sf_status
read_one(struct sf_sqlite_connection *connection, const struct sf_key *key,
         struct sf_stored *stored_out, struct sf_error *error)
{
    sqlite3_stmt *statement = connection->statements[READ_LOAD];
    struct sf_key found;
    enum sf_status status = SF_NOT_FOUND;
    sqlite3_bind_blob(statement, 1, key->bytes, SF_KEY_BYTES, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        status = read_row(statement, &found, stored_out);
    release(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sf_sqlite_fail(connection, code, "load", error);
    if (status == SF_CORRUPT)
        sf_error_set(error, status, SCHEME "%s: a damaged row", connection->database->path);
    return status;
}

/* One after the other: there is no round trip to be saved. */
static void
sqlite_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    for (size_t i = 0; i < count; i++) {
        struct sf_error error = {.status = SF_OK};
        sf_buffer_clear(&loads[i].stored->record);
        enum sf_status status = sf_sqlite_begin_call(&sqlite->reader, deadline, &error);
        if (status == SF_OK)
            status = read_one(&sqlite->reader, &loads[i].key, loads[i].stored, &error);
        loads[i].status = finish_call(sqlite, status, &error);
    }
}

static enum sf_status
visit_rows(struct sf_sqlite_connection *connection, sqlite3_stmt *statement,
           sf_store_visit_fn *visit, void *context, struct sf_error *error)
{
    struct sf_stored stored;
    struct sf_key key;
    int code;
    bool goes_on = true;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    while (goes_on && (code = sqlite3_step(statement)) == SQLITE_ROW)
        if (read_row(statement, &key, &stored) == SF_OK)
            goes_on = visit(context, &key, &stored);
    release(statement);
    sf_buffer_fini(&stored.record);
    if (goes_on && code != SQLITE_DONE)
        return sf_sqlite_fail(connection, code, "scan", error);
    return SF_OK;
}

static enum sf_status
sqlite_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
            sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    struct sf_error error = {.status = SF_OK};
    enum sf_status status = sf_sqlite_begin_call(&sqlite->reader, deadline, &error);
    if (status == SF_OK) {
        sqlite3_stmt *statement =
            sqlite->reader.statements[user.size > 0 ? READ_SCAN_USER : READ_SCAN];
        sqlite3_bind_blob(statement, 1, after == NULL ? "" : (const char *)after->bytes,
                          after == NULL ? 0 : SF_KEY_BYTES, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, limit > INT_MAX ? INT_MAX : (sqlite3_int64)limit);
        if (user.size > 0)
            sqlite3_bind_text(statement, 3, (const char *)user.data, (int)user.size, SQLITE_STATIC);
        status = visit_rows(&sqlite->reader, statement, visit, context, &error);
    }
    return finish_call(sqlite, status, &error);
}

/* ---- writing ---- */

static bool
refuses_only_this_row(int code)
{
    int primary = code & 0xff;
    return primary == SQLITE_TOOBIG || primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH;
}

static int
run(struct sf_sqlite_connection *connection, enum write_statement which)
{
    sqlite3_stmt *statement = connection->statements[which];
    int code = sqlite3_step(statement);
    release(statement);
    return code;
}

static uint64_t
incarnation_of(const struct sf_sqlite_database *database)
{
    uint64_t device = atomic_load_explicit(&database->device, memory_order_relaxed);
    uint64_t inode = atomic_load_explicit(&database->inode, memory_order_relaxed);
    return inode == 0 ? 0 : sf_store_incarnation_of(device, inode);
}

static int
put(struct sf_sqlite_connection *connection, struct sf_write *write)
{
    struct sf_record_head head;
    uint64_t expected = sf_store_expected(write, incarnation_of(connection->database));
    if (write->record.size > SF_RECORD_BYTES_MAX || write->version > INT64_MAX
        || sf_record_head(&head, write->record) != SF_OK) {
        write->status = SF_INVALID;
        return SQLITE_DONE;
    }
    bool is_put = write->expected == 0 || write->expected == SF_EXPECTED_NONE;
    enum write_statement which = is_put ? WRITE_PUT : WRITE_REPLACE;
    sqlite3_stmt *statement = connection->statements[which];
    const char *user = head.user.size == 0 ? "" : (const char *)head.user.data;
    uint64_t checksum = sf_row_checksum(&write->key, write->version, write->record);
    sqlite3_bind_blob(statement, 1, write->key.bytes, SF_KEY_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)write->version);
    sqlite3_bind_int64(statement, 3, write->last_access);
    sqlite3_bind_int64(statement, 4, write->expires);
    sqlite3_bind_int64(statement, 5, head.kind == SF_RECORD_ENDED);
    sqlite3_bind_text(statement, 6, user, (int)head.user.size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 7, (sqlite3_int64)checksum);
    sqlite3_bind_blob(statement, 8, write->record.data, (int)write->record.size, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 9, (sqlite3_int64)expected); /* none is -1 */
    int code = run(connection, which);
    write->is_news = code == SQLITE_DONE && sqlite3_changes(connection->db) > 0;
    bool is_other = write->expected != 0 && code == SQLITE_DONE && !write->is_news;
    write->status = is_other ? SF_CONFLICT : refuses_only_this_row(code) ? SF_INVALID : SF_OK;
    return write->status == SF_INVALID ? SQLITE_DONE : code;
}

static int
touch(struct sf_sqlite_connection *connection, struct sf_write *write)
{
    sqlite3_stmt *statement = connection->statements[WRITE_TOUCH];
    sqlite3_bind_blob(statement, 1, write->key.bytes, SF_KEY_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, write->last_access);
    sqlite3_bind_int64(statement, 3, write->expires);
    write->status = SF_OK;
    int code = run(connection, WRITE_TOUCH);
    if (code != SQLITE_DONE || sqlite3_changes(connection->db) > 0)
        return code;
    sqlite3_bind_blob(connection->statements[WRITE_EXISTS], 1, write->key.bytes, SF_KEY_BYTES,
                      SQLITE_STATIC);
    code = run(connection, WRITE_EXISTS);
    if (code == SQLITE_DONE)
        write->status = SF_NOT_FOUND;
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

static enum sf_status
abandon(struct sf_sqlite_connection *connection, int code, const char *doing,
        struct sf_error *error)
{
    /* Reason first: the rollback overwrites it. sf_sqlite_fail may have closed, and with that
     * rolled back, already. */
    enum sf_status status = sf_sqlite_fail(connection, code, doing, error);
    if (connection->db != NULL && sqlite3_get_autocommit(connection->db) == 0
        && run(connection, WRITE_ROLLBACK) != SQLITE_DONE)
        sf_sqlite_close(connection);
    return status;
}

static enum sf_status
write_transaction(struct sf_sqlite_connection *connection, struct sf_write *writes, size_t count,
                  struct sf_error *error)
{
    int code = run(connection, WRITE_BEGIN);
    for (size_t i = 0; i < count && code == SQLITE_DONE; i++)
        code = writes[i].kind == SF_WRITE_PUT ? put(connection, &writes[i])
                                              : touch(connection, &writes[i]);
    if (code != SQLITE_DONE)
        return abandon(connection, code, "write", error);
    code = run(connection, WRITE_COMMIT);
    if (code == SQLITE_DONE)
        return SF_OK;
    enum sf_status status = abandon(connection, code, "commit", error);
    /* The log may hold the whole transaction after all, and whoever opens it next may find it. */
    return (code & 0xff) == SQLITE_IOERR ? SF_UNCERTAIN : status;
}

static enum sf_status
sqlite_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    struct sf_error error = {.status = SF_OK};
    if (count == 0)
        return SF_OK;
    enum sf_status status = sf_sqlite_begin_call(&sqlite->writer, deadline, &error);
    if (status == SF_OK)
        status = write_transaction(&sqlite->writer, writes, count, &error);
    status = finish_call(sqlite, status, &error);
    for (size_t i = 0; status != SF_OK && i < count; i++)
        writes[i].status = status;
    return sf_store_worst(writes, count);
}

/* Of the file: another one, an older copy for instance, may have been put in its place. */
static uint64_t
sqlite_incarnation(struct sf_store *store)
{
    return incarnation_of(&((struct sqlite_store *)store)->database);
}

static enum sf_status
sqlite_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline,
             size_t *removed_out)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;
    struct sf_sqlite_connection *connection = &sqlite->writer;
    struct sf_error error = {.status = SF_OK};
    *removed_out = 0;
    enum sf_status status = sf_sqlite_begin_call(connection, deadline, &error);
    if (status == SF_OK) {
        sqlite3_stmt *statement = connection->statements[WRITE_SWEEP];
        sqlite3_bind_int64(statement, 1, now);
        sqlite3_bind_int64(statement, 2, limit > INT_MAX ? INT_MAX : (sqlite3_int64)limit);
        int code = run(connection, WRITE_SWEEP);
        if (code == SQLITE_DONE)
            *removed_out = (size_t)sqlite3_changes(connection->db);
        else
            status = sf_sqlite_fail(connection, code, "sweep", &error);
    }
    return finish_call(sqlite, status, &error);
}
