/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_tiered.h - a store with a cache in front of it that several hosts share (l2.h).
 *
 * Loads are answered by L2 where it can, and by the store; what the store had to answer goes into L2. Writes go to the
 * store; before, each session is marked in L2, and after it the mark is taken away: no host finds in L2 what the
 * store no longer has. Whatever L2 does, or does not, loads and writes are as good as the store's. When old
 * copies cannot be marked, they are disowned through the store itself: l2_epochs.h; a store that does not take that
 * takes no change. The reasons are in docs/decisions/0020-a-cache-that-hosts-share.md.
 */
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/store/l2/l2.h"
#include "common/store/store.h"

struct sf_tiered_options {
    sf_time ttl;       /* of a value in L2, at most */
    sf_time pause;     /* SF_L2_PAUSE of l2_epochs.h */
    sf_time freshness; /* so old may be what is known about other hosts */
    const struct sf_secrets *secrets;  /* read at once */
    const struct sf_log *log;          /* NULL: none */
};

/* Both belong to the new store from now on, and are closed if this fails, too: SF_NO_MEMORY. */
enum sf_status sf_store_tiered_new(struct sf_store **store_out, struct sf_l2 *l2, struct sf_store *store,
                                   const struct sf_tiered_options *options) SF_MUST_CHECK;

enum sf_l2_count {
    SF_L2_COUNT_HITS,     /* sessions that L2 had */
    SF_L2_COUNT_MISSES,   /* that it was asked for and did not have */
    SF_L2_COUNT_FILLS,    /* that were put there */
    SF_L2_COUNT_REFUSED,  /* values that were damaged, forged or another session's */
    SF_L2_COUNT_FAILED,   /* calls that some server did not answer in time */
    SF_L2_COUNT_DISOWNED, /* times that an epoch was moved on */
    SF_L2_COUNTS
};

struct sf_tiered_state {
    const char *label;   /* without password */
    unsigned servers, servers_down;
    bool is_disputed;    /* another host names other servers: L2 is not used */
    struct sf_error last; /* of the first that is down */
    struct sf_store_figures figures;
    uint64_t counts[SF_L2_COUNTS]; /* since it was made */
};

/* Of a store made here. From any thread. */
void sf_store_tiered_state(struct sf_store *store, struct sf_tiered_state *state_out);
