/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_postgresql_connection.h - one connection: statements sent in one go, as one transaction,
 * under a deadline.
 *
 * Private to store_postgresql*.c. Nothing here waits without a deadline: libpq's blocking calls are
 * not used. Used by one thread at a time; each lane of the store has its own. Every call begins
 * with sf_postgresql_begin_call, which connects when it must; after any doubt the connection is
 * closed.
 */
#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/finding.h"
#include "common/store/resolver.h"
#include "common/store/store_url.h"

#define SF_POSTGRESQL_PARAMETERS_MAX 9
#define SF_POSTGRESQL_STATEMENTS_MAX 8
#define SF_POSTGRESQL_ORIGIN_TEXT 17

/* The database that all connections of a store mean. */
struct sf_postgresql_database {
    struct sf_store_url url;
    struct sf_resolver *resolvers[SF_STORE_HOSTS_MAX]; /* as url.hosts */
    const char *schema;   /* "": as the server's search_path says */
    bool is_pooled;       /* behind a pooler that knows no prepared statements */
    atomic_bool was_seen; /* our tables were there once: should they be missing, that is an outage */
    char origin[SF_POSTGRESQL_ORIGIN_TEXT]; /* of what we write: see store_postgresql_follow.h */
    atomic_uint connects;                   /* of those who load and write; the same */
    _Atomic uint64_t incarnation; /* of server and tables, as seen when a connection was made last */
};

struct sf_postgresql_connection {
    struct sf_postgresql_database *database;
    const char *const *sql; /* prepared after connecting, by their index; static */
    size_t sql_count;
    bool is_counted;        /* each time that it connects, in database->connects */
    PGconn *pg;             /* NULL: closed */
    bool is_prepared;
    size_t turn;            /* which of the hosts is tried first: another one after each failure */
    /* Of the call that is going on: */
    const char *doing;
    sf_time deadline;
    uint64_t question;      /* number of the transaction: what answers another one is not believed */
    bool is_sent;           /* the end of the transaction may have reached the server */
};

/* One statement with its parameters, all in binary form, and afterwards what it gave. */
struct sf_postgresql_call {
    size_t statement;
    const char *text; /* not NULL: this instead of the statement */
    int count;
    const char *values[SF_POSTGRESQL_PARAMETERS_MAX];
    int lengths[SF_POSTGRESQL_PARAMETERS_MAX];
    PGresult *result; /* binary; after SF_OK: PQclear is the caller's */
};

void sf_postgresql_add_parameter(struct sf_postgresql_call *call, const void *bytes, size_t size);

/*
 * Makes sure that there is a connection and our tables are there; `doing` names the call in errors.
 * SF_INVALID: the tables were made by a later version. Else SF_UNAVAILABLE or SF_NO_MEMORY.
 */
enum sf_status sf_postgresql_begin_call(struct sf_postgresql_connection *connection,
                                        const char *doing, sf_time deadline,
                                        struct sf_error *error) SF_MUST_CHECK;

/*
 * All of them in one transaction and one round trip. Not SF_OK: none has happened, or with
 * SF_UNCERTAIN nobody knows. SF_INVALID: the server refuses a value. SF_CONFLICT: another
 * transaction was in the way, it may be repeated at once. SF_FULL: the server's disk.
 * SF_UNAVAILABLE, SF_NO_MEMORY.
 */
enum sf_status sf_postgresql_run(struct sf_postgresql_connection *connection,
                                 struct sf_postgresql_call *calls, size_t count,
                                 struct sf_error *error) SF_MUST_CHECK;

void sf_postgresql_close(struct sf_postgresql_connection *connection);

/* Puts its status and "LABEL: DOING: text" into *error. */
enum sf_status sf_postgresql_fail(const struct sf_postgresql_connection *connection,
                                  enum sf_status status, const char *text, struct sf_error *error);

/* ---- store_postgresql_connect.c ---- */

/* A new connection, in pipeline mode. Not SF_OK: closed again. */
enum sf_status sf_postgresql_connect(struct sf_postgresql_connection *connection,
                                     struct sf_error *error) SF_MUST_CHECK;

/* Until the connection is readable or writable as `events` say; false: the deadline has come. */
bool sf_postgresql_wait(const struct sf_postgresql_connection *connection, short events);

/* ---- store_postgresql_schema.c ---- */

/* Looks for our tables; makes them when they never were there. SF_INVALID: of a later version. */
enum sf_status sf_postgresql_find_tables(struct sf_postgresql_connection *connection,
                                         struct sf_error *error) SF_MUST_CHECK;

/* SF_INVALID: of a later version, or of none. */
enum sf_status sf_postgresql_check_version(struct sf_postgresql_connection *connection,
                                           struct sf_error *error) SF_MUST_CHECK;

/* ---- store_postgresql_examine.c ---- */

/* As sf_store_examine_fn, on a connection of its own. */
enum sf_status sf_postgresql_examine(struct sf_postgresql_database *database, sf_time deadline,
                                     struct sf_findings *findings);
