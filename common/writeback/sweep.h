/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * sweep.h - removes expired rows from the store every sweep_interval, in small batches, with pauses between them.
 *
 * Expiry is decided at read; the sweep only gives room back. Touches are flushed first, so a row that L1 knows to be alive is
 * never removed. Runs in the writer's thread; step() does at most one batch.
 */
#include "common/writeback/batch_writer.h"

struct sf_sweep {
    struct sf_l1 *l1;
    struct sf_store *store;
    const struct sf_log *log;
    sf_time interval;      /* ms */
    sf_time next;          /* steady; 0: one interval from the first step */
    uint64_t removed;
    sf_time last;          /* wall clock of the last finished sweep; 0: never */
};

/* Returns when it wants to be called next (steady). */
sf_time sf_sweep_step(struct sf_sweep *sweep, sf_time now_steady, sf_time now_wall);
