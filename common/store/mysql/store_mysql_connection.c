/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/mysql/store_mysql_connection.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GOODBYE 250 /* ms */

/* Of the server; libmariadb's own begin at 2000 and end below 3000. */
enum server_error {
    DISK_FULL = 1021,
    SYNTAX = 1064,
    FILE_FULL = 1114,
    DEADLOCK = 1213,
    CHECK_VIOLATED = 3819 /* MySQL's; MariaDB has a SQLSTATE for it */
};

/* ---- errors ---- */

enum sf_status
sf_mysql_fail(const struct sf_mysql_connection *connection, enum sf_status status, const char *text,
              struct sf_error *error)
{
    sf_error_set(error, status, "%s: %s: %s", connection->database->url.label, connection->doing,
                 text);
    if (error != NULL)
        sf_text_clean(error->text);
    return status;
}

static bool
is_from_server(unsigned code)
{
    return code != 0 && (code < 2000 || code >= 3000);
}

static enum sf_status
status_of(unsigned code, const char *state)
{
    if (code == DEADLOCK)
        return SF_CONFLICT;
    if (code == DISK_FULL || code == FILE_FULL)
        return SF_FULL;
    if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || code == CHECK_VIOLATED)
        return SF_INVALID; /* data exception, constraint: the fault of a row */
    return SF_UNAVAILABLE;
}

/*
 * The transaction that a deadlock has ended is rolled back already: the connection is as good as
 * before. What may repeat values is not told.
 */
static enum sf_status
judge(struct sf_mysql_connection *connection, bool is_last, struct sf_error *error)
{
    MYSQL *mysql = connection->mysql;
    unsigned code = mysql_errno(mysql);
    enum sf_status status = status_of(code, mysql_sqlstate(mysql));
    if (!is_from_server(code) || (is_last && status != SF_CONFLICT))
        status = SF_UNCERTAIN;
    bool is_quotable = status != SF_INVALID && code != SYNTAX;
    char text[sizeof error->text];
    snprintf(text, sizeof text, "%s (error %u, SQLSTATE %s)",
             is_quotable ? mysql_error(mysql) : "refused", code, mysql_sqlstate(mysql));
    sf_mysql_fail(connection, status, text, error);
    if (status != SF_CONFLICT)
        sf_mysql_close(connection);
    return status;
}

static enum sf_status
be_late(struct sf_mysql_connection *connection, enum sf_status status, struct sf_error *error)
{
    sf_mysql_fail(connection, status, "no answer before the deadline", error);
    sf_mysql_close(connection);
    return status;
}

/* ---- texts ---- */

enum sf_status
sf_mysql_begin_text(struct sf_buffer *text, struct sf_mysql_connection *connection)
{
    sf_time left = connection->deadline - sf_clock_steady();
    long long ms = left > 8 ? left - left / 8 : 1;
    long long seconds = ms < SF_SECOND ? 1 : ms / SF_SECOND;
    sf_buffer_clear(text);
    enum sf_status status =
        sf_buffer_append_format(text, "SELECT %" PRIu64 ";", ++connection->question);
    if (status != SF_OK)
        return status;
    if (connection->is_mariadb)
        return sf_buffer_append_format(text,
                                       "SET max_statement_time=%lld.%03lld,"
                                       "lock_wait_timeout=%lld,innodb_lock_wait_timeout=%lld",
                                       ms / SF_SECOND, ms % SF_SECOND, seconds, seconds);
    return sf_buffer_append_format(text,
                                   "SET max_execution_time=%lld,"
                                   "lock_wait_timeout=%lld,innodb_lock_wait_timeout=%lld",
                                   ms, seconds, seconds);
}

enum sf_status
sf_mysql_add_bytes(struct sf_buffer *text, struct sf_span bytes)
{
    enum sf_status status = sf_buffer_reserve(text, 2 * bytes.size + sizeof "x''");
    if (status != SF_OK)
        return status;
    memcpy(text->data + text->size, "x'", 2);
    sf_hex_encode(bytes.data, bytes.size, (char *)text->data + text->size + 2);
    text->size += 2 + 2 * bytes.size;
    text->data[text->size++] = '\'';
    return SF_OK;
}

