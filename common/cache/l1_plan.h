/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_plan.h - where everything lies in a segment of a given size: computed, never read from shared
 * memory.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/cache/l1_layout.h"

struct sf_l1_class {
    uint32_t bytes;  /* of a block, a multiple of 64 */
    uint32_t blocks; /* in a slab */
};

struct sf_l1_plan {
    uint64_t bytes;
    uint64_t slots_at, counters_at, removals_at, hints_at, index_at, table_at, slabs_at;
    uint32_t slots, counter_sets, removals, hints, buckets, slabs;
    unsigned slab_shift;  /* log2 of the bytes of a slab */
    unsigned entry_shift; /* block number = slab << entry_shift | index in the slab */
    uint32_t class_count;
    struct sf_l1_class classes[SF_L1_CLASSES_MAX];
};

/* false: too small, too large, or not whole pages. */
bool sf_l1_plan_make(struct sf_l1_plan *plan_out, uint64_t bytes);

/* The smallest class whose blocks hold a record of `bytes`; class_count: none. */
uint32_t sf_l1_plan_class(const struct sf_l1_plan *plan, uint64_t bytes);

/* Slabs that are kept for sizes that have none: the sweeper takes its time to move one there. */
uint32_t sf_l1_plan_reserve(const struct sf_l1_plan *plan);

/*
 * Every twentieth block is kept for tombstones: what the store does not have yet stands there only
 * when a session has ended. So somebody who logs out finds room when nobody else does.
 */
#define SF_L1_RESERVE_SHARE 20u

static inline bool
sf_l1_plan_is_reserved(const struct sf_l1_plan *plan, uint32_t block)
{
    uint32_t entry = block & ((1u << plan->entry_shift) - 1);

    return entry % SF_L1_RESERVE_SHARE == SF_L1_RESERVE_SHARE - 1;
}

/* And this slab for the smallest size, that of tombstones: others may be too large to have twenty. */
static inline uint32_t
sf_l1_plan_smallest_slab(const struct sf_l1_plan *plan)
{
    return plan->slabs - 1;
}

/* How many records of `bytes` the cache holds, about, when all are of that size. */
uint64_t sf_l1_plan_fits(const struct sf_l1_plan *plan, uint64_t bytes);

/* Differs when this program would read the bytes of a segment in another way. */
uint64_t sf_l1_signature(void);
