/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mysql.c - a table of MariaDB or MySQL, for several hosts at once:
 * mysql://USER@HOST/DATABASE.
 *
 * Two connections, because the daemon loads in one thread while it writes in another.
 * docs/stores.md says what each failure does.
 */
#include "common/store/mysql/store_mysql.h"

#include <stdlib.h>
#include <string.h>

#include "common/store/store_sql.h"

#define SCAN_ROWS 64 /* at once: up to 1 MiB each */
#define PREFIX_BYTES_MAX 32

#define ROW ";SELECT `key`, version, last_access, checksum, record FROM %ssession_fast_session "

enum read_column { COLUMN_KEY, COLUMN_VERSION, COLUMN_LAST_ACCESS, COLUMN_CHECKSUM, COLUMN_RECORD };

static const char *const options[] = {"prefix", "tls", "ca", "cert", "key", NULL};
static const struct sf_store_url_rules rules = {.port = 3306, .options = options};

struct mysql_store {
    struct sf_store base;
    struct sf_mysql_database database;
    struct sf_mysql_connection reader, writer;
    struct sf_sql_last last;
};

static sf_store_open_fn store_open;
static sf_store_attach_fn store_attach;
static sf_store_load_fn store_load;
static sf_store_write_fn store_write;
static sf_store_sweep_fn store_sweep;
static sf_store_scan_fn store_scan;
static sf_store_explain_fn store_explain;
static sf_store_close_fn store_close;
static sf_store_incarnation_fn store_incarnation;
static sf_store_renew_fn store_renew;
static sf_store_examine_fn store_examine;

const struct sf_store_ops sf_store_mysql = {
    .scheme = "mysql",
    .flags = SF_STORE_DURABLE | SF_STORE_SHARED,
    .open = store_open,
    .attach = store_attach,
    .load = store_load,
    .write = store_write,
    .sweep = store_sweep,
    .scan = store_scan,
    .explain = store_explain,
    .close = store_close,
    .incarnation = store_incarnation,
    .renew = store_renew,
    .examine = store_examine,
};

/* ---- life ---- */

static enum sf_status
read_prefix(struct sf_mysql_database *database, struct sf_error *error)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *prefix = sf_store_url_option(&database->url, "prefix");
    database->prefix = prefix == NULL ? "" : prefix;
    size_t size = strlen(database->prefix);
    if (size > PREFIX_BYTES_MAX || strspn(database->prefix, letters) != size)
        return sf_error_set(error, SF_INVALID,
                            "URL: option prefix: more than %d bytes, or not of letters, digits"
                            " and _",
                            PREFIX_BYTES_MAX);
    return SF_OK;
}

static enum sf_status
read_tls(struct sf_mysql_database *database, struct sf_error *error)
{
    const char *tls = sf_store_url_option(&database->url, "tls");
    database->is_verified = tls != NULL && strcmp(tls, "verify") == 0;
    database->has_tls = database->is_verified || (tls != NULL && strcmp(tls, "require") == 0);
    if (tls != NULL && !database->has_tls && strcmp(tls, "off") != 0)
        return sf_error_set(error, SF_INVALID, "URL: option tls: is none of off require verify");
    return SF_OK;
}

static enum sf_status
open_database(struct sf_mysql_database *database, const char *url, struct sf_error *error)
{
    enum sf_status status = sf_store_url_parse(&database->url, url, &rules, error);
    if (status == SF_OK && *database->url.name == '\0') /* the server would not have one, as PostgreSQL has */
        status = sf_error_set(error, SF_INVALID, "URL: behind the host stands the name of a database");
    if (status == SF_OK)
        status = read_prefix(database, error);
    if (status == SF_OK)
        status = read_tls(database, error);
    for (size_t i = 0; status == SF_OK && i < database->url.host_count; i++) {
        const struct sf_store_host *host = &database->url.hosts[i];
        database->resolvers[i] = sf_resolver_new(host->name, host->port, sf_resolver_ask_system);
        if (database->resolvers[i] == NULL)
            status = sf_error_set(error, SF_NO_MEMORY, "%s: no memory", database->url.label);
    }
    return status;
}

static void
close_database(struct sf_mysql_database *database)
{
    for (size_t i = 0; i < database->url.host_count; i++)
        sf_resolver_free(database->resolvers[i]);
    sf_store_url_fini(&database->url);
}

