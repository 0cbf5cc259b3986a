/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_sql.h - what the SQL stores on a network have in common: a batch cut into rounds.
 *
 * Private to store_postgresql*.c and store_mysql*.c. A round is what goes into one transaction: of
 * each session one change at most, because one statement cannot change a row twice; in the order of
 * their keys, so that two hosts which write the same sessions wait for each other instead of each
 * holding what the other wants; and not too many bytes.
 */
#include <pthread.h>
#include <stdbool.h>

#include "common/store/store.h"

/* Bits: a statement says which of them it is about. */
enum sf_sql_kind {
    SF_SQL_PUT = 1,
    SF_SQL_REPLACE = 2, /* a put that expects a version */
    SF_SQL_TOUCH = 4,
    SF_SQL_INSERT = 8   /* a put that expects that there is no row */
};

struct sf_sql_row {
    struct sf_write *write;
    enum sf_sql_kind kind;
    bool is_taken;     /* is, or was, part of a round */
    uint64_t expected; /* REPLACE: see sf_sql_expect */
    /* What the columns need to know of a record. */
    bool is_ended;
    struct sf_span user;
    uint64_t checksum;
};

struct sf_sql_batch {
    struct sf_sql_row *rows;   /* sorted by key; those of one key in the order in which they came */
    struct sf_sql_row **round; /* what sf_sql_batch_next has chosen */
    size_t count, round_count;
};

/*
 * Sets every status: SF_INVALID for what no store would take, SF_UNAVAILABLE for the others, which
 * become rows. SF_NO_MEMORY: for all. After SF_OK: sf_sql_batch_fini.
 */
enum sf_status sf_sql_batch_init(struct sf_sql_batch *batch, struct sf_write *writes,
                                 size_t count) SF_MUST_CHECK;
void sf_sql_batch_fini(struct sf_sql_batch *batch);

/* On the connection that they go out on, and so with what the store is now: see sf_store_expected. */
void sf_sql_expect(struct sf_sql_row *const *rows, size_t count, uint64_t incarnation);

/* The next round: `limit` bytes of records and one record more at most; false: no rows are left. */
bool sf_sql_batch_next(struct sf_sql_batch *batch, size_t limit);

/* Of rows sorted by key, each once; NULL: none. */
struct sf_sql_row *sf_sql_find(struct sf_sql_row *const *rows, size_t count, struct sf_span key);

/*
 * Carries out some rows in one transaction and sets their statuses if that succeeds. SF_INVALID:
 * one of them was refused, and none was stored. SF_CONFLICT: none was stored, it is called again;
 * two hosts may get in each other's way in spite of the order, with rows that were not there yet
 * when they were to be locked.
 */
typedef enum sf_status sf_sql_run_fn(void *context, struct sf_sql_row *const *rows, size_t count,
                                     struct sf_error *error);

/*
 * A whole batch in rounds, until one fails; what is refused is searched for by halves, so that it
 * holds up nothing else. Sets every status.
 */
void sf_sql_write(struct sf_write *writes, size_t count, size_t round_bytes, sf_sql_run_fn *run,
                  void *context, struct sf_error *error);

/* A row as a server has sent it. SF_CORRUPT: changed by somebody else than us, or by a disk. */
struct sf_sql_stored {
    struct sf_span key, record;
    uint64_t version, checksum;
    sf_time last_access;
};

enum sf_status sf_sql_read_row(const struct sf_sql_stored *row, struct sf_key *key_out,
                               struct sf_stored *stored_out) SF_MUST_CHECK;
/* The same, into every load that asks for its key. */
void sf_sql_answer_loads(struct sf_load *loads, size_t count, const struct sf_sql_stored *row);

/* A scan that goes on where its last part ended. */
struct sf_sql_scan {
    struct sf_key last; /* the rows behind it are wanted */
    bool has_last;
    struct sf_span user;
    sf_store_visit_fn *visit;
    void *context;
    struct sf_stored stored; /* of the row that is being visited */
    bool is_over;
};

struct sf_sql_scan sf_sql_scan_begin(const struct sf_key *after, struct sf_span user,
                                     sf_store_visit_fn *visit, void *context);
void sf_sql_scan_row(struct sf_sql_scan *scan, const struct sf_sql_stored *row);
void sf_sql_scan_end(struct sf_sql_scan *scan);

/* The last error of both lanes, for explain; from any thread. */
struct sf_sql_last {
    pthread_mutex_t lock;
    struct sf_error error;
};

void sf_sql_last_init(struct sf_sql_last *last);
void sf_sql_last_fini(struct sf_sql_last *last);
void sf_sql_last_set(struct sf_sql_last *last, const struct sf_error *error);
void sf_sql_last_get(struct sf_sql_last *last, struct sf_error *error_out);

/*
 * The end of loads, scans and sweeps, and with finish_write of writes: keeps the reason. What a
 * start refuses (a later version) is, once running, an outage that an administrator can end; and
 * that nobody knows what became of a sweep does not matter.
 */
enum sf_status sf_sql_finish_call(struct sf_sql_last *last, enum sf_status status,
                                  const struct sf_error *error) SF_MUST_CHECK;
/* Answers all loads with what the call has come to, or keeps that one of them is damaged. */
void sf_sql_finish_loads(struct sf_sql_last *last, struct sf_load *loads, size_t count,
                         enum sf_status status, struct sf_error *error, const char *label);
/* Returns the worst status. */
enum sf_status sf_sql_finish_write(struct sf_sql_last *last, const struct sf_write *writes,
                                   size_t count, const struct sf_error *error) SF_MUST_CHECK;
