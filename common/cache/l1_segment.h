/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_segment.h - is this file a cache of ours, and a handle on it.
 */
#include "common/cache/l1_private.h"

/*
 * Checks the header page, and makes a handle that owns no slot and takes over the mapping.
 * SF_INVALID: not ours, another layout, another size, another boot, another lock file; the text
 * says which. The mapping is the caller's when it fails. Without locks: whatever its lock file; only
 * to be looked at.
 */
enum sf_status sf_l1_segment_open(struct sf_l1 **l1_out, struct sf_mapping *mapping,
                                  bool is_writable, struct sf_record_locks *locks,
                                  struct sf_error *error) SF_MUST_CHECK;

/* Gives back the slot, unmaps and frees; the locks stay the caller's. */
void sf_l1_segment_close(struct sf_l1 *l1);

/* Claims a slot. SF_FULL. SF_UNAVAILABLE: the segment was given up. */
enum sf_status sf_l1_segment_join(struct sf_l1 *l1, struct sf_error *error) SF_MUST_CHECK;

/* Sets up the header page of a new file of zeros. */
enum sf_status sf_l1_segment_init(struct sf_mapping *mapping, const struct sf_record_locks *locks,
                                  struct sf_error *error) SF_MUST_CHECK;

/*
 * Takes over what `from` has and the store does not, for a segment that nobody else uses yet. The
 * first count: records that came over; the second: those for which there was no room.
 */
void sf_l1_segment_inherit(struct sf_l1 *l1, struct sf_l1 *from, uint64_t *inherited_out,
                           uint64_t *lost_out);

/* Damage that can be found without walking the blocks. */
enum sf_status sf_l1_segment_check(const struct sf_l1 *l1, struct sf_error *error) SF_MUST_CHECK;
