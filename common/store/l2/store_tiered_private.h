/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_tiered_private.h - what both halves of the tiered store use: store_tiered.c loads, store_tiered_write.c writes.
 */
#include "common/store/l2/l2_epochs.h"
#include "common/store/l2/l2_seal.h"
#include "common/store/l2/store_tiered.h"

struct sf_tiered {
    struct sf_store base;
    struct sf_store_ops ops; /* base.ops: ours, with the inner store's flags and scheme */
    struct sf_store *inner;
    struct sf_l2 *l2;
    struct sf_l2_seal seal;
    struct sf_l2_epochs epochs;
    sf_time ttl, freshness;
    _Atomic uint64_t counts[SF_L2_COUNTS];
    const struct sf_log *log;
    struct sf_log_state servers_up[SF_STORE_HOSTS_MAX], list_up;
    struct sf_log_seldom bad_values;
    /* The inner store's load and scan, one at a time: the lane of writes looks up epochs, too. */
    pthread_mutex_t load_lock;
    /* ---- lane of writes ---- */
    bool owes[SF_STORE_HOSTS_MAX];             /* something old there may not be marked: its epoch is to move on */
    sf_time covered_until[SF_STORE_HOSTS_MAX]; /* it has moved; until then nobody uses the server */
    uint64_t losses[SF_STORE_HOSTS_MAX];       /* of struct sf_l2_server, as seen last */
};

static inline void
sf_tiered_count(struct sf_tiered *tiered, enum sf_l2_count which, uint64_t amount)
{
    atomic_fetch_add_explicit(&tiered->counts[which], amount, memory_order_relaxed);
}

/* With the lock held. false: the store has not said what they are. */
bool sf_tiered_read_epochs(struct sf_tiered *tiered, sf_time deadline);

void sf_tiered_log_states(struct sf_tiered *tiered);

sf_store_write_fn sf_tiered_write;
/* Makes the epochs that do not exist yet. */
void sf_tiered_make_epochs(struct sf_tiered *tiered, sf_time deadline);