static enum sf_status
store_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    (void)state;
    struct mysql_store *mysql = calloc(1, sizeof *mysql);
    if (mysql == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "mysql: no memory");
    enum sf_status status = open_database(&mysql->database, url, error);
    if (status != SF_OK) {
        close_database(&mysql->database);
        free(mysql);
        return status;
    }
    mysql->base.ops = &sf_store_mysql;
    mysql->reader.database = mysql->writer.database = &mysql->database;
    sf_sql_last_init(&mysql->last);
    *store_out = &mysql->base;
    return SF_OK;
}

static enum sf_status
store_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    return sf_mysql_examine(&((struct mysql_store *)store)->database, deadline, findings);
}

static void
store_close(struct sf_store *store)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    sf_mysql_say_goodbye(&mysql->reader);
    sf_mysql_say_goodbye(&mysql->writer);
    sf_sql_last_fini(&mysql->last);
    close_database(&mysql->database);
    free(mysql);
}

static void
store_explain(struct sf_store *store, struct sf_error *error_out)
{
    sf_sql_last_get(&((struct mysql_store *)store)->last, error_out);
}

static uint64_t
store_incarnation(struct sf_store *store)
{
    return atomic_load(&((struct mysql_store *)store)->database.incarnation);
}

static void
store_renew(struct sf_store *store)
{
    sf_mysql_close(&((struct mysql_store *)store)->writer);
}

static enum sf_status
store_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    struct sf_error reason = {.status = SF_OK};
    enum sf_status status = sf_mysql_begin_call(&mysql->writer, "open", deadline, &reason);
    if (status == SF_OK)
        return SF_OK;
    sf_sql_last_set(&mysql->last, &reason);
    return sf_error_set(error, status, "%s", reason.text);
}

/* ---- reading ---- */

static int64_t
read_number(const char *text)
{
    int64_t number = 0;
    if (text == NULL || sf_int64_parse(sf_span_text(text), &number) != SF_OK)
        return 0;
    return number;
}

/* false: no row is left. */
static bool
read_row(struct sf_sql_stored *row_out, MYSQL_RES *rows)
{
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row == NULL)
        return false;
    const unsigned long *sizes = mysql_fetch_lengths(rows);
    *row_out = (struct sf_sql_stored){
        .key = sf_span_of(row[COLUMN_KEY], sizes[COLUMN_KEY]),
        .record = sf_span_of(row[COLUMN_RECORD], sizes[COLUMN_RECORD]),
        .version = (uint64_t)read_number(row[COLUMN_VERSION]),
        .checksum = (uint64_t)read_number(row[COLUMN_CHECKSUM]),
        .last_access = read_number(row[COLUMN_LAST_ACCESS]),
    };
    return true;
}

/* What SF_OK leaves in *rows_out is the caller's. */
static enum sf_status
ask(struct sf_mysql_connection *connection, const struct sf_buffer *text, MYSQL_RES **rows_out,
    struct sf_error *error)
{
    struct sf_mysql_answer answers[2];
    enum sf_status status = sf_mysql_run(connection, text, answers, 2, error);
    if (status == SF_OK)
        *rows_out = answers[1].rows;
    return status;
}

static enum sf_status
compose_load(struct sf_buffer *text, struct sf_mysql_connection *connection,
             const struct sf_load *loads, size_t count)
{
    enum sf_status status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status =
            sf_buffer_append_format(text, ROW "WHERE `key` IN (", connection->database->prefix);
    for (size_t i = 0; status == SF_OK && i < count; i++) {
        status = sf_buffer_append_text(text, i > 0 ? "," : "");
        if (status == SF_OK)
            status = sf_mysql_add_bytes(text, sf_span_of(loads[i].key.bytes, SF_KEY_BYTES));
    }
    return status == SF_OK ? sf_buffer_append_text(text, ")") : status;
}

static enum sf_status
load_rows(struct sf_mysql_connection *connection, struct sf_load *loads, size_t count,
          struct sf_error *error)
{
    struct sf_sql_stored row;
    struct sf_buffer text;
    MYSQL_RES *rows = NULL;
    sf_buffer_init(&text, SF_MYSQL_TEXT_MAX);
    enum sf_status status = compose_load(&text, connection, loads, count);
    if (status == SF_OK)
        status = ask(connection, &text, &rows, error);
    sf_buffer_fini(&text);
    if (status != SF_OK)
        return status;
    sf_store_answer_loads(loads, count, SF_NOT_FOUND);
    while (read_row(&row, rows))
        sf_sql_answer_loads(loads, count, &row);
    mysql_free_result(rows);
    return SF_OK;
}

