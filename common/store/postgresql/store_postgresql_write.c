/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_postgresql_write.c - a batch: one statement for all puts, one for all touches, one
 * transaction, one round trip.
 */
#include "common/store/postgresql/store_postgresql.h"

#include <string.h>

#include "common/store/postgresql/store_postgresql_array.h"
#include "common/store/postgresql/store_postgresql_follow.h"
#include "common/store/store_sql.h"

#define COLUMNS_MAX SF_POSTGRESQL_PARAMETERS_MAX
#define ROUND_BYTES (8u << 20) /* of records */
#define COLUMN_BYTES_MAX (ROUND_BYTES + SF_RECORD_BYTES_MAX + (4u << 20))

#define COLUMNS "key, version, last_access, expires, ended, \"user\", checksum, record"
#define ARRAYS                                                                                     \
    "$1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bytea[],"           \
    " $7::bigint[], $8::bytea[]"

/*
 * As what is put, which is called `as`; but where the row was used later, and this is no end, the later one;
 * 0 is the latest.
 */
#define LATER_EXPIRES(as)                                                                          \
    "CASE WHEN stored.last_access <= " as ".last_access OR " as ".ended THEN " as ".expires"      \
    " WHEN stored.expires = 0 OR " as ".expires = 0 THEN 0"                                       \
    " ELSE greatest(stored.expires, " as ".expires) END"

/*
 * Nothing moves back: neither the version of a record nor the last access. Rows are locked in the
 * order of their keys: each host waits, none holds what another one wants. A notice holds at most
 * 8,000 bytes.
 */
const char *const sf_postgresql_write_sql[SF_POSTGRESQL_WRITES] = {
    [SF_POSTGRESQL_LOCK] = "SELECT FROM session_fast_session WHERE key = ANY ($1::bytea[])"
                           " ORDER BY key FOR UPDATE",
    [SF_POSTGRESQL_PUT] =
        "INSERT INTO session_fast_session AS stored (" COLUMNS ") SELECT * FROM unnest(" ARRAYS ")"
        " ON CONFLICT (key) DO UPDATE SET version = excluded.version,"
        " last_access = greatest(stored.last_access, excluded.last_access),"
        " expires = " LATER_EXPIRES("excluded") ","
        " ended = excluded.ended, \"user\" = excluded.\"user\","
        " checksum = excluded.checksum, record = excluded.record"
        " WHERE excluded.version > stored.version RETURNING stored.key",
    [SF_POSTGRESQL_INSERT] =
        "INSERT INTO session_fast_session (" COLUMNS ") SELECT * FROM unnest(" ARRAYS ")"
        " ON CONFLICT (key) DO NOTHING RETURNING key",
    [SF_POSTGRESQL_REPLACE] =
        "UPDATE session_fast_session AS stored SET version = new.version,"
        " last_access = greatest(stored.last_access, new.last_access),"
        " expires = " LATER_EXPIRES("new") ","
        " ended = new.ended, \"user\" = new.\"user\", checksum = new.checksum, record = new.record"
        " FROM unnest(" ARRAYS ", $9::bigint[]) AS new (" COLUMNS ", expected)"
        " WHERE stored.key = new.key AND stored.version = new.expected RETURNING stored.key",
    [SF_POSTGRESQL_TOUCH] =
        "WITH touched AS (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])"
        " AS touched (key, last_access, expires)),"
        " moved AS (UPDATE session_fast_session AS stored SET last_access = touched.last_access,"
        " expires = touched.expires FROM touched WHERE stored.key = touched.key"
        " AND stored.last_access < touched.last_access AND NOT stored.ended)"
        " SELECT key FROM session_fast_session JOIN touched USING (key)",
    [SF_POSTGRESQL_NOTIFY] =
        "SELECT pg_notify(" SF_POSTGRESQL_CHANNEL_SQL ","
        " $2::text || string_agg(' ' || encode(key, 'hex'), ''))"
        " FROM unnest($1::bytea[]) WITH ORDINALITY AS changed (key, place)"
        " GROUP BY place / 240", /* of up to 8,000 bytes */
    [SF_POSTGRESQL_SWEEP] =
        "WITH expired AS (SELECT key FROM session_fast_session"
        " WHERE expires <> 0 AND expires < $1::bigint"
        " ORDER BY expires LIMIT $2::bigint FOR UPDATE SKIP LOCKED)"
        " DELETE FROM session_fast_session AS stored USING expired WHERE stored.key = expired.key",
};

/* The value OF_ something. */
enum column {
    OF_NOTHING,
    OF_KEY,
    OF_VERSION,
    OF_LAST_ACCESS,
    OF_EXPIRES,
    OF_ENDED,
    OF_USER,
    OF_CHECKSUM,
    OF_RECORD,
    OF_EXPECTED
};

