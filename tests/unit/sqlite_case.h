/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sqlite_case.h - what the test programs of the SQLite store share: one store whose database is in a folder "state" of
 * its own, and short ways to write, to load and to look at the file. Each test begins with set_up.
 */
#include <sqlite3.h>

#include "common/store/store.h"
#include "tests/support/temp_folder.h"

extern struct sf_temp_folder folder;
extern struct sf_store *store;
extern struct sf_stored stored; /* by the last load */
extern struct sf_error error;
extern char path[128], log_path[132]; /* of the database and its write-ahead log */

void set_up(void);
void tear_down(void);
sf_time soon(void); /* a deadline that no healthy store needs */

enum sf_status attach(void);
void attach_well(void);
void close_store(void);

enum sf_status put(unsigned number, uint64_t version);
enum sf_status put_bytes(unsigned number, uint64_t version, size_t size);
enum sf_status load(unsigned number);

/* Of what the store did last; it stays in `error`. */
const char *explanation(void);
void assert_says(const char *expected); /* `error` does */

/* Somebody else's connection, as the sqlite3 program has one. */
sqlite3 *open_other(void);
void run(sqlite3 *db, const char *sql);
void run_once(const char *sql);
