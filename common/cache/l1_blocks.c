/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_blocks.h"

#include "common/cache/l1_worth.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "common/cache/l1_copy.h"

#define TOUCH_AHEAD_MAX SF_MINUTE

uint32_t
sf_l1_block_limit(const struct sf_l1 *l1)
{
    return l1->plan.slabs << l1->plan.entry_shift;
}

uint32_t
sf_l1_block_next(const struct sf_l1 *l1, uint32_t block)
{
    unsigned shift = l1->plan.entry_shift;
    uint64_t class_index = (sf_l1_load(&l1->table[block >> shift]) & SF_L1_TABLE_CLASS) - 1;
    uint32_t entry = (block & ((1u << shift) - 1)) + 1;

    if (class_index < l1->plan.class_count && entry < l1->plan.classes[class_index].blocks)
        return block + 1;
    return ((block >> shift) + 1) << shift;
}

/* ---- reading ---- */

static bool
is_key(const uint64_t *header, const struct sf_key *key)
{
    uint64_t wanted[2];

    memcpy(wanted, key->bytes, sizeof(wanted));
    return ((header[SF_L1_AT_KEY] ^ wanted[0]) | (header[SF_L1_AT_KEY_HIGH] ^ wanted[1])) == 0;
}

/* The long part without a seed, which would cost more to set up than a small record to hash. */
static uint64_t
checksum(const struct sf_l1 *l1, uint64_t gen, const uint64_t *header, struct sf_span record)
{
    uint64_t words[SF_L1_BLOCK_WORDS];

    memcpy(words, header, sizeof(words));
    words[SF_L1_AT_CHECKSUM] = XXH3_64bits(record.data, record.size);
    return XXH3_64bits_withSeed(words, sizeof(words), l1->sum_seed ^ gen);
}

static void
unpack(struct sf_l1_image *image_out, const uint64_t *header)
{
    memcpy(image_out->key.bytes, header + SF_L1_AT_KEY, sizeof(image_out->key.bytes));
    image_out->length = (uint32_t)(header[SF_L1_AT_LENGTH] >> 32);
}

static void
pack(uint64_t *header, const struct sf_l1_image *image)
{
    memcpy(header + SF_L1_AT_KEY, image->key.bytes, sizeof(image->key.bytes));
    header[SF_L1_AT_LENGTH] = (uint64_t)image->length << 32;
}

/* What is not of this generation says nothing. */
static void
copy_words(const struct sf_l1_control *words, uint64_t control, struct sf_l1_image *image_out)
{
    uint64_t gen = sf_l1_control_gen(control);
    uint64_t touch = sf_l1_peek(&words->touch);
    uint64_t stored = sf_l1_peek(&words->stored);
    uint64_t since = sf_l1_peek(&words->since);

    if (!sf_l1_touch_matches(touch, gen))
        touch = 0;
    image_out->frequency = sf_l1_touch_frequency(touch);
    image_out->last_access = (sf_time)sf_l1_touch_seconds(touch) * SF_SECOND;
    image_out->stored_access =
        sf_l1_stored_matches(stored, gen) ? (sf_time)(uint32_t)stored * SF_SECOND : 0;
    image_out->since = sf_l1_since_matches(since, gen) ? (sf_time)(since & SF_L1_SINCE_MASK) : 0;
}

/* SF_CONFLICT is the caller's to say, behind all that is copied. */
static enum sf_status
copy_header(const struct sf_l1_place *place, uint64_t control, const struct sf_key *key,
            uint64_t *header, struct sf_l1_image *image_out)
{
    unsigned char head[SF_RECORD_HEAD_BYTES];

    for (size_t i = 0; i < SF_L1_BLOCK_WORDS; i++)
        header[i] = sf_l1_peek(&place->words[i]);
    if (key != NULL && !is_key(header, key))
        return SF_NOT_FOUND;
    unpack(image_out, header);
    copy_words(place->control, control, image_out);
    sf_l1_copy_out(head, place->words + SF_L1_BLOCK_WORDS, sizeof(head));
    image_out->brief = sf_record_brief(head);
    return image_out->length <= place->capacity && image_out->length >= sizeof(head) ? SF_OK
                                                                                     : SF_CORRUPT;
}

static enum sf_status
copy_record(const struct sf_l1_place *place, const struct sf_l1_image *image,
            struct sf_buffer *record_out)
{
    sf_buffer_clear(record_out);
    enum sf_status status = sf_buffer_reserve(record_out, image->length);

