/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * restore.h - puts what the cache has into the store again, when the store's server was restarted, replaced or emptied.
 *
 * A server that comes back may have forgotten what it has called stored: it was not told to keep it, an older copy
 * was put in its place, or a replica that had not heard of it took over. What is clean in L1 is what it had, or
 * what the journal has brought there since, so all of that is written again; a store that has it changes nothing.
 * Where other hosts use the store, and may have gone on from what it has now, it is merged (store_shared.h), and L1
 * takes the result in; what waits is merged in any case as long as this lasts (batch_writer.h). What waits for the
 * store is written between the batches as always. The segment says which incarnation of the store has what is
 * clean: a daemon that is killed in the middle has left the old number, and its successor begins again. Until all
 * is put nobody is told for certain that a session is not there. Runs in the writer's thread; step() does at most
 * one batch.
 */
#include "common/base/log.h"
#include "common/cache/l1.h"
#include "common/store/store.h"

#define SF_RESTORE_BATCH 100
#define SF_RESTORE_GRACE (10 * SF_SECOND) /* so long other hosts are given to put what they have */

/* The first five are the caller's to set, the rest begins as zero. */
struct sf_restore {
    struct sf_l1 *l1;
    struct sf_store *store;
    const struct sf_log *log;
    bool is_shared;        /* other hosts use the store: */
    sf_time horizon;       /* what it has not confirmed for so long may have ended there, and been forgotten */

    uint64_t target;       /* the incarnation that it is put into; 0: nothing is being put */
    uint32_t cursor;
    int passes;
    uint64_t moves;        /* of slabs, when the pass began */
    uint64_t put, news;    /* in this run */
    sf_time now, now_wall; /* of this step */
    sf_time next;          /* steady: not before */
    sf_time pause;         /* after a failure */
    struct sf_l1_dirty items[SF_RESTORE_BATCH];
    struct sf_write writes[SF_RESTORE_BATCH];
    struct sf_buffer merged[SF_RESTORE_BATCH]; /* what the store has now instead: of items[i] */

    /* For other threads; relaxed. */
    _Atomic sf_time noticed;      /* steady; 0: nothing is being put */
    _Atomic sf_time doubts_until; /* steady: behind the end of a run that found something missing */
    _Atomic uint64_t runs;        /* finished */
    _Atomic uint64_t put_ever, news_ever;
};

/* Returns when it wants to be called next (steady). */
sf_time sf_restore_step(struct sf_restore *restore, sf_time now, sf_time now_wall);

/*
 * The store has just said that it has no such session: is that to be doubted? `is_here`: L1 has a clean record of
 * it, which may be put again. From any thread.
 */
bool sf_restore_doubts(struct sf_restore *restore, bool is_here, sf_time now);
