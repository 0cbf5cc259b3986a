/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/postgresql/store_postgresql_connection.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"

/*
 * Ahead of each transaction, and for it alone (a pooler may give us another session next time): the
 * server itself gives up a little before we do, which is an answer and leaves no session behind
 * that waits for a lock; the schema; and what is answered is on the server's disk. What it was asked
 * stands in its answer.
 */
static const char setup_sql[] =
    "SELECT set_config('statement_timeout', $1::text, true),"
    " set_config('search_path', CASE $2::text WHEN '' THEN current_setting('search_path')"
    " ELSE quote_ident($2::text) END, true),"
    " set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN "
    "'on'"
    " ELSE current_setting('synchronous_commit') END, true), $3::text";

#define SETUP_QUESTION 3 /* column */

#define SETUP_NAME "session_fast_setup"
#define NAME_BYTES sizeof "session_fast_00"
#define NUMBER_BYTES 24

/* ---- errors ---- */

enum sf_status
sf_postgresql_fail(const struct sf_postgresql_connection *connection, enum sf_status status,
                   const char *text, struct sf_error *error)
{
    sf_error_set(error, status, "%s: %s: %.*s", connection->database->url.label, connection->doing,
                 (int)strcspn(text, "\n"), text);
    return status;
}

static bool
is_class(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

/* `state`: an SQLSTATE, as in the appendix A of PostgreSQL's manual. */
static enum sf_status
status_of(const char *state)
{
    if (is_class(state, "22") || is_class(state, "23") || is_class(state, "54"))
        return SF_INVALID; /* data exception, constraint, limit exceeded: the fault of a row */
    if (is_class(state, "40"))
        return SF_CONFLICT; /* rolled back for another transaction */
    if (is_class(state, "53100"))
        return SF_FULL;
    return SF_UNAVAILABLE;
}

/*
 * After these the connection is as good as before: a row refused, another transaction in the way
 * (40, 55), a limit of the server (53100), our own timeout, no permission. All else may be cured by
 * a new connection: a server that shuts down (57P0x), has become a replica (25006), was restored
 * (42P01), forgot our statements (26000).
 */
static bool
is_harmless(const char *state)
{
    static const char *const harmless[] = {"22", "23", "54", "40", "55", "53100", "57014", "42501"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (is_class(state, harmless[i]))
            return true;
    return false;
}

/* What became of the statements of a transaction, as far as it is known. */
struct verdict {
    enum sf_status status; /* not SF_OK: it was rolled back */
    bool is_doubtful;      /* close the connection */
};

/* The primary message only: details may repeat values. */
static void
judge(struct verdict *verdict, const struct sf_postgresql_connection *connection,
      const PGresult *result, struct sf_error *error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char text[sizeof error->text];
    if (verdict->status != SF_OK || PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return;
    if (state == NULL) { /* libpq's own words */
        verdict->is_doubtful = true;
        sf_postgresql_fail(connection, SF_UNCERTAIN, PQresultErrorMessage(result), error);
        return;
    }
    snprintf(text, sizeof text, "%s (SQLSTATE %s)", message == NULL ? "" : message, state);
    verdict->status = status_of(state);
    verdict->is_doubtful = !is_harmless(state);
    sf_postgresql_fail(connection, verdict->status, text, error);
}

/* ---- answers ---- */

/* NULL in *result_out stands between the answers of two statements. false: no more will come. */
static bool
next_result(struct sf_postgresql_connection *connection, PGresult **result_out,
            struct sf_error *error)
{
    PGconn *pg = connection->pg;
    *result_out = NULL;
    for (;;) {
        int unsent = PQflush(pg);
        if (unsent == 0)
            connection->is_sent = true;
        if (!PQisBusy(pg))
            break;
        if (!sf_postgresql_wait(connection, unsent > 0 ? POLLIN | POLLOUT : POLLIN)) {
            sf_postgresql_fail(connection, SF_UNAVAILABLE, "no answer before the deadline", error);
            return false;
        }
        if (PQconsumeInput(pg) == 0) {
            sf_postgresql_fail(connection, SF_UNAVAILABLE, PQerrorMessage(pg), error);
            return false;
        }
    }
    *result_out = PQgetResult(pg);
    return true;
}

/* One statement's; into `call` (NULL: of no interest). */
static bool
take_answer(struct sf_postgresql_connection *connection, struct sf_postgresql_call *call,
            struct verdict *verdict, struct sf_error *error)
{
    PGresult *result, *end;
    if (!next_result(connection, &result, error))
        return false;
    ExecStatusType kind = PQresultStatus(result);
    bool is_answer = kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK;
    if (!is_answer)
        judge(verdict, connection, result, error);
    if (is_answer && call != NULL)
        call->result = result;
    else
        PQclear(result);
    if (result == NULL || !next_result(connection, &end, error))
        return false;
    PQclear(end);
    return end == NULL;
}

/* The transaction is over: only this says that it was committed. */
static bool
take_end(struct sf_postgresql_connection *connection, struct verdict *verdict,
         struct sf_error *error)
{
    PGresult *result;
    if (!next_result(connection, &result, error))
        return false;
    bool is_end = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    if (!is_end)
        judge(verdict, connection, result, error);
    PQclear(result);
    return is_end;
}

static void
format_question(const struct sf_postgresql_connection *connection, char text_out[NUMBER_BYTES])
{
    snprintf(text_out, NUMBER_BYTES, "%" PRIu64, connection->question);
}

/* A proxy that mixes up answers must log nobody out. */
static bool
take_setup(struct sf_postgresql_connection *connection, struct verdict *verdict,
           struct sf_error *error)
{
    struct sf_postgresql_call setup = {.result = NULL};
    char number[NUMBER_BYTES];
    bool goes_on = take_answer(connection, &setup, verdict, error);
    format_question(connection, number);
    if (setup.result != NULL && (PQntuples(setup.result) != 1 ||
                                 strcmp(PQgetvalue(setup.result, 0, SETUP_QUESTION), number) != 0)) {
        sf_postgresql_fail(connection, SF_UNCERTAIN, "it answers what it was not asked", error);
        goes_on = false;
    }
    PQclear(setup.result);
    return goes_on;
}

static enum sf_status
collect(struct sf_postgresql_connection *connection, struct sf_postgresql_call *calls, size_t count,
        struct sf_error *error)
{
    struct verdict verdict = {.status = SF_OK};
    bool goes_on = take_setup(connection, &verdict, error);
    for (size_t i = 0; goes_on && i < count; i++)
        goes_on = take_answer(connection, calls == NULL ? NULL : &calls[i], &verdict, error);
    if (goes_on)
        goes_on = take_end(connection, &verdict, error);
    if (!goes_on || verdict.is_doubtful)
        sf_postgresql_close(connection);
    if (goes_on || verdict.status != SF_OK)
        return verdict.status;
    return connection->is_sent ? SF_UNCERTAIN : SF_UNAVAILABLE;
}

/* ---- questions ---- */

void
sf_postgresql_add_parameter(struct sf_postgresql_call *call, const void *bytes, size_t size)
{
    assert(call->count < SF_POSTGRESQL_PARAMETERS_MAX);
    call->values[call->count] = bytes;
    call->lengths[call->count++] = (int)size;
}

/* An eighth of the time for the way there and back. */
static bool
queue_setup(struct sf_postgresql_connection *connection)
{
    char timeout[NUMBER_BYTES], number[NUMBER_BYTES];
    sf_time left = connection->deadline - sf_clock_steady();
    snprintf(timeout, sizeof timeout, "%lld", (long long)(left > 8 ? left - left / 8 : 1));
    connection->question++;
    format_question(connection, number);
    const char *const values[] = {timeout, connection->database->schema, number};
    if (connection->is_prepared)
        return PQsendQueryPrepared(connection->pg, SETUP_NAME, 3, values, NULL, NULL, 0) == 1;
    return PQsendQueryParams(connection->pg, setup_sql, 3, NULL, values, NULL, NULL, 0) == 1;
}

static void
format_name(char name_out[NAME_BYTES], size_t statement)
{
    snprintf(name_out, NAME_BYTES, "session_fast_%02u", (unsigned)statement % 100);
}

static bool
queue_call(const struct sf_postgresql_connection *connection, const struct sf_postgresql_call *call)
{
    static const int formats[SF_POSTGRESQL_PARAMETERS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const char *text = call->text != NULL ? call->text : connection->sql[call->statement];
    char name[NAME_BYTES];
    if (call->text != NULL || !connection->is_prepared)
        return PQsendQueryParams(connection->pg, text, call->count, NULL, call->values,
                                 call->lengths, formats, 1) == 1;
    format_name(name, call->statement);
    return PQsendQueryPrepared(connection->pg, name, call->count, call->values, call->lengths,
                               formats, 1) == 1;
}

/* Nothing has happened: what ends a transaction has not been sent. */
static enum sf_status
give_up(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    enum sf_status status =
        sf_postgresql_fail(connection, SF_UNAVAILABLE, PQerrorMessage(connection->pg), error);
    sf_postgresql_close(connection);
    return status;
}

enum sf_status
sf_postgresql_run(struct sf_postgresql_connection *connection, struct sf_postgresql_call *calls,
                  size_t count, struct sf_error *error)
{
    connection->is_sent = false;
    bool is_queued = queue_setup(connection);
    for (size_t i = 0; is_queued && i < count; i++) {
        calls[i].result = NULL;
        is_queued = queue_call(connection, &calls[i]);
    }
    if (!is_queued || PQpipelineSync(connection->pg) != 1)
        return give_up(connection, error);
    enum sf_status status = collect(connection, calls, count, error);
    for (size_t i = 0; status != SF_OK && i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
    return status;
}

static enum sf_status
prepare_all(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    PGconn *pg = connection->pg;
    assert(connection->sql_count <= SF_POSTGRESQL_STATEMENTS_MAX);
    bool is_queued =
        queue_setup(connection) && PQsendPrepare(pg, SETUP_NAME, setup_sql, 0, NULL) == 1;
    for (size_t i = 0; is_queued && i < connection->sql_count; i++) {
        char name[NAME_BYTES];
        format_name(name, i);
        is_queued = PQsendPrepare(pg, name, connection->sql[i], 0, NULL) == 1;
    }
    if (!is_queued || PQpipelineSync(pg) != 1)
        return give_up(connection, error);
    enum sf_status status = collect(connection, NULL, connection->sql_count + 1, error);
    connection->is_prepared = status == SF_OK;
    return status;
}

/* ---- life ---- */

void
sf_postgresql_close(struct sf_postgresql_connection *connection)
{
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->is_prepared = false;
}

/*
 * A server that was stopped meanwhile has told so: better heard before a statement is sent than
 * found out afterwards, when nobody knows what became of it.
 */
static bool
is_alive(const struct sf_postgresql_connection *connection)
{
    struct pollfd news = {.fd = PQsocket(connection->pg), .events = POLLIN};
    while (poll(&news, 1, 0) > 0)
        if (PQconsumeInput(connection->pg) == 0)
            return false;
    return PQstatus(connection->pg) == CONNECTION_OK;
}

static enum sf_status
make_usable(struct sf_postgresql_connection *connection, struct sf_error *error)
{
    enum sf_status status = sf_postgresql_connect(connection, error);
    if (status == SF_OK)
        status = sf_postgresql_find_tables(connection, error);
    if (status == SF_OK && !connection->database->is_pooled)
        status = prepare_all(connection, error);
    if (status == SF_OK) {
        atomic_fetch_add(&connection->database->connects, connection->is_counted);
        return SF_OK;
    }
    sf_postgresql_close(connection);
    return status == SF_INVALID || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

enum sf_status
sf_postgresql_begin_call(struct sf_postgresql_connection *connection, const char *doing,
                         sf_time deadline, struct sf_error *error)
{
    connection->doing = doing;
    connection->deadline = deadline;
    if (sf_clock_steady() >= deadline)
        return sf_postgresql_fail(connection, SF_UNAVAILABLE, "no time left before the deadline",
                                  error);
    if (connection->pg != NULL && is_alive(connection))
        return SF_OK;
    sf_postgresql_close(connection);
    return make_usable(connection, error);
}