    if (status != SF_OK)
        return status;
    sf_l1_copy_out(record_out->data, place->words + SF_L1_BLOCK_WORDS, image->length);
    record_out->size = image->length;
    return SF_OK;
}

enum sf_status
sf_l1_block_read(const struct sf_l1 *l1, const struct sf_l1_place *place, uint64_t control,
                 const struct sf_key *key, struct sf_buffer *record_out,
                 struct sf_l1_image *image_out)
{
    uint64_t header[SF_L1_BLOCK_WORDS];
    enum sf_status status = copy_header(place, control, key, header, image_out);

    if (status == SF_OK && record_out != NULL)
        status = copy_record(place, image_out, record_out);
    if (!sf_l1_block_is_unchanged(place, control))
        return SF_CONFLICT;
    if (status != SF_OK || record_out == NULL)
        return status;
    uint64_t sum = checksum(l1, sf_l1_control_gen(control), header, sf_buffer_span(record_out));
    return sum == header[SF_L1_AT_CHECKSUM] ? SF_OK : SF_CORRUPT;
}

/* ---- one block's life ---- */

/*
 * Under AddressSanitizer, what was there before is overwritten as soon as the generation is another:
 * a reader who does not notice that he was overtaken then reads nonsense, and fails loudly.
 */
#if defined(__SANITIZE_ADDRESS__)
static void
scribble(const struct sf_l1_owned *owned)
{
    size_t words = SF_L1_BLOCK_WORDS + owned->place.capacity / sizeof(uint64_t);

    atomic_thread_fence(memory_order_release); /* O2 */
    for (size_t i = 0; i < words; i++)
        atomic_store_explicit(&owned->place.words[i], UINT64_C(0xDDDDDDDDDDDDDDDD),
                              memory_order_relaxed);
}
#else
static void
scribble(const struct sf_l1_owned *owned)
{
    (void)owned;
}
#endif

bool
sf_l1_block_take(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                 uint64_t control, bool is_fill, struct sf_l1_owned *owned_out)
{
    uint64_t taken = sf_l1_control_make(SF_L1_OWNED, l1->slot, sf_l1_control_gen(control) + 1);

    if (sf_l1_slab_is_draining(place->slab_value))
        return false;
    if (is_fill)
        taken |= SF_L1_CLEAN;
    if (!sf_l1_swap(&place->control->state, control, taken)) /* O2, O3 */
        return false;
    *owned_out = (struct sf_l1_owned){block, taken, *place};
    scribble(owned_out);
    return true;
}

void
sf_l1_block_fill(struct sf_l1 *l1, const struct sf_l1_owned *owned, const struct sf_l1_image *image,
                 struct sf_span record)
{
    uint64_t header[SF_L1_BLOCK_WORDS];
    uint64_t gen = sf_l1_control_gen(owned->control);
    uint32_t seconds = (uint32_t)(image->last_access / SF_SECOND);
    struct sf_l1_control *control = owned->place.control;

    assert(record.size <= owned->place.capacity && image->length == record.size &&
           record.size >= SF_RECORD_HEAD_BYTES);
    pack(header, image);
    header[SF_L1_AT_CHECKSUM] = checksum(l1, gen, header, record);
    atomic_thread_fence(memory_order_release); /* O2 */
    atomic_store_explicit(&control->touch,
                          sf_l1_touch_make(gen, image->worth, image->frequency, seconds),
                          memory_order_relaxed);
    atomic_store_explicit(&control->stored, sf_l1_stored_make(gen, seconds), memory_order_relaxed);
    atomic_store_explicit(&control->since, sf_l1_since_make(gen, image->since),
                          memory_order_relaxed);
    for (size_t i = 0; i < SF_L1_BLOCK_WORDS; i++)
        atomic_store_explicit(&owned->place.words[i], header[i], memory_order_relaxed);
    sf_l1_copy_in(owned->place.words + SF_L1_BLOCK_WORDS, record.data, record.size);
}

void
sf_l1_block_publish(const struct sf_l1_owned *owned, uint64_t marks)
{
    uint64_t live =
        sf_l1_control_make(SF_L1_LIVE, 0, sf_l1_control_gen(owned->control)) | marks;

    (void)sf_l1_swap(&owned->place.control->state, owned->control,
                     live); /* else somebody has replaced it already */
}

static void
remember_freed(struct sf_l1 *l1, uint32_t class_index, uint32_t block)
{
    struct sf_l1_hand *hand = &l1->hands[class_index];
    uint32_t at = atomic_load_explicit(&hand->freed_at, memory_order_relaxed);

    atomic_store_explicit(&hand->freed_at, at + 1, memory_order_relaxed);
    atomic_store_explicit(&hand->freed[at % SF_L1_FREED], block, memory_order_relaxed);
}

