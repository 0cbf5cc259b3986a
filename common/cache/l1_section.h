/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_section.h - who may still hold the place of a block, when its slab is to get another class.
 *
 * Whoever may change a word of a block (by CAS of its control, touch, stored or since) says so in
 * his slot before he looks the block up, and takes it back behind his last change. Nobody ever waits
 * for that but the sweeper, for the sake of one slab. Readers leave no trace: they find out behind
 * the copy (O2).
 */
#include "common/cache/l1_private.h"

/*
 * Begins a section; they may lie in each other. The result goes to sf_l1_leave. There are two
 * counts, so that one of them comes to rest while new sections go to the other.
 */
static inline uint64_t
sf_l1_enter(struct sf_l1 *l1)
{
    uint64_t one = UINT64_C(1) << (sf_l1_peek(&l1->header->sections) % 2 * 32);

    sf_l1_add_and_fence(l1->busy, one); /* O10: then the slab table */
    return one;
}

static inline void
sf_l1_leave(struct sf_l1 *l1, uint64_t one)
{
    atomic_fetch_sub_explicit(l1->busy, one, memory_order_release); /* O10 */
}

/*
 * Behind a change of the slab table: begins to wait for all sections that may have begun before it.
 * One wait at a time.
 */
void sf_l1_grace_begin(struct sf_l1 *l1);
/* Looks once. true: all of them have ended, or their processes have. */
bool sf_l1_grace_is_over(struct sf_l1 *l1);
