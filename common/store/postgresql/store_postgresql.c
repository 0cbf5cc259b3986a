/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_postgresql.c - a table of PostgreSQL, for several hosts at once:
 * postgresql://USER@HOST/DATABASE.
 *
 * Three connections, because the daemon loads in one thread, writes in another and listens in a third.
 * docs/stores.md says what each failure does.
 */
#include "common/store/postgresql/store_postgresql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/store/postgresql/store_postgresql_array.h"
#include "common/store/postgresql/store_postgresql_follow.h"
#include "common/store/store_sql.h"

#define SCAN_ROWS 64 /* at once: up to 1 MiB each */

enum read_statement { READ_LOAD, READ_SCAN, READ_SCAN_USER };

#define ROW "SELECT key, version, last_access, checksum, record FROM session_fast_session "

static const char *const read_sql[] = {
    [READ_LOAD] = ROW "WHERE key = ANY ($1::bytea[])",
    [READ_SCAN] = ROW "WHERE key > $1::bytea ORDER BY key LIMIT $2::bigint",
    [READ_SCAN_USER] = ROW "WHERE key > $1::bytea AND \"user\" = $3::bytea AND \"user\" <> ''"
                           " ORDER BY key LIMIT $2::bigint",
};

enum read_column { COLUMN_KEY, COLUMN_VERSION, COLUMN_LAST_ACCESS, COLUMN_CHECKSUM, COLUMN_RECORD };

static const char *const options[] = {"schema",
                                      "pgbouncer",
                                      "sslmode",
                                      "sslrootcert",
                                      "sslcert",
                                      "sslkey",
                                      "sslcrl",
                                      "ssl_min_protocol_version",
                                      "channel_binding",
                                      "target_session_attrs",
                                      NULL};
static const struct sf_store_url_rules rules = {.port = 5432, .options = options};

struct postgresql_store {
    struct sf_store base;
    struct sf_postgresql_database database;
    struct sf_postgresql_connection reader, writer;
    struct sf_postgresql_follower follower;
    struct sf_sql_last last;
};

static sf_store_open_fn postgresql_open;
static sf_store_attach_fn postgresql_attach;
static sf_store_load_fn postgresql_load;
static sf_store_write_fn postgresql_write;
static sf_store_sweep_fn postgresql_sweep;
static sf_store_scan_fn postgresql_scan;
static sf_store_follow_fn postgresql_follow;
static sf_store_explain_fn postgresql_explain;
static sf_store_close_fn postgresql_close;
static sf_store_incarnation_fn postgresql_incarnation;
static sf_store_renew_fn postgresql_renew;
static sf_store_examine_fn postgresql_examine;

const struct sf_store_ops sf_store_postgresql = {
    .scheme = "postgresql",
    .flags = SF_STORE_DURABLE | SF_STORE_SHARED,
    .open = postgresql_open,
    .attach = postgresql_attach,
    .load = postgresql_load,
    .write = postgresql_write,
    .sweep = postgresql_sweep,
    .scan = postgresql_scan,
    .follow = postgresql_follow,
    .explain = postgresql_explain,
    .close = postgresql_close,
    .incarnation = postgresql_incarnation,
    .renew = postgresql_renew,
    .examine = postgresql_examine,
};

/* ---- life ---- */

static enum sf_status
choose_origin(struct sf_postgresql_database *database, struct sf_error *error)
{
    uint64_t number;
    if (sf_random_bytes(&number, sizeof number) != SF_OK)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: no random numbers", database->url.label);
    snprintf(database->origin, sizeof database->origin, "%016" PRIx64, number);
    return SF_OK;
}

static enum sf_status
open_database(struct sf_postgresql_database *database, const char *url, struct sf_error *error)
{
    int64_t is_pooled;
    enum sf_status status = sf_store_url_parse(&database->url, url, &rules, error);
    if (status != SF_OK)
        return status;
    const char *schema = sf_store_url_option(&database->url, "schema");
    database->schema = schema == NULL ? "" : schema;
    status = sf_store_url_number(&is_pooled, &database->url, "pgbouncer", 0, 0, 1, error);
    database->is_pooled = is_pooled == 1;
    if (status == SF_OK)
        status = choose_origin(database, error);
    for (size_t i = 0; status == SF_OK && i < database->url.host_count; i++) {
        const struct sf_store_host *host = &database->url.hosts[i];
        database->resolvers[i] = sf_resolver_new(host->name, host->port, sf_resolver_ask_system);
        if (database->resolvers[i] == NULL)
            status = sf_error_set(error, SF_NO_MEMORY, "%s: no memory", database->url.label);
    }
    return status;
}