void
sf_l1_block_retire(struct sf_l1 *l1, uint32_t block, uint64_t control)
{
    struct sf_l1_place place;
    uint64_t gen = sf_l1_control_gen(control);

    if (!sf_l1_block_place(l1, block, &place))
        return;
    uint64_t now = sf_l1_peek(&place.control->state);
    /*
     * Its owner may be about to publish it, or the flusher to clean it: same generation, another
     * state.
     */
    while ((sf_l1_control_gen(now) == gen || SF_MUTANT(RETIRES_NEXT)) &&
           sf_l1_control_state(now) != SF_L1_FREE) {
        if (sf_l1_swap(&place.control->state, now,
                       sf_l1_control_make(SF_L1_FREE, 0, sf_l1_control_gen(now)))) { /* O3 */
            remember_freed(l1, place.class_index, block);
            return;
        }
        now = sf_l1_peek(&place.control->state);
    }
}

void
sf_l1_block_give_back(struct sf_l1 *l1, const struct sf_l1_owned *owned)
{
    sf_l1_block_retire(l1, owned->block, owned->control);
}

/* ---- last access ---- */

uint64_t
sf_l1_block_touched(const struct sf_l1_place *place, uint64_t control)
{
    uint64_t touch = sf_l1_peek(&place->control->touch);

    return sf_l1_touch_matches(touch, sf_l1_control_gen(control)) ? touch : 0;
}

void
sf_l1_block_touch(const struct sf_l1_place *place, uint64_t control, sf_time now)
{
    uint64_t gen = sf_l1_control_gen(control);
    uint32_t seconds = (uint32_t)(now / SF_SECOND);
    uint64_t before = sf_l1_peek(&place->control->touch);

    /*
     * A block that was taken again has another generation in `touch`, so a late touch changes
     * nothing.
     */
    while (sf_l1_touch_matches(before, gen) && sf_l1_touch_seconds(before) < seconds) {
        if (atomic_compare_exchange_weak_explicit(&place->control->touch, &before,
                                                  sf_l1_touch_next(before, seconds),
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

void
sf_l1_block_note_access(const struct sf_l1_place *place, uint64_t control, sf_time last_access)
{
    uint64_t gen = sf_l1_control_gen(control);
    uint32_t seconds = (uint32_t)(last_access / SF_SECOND);
    uint64_t before = sf_l1_peek(&place->control->stored);

    if (sf_l1_stored_matches(before, gen) && (uint32_t)before < seconds)
        (void)sf_l1_swap(&place->control->stored, before, sf_l1_stored_make(gen, seconds));
}

void
sf_l1_block_renew(const struct sf_l1_place *place, uint64_t control, sf_time since)
{
    uint64_t gen = sf_l1_control_gen(control);
    uint64_t after = sf_l1_since_make(gen, since);
    uint64_t before = sf_l1_peek(&place->control->since);

    while (sf_l1_since_matches(before, gen) && before < after) {
        if (atomic_compare_exchange_weak_explicit(&place->control->since, &before, after,
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

bool
sf_l1_block_is_ahead(const struct sf_l1_place *place, uint64_t control)
{
    uint64_t stored = sf_l1_peek(&place->control->stored);

    return sf_l1_touch_seconds(sf_l1_block_touched(place, control)) >
           (sf_l1_stored_matches(stored, sf_l1_control_gen(control)) ? (uint32_t)stored : 0);
}

bool
sf_l1_image_needs_touch(const struct sf_l1_image *image)
{
    sf_time ahead = image->last_access - image->stored_access;

    if (ahead <= 0 || image->brief.kind != SF_RECORD_SESSION)
        return false;
    return ahead >= TOUCH_AHEAD_MAX ||
           (image->brief.idle_timeout > 0 && ahead >= image->brief.idle_timeout / 10);
}

sf_time
sf_l1_image_latest(const struct sf_l1_image *image)
{
    sf_time recorded = image->brief.last_access;

    return recorded > image->last_access ? recorded : image->last_access;
}

sf_time
sf_l1_image_expires(const struct sf_l1_image *image, sf_time last_access)
{
    struct sf_record_head head = {
        .kind = image->brief.kind,
        .idle_timeout = image->brief.idle_timeout,
        .absolute_deadline = image->brief.absolute_deadline,
    };

    return sf_record_expires(&head, last_access);
}
