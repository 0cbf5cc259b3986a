/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_blocks.h - blocks: find the place, take, fill, read, retire. Knows nothing of the index.
 */
#include "common/cache/l1_private.h"

/* Where a block is: all inside its slab. */
struct sf_l1_place {
    struct sf_l1_control *control;
    _Atomic uint64_t *words;
    uint32_t capacity; /* bytes of record */
    uint32_t class_index;
};

/*
 * What is known about the record in a block: header and last accesses, copied together. They are of
 * one generation; looked at later, `touch` may be the next record's.
 */
struct sf_l1_image {
    struct sf_key key;
    uint64_t version;
    enum sf_record_kind kind;
    uint32_t length;
    sf_time idle_timeout;      /* whole seconds; 0 in a tombstone */
    sf_time absolute_deadline;
    sf_time grace_until;       /* of a tombstone, up to a second late; 0: its fields are gone */
    uint32_t worth;            /* enum sf_l1_worth; to fill, not read */
    uint32_t frequency;        /* see l1_worth.h */
    sf_time since;             /* steady clock: dirty since; of a clean one: as the store has it */
    sf_time last_access;       /* whole seconds, as L1 knows it; perhaps later than in the record */
    sf_time stored_access;     /* whole seconds, as the store knows it */
};

/* A block that this handle owns: nobody else changes it. */
struct sf_l1_owned {
    uint32_t block;
    uint64_t control;
    struct sf_l1_place place;
};

/* false: no such block, so whoever named it is damaged. */
bool sf_l1_block_place(const struct sf_l1 *l1, uint32_t block, struct sf_l1_place *place_out);

/*
 * For walks: block numbers are below the limit; next jumps over unused slabs and the unused ends of
 * slabs.
 */
uint32_t sf_l1_block_limit(const struct sf_l1 *l1);
uint32_t sf_l1_block_next(const struct sf_l1 *l1, uint32_t block);

/*
 * Copies the header, and the record unless record_out is NULL; a header alone is not covered by the
 * checksum. `control`: as read while the block was known to be the one wanted. SF_CONFLICT: taken
 * again meanwhile. SF_NOT_FOUND: not the block of `key` (when that is given). SF_CORRUPT: damaged.
 */
enum sf_status sf_l1_block_read(const struct sf_l1 *l1, const struct sf_l1_place *place,
                                uint64_t control, const struct sf_key *key,
                                struct sf_buffer *record_out,
                                struct sf_l1_image *image_out) SF_MUST_CHECK;

/*
 * Takes this block out of a state that is free for the taking. is_fill: nobody reads it before
 * sf_l1_block_publish.
 */
bool sf_l1_block_take(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                      uint64_t control, bool is_fill, struct sf_l1_owned *owned_out) SF_MUST_CHECK;

/* Writes all of it. image->last_access is also what the store will know when it has the record. */
void sf_l1_block_fill(struct sf_l1 *l1, const struct sf_l1_owned *owned,
                      const struct sf_l1_image *image, struct sf_span record);
/* A word names it. */
void sf_l1_block_publish(const struct sf_l1_owned *owned);
/* No word names that generation any more. */
void sf_l1_block_retire(struct sf_l1 *l1, uint32_t block, uint64_t control);
/* Never published, or withdrawn. */
void sf_l1_block_give_back(struct sf_l1 *l1, const struct sf_l1_owned *owned);

/* ---- last access ---- */

/* The word, a hint, for it may be the next record's by now; 0: nothing is known. */
uint64_t sf_l1_block_touched(const struct sf_l1_place *place, uint64_t control);
void sf_l1_block_touch(const struct sf_l1_place *place, uint64_t control, sf_time now);
/* The store knows this last access. */
void sf_l1_block_note_access(const struct sf_l1_place *place, uint64_t control,
                             sf_time last_access);
/* The store had it at `since`, steady clock. Moves forward only. */
void sf_l1_block_renew(const struct sf_l1_place *place, uint64_t control, sf_time since);
/* A hint as well: the last access is ahead of what the store knows. */
bool sf_l1_block_is_ahead(const struct sf_l1_place *place, uint64_t control);
/* The store should hear of it: ahead by min(60 s, a tenth of the idle timeout). */
bool sf_l1_image_needs_touch(const struct sf_l1_image *image);
/* Wall time at which it is gone, given that last access; 0: never. */
sf_time sf_l1_image_expires(const struct sf_l1_image *image, sf_time last_access);