static void
close_database(struct sf_postgresql_database *database)
{
    for (size_t i = 0; i < database->url.host_count; i++)
        sf_resolver_free(database->resolvers[i]);
    sf_store_url_fini(&database->url);
}

static enum sf_status
postgresql_open(struct sf_store **store_out, const char *url, const char *state,
                struct sf_error *error)
{
    (void)state;
    struct postgresql_store *postgresql = calloc(1, sizeof *postgresql);
    if (postgresql == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "postgresql: no memory");
    enum sf_status status = open_database(&postgresql->database, url, error);
    if (status != SF_OK) {
        close_database(&postgresql->database);
        free(postgresql);
        return status;
    }
    postgresql->base.ops = &sf_store_postgresql;
    postgresql->reader =
        (struct sf_postgresql_connection){.database = &postgresql->database,
                                          .sql = read_sql,
                                          .sql_count = sizeof read_sql / sizeof read_sql[0],
                                          .is_counted = true};
    postgresql->writer = (struct sf_postgresql_connection){.database = &postgresql->database,
                                                           .sql = sf_postgresql_write_sql,
                                                           .sql_count = SF_POSTGRESQL_WRITES,
                                                           .is_counted = true};
    sf_postgresql_follower_init(&postgresql->follower, &postgresql->database);
    sf_sql_last_init(&postgresql->last);
    *store_out = &postgresql->base;
    return SF_OK;
}

static enum sf_status
postgresql_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    return sf_postgresql_examine(&((struct postgresql_store *)store)->database, deadline, findings);
}

static void
postgresql_close(struct sf_store *store)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    sf_postgresql_close(&postgresql->reader);
    sf_postgresql_close(&postgresql->writer);
    sf_postgresql_close(&postgresql->follower.link);
    sf_sql_last_fini(&postgresql->last);
    close_database(&postgresql->database);
    free(postgresql);
}

static void
postgresql_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    sf_sql_last_get(&postgresql->last, error_out);
}

static uint64_t
postgresql_incarnation(struct sf_store *store)
{
    return atomic_load(&((struct postgresql_store *)store)->database.incarnation);
}

static void
postgresql_renew(struct sf_store *store)
{
    sf_postgresql_close(&((struct postgresql_store *)store)->writer);
}

static enum sf_status
postgresql_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    struct sf_error reason = {.status = SF_OK};
    enum sf_status status =
        sf_postgresql_begin_call(&postgresql->writer, "open", deadline, &reason);
    if (status == SF_OK)
        return SF_OK;
    sf_sql_last_set(&postgresql->last, &reason);
    return sf_error_set(error, status, "%s", reason.text);
}

/* ---- reading ---- */

static uint64_t
read_int8(const PGresult *result, int row, enum read_column column)
{
    uint64_t number = 0;
    if (PQgetlength(result, row, (int)column) == sizeof number)
        memcpy(&number, PQgetvalue(result, row, (int)column), sizeof number);
    return be64toh(number);
}

static struct sf_span
read_bytes(const PGresult *result, int row, enum read_column column)
{
    return sf_span_of(PQgetvalue(result, row, (int)column),
                      (size_t)PQgetlength(result, row, (int)column));
}

static struct sf_sql_stored
read_row(const PGresult *result, int row)
{
    return (struct sf_sql_stored){.key = read_bytes(result, row, COLUMN_KEY),
                                  .record = read_bytes(result, row, COLUMN_RECORD),
                                  .version = read_int8(result, row, COLUMN_VERSION),
                                  .checksum = read_int8(result, row, COLUMN_CHECKSUM),
                                  .last_access =
                                      (sf_time)read_int8(result, row, COLUMN_LAST_ACCESS)};
}

static enum sf_status
list_keys(struct sf_buffer *keys, const struct sf_load *loads, size_t count)
{
    enum sf_status status = sf_postgresql_array_begin(keys, SF_POSTGRESQL_BYTEA, count);
    for (size_t i = 0; status == SF_OK && i < count; i++)
        status = sf_postgresql_array_add_bytes(keys, sf_span_of(loads[i].key.bytes, SF_KEY_BYTES));
    return status;
}

static enum sf_status
load_rows(struct postgresql_store *postgresql, struct sf_load *loads, size_t count,
          const struct sf_buffer *keys, struct sf_error *error)
{
    struct sf_postgresql_call call = {.statement = READ_LOAD};
    sf_postgresql_add_parameter(&call, keys->data, keys->size);
    enum sf_status status = sf_postgresql_run(&postgresql->reader, &call, 1, error);
    if (status != SF_OK)
        return status;
    sf_store_answer_loads(loads, count, SF_NOT_FOUND);
    for (int i = 0; i < PQntuples(call.result); i++) {
        struct sf_sql_stored row = read_row(call.result, i);
        sf_sql_answer_loads(loads, count, &row);
    }
    PQclear(call.result);
    return SF_OK;
}

