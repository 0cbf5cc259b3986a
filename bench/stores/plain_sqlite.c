/* SPDX-License-Identifier: Apache-2.0 */
/* As durable as our store: write-ahead log, synchronous FULL; prepared, each statement its own transaction. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/stores/plain.h"

enum statement { CREATE, READ, SAVE, END, STATEMENTS };

static const char *const texts[STATEMENTS] = {
    [CREATE] = "INSERT INTO session (id, value, expires) VALUES (?1, ?2, unixepoch() + 600)",
    [READ] = "SELECT value FROM session WHERE id = ?1 AND expires > unixepoch()",
    [SAVE] = "UPDATE session SET value = ?2, expires = unixepoch() + 600 WHERE id = ?1",
    [END] = "DELETE FROM session WHERE id = ?1",
};

static const char setup[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE session (id TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL);"
    "CREATE INDEX session_expires ON session (expires)";

struct plain_database {
    struct plain base;
    char path[4096];
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
};

static void
remove_files(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char name[4104];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
}

static void
close_database(struct plain *plain)
{
    struct plain_database *self = (struct plain_database *)plain;

    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(self->statements[i]);
    sqlite3_close(self->database);
    remove_files(self->path);
    free(self);
}

static bool
prepare_all(struct plain_database *self)
{
    if (sqlite3_open(self->path, &self->database) != SQLITE_OK ||
        sqlite3_exec(self->database, setup, NULL, NULL, NULL) != SQLITE_OK)
        return false;
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(self->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

static struct plain *
open_database(const char *url, const char *folder)
{
    struct plain_database *self = calloc(1, sizeof *self);

    (void)url;
    if (self == NULL)
        return plain_fail(&plain_sqlite, "no memory");
    self->base.ops = &plain_sqlite;
    snprintf(self->path, sizeof self->path, "%s/plain.db", folder);
    remove_files(self->path);
    if (prepare_all(self))
        return &self->base;
    plain_fail(&plain_sqlite, sqlite3_errmsg(self->database));
    close_database(&self->base);
    return NULL;
}

static sqlite3_stmt *
begin(struct plain *plain, enum statement which, const char *id)
{
    sqlite3_stmt *statement = ((struct plain_database *)plain)->statements[which];

    sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    return statement;
}

static bool
run(struct plain *plain, sqlite3_stmt *statement)
{
    bool is_done = sqlite3_step(statement) == SQLITE_DONE;

    sqlite3_reset(statement);
    return is_done && sqlite3_changes(((struct plain_database *)plain)->database) == 1;
}

static bool
put(struct plain *plain, enum statement which, const char *id, struct sf_span value)
{
    sqlite3_stmt *statement = begin(plain, which, id);

    sqlite3_bind_text(statement, 2, (const char *)value.data, (int)value.size, SQLITE_STATIC);
    return run(plain, statement);
}

static bool
create(struct plain *plain, const char *id, struct sf_span value)
{
    return put(plain, CREATE, id, value);
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    sqlite3_stmt *statement = begin(plain, READ, id);
    bool is_there = sqlite3_step(statement) == SQLITE_ROW;

    sf_buffer_clear(value_out);
    is_there = is_there && sf_buffer_append(value_out, sqlite3_column_text(statement, 0),
                                            (size_t)sqlite3_column_bytes(statement, 0)) == SF_OK;
    sqlite3_reset(statement);
    return is_there;
}

static bool
save(struct plain *plain, const char *id, struct sf_span value)
{
    return put(plain, SAVE, id, value);
}

static bool
end(struct plain *plain, const char *id)
{
    return run(plain, begin(plain, END, id));
}

const struct plain_ops plain_sqlite = {
    .scheme = "sqlite",
    .what = "sqlite3: prepared statements, WAL, synchronous FULL, a transaction each",
    .open = open_database,
    .close = close_database,
    .create = create,
    .read = read_one,
    .save = save,
    .end = end,
};
