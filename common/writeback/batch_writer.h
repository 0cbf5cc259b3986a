/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * batch_writer.h - carries changes from L1 to the store: everything that waits, as one batch.
 *
 * A batch is due when flush_batch changes wait, when the oldest is flush_delay old, or when
 * somebody asked. Several changes of one session are one write. Runs in one thread of the daemon;
 * no thread and no sleep of its own: step() does at most one batch and says when it wants to be
 * called again. Killed anywhere, its successor repeats: writes carry versions. A record that the
 * store refuses for itself stays dirty, is set apart, and tried again after a pause (refused.h).
 */
#include "common/base/log.h"
#include "common/cache/l1.h"
#include "common/store/store.h"
#include "common/writeback/journal.h"

struct sf_batch_writer;

struct sf_batch_writer_options {
    int64_t flush_batch;
    sf_time flush_delay;
    sf_time write_deadline;   /* of one batch */
    size_t batch_max;         /* records in one transaction; 0: 1,000 */
    struct sf_journal *journal; /* is told what the store has; NULL: there is none */
};

struct sf_batch_writer_state {
    bool is_up;               /* the last batch went through, or none was tried yet */
    sf_time retry_at;         /* steady; while down: backoff 0.25..10 s with jitter */
    uint64_t batches, records, touches, failures;
    uint64_t stored_changes;  /* so many of sf_l1_changes() are in the store, or refused by it */
    size_t refused;           /* records that the store does not take, as far as remembered */
    sf_time last_flush;       /* wall clock; 0: never */
    sf_time last_duration;    /* ms */
};

enum sf_status sf_batch_writer_new(struct sf_batch_writer **writer_out, struct sf_l1 *l1,
                                   struct sf_store *store,
                                   const struct sf_batch_writer_options *options,
                                   const struct sf_log *log) SF_MUST_CHECK;
void sf_batch_writer_free(struct sf_batch_writer *writer);

/* Steady times. Returns when to call again: within 50 ms from `now` while the store is up. */
sf_time sf_batch_writer_step(struct sf_batch_writer *writer, sf_time now);

/*
 * The next step writes everything that waits, whatever its age; while the store is down, not before
 * retry_at. From any thread.
 */
void sf_batch_writer_urge(struct sf_batch_writer *writer);

/* The store has answered somebody else: while it is down, the next step need not wait for retry_at. From any thread. */
void sf_batch_writer_retry(struct sf_batch_writer *writer);

/*
 * Writes everything that waits at the call, without regard to retry_at. SF_UNAVAILABLE: the store
 * failed or refused a record, or `deadline` (steady) passed; what is left stays dirty in L1.
 */
enum sf_status sf_batch_writer_drain(struct sf_batch_writer *writer,
                                     sf_time deadline) SF_MUST_CHECK;

/* From any thread. */
void sf_batch_writer_state(struct sf_batch_writer *writer, struct sf_batch_writer_state *state_out);
