/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sweep.h - removes expired rows from the store every sweep_interval, in small batches.
 *
 * Expiry is decided at read; the sweep only gives room back. Touches are written first, and rows
 * are left alone until they have been expired for SF_SWEEP_MARGIN: the store hears of a last access
 * only when it has moved by up to a minute. So a row that some L1 knows to be alive is never
 * removed. Runs in the writer's thread; step() does at most one batch.
 */
#include "common/writeback/batch_writer.h"

#define SF_SWEEP_MARGIN (2 * SF_MINUTE)

enum sf_sweep_phase { SF_SWEEP_WAITS, SF_SWEEP_WRITES_TOUCHES, SF_SWEEP_REMOVES };

/* The first five are the caller's to set, the rest begins as zero. */
struct sf_sweep {
    struct sf_l1 *l1;
    struct sf_store *store;
    const struct sf_log *log;
    sf_time interval;      /* ms */
    sf_time next;          /* steady; 0: one interval from the first step */
    uint64_t removed;      /* ever */
    sf_time last;          /* wall clock of the last finished sweep; 0: never */
    enum sf_sweep_phase phase;
    uint32_t touch_cursor;
    struct sf_log_state log_state;
};

/* Returns when it wants to be called next (steady). */
sf_time sf_sweep_step(struct sf_sweep *sweep, sf_time now_steady, sf_time now_wall);
