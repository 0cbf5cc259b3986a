/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_index.h"

#include <unistd.h>

#include <unistd.h>

#include "common/cache/l1_evict.h"
#include "common/cache/l1_mutants.h"

#define LOOKS 8
#define PAUSES 8 /* instructions between two looks: less than a change takes */
#define TRIES 64 /* races lost, before a word counts as taken, or as the key's */
#define LINE_BYTES 64u
#define BYTES_AHEAD 1024u /* of a record; what follows the processor has guessed by then */
#define CROWDED 4 /* words taken */

bool
sf_l1_home_has(const struct sf_l1_home *home, const _Atomic uint64_t *word, uint64_t value)
{
    const struct sf_l1_bucket *first = home->buckets[0], *second = home->buckets[1];
    bool is_inside = (word >= first->words && word < first->words + SF_L1_BUCKET_WORDS) ||
                     (word >= second->words && word < second->words + SF_L1_BUCKET_WORDS);

    return is_inside && sf_l1_word_tag(value) == home->tag;
}

/* ---- finding ---- */

static bool
names_tag(uint64_t value, uint32_t tag)
{
    return !sf_l1_word_is_empty(value) && sf_l1_word_tag(value) == tag;
}

/* All that will be copied is on its way while the control is waited for. */
static void
fetch_ahead(const struct sf_l1_place *place, size_t bytes)
{
    const _Atomic uint64_t *block = place->words;
    size_t whole = SF_L1_BLOCK_HEADER + place->capacity;

    for (size_t at = 0; at < bytes && at < whole; at += LINE_BYTES)
        __builtin_prefetch(block + at / sizeof(*block));
}

static enum sf_status
follow(const struct sf_l1 *l1, _Atomic uint64_t *word, uint64_t value, size_t bytes_ahead,
       struct sf_l1_found *found_out)
{
    found_out->word = word;
    found_out->value = value;
    found_out->block = sf_l1_word_block(value);
    found_out->control = 0; /* of no generation in use, where there is no place */
    if (!sf_l1_block_place(l1, found_out->block, &found_out->place))
        return sf_l1_load(word) == value ? SF_CORRUPT : SF_CONFLICT; /* the slab was emptied */
    fetch_ahead(&found_out->place, bytes_ahead);
    found_out->control = sf_l1_load(&found_out->place.control->state); /* O3 */
    if (sf_l1_peek(word) != value)
        return SF_CONFLICT;
    return sf_l1_control_state(found_out->control) == SF_L1_FREE ? SF_CORRUPT : SF_OK;
}

enum sf_status
sf_l1_follow(const struct sf_l1 *l1, _Atomic uint64_t *word, uint64_t value,
             struct sf_l1_found *found_out)
{
    return follow(l1, word, value, LINE_BYTES, found_out);
}

/* What mutants do: nobody else waits for anybody. */
static void
wait_for_owner(const struct sf_l1_found *found)
{
    while (sf_l1_control_state(found->control) == SF_L1_OWNED &&
           sf_l1_load(&found->place.control->state) == found->control) {
        if (SF_MUTANT(WAITS_ASLEEP))
            (void)usleep(1000);
    }
}

static enum sf_status
look_at_word(const struct sf_l1 *l1, _Atomic uint64_t *word, uint64_t value,
             const struct sf_key *key, struct sf_buffer *record_out, struct sf_l1_found *found)
{
    size_t bytes_ahead = record_out != NULL ? BYTES_AHEAD : LINE_BYTES;
    enum sf_status status = follow(l1, word, value, bytes_ahead, found);

    if (status != SF_OK)
        return status;
    if (sf_l1_is_unconfirmed(found->control))
        return SF_NOT_FOUND;
    if (SF_MUTANT(WAITS_BUSY) || SF_MUTANT(WAITS_ASLEEP))
        wait_for_owner(found);
    return sf_l1_block_read(l1, &found->place, found->control, key, record_out, &found->image);
}

/*
 * What the word names cannot be read by anybody: without it the key can at least be loaded again.
 */
static void
discard_damaged(struct sf_l1 *l1, const struct sf_l1_home *home, const struct sf_l1_found *found)
{
    sf_count(l1->counters, l1_bad);
    if (l1->is_writable && sf_l1_remove(home, found->word, found->value))
        sf_l1_block_retire(l1, found->block, found->control);
}

static enum sf_status
look_in(struct sf_l1 *l1, const struct sf_l1_home *home, struct sf_l1_bucket *bucket,
        const struct sf_key *key, struct sf_buffer *record_out, struct sf_l1_found *found)
{
    for (unsigned match = sf_l1_bucket_match(bucket, home->tag); match != 0; match &= match - 1) {
        _Atomic uint64_t *word = &bucket->words[__builtin_ctz(match)];
        uint64_t value = sf_l1_load(word); /* O1 */

        if (!names_tag(value, home->tag))
            continue;
        enum sf_status status = look_at_word(l1, word, value, key, record_out, found);
        if (status == SF_CORRUPT)
            discard_damaged(l1, home, found);
        else if (status != SF_NOT_FOUND)
            return status;
    }
    return SF_NOT_FOUND;
}

static enum sf_status
look(struct sf_l1 *l1, const struct sf_l1_home *home, const struct sf_key *key,
     struct sf_buffer *record_out, struct sf_l1_found *found)
{
    enum sf_status status = look_in(l1, home, home->buckets[0], key, record_out, found);

    if (status == SF_NOT_FOUND)
        status = look_in(l1, home, home->buckets[1], key, record_out, found);
    return status;
}

