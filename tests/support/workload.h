/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * workload.h - everything that happens to a cache at once, by roles that processes or threads play,
 * and a ledger beside the cache that says what must be there.
 *
 * Each session holds a counter that equals its version. Writers add one and then enter the version
 * in the ledger as acknowledged; the keeper writes dirty records to "the store", an array, and
 * sweeps; pressure fills the cache with others, so that clean sessions are evicted, and writers
 * load them again from the store.
 */
#include "common/cache/l1.h"

#define SF_WORKLOAD_SESSIONS 24

struct sf_workload {
    _Atomic uint64_t acknowledged[SF_WORKLOAD_SESSIONS];
    _Atomic uint64_t stored[SF_WORKLOAD_SESSIONS];
    _Atomic uint64_t writes, reads, loads, flushes, fills;
    _Atomic bool must_stop;
    _Atomic unsigned findings;
    char finding[160]; /* the first */
};

void sf_workload_begin(struct sf_workload *work, struct sf_l1 *l1);

/* Each runs until must_stop. */
typedef void sf_workload_role_fn(struct sf_workload *work, struct sf_l1 *l1, unsigned seed);
sf_workload_role_fn sf_workload_write, sf_workload_read, sf_workload_keep, sf_workload_press;

/* When all have stopped: nothing that was acknowledged is missing. */
void sf_workload_end(struct sf_workload *work, struct sf_l1 *l1);
