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
    const _Atomic uint64_t *slab; /* in the slab table */
    uint64_t slab_value;          /* of that word, when the place was looked up */
    uint32_t capacity;            /* bytes of record */
    uint32_t class_index;
};

/*
 * What is known about the record in a block: header, the record's first bytes and last accesses,
 * copied together. They are of one generation; looked at later, `touch` may be the next record's.
 */
struct sf_l1_image {
    struct sf_key key;
    uint32_t length;
    struct sf_record_brief brief; /* of a tombstone, grace_until 0: its fields are gone */
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

/* false: no such block, so whoever named it is damaged, or late. */
static inline bool
sf_l1_block_place(const struct sf_l1 *l1, uint32_t block, struct sf_l1_place *place_out)
{
    uint32_t slab = block >> l1->plan.entry_shift;
    uint32_t entry = block & ((1u << l1->plan.entry_shift) - 1);

    if (slab >= l1->plan.slabs)
        return false;
    uint64_t value = sf_l1_load(&l1->table[slab]);
    uint64_t class_index = (value & SF_L1_TABLE_CLASS) - 1;
    if (class_index >= l1->plan.class_count || entry >= l1->plan.classes[class_index].blocks)
        return false;

    uint32_t bytes = l1->plan.classes[class_index].bytes;
    unsigned char *base =
        l1->slabs + ((uint64_t)slab << l1->plan.slab_shift) + (uint64_t)entry * bytes;
    place_out->control = (void *)base;
    place_out->words = (void *)(base + sizeof(struct sf_l1_control));
    place_out->slab = &l1->table[slab];
    place_out->slab_value = value;
    place_out->capacity = bytes - (uint32_t)SF_L1_BLOCK_HEADER;
    place_out->class_index = (uint32_t)class_index;
    return true;
}

/*
 * The slab is of the class, and the block of the generation, that `place` and `control` tell: what
 * was copied before this call belongs to it.
 */
static inline bool
sf_l1_block_is_unchanged(const struct sf_l1_place *place, uint64_t control)
{
    atomic_thread_fence(memory_order_acquire); /* O2 */
    uint64_t slab = sf_l1_peek(place->slab) ^ place->slab_value;
    uint64_t state = sf_l1_peek(&place->control->state) ^ control;
    return SF_MUTANT(ONE_LOOK) ||
           ((slab & ~(uint64_t)SF_L1_TABLE_STATE) == 0 && sf_l1_control_gen(state) == 0);
}

/*
 * For walks: block numbers are below the limit; next jumps over unused slabs and the unused ends of
 * slabs.
 */
uint32_t sf_l1_block_limit(const struct sf_l1 *l1);
uint32_t sf_l1_block_next(const struct sf_l1 *l1, uint32_t block);

/*
 * Copies the header, and the record unless record_out is NULL. What was copied whole is compared
 * with its checksum; a header alone cannot be. `control`: as read while the block was known to be
 * the one wanted. SF_CONFLICT: taken again meanwhile. SF_NOT_FOUND: not the block of `key` (when
 * that is given). SF_CORRUPT: damaged.
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
/* A word names it. LIVE, and as clean as `marks` say. */
void sf_l1_block_publish(const struct sf_l1_owned *owned, uint64_t marks);
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
/* The last access as L1 or the record knows it, whichever is later. */
sf_time sf_l1_image_latest(const struct sf_l1_image *image);
/* Wall time at which it is gone, given that last access; 0: never. */
sf_time sf_l1_image_expires(const struct sf_l1_image *image, sf_time last_access);