/* The one that was in the way needs the memory more than this one needs the next look. */
static void
relax(void)
{
    for (int i = 0; i < PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

enum sf_status
sf_l1_find_at(struct sf_l1 *l1, const struct sf_l1_home *home, const struct sf_key *key,
              struct sf_buffer *record_out, struct sf_l1_found *found_out)
{
    enum sf_status status = SF_CONFLICT;

    for (int i = 0; i < LOOKS && status == SF_CONFLICT; i++) {
        if (i > 0)
            relax();
        status = look(l1, home, key, record_out, found_out);
    }
    return status;
}

enum sf_status
sf_l1_find(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
           struct sf_l1_found *found_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);

    return sf_l1_find_at(l1, &home, key, record_out, found_out);
}

bool
sf_l1_find_naming(const struct sf_l1 *l1, const struct sf_key *key, uint32_t block,
                  _Atomic uint64_t **word_out, uint64_t *value_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);

    for (unsigned i = 0; i < 2 * SF_L1_BUCKET_WORDS; i++) {
        _Atomic uint64_t *word =
            &home.buckets[i / SF_L1_BUCKET_WORDS]->words[i % SF_L1_BUCKET_WORDS];
        uint64_t value = sf_l1_load(word);

        if (!sf_l1_word_is_empty(value) && sf_l1_word_block(value) == block) {
            *word_out = word;
            *value_out = value;
            return true;
        }
    }
    return false;
}

/* A block that changes under the look is looked for again: it may well be another key's. */
static bool
names_key(const struct sf_l1 *l1, _Atomic uint64_t *word, uint32_t tag, const struct sf_key *key)
{
    enum sf_status status = SF_CONFLICT;

    for (int i = 0; i < TRIES && status == SF_CONFLICT; i++) {
        uint64_t value = sf_l1_load(word); /* O4, O5 */
        struct sf_l1_found found;

        if (!names_tag(value, tag))
            return false;
        status = sf_l1_follow(l1, word, value, &found);
        if (status == SF_OK)
            status = sf_l1_block_read(l1, &found.place, found.control, key, NULL, &found.image);
        if (status == SF_CONFLICT)
            relax();
    }
    return status == SF_OK || status == SF_CONFLICT;
}

bool
sf_l1_find_other(const struct sf_l1 *l1, const struct sf_key *key, const _Atomic uint64_t *own)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);

    for (unsigned i = 0; i < 2 * SF_L1_BUCKET_WORDS; i++) {
        _Atomic uint64_t *word =
            &home.buckets[i / SF_L1_BUCKET_WORDS]->words[i % SF_L1_BUCKET_WORDS];

        if (word != own && names_key(l1, word, home.tag, key))
            return true;
    }
    return false;
}

/* ---- changing ---- */

/* Returns the number of words that are taken; *word_out: an empty one, if there is any. */
static unsigned
count_taken(struct sf_l1_bucket *bucket, _Atomic uint64_t **word_out, uint64_t *value_out)
{
    unsigned taken = 0;

    for (unsigned i = SF_L1_BUCKET_WORDS; i-- > 0;) {
        uint64_t value = sf_l1_load(&bucket->words[i]);

        if (sf_l1_word_is_empty(value)) {
            *word_out = &bucket->words[i];
            *value_out = value;
        } else {
            taken++;
        }
    }
    return taken;
}

/*
 * In the first bucket, where readers look first, until it fills up; then in the emptier of the two,
 * which lets the index be fuller before some key finds both of its buckets full.
 */
static _Atomic uint64_t *
find_empty(const struct sf_l1_home *home, uint64_t *value_out)
{
    _Atomic uint64_t *first = NULL, *second = NULL;
    uint64_t value = 0;
    unsigned taken = count_taken(home->buckets[0], &first, value_out);

    if (taken < CROWDED || count_taken(home->buckets[1], &second, &value) >= taken)
        return first;
    *value_out = value;
    return second;
}

enum sf_status
sf_l1_insert(struct sf_l1 *l1, const struct sf_key *key, uint32_t block,
             _Atomic uint64_t **word_out, uint64_t *value_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = 0;
        _Atomic uint64_t *word = find_empty(&home, &before);

        if (word == NULL) {
            if (!sf_l1_evict_from(l1, &home))
                return SF_FULL;
            continue;
        }
        uint64_t after = sf_l1_word_make(block, home.tag, before);
        if (sf_l1_swap(word, before, after)) { /* O1 */
            *word_out = word;
            *value_out = after;
            return SF_OK;
        }
    }
    return SF_FULL;
}

bool
sf_l1_replace(_Atomic uint64_t *word, uint64_t value, uint32_t block)
{
    return sf_l1_swap(word, value, sf_l1_word_make(block, sf_l1_word_tag(value), value)); /* O1 */
}

bool
sf_l1_remove(const struct sf_l1_home *home, _Atomic uint64_t *word, uint64_t value)
{
    atomic_fetch_add_explicit(home->removals, 1, memory_order_release); /* O4 */
    return sf_l1_withdraw(word, value);
}

bool
sf_l1_unname(const struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
             uint64_t control, const struct sf_key *key)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    _Atomic uint64_t *word;
    uint64_t value;

    if (!sf_l1_find_naming(l1, key, block, &word, &value))
        return false;
    /*
     * The same generation before and behind the look at the word: that is the one it names, as long
     * as it stays as it is.
     */
    if (sf_l1_control_gen(sf_l1_load(&place->control->state)) != sf_l1_control_gen(control) &&
        !SF_MUTANT(EVICTS_DIRTY))
        return false;
    return sf_l1_remove(&home, word, value);
}

bool
sf_l1_withdraw(_Atomic uint64_t *word, uint64_t value)
{
    return sf_l1_swap(word, value, sf_l1_word_emptied(value));
}
