/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mysql_write.c - a batch: one text, one transaction, one round trip.
 */
#include "common/store/mysql/store_mysql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/store/store_sql.h"

/* In hexadecimal twice as much: still below max_allowed_packet of a server as it is installed. */
#define ROUND_BYTES (4u << 20)

/* SET, START TRANSACTION, SELECT, and behind the changes COMMIT. */
#define ANSWER_LOCK 2
#define ANSWERS_AHEAD 3
#define ANSWERS(rows) (ANSWERS_AHEAD + (rows) + 1)

/* What is being put together; the first failure stays. */
struct transaction {
    struct sf_buffer text;
    const char *prefix;
    enum sf_status status;
    size_t count; /* of statements */
};

static void add(struct transaction *transaction, const char *format, ...) SF_PRINTF(2, 3);

static void
add(struct transaction *transaction, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (transaction->status == SF_OK)
        transaction->status = sf_buffer_append(&transaction->text, text, (size_t)length);
}

static void
add_bytes(struct transaction *transaction, struct sf_span bytes)
{
    if (transaction->status == SF_OK)
        transaction->status = sf_mysql_add_bytes(&transaction->text, bytes);
}

static void
add_key(struct transaction *transaction, const struct sf_sql_row *row)
{
    add_bytes(transaction, sf_span_of(row->write->key.bytes, SF_KEY_BYTES));
}

/* In the order of their keys: each host waits, none holds what another one wants. */
static void
add_lock(struct transaction *transaction, struct sf_sql_row *const *rows, size_t count)
{
    add(transaction, ";SELECT `key`, version FROM %ssession_fast_session WHERE `key` IN (",
        transaction->prefix);
    for (size_t i = 0; i < count; i++) {
        add(transaction, i > 0 ? "," : "");
        add_key(transaction, rows[i]);
    }
    add(transaction, ") ORDER BY `key` FOR UPDATE");
    transaction->count++;
}

static void
add_values(struct transaction *transaction, const struct sf_sql_row *row)
{
    const struct sf_write *write = row->write;
    add_key(transaction, row);
    add(transaction, ",%lld,%lld,%lld,%d,", (long long)write->version,
        (long long)write->last_access, (long long)write->expires, row->is_ended);
    add_bytes(transaction, row->user);
    add(transaction, ",%lld,", (long long)row->checksum);
    add_bytes(transaction, write->record);
}

static void
begin_insert(struct transaction *transaction)
{
    add(transaction,
        ";INSERT INTO %ssession_fast_session (`key`, version, last_access, expires, ended,"
        " `user`, checksum, record) VALUES ",
        transaction->prefix);
}

/*
 * As what is put; but where the row was used later, and this is no end, the later one; 0 is the latest. The
 * last access may have been assigned before.
 */
#define LATER_EXPIRES(last_access_put, ended_put, expires_put)                                     \
    "IF(last_access <= " last_access_put " OR " ended_put ", " expires_put ","                    \
    " IF(expires = 0 OR " expires_put " = 0, 0, GREATEST(expires, " expires_put ")))"

/*
 * Nothing moves back: neither the version of a record nor the last access. What is assigned on the
 * left is seen on its right: the version, which guards the others, comes last.
 */
static void
add_puts(struct transaction *transaction, struct sf_sql_row *const *rows, size_t count)
{
    size_t puts = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->kind != SF_SQL_PUT)
            continue;
        if (puts++ == 0)
            begin_insert(transaction);
        add(transaction, puts > 1 ? ",(" : "(");
        add_values(transaction, rows[i]);
        add(transaction, ")");
    }
    if (puts == 0)
        return;
    static const char *const guarded[] = {"ended", "`user`", "checksum", "record"};
    add(transaction, " ON DUPLICATE KEY UPDATE last_access = IF(VALUES(version) > version,"
                     " GREATEST(last_access, VALUES(last_access)), last_access),"
                     " expires = IF(VALUES(version) > version, " LATER_EXPIRES(
                         "VALUES(last_access)", "VALUES(ended)", "VALUES(expires)") ", expires)");
    for (size_t i = 0; i < sizeof guarded / sizeof guarded[0]; i++)
        add(transaction, ", %s = IF(VALUES(version) > version, VALUES(%s), %s)", guarded[i],
            guarded[i], guarded[i]);
    add(transaction, ", version = GREATEST(version, VALUES(version))");
    transaction->count++;
}

/* Each of its own, so that each says whether it has found a row: then it affects none. */
static void
add_insert(struct transaction *transaction, const struct sf_sql_row *row)
{
    begin_insert(transaction);
    add(transaction, "(");
    add_values(transaction, row);
    add(transaction, ") ON DUPLICATE KEY UPDATE version = version");
    transaction->count++;
}

