/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_mysql_schema.c - our tables: which version they have, and making them.
 */
#include "common/store/mysql/store_mysql_connection.h"
#include "common/store/store.h"

#define SCHEMA_VERSION 1

static int64_t
read_number(MYSQL_RES *rows)
{
    int64_t number = 0;
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (row == NULL || row[0] == NULL || sf_int64_parse(sf_span_text(row[0]), &number) != SF_OK)
        return 0;
    return number;
}

static enum sf_status
run(struct sf_mysql_connection *connection, struct sf_buffer *text, int64_t *number_out,
    struct sf_error *error)
{
    struct sf_mysql_answer answers[2];
    enum sf_status status = sf_mysql_run(connection, text, answers, 2, error);
    if (status != SF_OK)
        return status;
    *number_out = answers[1].rows == NULL ? 0 : read_number(answers[1].rows);
    sf_mysql_free_answers(answers, 2);
    return SF_OK;
}

/* *version_out: 0: they are not there, or not complete. */
static enum sf_status
look(int64_t *version_out, struct sf_mysql_connection *connection, struct sf_buffer *text,
     struct sf_error *error)
{
    const char *prefix = connection->database->prefix;
    enum sf_status status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(
            text,
            ";SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_name = '%ssession_fast_schema'",
            prefix);
    if (status == SF_OK)
        status = run(connection, text, version_out, error);
    if (status != SF_OK || *version_out == 0)
        return status;
    status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(
            text, ";SELECT COALESCE(MAX(version), 0) FROM %ssession_fast_schema", prefix);
    return status == SF_OK ? run(connection, text, version_out, error) : status;
}

/*
 * In one statement, in which it is the same second everywhere, the start of the server comes out exactly. A table
 * that was restored, or made anew, is younger.
 */
static enum sf_status
look_at_incarnation(struct sf_mysql_connection *connection, struct sf_buffer *text, struct sf_error *error)
{
    const char *status_table =
        connection->is_mariadb ? "information_schema.GLOBAL_STATUS" : "performance_schema.global_status";
    struct sf_mysql_answer answers[3];
    enum sf_status status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(
            text,
            ";SELECT UNIX_TIMESTAMP() - CAST(VARIABLE_VALUE AS SIGNED) FROM %s WHERE VARIABLE_NAME = 'UPTIME'"
            ";SELECT UNIX_TIMESTAMP(create_time) FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_name = '%ssession_fast_session'",
            status_table, connection->database->prefix);
    if (status == SF_OK)
        status = sf_mysql_run(connection, text, answers, 3, error);
    if (status != SF_OK)
        return status;
    uint64_t started = (uint64_t)read_number(answers[1].rows), made = (uint64_t)read_number(answers[2].rows);
    sf_mysql_free_answers(answers, 3);
    atomic_store(&connection->database->incarnation, sf_store_incarnation_of(started, made));
    return SF_OK;
}

/* Two hosts may do this at once: each step is left out where another one has done it. */
static enum sf_status
create(struct sf_mysql_connection *connection, struct sf_buffer *text, struct sf_error *error)
{
    const char *prefix = connection->database->prefix;
    struct sf_mysql_answer answers[4];
    enum sf_status status = sf_mysql_begin_text(text, connection);
    if (status == SF_OK)
        status = sf_buffer_append_format(
            text,
            ";CREATE TABLE IF NOT EXISTS %ssession_fast_session (`key` BINARY(16) NOT NULL PRIMARY"
            " KEY, version BIGINT NOT NULL, last_access BIGINT NOT NULL, expires BIGINT NOT NULL,"
            " ended TINYINT NOT NULL, `user` VARBINARY(255) NOT NULL, checksum BIGINT NOT NULL,"
            " record MEDIUMBLOB NOT NULL, KEY session_fast_expires (expires),"
            " KEY session_fast_user (`user`, `key`)) ENGINE=InnoDB"
            ";CREATE TABLE IF NOT EXISTS %ssession_fast_schema"
            " (one TINYINT NOT NULL PRIMARY KEY, version INT NOT NULL) ENGINE=InnoDB"
            ";INSERT IGNORE INTO %ssession_fast_schema VALUES (1, 1)",
            prefix, prefix, prefix);
    if (status == SF_OK)
        status = sf_mysql_run(connection, text, answers, 4, error);
    if (status == SF_OK)
        sf_mysql_free_answers(answers, 4);
    return status;
}

static enum sf_status
find_tables(struct sf_mysql_connection *connection, struct sf_buffer *text, struct sf_error *error)
{
    struct sf_mysql_database *database = connection->database;
    int64_t version = 0;
    enum sf_status status = look(&version, connection, text, error);
    if (status == SF_OK && version == 0 && atomic_load(&database->was_seen))
        return sf_mysql_fail(connection, SF_UNAVAILABLE,
                             "the tables have gone; a restart makes new ones", error);
    if (status == SF_OK && version == 0) {
        status = create(connection, text, error);
        if (status == SF_OK)
            status = look(&version, connection, text, error);
    }
    if (status != SF_OK)
        return status;
    if (version > SCHEMA_VERSION)
        return sf_error_set(error, SF_INVALID,
                            "%s: made by a later session-fast: its tables have version %lld, this"
                            " program knows %d",
                            database->url.label, (long long)version, SCHEMA_VERSION);
    if (version != SCHEMA_VERSION)
        return sf_mysql_fail(connection, SF_UNAVAILABLE, "session_fast_schema holds no version",
                             error);
    atomic_store(&database->was_seen, true);
    return look_at_incarnation(connection, text, error);
}

enum sf_status
sf_mysql_find_tables(struct sf_mysql_connection *connection, struct sf_error *error)
{
    struct sf_buffer text;
    sf_buffer_init(&text, 4096);
    enum sf_status status = find_tables(connection, &text, error);
    sf_buffer_fini(&text);
    return status;
}
