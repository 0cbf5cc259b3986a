/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_private.h - a handle of the cache, for the files of this folder.
 */
#include "common/cache/l1.h"
#include "common/cache/l1_plan.h"
#include "common/cache/process_slots.h"
#include "common/cache/shared_memory.h"

#define SF_L1_FREED 8u
#define SF_L1_NO_BLOCK UINT32_MAX

/* Where this handle looks for blocks of one class. Hints: threads may overwrite each other's. */
struct sf_l1_hand {
    _Atomic uint32_t next; /* block to look at next; SF_L1_NO_BLOCK: no slab is known */
    _Atomic uint32_t freed_at;
    _Atomic uint32_t evictions;
    _Atomic uint32_t freed[SF_L1_FREED]; /* blocks this handle gave back; the oldest is taken first,
                                            to spare slow readers */
};

/* The slab that is about to get another class; see l1_move.c. */
struct sf_l1_move {
    enum sf_l1_move_phase {
        SF_L1_MOVE_UNKNOWN, /* a leader before this one may have left something */
        SF_L1_MOVE_NONE,
        SF_L1_MOVE_DRAINING, /* until nobody takes blocks from it */
        SF_L1_MOVE_EMPTYING,
        SF_L1_MOVE_CLOSED /* until nobody holds a place in it */
    } phase;
    uint32_t slab;
    uint32_t class_index; /* that it is to have */
    uint32_t steps;       /* in this phase; when it has rested: until the next */
    uint32_t next;        /* slab to be looked at */
};

/*
 * Everything here was checked at attach or computed; nothing is read again from the header page but
 * its atomics.
 */
struct sf_l1 {
    struct sf_mapping mapping;
    bool is_writable;
    pid_t process; /* after fork the child may only unmap */
    struct sf_l1_plan plan;
    struct sf_l1_header *header;
    _Atomic uint64_t *removals, *hints, *table;
    struct sf_l1_bucket *index;
    unsigned char *slabs;
    uint64_t index_seed, index_seed_high, sum_seed;
    struct sf_process_slots slots;
    uint32_t slot; /* of a writable handle */
    _Atomic uint64_t *busy; /* of the slot; see l1_section.h */
    _Atomic uint64_t own_busy; /* without a slot */
    bool leads[2]; /* enum sf_l1_duty; used by one thread each */
    struct sf_counters *counters;
    struct sf_counters own_counters;
    uint64_t
        *dead_words; /* one a slot: who was dead when this pass of the sweeper began; 0: nobody */
    uint8_t *awaited; /* one a slot: see l1_section.c */
    struct sf_l1_move move; /* of the leading sweeper */
    struct sf_l1_hand hands[SF_L1_CLASSES_MAX];
};

static inline uint64_t
sf_l1_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire); /* O1, O3, O6 */
}

static inline uint64_t
sf_l1_peek(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/*
 * ThreadSanitizer does not know fences. It needs none of ours: every access that they order is
 * atomic.
 */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/*
 * Between what this process says and its look at what others say: naming a block and looking for the
 * same key elsewhere (O5), claiming a slot and looking whether the segment is given up (O8).
 */
static inline void
sf_l1_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* On x86-64 a locked add is a fence, for the compiler too, and another behind it costs as much again. */
static inline void
sf_l1_add_and_fence(_Atomic uint64_t *word, uint64_t amount)
{
    atomic_fetch_add_explicit(word, amount, memory_order_seq_cst);
#if !defined(__x86_64__)
    sf_l1_fence();
#endif
}

/* The one way in which index words, controls and the slab table change. */
static inline bool
sf_l1_swap(_Atomic uint64_t *word, uint64_t before, uint64_t after)
{
    return atomic_compare_exchange_strong_explicit(word, &before, after,
                                                   memory_order_acq_rel, /* O1, O2, O3, O4 */
                                                   memory_order_relaxed);
}
