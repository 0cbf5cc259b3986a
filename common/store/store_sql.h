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
#include <stdbool.h>

#include "common/store/store.h"

#define SF_SQL_ROUND_BYTES (8u << 20) /* of records; one record more at most */

/* Bits: a statement says which of them it is about. */
enum sf_sql_kind {
    SF_SQL_PUT = 1,
    SF_SQL_REPLACE = 2, /* a put that expects a version */
    SF_SQL_TOUCH = 4
};

struct sf_sql_row {
    struct sf_write *write;
    enum sf_sql_kind kind;
    bool is_taken; /* is, or was, part of a round */
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

/* false: no rows are left. */
bool sf_sql_batch_next(struct sf_sql_batch *batch);

/* Of rows sorted by key, each once; NULL: none. */
struct sf_sql_row *sf_sql_find(struct sf_sql_row *const *rows, size_t count, struct sf_span key);

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
