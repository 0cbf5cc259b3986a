/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_postgresql_schema.c - our tables: which version they have, and making them.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/store/postgresql/store_postgresql_connection.h"
#include "common/store/store.h"

#define SCHEMA_VERSION 1

/*
 * Two hosts may do this at once: the second one waits for the lock, whose number means nothing, and
 * finds all of it there. The user is bytes, because it need not be text in the encoding of the
 * database.
 */
static const char *const create_sql[] = {
    "SELECT pg_advisory_xact_lock(8317702125468771891)",
    "CREATE TABLE IF NOT EXISTS session_fast_schema (version integer NOT NULL)",
    "CREATE TABLE IF NOT EXISTS session_fast_session ("
    " key bytea NOT NULL PRIMARY KEY CHECK (octet_length(key) = 16), version bigint NOT NULL,"
    " last_access bigint NOT NULL, expires bigint NOT NULL, ended boolean NOT NULL,"
    " \"user\" bytea NOT NULL, checksum bigint NOT NULL, record bytea NOT NULL)",
    "CREATE INDEX IF NOT EXISTS session_fast_expires ON session_fast_session (expires)"
    " WHERE expires <> 0",
    "CREATE INDEX IF NOT EXISTS session_fast_user ON session_fast_session (\"user\", key)"
    " WHERE \"user\" <> ''",
    "INSERT INTO session_fast_schema SELECT 1 WHERE NOT EXISTS (SELECT FROM session_fast_schema)",
};

#define CREATE_STEPS (sizeof create_sql / sizeof create_sql[0])

struct tables {
    bool is_there, has_schema;
    uint64_t started, table; /* when the server was, and the number that it has given our table */
};

static bool
read_bool(const PGresult *result, int column)
{
    return PQgetlength(result, 0, column) == 1 && PQgetvalue(result, 0, column)[0] != 0;
}

static uint64_t
read_int8(const PGresult *result, int column)
{
    uint64_t number = 0;
    if (PQgetlength(result, 0, column) == sizeof number)
        memcpy(&number, PQgetvalue(result, 0, column), sizeof number);
    return be64toh(number);
}

/* A table that was restored, or made anew, has another number. */
static enum sf_status
look(struct tables *tables_out, struct sf_postgresql_connection *connection, struct sf_error *error)
{
    const char *schema = connection->database->schema;
    struct sf_postgresql_call call = {
        .text = "SELECT to_regclass('session_fast_schema') IS NOT NULL,"
                " $1::text = '' OR EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text),"
                " (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,"
                " coalesce(to_regclass('session_fast_session')::oid::bigint, 0)"};
    sf_postgresql_add_parameter(&call, schema, strlen(schema));
    enum sf_status status = sf_postgresql_run(connection, &call, 1, error);
    if (status != SF_OK)
        return status;
    *tables_out = (struct tables){.is_there = read_bool(call.result, 0),
                                  .has_schema = read_bool(call.result, 1),
                                  .started = read_int8(call.result, 2),
                                  .table = read_int8(call.result, 3)};
    PQclear(call.result);
    return SF_OK;
}

/*
 * The schema only where it is missing: the right to make one is asked for even if there is nothing
 * to be made.
 */
static enum sf_status
create(struct sf_postgresql_connection *connection, bool has_schema, struct sf_error *error)
{
    struct sf_postgresql_call calls[CREATE_STEPS + 1] = {{.text = create_sql[0]}};
    char text[512];
    size_t count = 1;
    if (!has_schema) {
        const char *schema = connection->database->schema;
        char *name = PQescapeIdentifier(connection->pg, schema, strlen(schema));
        snprintf(text, sizeof text, "CREATE SCHEMA IF NOT EXISTS %s", name == NULL ? "" : name);
        PQfreemem(name);
        calls[count++].text = text;
    }
    for (size_t i = 1; i < CREATE_STEPS; i++)
        calls[count++].text = create_sql[i];
    enum sf_status status = sf_postgresql_run(connection, calls, count, error);
    for (size_t i = 0; status == SF_OK && i < count; i++)
        PQclear(calls[i].result);
    return status;
}

enum sf_status
sf_postgresql_check_version(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    struct sf_postgresql_call call = {
        .text = "SELECT coalesce(max(version), 0) FROM session_fast_schema"};
    enum sf_status status = sf_postgresql_run(connection, &call, 1, error);
    if (status != SF_OK)
        return status;
    uint32_t version = 0;
    if (PQgetlength(call.result, 0, 0) == sizeof version)
        memcpy(&version, PQgetvalue(call.result, 0, 0), sizeof version);
    PQclear(call.result);
    version = be32toh(version);
    const char *label = connection->database->url.label;
    if (version > SCHEMA_VERSION)
        return sf_error_set(
            error, SF_INVALID,
            "%s: made by a later session-fast: its tables have version %u, this program knows %d",
            label, (unsigned)version, SCHEMA_VERSION);
    if (version == 0)
        return sf_error_set(error, SF_INVALID, "%s: table session_fast_schema holds no version",
                            label);
    return SF_OK;
}

enum sf_status
sf_postgresql_find_tables(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    struct sf_postgresql_database *database = connection->database;
    struct tables tables;
    enum sf_status status = look(&tables, connection, error);
    if (status == SF_OK && !tables.is_there && atomic_load(&database->was_seen))
        return sf_postgresql_fail(connection, SF_UNAVAILABLE,
                                  "the tables have gone; a restart makes new ones", error);
    if (status == SF_OK && !tables.is_there) {
        status = create(connection, tables.has_schema, error);
        if (status == SF_OK)
            status = look(&tables, connection, error);
    }
    if (status == SF_OK)
        status = sf_postgresql_check_version(connection, error);
    if (status != SF_OK)
        return status;
    atomic_store(&database->was_seen, true);
    atomic_store(&database->incarnation, sf_store_incarnation_of(tables.started, tables.table));
    return SF_OK;
}