/* ---- running ---- */

static int
continue_sending(void *answer_out, MYSQL *mysql, int ready)
{
    return mysql_send_query_cont(answer_out, mysql, ready);
}

static int
continue_reading(void *answer_out, MYSQL *mysql, int ready)
{
    return mysql_read_query_result_cont(answer_out, mysql, ready);
}

static int
continue_next(void *answer_out, MYSQL *mysql, int ready)
{
    return mysql_next_result_cont(answer_out, mysql, ready);
}

static int
continue_storing(void *answer_out, MYSQL *mysql, int ready)
{
    return mysql_store_result_cont(answer_out, mysql, ready);
}

/* Half a text does nothing. */
static enum sf_status
send_text(struct sf_mysql_connection *connection, const struct sf_buffer *text,
          struct sf_error *error)
{
    MYSQL *mysql = connection->mysql;
    int failed = 0;
    int wanted = mysql_send_query_start(&failed, mysql, (const char *)text->data, text->size);
    if (!sf_mysql_drive(connection, wanted, continue_sending, &failed))
        return be_late(connection, SF_UNAVAILABLE, error);
    if (failed == 0)
        return SF_OK;
    sf_mysql_fail(connection, SF_UNAVAILABLE, mysql_error(mysql), error);
    sf_mysql_close(connection);
    return SF_UNAVAILABLE;
}

static enum sf_status
read_answer(struct sf_mysql_connection *connection, struct sf_mysql_answer *answer, bool is_first,
            bool is_last, struct sf_error *error)
{
    MYSQL *mysql = connection->mysql;
    my_bool first_failed = 0;
    int next_failed = 0;
    bool is_in_time;
    if (is_first)
        is_in_time = sf_mysql_drive(connection, mysql_read_query_result_start(&first_failed, mysql),
                                    continue_reading, &first_failed);
    else
        is_in_time = sf_mysql_drive(connection, mysql_next_result_start(&next_failed, mysql),
                                    continue_next, &next_failed);
    if (!is_in_time)
        return be_late(connection, SF_UNCERTAIN, error);
    if (first_failed != 0 || next_failed != 0)
        return judge(connection, is_last, error);
    answer->affected = mysql_affected_rows(mysql);
    if (mysql_field_count(mysql) == 0)
        return SF_OK;
    if (!sf_mysql_drive(connection, mysql_store_result_start(&answer->rows, mysql),
                        continue_storing, &answer->rows))
        return be_late(connection, SF_UNCERTAIN, error);
    return answer->rows == NULL ? judge(connection, is_last, error) : SF_OK;
}

/* A proxy that mixes up answers must log nobody out. */
static enum sf_status
read_question(struct sf_mysql_connection *connection, struct sf_error *error)
{
    struct sf_mysql_answer answer = {.rows = NULL};
    int64_t number = -1;
    enum sf_status status = read_answer(connection, &answer, true, false, error);
    if (status != SF_OK)
        return status;
    MYSQL_ROW row = answer.rows == NULL ? NULL : mysql_fetch_row(answer.rows);
    bool is_ours = row != NULL && row[0] != NULL &&
                   sf_int64_parse(sf_span_text(row[0]), &number) == SF_OK &&
                   (uint64_t)number == connection->question;
    sf_mysql_free_answers(&answer, 1);
    if (is_ours)
        return SF_OK;
    sf_mysql_fail(connection, SF_UNCERTAIN, "it answers what it was not asked", error);
    sf_mysql_close(connection);
    return SF_UNCERTAIN;
}