static void
store_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    struct sf_error error = {.status = SF_OK};
    for (size_t i = 0; i < count; i++)
        sf_buffer_clear(&loads[i].stored->record);
    enum sf_status status = sf_mysql_begin_call(&mysql->reader, "load", deadline, &error);
    if (status == SF_OK)
        status = load_rows(&mysql->reader, loads, count, &error);
    sf_sql_finish_loads(&mysql->last, loads, count, status, &error, mysql->database.url.label);
}

static enum sf_status
compose_scan(struct sf_buffer *text, struct sf_mysql_connection *connection,
             const struct sf_sql_scan *scan, size_t rows)
{
    enum sf_status status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(text, ROW "WHERE `user` ", connection->database->prefix);
    if (status == SF_OK)
        status = sf_buffer_append_text(text, scan->user.size > 0 ? "= " : ">= ");
    if (status == SF_OK)
        status = sf_mysql_add_bytes(text, scan->user);
    if (status == SF_OK && scan->has_last) {
        status = sf_buffer_append_text(text, " AND `key` > ");
        if (status == SF_OK)
            status = sf_mysql_add_bytes(text, sf_span_of(scan->last.bytes, SF_KEY_BYTES));
    }
    return status == SF_OK ? sf_buffer_append_format(text, " ORDER BY `key` LIMIT %zu", rows)
                           : status;
}

/* The next `wanted` rows. */
static enum sf_status
scan_some(struct sf_mysql_connection *connection, struct sf_sql_scan *scan, size_t wanted,
          struct sf_error *error)
{
    struct sf_sql_stored row;
    struct sf_buffer text;
    MYSQL_RES *rows = NULL;
    size_t count = 0;
    sf_buffer_init(&text, 4096);
    enum sf_status status = compose_scan(&text, connection, scan, wanted);
    if (status == SF_OK)
        status = ask(connection, &text, &rows, error);
    sf_buffer_fini(&text);
    if (status != SF_OK)
        return status;
    for (; read_row(&row, rows); count++)
        sf_sql_scan_row(scan, &row);
    scan->is_over = scan->is_over || count < wanted;
    mysql_free_result(rows);
    return SF_OK;
}

static enum sf_status
store_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit,
           sf_time deadline, sf_store_visit_fn *visit, void *context)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    struct sf_error error = {.status = SF_OK};
    struct sf_sql_scan scan = sf_sql_scan_begin(after, user, visit, context);
    enum sf_status status = sf_mysql_begin_call(&mysql->reader, "scan", deadline, &error);
    while (status == SF_OK && limit > 0 && !scan.is_over) {
        size_t wanted = limit < SCAN_ROWS ? limit : SCAN_ROWS;
        status = scan_some(&mysql->reader, &scan, wanted, &error);
        limit -= wanted;
    }
    sf_sql_scan_end(&scan);
    return sf_sql_finish_call(&mysql->last, status, &error);
}

/* ---- writing ---- */

static enum sf_status
store_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    struct sf_error error = {.status = SF_OK};
    if (count == 0)
        return SF_OK;
    mysql->writer.deadline = deadline;
    sf_mysql_write(&mysql->writer, writes, count, &error);
    return sf_sql_finish_write(&mysql->last, writes, count, &error);
}

static enum sf_status
sweep_some(struct sf_mysql_connection *connection, sf_time now, size_t limit, size_t *removed_out,
           struct sf_error *error)
{
    struct sf_mysql_answer answers[2];
    struct sf_buffer text;
    sf_buffer_init(&text, 4096);
    enum sf_status status = sf_mysql_begin_text(&text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(&text,
                                         ";DELETE FROM %ssession_fast_session WHERE expires <> 0"
                                         " AND expires < %lld ORDER BY expires, `key` LIMIT %zu",
                                         connection->database->prefix, (long long)now, limit);
    if (status == SF_OK)
        status = sf_mysql_run(connection, &text, answers, 2, error);
    sf_buffer_fini(&text);
    if (status != SF_OK)
        return status;
    *removed_out = (size_t)answers[1].affected;
    sf_mysql_free_answers(answers, 2);
    return SF_OK;
}

/* Another host may sweep, or write, the same rows. */
static enum sf_status
store_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline,
            size_t *removed_out)
{
    struct mysql_store *mysql = (struct mysql_store *)store;
    struct sf_error error = {.status = SF_OK};
    enum sf_status status;
    *removed_out = 0;
    do {
        status = sf_mysql_begin_call(&mysql->writer, "sweep", deadline, &error);
        if (status == SF_OK)
            status = sweep_some(&mysql->writer, now, limit, removed_out, &error);
    } while (status == SF_CONFLICT);
    return sf_sql_finish_call(&mysql->last, status, &error);
}
