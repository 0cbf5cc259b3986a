/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_evict.h - room for new records: free blocks, new slabs, and what has to go when there are
 * none.
 *
 * Only what the store has goes, least recently used first among a sample. Dirty records and
 * tombstones that are still needed stay.
 */
#include "common/cache/l1_index.h"

/* A block for a record of `bytes`. is_fill: as sf_l1_block_take. SF_FULL, counted. */
enum sf_status sf_l1_room_for(struct sf_l1 *l1, uint64_t bytes, bool is_fill,
                              struct sf_l1_owned *owned_out) SF_MUST_CHECK;

/* Empties one word of the two buckets. false: nothing there may go. */
bool sf_l1_evict_from(struct sf_l1 *l1, const struct sf_l1_home *home) SF_MUST_CHECK;

/* Takes the record in this block out of the index, if it may go. */
bool sf_l1_evict_block(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                       uint64_t control, bool may_lose_touch) SF_MUST_CHECK;