static const enum sf_postgresql_type types[] = {
    [OF_KEY] = SF_POSTGRESQL_BYTEA,        [OF_VERSION] = SF_POSTGRESQL_INT8,
    [OF_LAST_ACCESS] = SF_POSTGRESQL_INT8, [OF_EXPIRES] = SF_POSTGRESQL_INT8,
    [OF_ENDED] = SF_POSTGRESQL_BOOL,       [OF_USER] = SF_POSTGRESQL_BYTEA,
    [OF_CHECKSUM] = SF_POSTGRESQL_INT8,    [OF_RECORD] = SF_POSTGRESQL_BYTEA,
    [OF_EXPECTED] = SF_POSTGRESQL_INT8,
};

/* Which rows a statement is about, and its parameters: a column of these rows each. */
static const struct shape {
    unsigned kinds;
    enum column columns[COLUMNS_MAX + 1];
} shapes[] = {
    [SF_POSTGRESQL_LOCK] = {SF_SQL_PUT | SF_SQL_INSERT | SF_SQL_REPLACE | SF_SQL_TOUCH, {OF_KEY}},
    [SF_POSTGRESQL_PUT] = {SF_SQL_PUT,
                           {OF_KEY, OF_VERSION, OF_LAST_ACCESS, OF_EXPIRES, OF_ENDED, OF_USER,
                            OF_CHECKSUM, OF_RECORD}},
    [SF_POSTGRESQL_INSERT] = {SF_SQL_INSERT,
                              {OF_KEY, OF_VERSION, OF_LAST_ACCESS, OF_EXPIRES, OF_ENDED, OF_USER,
                               OF_CHECKSUM, OF_RECORD}},
    [SF_POSTGRESQL_REPLACE] = {SF_SQL_REPLACE,
                               {OF_KEY, OF_VERSION, OF_LAST_ACCESS, OF_EXPIRES, OF_ENDED, OF_USER,
                                OF_CHECKSUM, OF_RECORD, OF_EXPECTED}},
    [SF_POSTGRESQL_TOUCH] = {SF_SQL_TOUCH, {OF_KEY, OF_LAST_ACCESS, OF_EXPIRES}},
    [SF_POSTGRESQL_NOTIFY] = {SF_SQL_PUT | SF_SQL_INSERT | SF_SQL_REPLACE | SF_SQL_TOUCH,
                              {OF_KEY}},
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

/* The statements of one transaction, and the bytes of their parameters. */
struct transaction {
    struct sf_postgresql_call calls[SHAPES];
    size_t count;
    struct sf_buffer columns[SHAPES][COLUMNS_MAX];
};

static enum sf_status
add_element(struct sf_buffer *array, const struct sf_sql_row *row, enum column column)
{
    const struct sf_write *write = row->write;
    switch (column) {
    case OF_KEY:
        return sf_postgresql_array_add_bytes(array, sf_span_of(write->key.bytes, SF_KEY_BYTES));
    case OF_VERSION:
        return sf_postgresql_array_add_int8(array, (int64_t)write->version);
    case OF_LAST_ACCESS:
        return sf_postgresql_array_add_int8(array, write->last_access);
    case OF_EXPIRES:
        return sf_postgresql_array_add_int8(array, write->expires);
    case OF_ENDED:
        return sf_postgresql_array_add_bool(array, row->is_ended);
    case OF_USER:
        return sf_postgresql_array_add_bytes(array, row->user);
    case OF_CHECKSUM:
        return sf_postgresql_array_add_int8(array, (int64_t)row->checksum);
    case OF_RECORD:
        return sf_postgresql_array_add_bytes(array, write->record);
    case OF_EXPECTED:
        return sf_postgresql_array_add_int8(array, (int64_t)row->expected);
    case OF_NOTHING:
        break;
    }
    return SF_INVALID;
}

static size_t
count_kinds(struct sf_sql_row *const *rows, size_t count, unsigned kinds)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += (rows[i]->kind & kinds) != 0;
    return found;
}

static enum sf_status
add_statement(struct transaction *transaction, enum sf_postgresql_write which,
              struct sf_sql_row *const *rows, size_t count)
{
    const struct shape *shape = &shapes[which];
    size_t wanted = count_kinds(rows, count, shape->kinds);
    struct sf_postgresql_call *call = &transaction->calls[transaction->count];
    enum sf_status status = SF_OK;
    if (wanted == 0)
        return SF_OK;
    *call = (struct sf_postgresql_call){.statement = which};
    for (size_t i = 0; status == SF_OK && shape->columns[i] != OF_NOTHING; i++) {
        struct sf_buffer *array = &transaction->columns[transaction->count][i];
        status = sf_postgresql_array_begin(array, types[shape->columns[i]], wanted);
        for (size_t j = 0; status == SF_OK && j < count; j++)
            if ((rows[j]->kind & shape->kinds) != 0)
                status = add_element(array, rows[j], shape->columns[i]);
        sf_postgresql_add_parameter(call, array->data, array->size);
    }
    transaction->count++;
    return status;
}

