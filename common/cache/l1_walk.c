/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_index.h"

/* ---- every record that a reader could find ---- */

static bool
visit_word(struct sf_l1 *l1, _Atomic uint64_t *word, struct sf_buffer *record,
           sf_l1_visit_fn *visit, void *context)
{
    uint64_t value = sf_l1_load(word); /* O1 */
    struct sf_l1_found found;

    if (sf_l1_word_is_empty(value) || sf_l1_follow(l1, word, value, &found) != SF_OK ||
        sf_l1_is_unconfirmed(found.control))
        return true;
    if (sf_l1_block_read(l1, &found.place, found.control, NULL, record, &found.image) != SF_OK)
        return true;
    const struct sf_l1_view view = {
        .last_access = sf_l1_image_latest(&found.image),
        .is_clean = sf_l1_control_is_clean(found.control),
    };
    return visit(context, &found.image.key, sf_buffer_span(record), &view);
}

void
sf_l1_each(struct sf_l1 *l1, sf_l1_visit_fn *visit, void *context)
{
    struct sf_buffer record;
    bool goes_on = true;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    for (uint32_t bucket = 0; goes_on && bucket < l1->plan.buckets; bucket++) {
        for (uint32_t i = 0; goes_on && i < SF_L1_BUCKET_WORDS; i++)
            goes_on = visit_word(l1, &l1->index[bucket].words[i], &record, visit, context);
    }
    sf_buffer_fini(&record);
}

/* ---- how full it is ---- */

static void
count_live(const struct sf_l1 *l1, const struct sf_l1_place *place, uint64_t control,
           struct sf_l1_usage *usage)
{
    struct sf_l1_image image;

    usage->blocks_live++;
    if (sf_l1_block_read(l1, place, control, NULL, NULL, &image) != SF_OK)
        return;
    usage->record_bytes += image.length;
    usage->tombstones += image.brief.kind == SF_RECORD_ENDED;
    if (sf_l1_control_is_clean(control))
        return;
    usage->blocks_dirty++;
    usage->dirty_bytes += place->capacity + SF_L1_BLOCK_HEADER;
    if (usage->oldest_dirty == 0 || image.since < usage->oldest_dirty)
        usage->oldest_dirty = image.since;
}

static void
count_block(const struct sf_l1 *l1, uint32_t block, struct sf_l1_usage *usage)
{
    struct sf_l1_place place;

    if (!sf_l1_block_place(l1, block, &place))
        return;
    uint64_t control = sf_l1_load(&place.control->state);
    switch (sf_l1_control_state(control)) {
    case SF_L1_FREE:
        usage->blocks_free++;
        break;
    case SF_L1_OWNED:
        usage->blocks_owned++;
        break;
    case SF_L1_LIVE:
        count_live(l1, &place, control, usage);
        break;
    default:
        break;
    }
}

static uint64_t
words_used(const struct sf_l1_bucket *bucket)
{
    uint64_t used = 0;

    for (uint32_t i = 0; i < SF_L1_BUCKET_WORDS; i++)
        used += !sf_l1_word_is_empty(sf_l1_peek(&bucket->words[i]));
    return used;
}

void
sf_l1_usage(struct sf_l1 *l1, struct sf_l1_usage *usage_out)
{
    uint32_t limit = sf_l1_block_limit(l1);

    *usage_out = (struct sf_l1_usage){
        .bytes = l1->plan.bytes,
        .slabs = l1->plan.slabs,
        .room_bytes = (uint64_t)(l1->plan.slabs - sf_l1_plan_reserve(&l1->plan)) << l1->plan.slab_shift,
        .index_words = (uint64_t)l1->plan.buckets * SF_L1_BUCKET_WORDS,
        .processes = sf_process_slots_alive(&l1->slots),
    };
    for (uint32_t slab = 0; slab < l1->plan.slabs; slab++)
        usage_out->slabs_used += sf_l1_peek(&l1->table[slab]) != 0;
    for (uint32_t block = 0; block < limit; block = sf_l1_block_next(l1, block))
        count_block(l1, block, usage_out);
    for (uint32_t bucket = 0; bucket < l1->plan.buckets; bucket++)
        usage_out->index_used += words_used(&l1->index[bucket]);
}
