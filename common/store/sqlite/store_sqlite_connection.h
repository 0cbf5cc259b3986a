/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_sqlite_connection.h - one connection: opened, watched, given up when it is not trusted.
 *
 * Private to store_sqlite.c, which has two: one reads while the other writes. Used by one thread at
 * a time. Every call begins with sf_sqlite_begin_call, which notices that the file has gone, came
 * back or was replaced, and opens again.
 */
#include <stdatomic.h>
#include <sys/types.h>

#include "common/base/clock.h"
#include "common/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

#define SF_SQLITE_STATEMENTS_MAX 8

enum sf_sqlite_role { SF_SQLITE_READER, SF_SQLITE_WRITER };

/* What is under the path; a difference makes the connection open again, if the kernel allows it. */
struct sf_sqlite_file {
    dev_t device;
    ino_t inode;
    mode_t mode;
    uid_t owner;
};

/*
 * The database that both connections mean. Once it was open, a missing file is an outage and never
 * made anew, and another file in its place is looked at twice. Relaxed: a torn pair costs one call
 * that is refused.
 */
struct sf_sqlite_database {
    char *path;
    _Atomic dev_t device;
    _Atomic ino_t inode; /* 0: was never open */
};

struct sf_sqlite_connection {
    struct sf_sqlite_database *database;
    enum sf_sqlite_role role;
    const char *const *sql;     /* prepared at each opening, in this order; static */
    size_t sql_count;
    struct sqlite3 *db;         /* NULL: closed */
    struct sqlite3_stmt *statements[SF_SQLITE_STATEMENTS_MAX]; /* all there while db is */
    struct sf_sqlite_file file; /* as it was opened */
    sf_time deadline;           /* of the call that is going on; the handlers look at it */
};

extern const int sf_sqlite_schema_version; /* that this program makes */

/*
 * Makes sure that the connection is open on the file that is there now; after it, SQLite calls give
 * up at `deadline`. SF_INVALID: from a later version, somebody else's database, not a database.
 */
enum sf_status sf_sqlite_begin_call(struct sf_sqlite_connection *connection, sf_time deadline,
                                    struct sf_error *error) SF_MUST_CHECK;

/*
 * What the SQLite result code means, in `error` in words. Closes the connection when it cannot be
 * trusted any more: after an I/O error pages in memory and on disk may differ, and a repeated fsync
 * would say "done" without being it.
 */
enum sf_status sf_sqlite_fail(struct sf_sqlite_connection *connection, int code, const char *doing,
                              struct sf_error *error);

void sf_sqlite_close(struct sf_sqlite_connection *connection);
