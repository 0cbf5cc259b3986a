/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_mysql_connection.h - one connection: statements sent as one text, under a deadline.
 *
 * Private to store_mysql*.c. Only the calls of libmariadb that can be continued are used, and each
 * is ended at the deadline. Used by one thread at a time; each lane of the store has its own. After
 * any error the connection is closed, which also rolls back. No text but numbers and bytes in
 * hexadecimal ever comes from outside.
 */
#include <mysql.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/finding.h"
#include "common/store/resolver.h"
#include "common/store/store_url.h"

#define SF_MYSQL_TEXT_MAX (64u << 20)

/* The database that both connections mean. */
struct sf_mysql_database {
    struct sf_store_url url;
    struct sf_resolver *resolvers[SF_STORE_HOSTS_MAX]; /* as url.hosts */
    const char *prefix;   /* of our tables' names; letters, digits, '_' */
    bool has_tls;         /* asked for */
    bool is_verified;     /* the certificate is checked */
    atomic_bool was_seen; /* our tables were there once: should they be missing, that is an outage */
    _Atomic uint64_t incarnation; /* of server and tables, as seen when a connection was made last */
};

struct sf_mysql_connection {
    struct sf_mysql_database *database;
    MYSQL *mysql;        /* NULL: closed */
    bool is_mariadb;     /* the server is, not MySQL */
    size_t packet_bytes; /* no longer text is taken by the server */
    size_t turn;         /* which address is tried first: another one after each failure */
    /* Of the call that is going on: */
    const char *doing;
    sf_time deadline;
    uint64_t question; /* number of the text: what answers another one is not believed */
};

/* What a statement gave. */
struct sf_mysql_answer {
    MYSQL_RES *rows; /* NULL: it gives none */
    uint64_t affected;
};

/*
 * Makes sure that there is a connection and our tables are there; `doing` names the call in errors.
 * SF_INVALID: the tables were made by a later version. Else SF_UNAVAILABLE or SF_NO_MEMORY.
 */
enum sf_status sf_mysql_begin_call(struct sf_mysql_connection *connection, const char *doing,
                                   sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/*
 * Begins a text: replaced by its number, which sf_mysql_run expects in the answer, and what lets the
 * server itself give up, a little before we do.
 */
enum sf_status sf_mysql_begin_text(struct sf_buffer *text,
                                   struct sf_mysql_connection *connection) SF_MUST_CHECK;
enum sf_status sf_mysql_add_bytes(struct sf_buffer *text, struct sf_span bytes) SF_MUST_CHECK;

/*
 * Sends the text of `count` statements, the first of which sf_mysql_begin_text has made; all their
 * answers must be freed after SF_OK. Not SF_OK: the last one, a COMMIT, was not carried out, or
 * with SF_UNCERTAIN nobody knows. SF_INVALID: the server refuses a value. SF_CONFLICT: another
 * transaction was in the way, it may be repeated at once. SF_FULL: the server's disk.
 */
enum sf_status sf_mysql_run(struct sf_mysql_connection *connection, const struct sf_buffer *text,
                            struct sf_mysql_answer *answers, size_t count,
                            struct sf_error *error) SF_MUST_CHECK;
void sf_mysql_free_answers(struct sf_mysql_answer *answers, size_t count);

void sf_mysql_close(struct sf_mysql_connection *connection);
void sf_mysql_say_goodbye(struct sf_mysql_connection *connection); /* closes in order, and soon */

/* Puts its status and "LABEL: DOING: text" into *error. */
enum sf_status sf_mysql_fail(const struct sf_mysql_connection *connection, enum sf_status status,
                             const char *text, struct sf_error *error);

/* ---- store_mysql_connect.c ---- */

/* A new connection. Not SF_OK: closed again. */
enum sf_status sf_mysql_connect(struct sf_mysql_connection *connection,
                                struct sf_error *error) SF_MUST_CHECK;

/* Continues a call that has said what it waits for; the answer is where its start has put it. */
typedef int sf_mysql_continue_fn(void *answer_out, MYSQL *mysql, int ready);

/* Until the call has ended; false: at the deadline, it was made to fail. */
bool sf_mysql_drive(const struct sf_mysql_connection *connection, int wanted,
                    sf_mysql_continue_fn *go_on, void *answer_out);

/* ---- store_mysql_schema.c ---- */

/* Looks for our tables; makes them when they never were there. SF_INVALID: of a later version. */
enum sf_status sf_mysql_find_tables(struct sf_mysql_connection *connection,
                                    struct sf_error *error) SF_MUST_CHECK;

/* ---- store_mysql_examine.c ---- */

/* As sf_store_examine_fn, on a connection of its own. */
enum sf_status sf_mysql_examine(struct sf_mysql_database *database, sf_time deadline, struct sf_findings *findings);
