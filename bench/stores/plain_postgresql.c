/* SPDX-License-Identifier: Apache-2.0 */
/* libpq, a prepared statement for each operation, each its own transaction. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stores/plain.h"

#define TABLE "bench_plain_session"

struct plain_postgresql {
    struct plain base;
    PGconn *connection;
};

static const struct {
    const char *name, *text;
} statements[] = {
    {"plain_create", "INSERT INTO " TABLE " (id, value, expires) VALUES ($1, $2, now() + interval '600 s')"},
    {"plain_read", "SELECT value FROM " TABLE " WHERE id = $1 AND expires > now()"},
    {"plain_save", "UPDATE " TABLE " SET value = $2, expires = now() + interval '600 s' WHERE id = $1"},
    {"plain_end", "DELETE FROM " TABLE " WHERE id = $1"},
};

static const char setup[] = "DROP TABLE IF EXISTS " TABLE ";"
                            "CREATE TABLE " TABLE
                            " (id varchar(40) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);"
                            "CREATE INDEX ON " TABLE " (expires)";

static bool
is_well(PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    PQclear(result);
    return status == PGRES_COMMAND_OK;
}

static void
close_connection(struct plain *plain)
{
    struct plain_postgresql *self = (struct plain_postgresql *)plain;

    PQclear(PQexec(self->connection, "DROP TABLE IF EXISTS " TABLE));
    PQfinish(self->connection);
    free(self);
}

static bool
prepare_all(struct plain_postgresql *self)
{
    if (PQstatus(self->connection) != CONNECTION_OK ||
        !is_well(PQexec(self->connection, "SET client_min_messages = warning")) ||
        !is_well(PQexec(self->connection, setup)))
        return false;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (!is_well(PQprepare(self->connection, statements[i].name, statements[i].text, 0, NULL)))
            return false;
    return true;
}

static struct plain *
open_connection(const char *url, const char *folder)
{
    struct plain_postgresql *self = calloc(1, sizeof *self);

    (void)folder;
    if (self == NULL)
        return plain_fail(&plain_postgresql, "no memory");
    self->base.ops = &plain_postgresql;
    self->connection = PQconnectdb(url);
    if (prepare_all(self))
        return &self->base;
    plain_fail(&plain_postgresql, PQerrorMessage(self->connection));
    close_connection(&self->base);
    return NULL;
}

/* `value` NULL: the statement has none. */
static PGresult *
execute(struct plain *plain, const char *name, const char *id, const struct sf_span *value)
{
    const char *texts[] = {id, value != NULL ? (const char *)value->data : NULL};
    const int sizes[] = {(int)strlen(id), value != NULL ? (int)value->size : 0};
    const int are_binary[] = {0, 1}; /* with a size, and without an end */

    return PQexecPrepared(((struct plain_postgresql *)plain)->connection, name, value != NULL ? 2 : 1, texts, sizes,
                          are_binary, 0);
}

static bool
change(struct plain *plain, const char *name, const char *id, const struct sf_span *value)
{
    PGresult *result = execute(plain, name, id, value);
    bool is_done = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdTuples(result), "1") == 0;

    PQclear(result);
    return is_done;
}

static bool
create(struct plain *plain, const char *id, struct sf_span value)
{
    return change(plain, "plain_create", id, &value);
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    PGresult *result = execute(plain, "plain_read", id, NULL);
    bool is_there = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

    sf_buffer_clear(value_out);
    is_there = is_there && sf_buffer_append(value_out, PQgetvalue(result, 0, 0),
                                            (size_t)PQgetlength(result, 0, 0)) == SF_OK;
    PQclear(result);
    return is_there;
}

static bool
save(struct plain *plain, const char *id, struct sf_span value)
{
    return change(plain, "plain_save", id, &value);
}

static bool
end(struct plain *plain, const char *id)
{
    return change(plain, "plain_end", id, NULL);
}

const struct plain_ops plain_postgresql = {
    .scheme = "postgresql",
    .what = "libpq: prepared statements, a transaction each",
    .open = open_connection,
    .close = close_connection,
    .create = create,
    .read = read_one,
    .save = save,
    .end = end,
};
