/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_index.h - from a key to the word that names its block. A key may stand in any word of two
 * buckets, in one at a time.
 */
#include "common/cache/l1_blocks.h"
#include "common/cache/l1_copy.h"

#if SF_L1_ORDERED_LOADS
#include <emmintrin.h>
#endif

/* Where a key may stand: from a hash that nobody outside can predict. */
struct sf_l1_home {
    struct sf_l1_bucket *buckets[2];
    uint32_t tag;
    _Atomic uint64_t *removals; /* counts removals of keys that share it; O4 */
};

static inline uint32_t
sf_l1_scale(uint32_t hash, uint32_t count)
{
    return (uint32_t)(((uint64_t)hash * count) >> 32);
}

/*
 * A key is a keyed hash already: nobody outside can choose its bits. One multiplication spreads them
 * over the buckets even where keys are not quite so even, in tests and imports; the seed is the
 * segment's own, so that a key that stands badly in one does not in the next.
 */
static inline uint64_t
sf_l1_hash_key(const struct sf_l1 *l1, const struct sf_key *key)
{
    uint64_t words[2];

    memcpy(words, key->bytes, sizeof(words));
    unsigned __int128 product =
        (unsigned __int128)(words[0] ^ l1->index_seed) * (words[1] ^ l1->index_seed_high);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Never 0, so that no EMPTY word has it. */
static inline uint32_t
sf_l1_tag_of(uint64_t hash)
{
    uint32_t tag = (uint32_t)hash & 0xFFFu;

    return tag + (tag == 0);
}

static inline struct sf_l1_home
sf_l1_home_of(const struct sf_l1 *l1, const struct sf_key *key)
{
    uint64_t hash = sf_l1_hash_key(l1, key);
    uint32_t first = sf_l1_scale((uint32_t)(hash >> 32), l1->plan.buckets);
    uint32_t second = sf_l1_scale((uint32_t)hash, l1->plan.buckets);
    uint64_t rest = sf_load_u64(key->bytes) + hash;

    if (second == first)
        second = first + 1 < l1->plan.buckets ? first + 1 : 0;
    return (struct sf_l1_home){
        .buckets = {&l1->index[first], &l1->index[second]},
        .tag = sf_l1_tag_of(rest),
        .removals = &l1->removals[(uint32_t)(rest >> 32) & (l1->plan.removals - 1)],
    };
}

bool sf_l1_home_has(const struct sf_l1_home *home, const _Atomic uint64_t *word, uint64_t value);

#if SF_L1_ORDERED_LOADS
static inline __m128i
upper_halves(__m128i one, __m128i other)
{
    return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(one), _mm_castsi128_ps(other),
                                           _MM_SHUFFLE(3, 1, 3, 1)));
}
#endif

/*
 * Words of the bucket that have the tag, one bit each. Which of eight words it is nobody can guess,
 * so there is no branch to guess wrong: each candidate is loaded again, and then it counts (O1).
 */
#if SF_L1_ORDERED_LOADS
/* The tag is in the upper half of each word. */
static inline unsigned
sf_l1_bucket_match(const struct sf_l1_bucket *bucket, uint32_t tag)
{
    const volatile __m128i *pairs = (const volatile void *)bucket;
    __m128i wanted = _mm_set1_epi32((int)tag);
    __m128i low = upper_halves(pairs[0], pairs[1]), high = upper_halves(pairs[2], pairs[3]);

    low = _mm_cmpeq_epi32(_mm_srli_epi32(low, 20), wanted);
    high = _mm_cmpeq_epi32(_mm_srli_epi32(high, 20), wanted);
    __m128i both = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
    return (unsigned)_mm_movemask_epi8(both);
}
#else
static inline unsigned
sf_l1_bucket_match(const struct sf_l1_bucket *bucket, uint32_t tag)
{
    unsigned match = 0;

    for (unsigned i = 0; i < SF_L1_BUCKET_WORDS; i++)
        match |= (unsigned)(sf_l1_word_tag(sf_l1_peek(&bucket->words[i])) == tag) << i;
    return match;
}
#endif

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
static inline bool
sf_l1_is_unconfirmed(uint64_t control)
{
    return sf_l1_control_state(control) == SF_L1_OWNED && sf_l1_control_is_clean(control);
}

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