static void
add_replace(struct transaction *transaction, const struct sf_sql_row *row)
{
    const struct sf_write *write = row->write;
    long long last_access = write->last_access, expires = write->expires;
    add(transaction,
        ";UPDATE %ssession_fast_session SET last_access = GREATEST(last_access, %lld),"
        " expires = " LATER_EXPIRES("%lld", "%d", "%lld") ", ended = %d, `user` = ",
        transaction->prefix, last_access, last_access, row->is_ended, expires, expires, expires, row->is_ended);
    add_bytes(transaction, row->user);
    add(transaction, ", checksum = %lld, record = ", (long long)row->checksum);
    add_bytes(transaction, write->record);
    add(transaction,
        ", version = %lld WHERE version = %lld AND `key` = ", (long long)write->version,
        (long long)row->expected);
    add_key(transaction, row);
    transaction->count++;
}

static void
add_touch(struct transaction *transaction, const struct sf_sql_row *row)
{
    long long last_access = row->write->last_access;
    add(transaction,
        ";UPDATE %ssession_fast_session SET last_access = %lld, expires = %lld"
        " WHERE last_access < %lld AND ended = 0 AND `key` = ",
        transaction->prefix, last_access, (long long)row->write->expires, last_access);
    add_key(transaction, row);
    transaction->count++;
}

static void
compose(struct transaction *transaction, struct sf_mysql_connection *connection,
        struct sf_sql_row *const *rows, size_t count)
{
    transaction->status = sf_mysql_begin_text(&transaction->text, connection);
    add(transaction, ";START TRANSACTION");
    transaction->count = ANSWERS_AHEAD - 1;
    add_lock(transaction, rows, count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->kind == SF_SQL_REPLACE)
            add_replace(transaction, rows[i]);
        if (rows[i]->kind == SF_SQL_INSERT)
            add_insert(transaction, rows[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (rows[i]->kind == SF_SQL_TOUCH)
            add_touch(transaction, rows[i]);
    add_puts(transaction, rows, count);
    add(transaction, ";COMMIT");
    transaction->count++;
}

static bool
was_smaller(const char *version, uint64_t than)
{
    int64_t number;
    return version != NULL && sf_int64_parse(sf_span_text(version), &number) == SF_OK && (uint64_t)number < than;
}

/* What expects something comes first: where it found something else it has changed nothing. */
static void
answer(const struct sf_mysql_answer *answers, struct sf_sql_row *const *rows, size_t count)
{
    size_t next = ANSWERS_AHEAD;
    for (size_t i = 0; i < count; i++) {
        rows[i]->write->status = rows[i]->kind == SF_SQL_TOUCH ? SF_NOT_FOUND : SF_OK;
        bool expects = rows[i]->kind == SF_SQL_REPLACE || rows[i]->kind == SF_SQL_INSERT;
        if (expects && answers[next++].affected == 0)
            rows[i]->write->status = SF_CONFLICT;
        rows[i]->write->is_news = rows[i]->kind != SF_SQL_TOUCH && rows[i]->write->status == SF_OK;
    }
    MYSQL_ROW found;
    while ((found = mysql_fetch_row(answers[ANSWER_LOCK].rows)) != NULL) {
        size_t size = mysql_fetch_lengths(answers[ANSWER_LOCK].rows)[0];
        struct sf_sql_row *row = sf_sql_find(rows, count, sf_span_of(found[0], size));
        if (row != NULL && row->kind == SF_SQL_TOUCH)
            row->write->status = SF_OK;
        if (row != NULL && row->kind == SF_SQL_PUT)
            row->write->is_news = was_smaller(found[1], row->write->version);
    }
}

static enum sf_status
run_transaction(struct sf_mysql_connection *connection, struct sf_sql_row *const *rows,
                size_t count, struct sf_error *error)
{
    struct transaction transaction = {.prefix = connection->database->prefix};
    struct sf_mysql_answer *answers = calloc(ANSWERS(count), sizeof *answers);
    sf_buffer_init(&transaction.text, SF_MYSQL_TEXT_MAX);
    compose(&transaction, connection, rows, count);
    enum sf_status status = SF_NO_MEMORY;
    if (answers == NULL || transaction.status != SF_OK)
        sf_mysql_fail(connection, status, "no memory", error);
    else
        status = sf_mysql_run(connection, &transaction.text, answers, transaction.count, error);
    if (status == SF_OK) {
        answer(answers, rows, count);
        sf_mysql_free_answers(answers, transaction.count);
    }
    sf_buffer_fini(&transaction.text);
    free(answers);
    return status;
}

/* What a start refuses is an outage here. */
static enum sf_status
write_rows(void *context, struct sf_sql_row *const *rows, size_t count, struct sf_error *error)
{
    struct sf_mysql_connection *connection = context;
    enum sf_status status = sf_mysql_begin_call(connection, "write", connection->deadline, error);
    if (status != SF_OK)
        return status == SF_INVALID ? SF_UNAVAILABLE : status;
    sf_sql_expect(rows, count, atomic_load(&connection->database->incarnation));
    return run_transaction(connection, rows, count, error);
}

void
sf_mysql_write(struct sf_mysql_connection *connection, struct sf_write *writes, size_t count,
               struct sf_error *error)
{
    sf_sql_write(writes, count, ROUND_BYTES, write_rows, connection, error);
}