enum sf_status
sf_mysql_run(struct sf_mysql_connection *connection, const struct sf_buffer *text,
             struct sf_mysql_answer *answers, size_t count, struct sf_error *error)
{
    memset(answers, 0, count * sizeof *answers);
    if (connection->packet_bytes != 0 && text->size >= connection->packet_bytes)
        return sf_mysql_fail(connection, SF_INVALID, "longer than max_allowed_packet", error);
    enum sf_status status = send_text(connection, text, error);
    if (status == SF_OK)
        status = read_question(connection, error);
    for (size_t i = 0; status == SF_OK && i < count; i++)
        status = read_answer(connection, &answers[i], false, i == count - 1, error);
    if (status != SF_OK)
        sf_mysql_free_answers(answers, count);
    return status;
}

void
sf_mysql_free_answers(struct sf_mysql_answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mysql_free_result(answers[i].rows);
        answers[i].rows = NULL;
    }
}

/* ---- life ---- */

/* Shut down first: the goodbye of mysql_close would wait for a server that does not read. */
void
sf_mysql_close(struct sf_mysql_connection *connection)
{
    if (connection->mysql == NULL)
        return;
    int socket = (int)mysql_get_socket(connection->mysql);
    if (socket >= 0)
        shutdown(socket, SHUT_RDWR);
    mysql_close(connection->mysql);
    connection->mysql = NULL;
}

static int
continue_closing(void *unused, MYSQL *mysql, int ready)
{
    (void)unused;
    return mysql_close_cont(mysql, ready);
}

void
sf_mysql_say_goodbye(struct sf_mysql_connection *connection)
{
    if (connection->mysql == NULL)
        return;
    connection->deadline = sf_clock_steady() + GOODBYE;
    sf_mysql_drive(connection, mysql_close_start(connection->mysql), continue_closing, NULL);
    connection->mysql = NULL;
}

/* An idle connection has nothing to say, but that the server has gone. */
static bool
is_alive(const struct sf_mysql_connection *connection)
{
    struct pollfd news = {.fd = (int)mysql_get_socket(connection->mysql), .events = POLLIN};
    return poll(&news, 1, 0) == 0;
}

/* No gaps are locked, which hosts that insert at once would get in each other's way with. */
static enum sf_status
set_up(struct sf_mysql_connection *connection, struct sf_error *error)
{
    struct sf_mysql_answer answers[4];
    struct sf_buffer text;
    int64_t bytes = 0;
    connection->is_mariadb = mariadb_connection(connection->mysql) != 0;
    connection->packet_bytes = 0;
    sf_buffer_init(&text, 1024);
    enum sf_status status = sf_mysql_begin_text(&text, connection);
    if (status == SF_OK)
        status =
            sf_buffer_append_text(&text, ";SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
                                         ";SET SESSION sql_mode='STRICT_ALL_TABLES'"
                                         ";SELECT @@max_allowed_packet");
    if (status == SF_OK)
        status = sf_mysql_run(connection, &text, answers, 4, error);
    sf_buffer_fini(&text);
    if (status != SF_OK)
        return status;
    MYSQL_ROW row = mysql_fetch_row(answers[3].rows);
    if (row != NULL && row[0] != NULL && sf_int64_parse(sf_span_text(row[0]), &bytes) == SF_OK)
        connection->packet_bytes = (size_t)bytes;
    sf_mysql_free_answers(answers, 4);
    return SF_OK;
}

static enum sf_status
make_usable(struct sf_mysql_connection *connection, struct sf_error *error)
{
    enum sf_status status = sf_mysql_connect(connection, error);
    if (status == SF_OK)
        status = set_up(connection, error);
    if (status == SF_OK)
        status = sf_mysql_find_tables(connection, error);
    if (status == SF_OK)
        return SF_OK;
    sf_mysql_close(connection);
    return status == SF_INVALID || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

enum sf_status
sf_mysql_begin_call(struct sf_mysql_connection *connection, const char *doing, sf_time deadline,
                    struct sf_error *error)
{
    connection->doing = doing;
    connection->deadline = deadline;
    if (sf_clock_steady() >= deadline)
        return sf_mysql_fail(connection, SF_UNAVAILABLE, "no time left before the deadline", error);
    if (connection->mysql != NULL && is_alive(connection))
        return SF_OK;
    sf_mysql_close(connection);
    return make_usable(connection, error);
}