static void
postgresql_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    struct sf_error error = {.status = SF_OK};
    struct sf_buffer keys;
    sf_buffer_init(&keys, 32 + count * (4 + SF_KEY_BYTES));
    for (size_t i = 0; i < count; i++)
        sf_buffer_clear(&loads[i].stored->record);
    enum sf_status status = list_keys(&keys, loads, count);
    if (status == SF_OK)
        status = sf_postgresql_begin_call(&postgresql->reader, "load", deadline, &error);
    if (status == SF_OK)
        status = load_rows(postgresql, loads, count, &keys, &error);
    sf_buffer_fini(&keys);
    sf_sql_finish_loads(&postgresql->last, loads, count, status, &error,
                        postgresql->database.url.label);
}

static enum sf_status
postgresql_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    return sf_postgresql_follow(&postgresql->follower, until, follow);
}

/* ---- scanning ---- */

static enum sf_status
ask_for_rows(struct sf_postgresql_connection *connection, const struct sf_sql_scan *scan,
             size_t rows, PGresult **rows_out, struct sf_error *error)
{
    struct sf_postgresql_call call = {.statement =
                                          scan->user.size > 0 ? READ_SCAN_USER : READ_SCAN};
    uint64_t limit = htobe64(rows);
    sf_postgresql_add_parameter(&call, scan->last.bytes, scan->has_last ? SF_KEY_BYTES : 0);
    sf_postgresql_add_parameter(&call, &limit, sizeof limit);
    if (scan->user.size > 0)
        sf_postgresql_add_parameter(&call, scan->user.data, scan->user.size);
    enum sf_status status = sf_postgresql_run(connection, &call, 1, error);
    *rows_out = call.result;
    return status;
}

static enum sf_status
postgresql_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user,
                size_t limit, sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    struct sf_error error = {.status = SF_OK};
    struct sf_sql_scan scan = sf_sql_scan_begin(after, user, visit, context);
    enum sf_status status = sf_postgresql_begin_call(&postgresql->reader, "scan", deadline, &error);
    while (status == SF_OK && limit > 0 && !scan.is_over) {
        size_t wanted = limit < SCAN_ROWS ? limit : SCAN_ROWS;
        PGresult *rows;
        status = ask_for_rows(&postgresql->reader, &scan, wanted, &rows, &error);
        if (status != SF_OK)
            break;
        for (int i = 0; i < PQntuples(rows); i++) {
            struct sf_sql_stored row = read_row(rows, i);
            sf_sql_scan_row(&scan, &row);
        }
        scan.is_over = scan.is_over || (size_t)PQntuples(rows) < wanted;
        limit -= wanted;
        PQclear(rows);
    }
    sf_sql_scan_end(&scan);
    return sf_sql_finish_call(&postgresql->last, status, &error);
}

/* ---- writing ---- */

static enum sf_status
postgresql_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    struct sf_error error = {.status = SF_OK};
    if (count == 0)
        return SF_OK;
    postgresql->writer.deadline = deadline;
    sf_postgresql_write(&postgresql->writer, writes, count, &error);
    return sf_sql_finish_write(&postgresql->last, writes, count, &error);
}

static enum sf_status
postgresql_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline,
                 size_t *removed_out)
{
    struct postgresql_store *postgresql = (struct postgresql_store *)store;
    struct sf_error error = {.status = SF_OK};
    struct sf_postgresql_call call = {.statement = SF_POSTGRESQL_SWEEP};
    uint64_t before = htobe64((uint64_t)now), rows = htobe64(limit);
    *removed_out = 0;
    sf_postgresql_add_parameter(&call, &before, sizeof before);
    sf_postgresql_add_parameter(&call, &rows, sizeof rows);
    enum sf_status status =
        sf_postgresql_begin_call(&postgresql->writer, "sweep", deadline, &error);
    if (status == SF_OK)
        status = sf_postgresql_run(&postgresql->writer, &call, 1, &error);
    if (status == SF_OK) {
        int64_t removed;
        if (sf_int64_parse(sf_span_text(PQcmdTuples(call.result)), &removed) == SF_OK)
            *removed_out = (size_t)removed;
        PQclear(call.result);
    }
    return sf_sql_finish_call(&postgresql->last, status, &error);
}
