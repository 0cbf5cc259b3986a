/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_evict.h - room for new records: free blocks, new slabs, and what has to go when there are
 * none.
 *
 * Only what the store has goes: of a sample what is worth least, see l1_worth.h. Dirty records stay.
 */
#include "common/cache/l1_index.h"

/* What room may cost; each level allows what is above it, too. */
enum sf_l1_loss {
    SF_L1_LOSE_VISITORS,   /* nobody is logged in, and the store knows the last access */
    SF_L1_LOSE_USERS,      /* the same of those who are */
    SF_L1_LOSE_TOMBSTONES, /* whoever comes with such an id asks the store, which knows */
    SF_L1_LOSE_TOUCHES     /* pinned ones; images in their grace; last accesses that the store has not
                              heard of, but never one that keeps the session alive */
};

/* What the block is for: who may take the reserve of tombstones (l1_plan.h). */
enum sf_l1_use {
    SF_L1_FOR_CHANGE, /* dirty until the store has it: not from the reserve */
    SF_L1_FOR_FILL,   /* clean, so that it can go again: from anywhere */
    SF_L1_FOR_END     /* from the reserve, when there is no other room */
};

/* A block for a record of `bytes`. SF_FULL, counted. */
enum sf_status sf_l1_room_for(struct sf_l1 *l1, uint64_t bytes, enum sf_l1_use use,
                              struct sf_l1_owned *owned_out) SF_MUST_CHECK;

/* The same in one size class, for a change. */
bool sf_l1_take_any(struct sf_l1 *l1, uint32_t class_index, struct sf_l1_owned *owned_out)
    SF_MUST_CHECK;

/* Empties one word of the two buckets. false: nothing there may go. */
bool sf_l1_evict_from(struct sf_l1 *l1, const struct sf_l1_home *home) SF_MUST_CHECK;

/* Takes the record in this block out of the index, if it may go. */
bool sf_l1_evict_block(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                       uint64_t control, enum sf_l1_loss loss) SF_MUST_CHECK;
