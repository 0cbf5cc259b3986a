/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_index.h - from a key to the word that names its block. A key may stand in any word of two
 * buckets, in one at a time.
 */
#include "common/cache/l1_blocks.h"

/* Where a key may stand: from a hash that nobody outside can predict. */
struct sf_l1_home {
    struct sf_l1_bucket *buckets[2];
    uint32_t tag;
    _Atomic uint64_t *removals; /* counts removals of keys that share it; O4 */
};

struct sf_l1_home sf_l1_home_of(const struct sf_l1 *l1, const struct sf_key *key);
bool sf_l1_home_has(const struct sf_l1_home *home, const _Atomic uint64_t *word, uint64_t value);

/* A block, seen through the word that names it. */
struct sf_l1_found {
    _Atomic uint64_t *word;
    uint64_t value; /* of the word */
    uint32_t block;
    uint64_t control;
    struct sf_l1_place place;
    struct sf_l1_image image;
};

/*
 * What the word names now. SF_CONFLICT: the word changed meanwhile. SF_CORRUPT: it names no block
 * in use. Fills word, value, block, control and place.
 */
enum sf_status sf_l1_follow(const struct sf_l1 *l1, _Atomic uint64_t *word, uint64_t value,
                            struct sf_l1_found *found_out) SF_MUST_CHECK;
/* Named, but not to be read: being filled from the store. */
bool sf_l1_is_unconfirmed(uint64_t control);

/*
 * Finds the record of `key`, and copies it unless record_out is NULL. SF_NOT_FOUND; SF_CONFLICT: it
 * changed under each of eight looks. Damaged blocks are counted, taken out of the index when the
 * handle may write, and not found.
 */
enum sf_status sf_l1_find(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                          struct sf_l1_found *found_out) SF_MUST_CHECK;
enum sf_status sf_l1_find_at(struct sf_l1 *l1, const struct sf_l1_home *home,
                             const struct sf_key *key, struct sf_buffer *record_out,
                             struct sf_l1_found *found_out) SF_MUST_CHECK;

/* What a reader is told about it. */
enum sf_status sf_l1_describe(const struct sf_l1_found *found, struct sf_span record,
                              struct sf_l1_view *view_out) SF_MUST_CHECK;

/*
 * The word that names `block`, whose key is `key`. false: none does; it was retired, or never
 * published.
 */
bool sf_l1_find_naming(const struct sf_l1 *l1, const struct sf_key *key, uint32_t block,
                       _Atomic uint64_t **word_out, uint64_t *value_out);

/*
 * Does another word than `own` name a block of this key, be it one that is still being filled? May
 * say yes too often.
 */
bool sf_l1_find_other(const struct sf_l1 *l1, const struct sf_key *key,
                      const _Atomic uint64_t *own);

/*
 * Names the block in an empty word; evicts a clean one when there is none. SF_FULL: all that stand
 * there are dirty.
 */
enum sf_status sf_l1_insert(struct sf_l1 *l1, const struct sf_key *key, uint32_t block,
                            _Atomic uint64_t **word_out, uint64_t *value_out) SF_MUST_CHECK;

/* Names another block in the same word: the commit of a change. false: somebody else was first. */
bool sf_l1_replace(_Atomic uint64_t *word, uint64_t value, uint32_t block) SF_MUST_CHECK;

/* Empties a word that names a readable record. */
bool sf_l1_remove(const struct sf_l1_home *home, _Atomic uint64_t *word, uint64_t value);
/*
 * Empties the word that names the block, whose header was read under `control`. Killed behind it: a
 * LIVE block that no word names. false: none does, or it names a later generation.
 */
bool sf_l1_unname(const struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                  uint64_t control, const struct sf_key *key) SF_MUST_CHECK;
/*
 * Empties a word that names what nobody has read: a fill that was not confirmed, a key that nobody
 * has.
 */
bool sf_l1_withdraw(_Atomic uint64_t *word, uint64_t value);
