/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as one would set it up for this: write-ahead log, synchronous NORMAL, prepared, mapped. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/targets/targets.h"

#define FILL_BATCH 1000
#define BUSY_MS 60000

enum statement { INSERT, READ, WRITE, CHANGE, FIELD, BEGIN, COMMIT, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [INSERT] = "INSERT OR REPLACE INTO sessions (k, n, v) VALUES (?1, 0, ?2)",
    [READ] = "SELECT v FROM sessions WHERE k = ?1",
    [WRITE] = "UPDATE sessions SET v = ?2 WHERE k = ?1",
    [CHANGE] = "UPDATE sessions SET n = n + 1 WHERE k = ?1",
    [FIELD] = "SELECT n FROM sessions WHERE k = ?1",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
};

static const char setup[] = "PRAGMA journal_mode = WAL;"
                            "PRAGMA synchronous = NORMAL;"
                            "PRAGMA mmap_size = 8589934592;"
                            "CREATE TABLE IF NOT EXISTS sessions"
                            " (k BLOB PRIMARY KEY, n INTEGER, v BLOB) WITHOUT ROWID";

struct target {
    struct target_plan plan;
    char path[4096];
};

struct target_worker {
    struct target *target;
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    struct target_values values;
};

static bool
sqlite_open(struct target **target_out, const struct target_plan *plan,
            struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);

    if (target == NULL)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    snprintf(target->path, sizeof target->path, "%s/sessions.db", plan->disk);
    *target_out = target;
    return true;
}

static void
sqlite_close(struct target *target)
{
    free(target);
}

static void
sqlite_detach(struct target_worker *worker)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(worker->statements[i]);
    sqlite3_close(worker->database);
    target_values_fini(&worker->values);
    free(worker);
}

static bool
prepare_all(struct target_worker *worker)
{
    if (sqlite3_open(worker->target->path, &worker->database) != SQLITE_OK ||
        sqlite3_busy_timeout(worker->database, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(worker->database, setup, NULL, NULL, NULL) != SQLITE_OK)
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(worker->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &worker->statements[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

static struct target_worker *
sqlite_attach(struct target *target)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->target = target;
    if (target_values_init(&worker->values, target->plan.bytes) && prepare_all(worker))
        return worker;
    sqlite_detach(worker);
    return NULL;
}

static sqlite3_stmt *
bind_key(struct target_worker *worker, enum statement which, struct sf_key *key)
{
    sqlite3_bind_blob(worker->statements[which], 1, key->bytes, sizeof key->bytes, SQLITE_STATIC);
    return worker->statements[which];
}

static bool
run(struct target_worker *worker, enum statement which)
{
    bool is_done = sqlite3_step(worker->statements[which]) == SQLITE_DONE;

    sqlite3_reset(worker->statements[which]);
    return is_done;
}

/* INSERT or WRITE. */
static bool
put(struct target_worker *worker, enum statement which, uint32_t session, uint64_t version)
{
    struct sf_key key = target_key(session);
    const unsigned char *value = target_values_stamp(&worker->values, session, version);

    sqlite3_bind_blob(bind_key(worker, which, &key), 2, value, (int)worker->values.bytes,
                      SQLITE_STATIC);
    return run(worker, which);
}

static bool
sqlite_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    bool is_well = true;

    for (uint32_t i = 0; i < count && is_well; i++) {
        if (i % FILL_BATCH == 0)
            is_well = run(worker, BEGIN);
        is_well = is_well && put(worker, INSERT, first + i, 1);
        if (i % FILL_BATCH == FILL_BATCH - 1 || i == count - 1)
            is_well = is_well && run(worker, COMMIT);
    }
    return is_well;
}

static enum target_answer
sqlite_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    struct sf_key key = target_key(session);
    const struct target_values *values = &worker->values;
    sqlite3_stmt *statement = bind_key(worker, READ, &key);
    bool is_there = sqlite3_step(statement) == SQLITE_ROW &&
                    (size_t)sqlite3_column_bytes(statement, 0) == values->bytes;

    if (is_there)
        memcpy(values->found, sqlite3_column_blob(statement, 0), values->bytes);
    sqlite3_reset(statement);
    *found_out = (struct target_found){values->found, values->bytes};
    return is_there ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
sqlite_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    return put(worker, WRITE, session, version) ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
sqlite_change(struct target_worker *worker, uint32_t session)
{
    struct sf_key key = target_key(session);

    bind_key(worker, CHANGE, &key);
    return run(worker, CHANGE) ? TARGET_DONE : TARGET_WRONG;
}

static enum target_answer
sqlite_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    struct sf_key key = target_key(session);
    sqlite3_stmt *statement = bind_key(worker, FIELD, &key);
    bool is_there = sqlite3_step(statement) == SQLITE_ROW;

    *n_out = is_there ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return is_there ? TARGET_DONE : TARGET_WRONG;
}

const struct target_ops target_sqlite = {
    .name = "SQLite",
    .what = "SQLite, WAL, synchronous NORMAL, prepared statements, on disk",
    .counts_exactly = true,
    .open = sqlite_open,
    .close = sqlite_close,
    .attach = sqlite_attach,
    .detach = sqlite_detach,
    .fill = sqlite_fill,
    .read = sqlite_read,
    .write = sqlite_write,
    .change = sqlite_change,
    .field = sqlite_field,
};