/*
 * Several statements lock their rows one after the other: then all rows are locked ahead of them,
 * in order.
 */
static bool
is_mixed(struct sf_sql_row *const *rows, size_t count)
{
    return count_kinds(rows, count, rows[0]->kind) != count;
}

static enum sf_status
add_statements(struct transaction *transaction, struct sf_sql_row *const *rows, size_t count)
{
    enum sf_status status = SF_OK;
    bool locks_itself = rows[0]->kind == SF_SQL_PUT || rows[0]->kind == SF_SQL_INSERT;
    bool is_locked_first = is_mixed(rows, count) || !locks_itself;
    for (enum sf_postgresql_write which = is_locked_first ? SF_POSTGRESQL_LOCK : SF_POSTGRESQL_PUT;
         status == SF_OK && which < SHAPES; which++)
        status = add_statement(transaction, which, rows, count);
    return status;
}

static enum sf_status
answer_unless_named(enum sf_sql_kind kind)
{
    switch (kind) {
    case SF_SQL_PUT: return SF_OK; /* it is stored, or a later version is */
    case SF_SQL_INSERT:
    case SF_SQL_REPLACE: return SF_CONFLICT;
    case SF_SQL_TOUCH: break;
    }
    return SF_NOT_FOUND;
}

/* The statements name the rows that they have changed, and touches those that are there. */
static void
answer(const struct transaction *transaction, struct sf_sql_row *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rows[i]->write->status = answer_unless_named(rows[i]->kind);
        rows[i]->write->is_news = false;
    }
    for (size_t i = 0; i < transaction->count; i++) {
        const struct sf_postgresql_call *call = &transaction->calls[i];
        if (call->statement < SF_POSTGRESQL_PUT || call->statement > SF_POSTGRESQL_TOUCH)
            continue;
        for (int j = 0; j < PQntuples(call->result); j++) {
            struct sf_span key =
                sf_span_of(PQgetvalue(call->result, j, 0), (size_t)PQgetlength(call->result, j, 0));
            struct sf_sql_row *row = sf_sql_find(rows, count, key);
            if (row == NULL)
                continue;
            row->write->status = SF_OK;
            row->write->is_news = true;
        }
    }
}

/* So that we know our own notice. */
static void
sign(struct transaction *transaction, const struct sf_postgresql_database *database)
{
    for (size_t i = 0; i < transaction->count; i++)
        if (transaction->calls[i].statement == SF_POSTGRESQL_NOTIFY)
            sf_postgresql_add_parameter(&transaction->calls[i], database->origin,
                                        strlen(database->origin));
}

static enum sf_status
run_transaction(struct sf_postgresql_connection *connection, struct sf_sql_row *const *rows,
                size_t count, struct sf_error *error)
{
    struct transaction transaction = {.count = 0};
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t j = 0; j < COLUMNS_MAX; j++)
            sf_buffer_init(&transaction.columns[i][j], COLUMN_BYTES_MAX);
    enum sf_status status = add_statements(&transaction, rows, count);
    sign(&transaction, connection->database);
    if (status != SF_OK)
        status =
            sf_error_set(error, SF_NO_MEMORY, "%s: no memory", connection->database->url.label);
    else
        status = sf_postgresql_run(connection, transaction.calls, transaction.count, error);
    if (status == SF_OK)
        answer(&transaction, rows, count);
    for (size_t i = 0; status == SF_OK && i < transaction.count; i++)
        PQclear(transaction.calls[i].result);
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t j = 0; j < COLUMNS_MAX; j++)
            sf_buffer_fini(&transaction.columns[i][j]);
    return status;
}

/* What a start refuses is an outage here. */
static enum sf_status
write_rows(void *context, struct sf_sql_row *const *rows, size_t count, struct sf_error *error)
{
    struct sf_postgresql_connection *connection = context;
    enum sf_status status =
        sf_postgresql_begin_call(connection, "write", connection->deadline, error);
    if (status != SF_OK)
        return status == SF_INVALID ? SF_UNAVAILABLE : status;
    sf_sql_expect(rows, count, atomic_load(&connection->database->incarnation));
    return run_transaction(connection, rows, count, error);
}

void
sf_postgresql_write(struct sf_postgresql_connection *connection, struct sf_write *writes,
                    size_t count, struct sf_error *error)
{
    sf_sql_write(writes, count, ROUND_BYTES, write_rows, connection, error);
}
