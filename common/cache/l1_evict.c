/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_evict.h"

#include "common/cache/l1_worth.h"

#define PROBES                                                                                     \
    32u /* control entries looked at in one round: the sample that eviction chooses from */
#define ROUNDS                                                                                     \
    16u /* for one class; a third of a millisecond at the very worst, when nearly all is dirty */
#define WANTED_SHARE 16u
#define VICTIMS 4u /* tries in one sample */
#define GLANCES 16u /* at other slabs, before one is claimed or anything evicted */

struct candidate {
    uint32_t block;
    uint64_t control;
    struct sf_l1_place place;
    uint64_t rank; /* the smallest goes first */
};

/* What it may cost, and what time it is, for all who are looked at. */
struct sample {
    enum sf_l1_loss loss;
    uint32_t now_seconds;
    sf_time stale_before; /* steady clock */
    uint32_t count;
    struct candidate candidates[PROBES];
};

/* ---- what may go ---- */

static bool
is_evictable(uint64_t control)
{
    return sf_l1_control_state(control) == SF_L1_LIVE && sf_l1_control_is_clean(control);
}

/*
 * A tombstone must meet every request that may still come with an old id; a clean one does so from
 * the store: docs/decisions/0009-tombstones-may-leave.md. While it is an image of the session it is
 * asked for often.
 */
static enum sf_l1_loss
loss_of_tombstone(const struct sf_l1_image *image, sf_time now)
{
    if (image->brief.absolute_deadline <= now)
        return SF_L1_LOSE_VISITORS;
    return image->brief.grace_until <= now ? SF_L1_LOSE_TOMBSTONES : SF_L1_LOSE_TOUCHES;
}

/*
 * Without its touch the session would be over for the store, or nearly so, while its user is about:
 * he would be logged out.
 */
static bool
lives_by_its_touch(const struct sf_l1_image *image, sf_time now)
{
    sf_time known = sf_l1_image_expires(image, image->stored_access);

    return known != 0 && known - image->brief.idle_timeout / 4 <= now &&
           sf_l1_image_expires(image, image->last_access) > now;
}

static bool
may_go(const struct sf_l1_image *image, enum sf_l1_loss loss)
{
    sf_time now = sf_clock_wall();

    if (image->brief.kind != SF_RECORD_SESSION)
        return loss_of_tombstone(image, now) <= loss;
    if (image->last_access <= image->stored_access)
        return true;
    return !lives_by_its_touch(image, now) &&
           (loss >= SF_L1_LOSE_TOUCHES || !sf_l1_image_needs_touch(image));
}

/* Clean it stays, as long as it has the generation that was seen clean. */
bool
sf_l1_evict_block(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                  uint64_t control, enum sf_l1_loss loss)
{
    struct sf_l1_image image;

    if (!is_evictable(control) || sf_l1_block_read(l1, place, control, NULL, NULL, &image) != SF_OK)
        return false;
    if (!may_go(&image, loss) ||
        !sf_l1_unname(l1, block, place, control, &image.key))
        return false;
    sf_count(l1->counters, l1_evictions);
    return true;
}

/* ---- the sample ---- */

static void
begin_sampling(const struct sf_l1 *l1, struct sample *sample)
{
    sf_time ttl = (sf_time)sf_l1_peek(&l1->header->ttl);

    sample->now_seconds = (uint32_t)(sf_clock_wall() / SF_SECOND);
    sample->stale_before = ttl > 0 ? sf_clock_steady() - ttl : 0;
}

/* The dearest that may go; in the end also what nobody can tell, for want of a worth that exists. */
static uint32_t
limit_of(enum sf_l1_loss loss)
{
    switch (loss) {
    case SF_L1_LOSE_VISITORS:
        return SF_L1_WITH_CHILDREN;
    case SF_L1_LOSE_USERS:
        return SF_L1_LOGGED_IN;
    case SF_L1_LOSE_TOMBSTONES:
        return SF_L1_TOMBSTONE;
    case SF_L1_LOSE_TOUCHES:
        break;
    }
    return UINT32_MAX;
}

static void
consider(struct sample *sample, uint32_t block, const struct sf_l1_place *place, uint64_t control)
{
    uint64_t touch = sf_l1_block_touched(place, control);
    sf_time since = (sf_time)(sf_l1_peek(&place->control->since) & SF_L1_SINCE_MASK);

    if (!is_evictable(control) || sf_l1_touch_worth(touch) > limit_of(sample->loss))
        return;
    uint64_t rank = sf_l1_rank(touch, sample->now_seconds, since < sample->stale_before);
    sample->candidates[sample->count++] = (struct candidate){block, control, *place, rank};
}

static struct candidate *
least_worth(struct sample *sample)
{
    struct candidate *least = &sample->candidates[0];

    for (uint32_t i = 1; i < sample->count; i++) {
        if (sample->candidates[i].rank < least->rank)
            least = &sample->candidates[i];
    }
    return least;
}

static bool
evict_one(struct sf_l1 *l1, struct sample *sample, struct candidate *gone_out)
{
    for (uint32_t i = 0; i < VICTIMS && sample->count > 0; i++) {
        struct candidate *victim = least_worth(sample);

        *gone_out = *victim;
        *victim = sample->candidates[--sample->count];
        if (sf_l1_evict_block(l1, gone_out->block, &gone_out->place, gone_out->control,
                              sample->loss))
            return true;
    }
    return false;
}

/* ---- slabs ---- */

static bool
is_of_class(const struct sf_l1 *l1, uint32_t slab, uint32_t class_index)
{
    uint64_t value = sf_l1_load(&l1->table[slab]);

    return (value & (SF_L1_TABLE_CLASS | SF_L1_TABLE_STATE)) == class_index + 1;
}

/* The next slab of the class behind `slab`, round and round. */
static uint32_t
next_slab(const struct sf_l1 *l1, uint32_t slab, uint32_t class_index)
{
    for (uint32_t i = 0; i < l1->plan.slabs; i++) {
        slab = slab + 1 < l1->plan.slabs ? slab + 1 : 0;
        if (is_of_class(l1, slab, class_index))
            return slab;
    }
    return SF_L1_NO_BLOCK;
}

/* The block itself or, for an end, the next one in the reserve. */
static uint32_t
aim(const struct sf_l1 *l1, uint32_t block, uint32_t class_index, enum sf_l1_use use)
{
    unsigned shift = l1->plan.entry_shift;
    uint32_t entry = block & ((1u << shift) - 1);

    if (use != SF_L1_FOR_END)
        return block;
    uint32_t reserved = entry / SF_L1_RESERVE_SHARE * SF_L1_RESERVE_SHARE + SF_L1_RESERVE_SHARE - 1;
    if (reserved < l1->plan.classes[class_index].blocks)
        return block - entry + reserved;
    uint32_t slab = next_slab(l1, block >> shift, class_index);
    return slab == SF_L1_NO_BLOCK ? block : (slab << shift) + SF_L1_RESERVE_SHARE - 1;
}

/* Where the hand is now; moves it on. SF_L1_NO_BLOCK: the class has no slab. */
static uint32_t
advance(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use)
{
    struct sf_l1_hand *hand = &l1->hands[class_index];
    unsigned shift = l1->plan.entry_shift;
    uint32_t block = atomic_load_explicit(&hand->next, memory_order_relaxed);

    /* Handles begin apart from each other; and a slab may have changed its class meanwhile. */
    if (block == SF_L1_NO_BLOCK || !is_of_class(l1, block >> shift, class_index)) {
        uint32_t slab = next_slab(l1, l1->slot % l1->plan.slabs, class_index);
        atomic_store_explicit(&hand->next, SF_L1_NO_BLOCK, memory_order_relaxed);
        if (slab == SF_L1_NO_BLOCK)
            return SF_L1_NO_BLOCK;
        block = (slab << shift) + l1->slot * 37 % l1->plan.classes[class_index].blocks;
    }
    block = aim(l1, block, class_index, use);
    uint32_t next = block + 1;
    uint32_t entry = next & ((1u << shift) - 1);
    if (entry == 0 || entry >= l1->plan.classes[class_index].blocks) {
        uint32_t slab = next_slab(l1, block >> shift, class_index);
        next = slab == SF_L1_NO_BLOCK ? SF_L1_NO_BLOCK : slab << shift;
    }
    atomic_store_explicit(&hand->next, next, memory_order_relaxed);
    return block;
}

/* One CAS, for zeros are free blocks. Points the hand at it. */
static bool
claim_if_unused(struct sf_l1 *l1, uint32_t slab, uint32_t class_index)
{
    if (sf_l1_peek(&l1->table[slab]) != 0 || !sf_l1_swap(&l1->table[slab], 0, class_index + 1))
        return false;
    atomic_store_explicit(&l1->hands[class_index].next, slab << l1->plan.entry_shift,
                          memory_order_relaxed);
    return true;
}

/* A slab that nobody uses becomes one of this class. */
static bool
claim_slab(struct sf_l1 *l1, uint32_t class_index)
{
    uint32_t slab = (uint32_t)sf_l1_peek(&l1->header->slabs_taken);
    uint32_t end = sf_l1_plan_smallest_slab(&l1->plan);
    bool is_new_size =
        atomic_load_explicit(&l1->hands[class_index].next, memory_order_relaxed) == SF_L1_NO_BLOCK;

    if (class_index == 0 && claim_if_unused(l1, end, 0))
        return true;
    if (!is_new_size && slab + sf_l1_plan_reserve(&l1->plan) >= l1->plan.slabs)
        return false;
    for (; slab < end; slab++) {
        if (claim_if_unused(l1, slab, class_index)) {
            atomic_store_explicit(&l1->header->slabs_taken, slab + 1, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

/* ---- taking ---- */

/* Whoever comes for an end has looked at all others already. */
static bool
is_for(const struct sf_l1 *l1, uint32_t block, enum sf_l1_use use)
{
    return use == SF_L1_FOR_FILL ||
           sf_l1_plan_is_reserved(&l1->plan, block) == (use == SF_L1_FOR_END);
}

static bool
take_if_free(struct sf_l1 *l1, uint32_t class_index, uint32_t block, enum sf_l1_use use,
             struct sample *sample, struct sf_l1_owned *owned_out)
{
    struct sf_l1_place place;

    if (!is_for(l1, block, use) || !sf_l1_block_place(l1, block, &place) ||
        place.class_index != class_index)
        return false;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) == SF_L1_FREE)
        return sf_l1_block_take(l1, block, &place, control, use == SF_L1_FOR_FILL, owned_out);
    if (sample != NULL)
        consider(sample, block, &place, control);
    return false;
}

/*
 * What this handle gave back, the oldest first: it is warm in the cache, and a reader of it has had
 * time to finish.
 */
static bool
take_freed(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use, struct sf_l1_owned *owned_out)
{
    struct sf_l1_hand *hand = &l1->hands[class_index];
    uint32_t at = atomic_load_explicit(&hand->freed_at, memory_order_relaxed) % SF_L1_FREED;
    uint32_t block = atomic_load_explicit(&hand->freed[at], memory_order_relaxed);

    atomic_store_explicit(&hand->freed[at], SF_L1_NO_BLOCK, memory_order_relaxed);
    return block != SF_L1_NO_BLOCK && take_if_free(l1, class_index, block, use, NULL, owned_out);
}

static bool
probe(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use, struct sample *sample,
      struct sf_l1_owned *owned_out)
{
    sample->count = 0;
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t block = advance(l1, class_index, use);

        if (block == SF_L1_NO_BLOCK)
            return false;
        if (take_if_free(l1, class_index, block, use, sample, owned_out))
            return true;
    }
    return false;
}

/* Anywhere in the class; SF_L1_NO_BLOCK: that slab is of another. */
static uint32_t
block_by_chance(const struct sf_l1 *l1, uint32_t class_index, uint64_t dice)
{
    uint64_t used = sf_l1_peek(&l1->header->slabs_taken);
    uint32_t slabs = used > 0 && used < l1->plan.slabs ? (uint32_t)used : l1->plan.slabs;
    uint32_t slab = (uint32_t)(((dice >> 32) * slabs) >> 32);
    uint32_t blocks = l1->plan.classes[class_index].blocks;

    if (!is_of_class(l1, slab, class_index))
        return SF_L1_NO_BLOCK;
    return (slab << l1->plan.entry_shift) + (uint32_t)(((dice & UINT32_MAX) * blocks) >> 32);
}

/*
 * What was filled at one time lies side by side, so a hand may stand among many that are taken while
 * most of the class is free elsewhere. Then it goes there.
 */
static bool
take_elsewhere(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use, struct sf_l1_owned *owned_out)
{
    struct sf_l1_hand *hand = &l1->hands[class_index];
    uint64_t dice = (uint64_t)atomic_load_explicit(&hand->next, memory_order_relaxed) << 32 |
                    l1->slot;

    for (uint32_t i = 0; i < GLANCES; i++) {
        dice = (dice ^ dice >> 29) * UINT64_C(0xD6E8FEB86659FD93) + i;
        uint32_t block = block_by_chance(l1, class_index, dice);

        if (block != SF_L1_NO_BLOCK &&
            take_if_free(l1, class_index, block, use, NULL, owned_out)) {
            atomic_store_explicit(&hand->next, block, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

/* The sweeper may have come between and freed it. */
static bool
take_evicted(struct sf_l1 *l1, const struct candidate *gone, enum sf_l1_use use,
             struct sf_l1_owned *owned_out)
{
    return sf_l1_block_take(l1, gone->block, &gone->place, gone->control, use == SF_L1_FOR_FILL,
                            owned_out) ||
           take_if_free(l1, gone->place.class_index, gone->block, use, NULL,
                        owned_out);
}

/* What may stay for a while is not given up before all else has been looked for. */
static enum sf_l1_loss
loss_in_round(uint32_t round)
{
    if (round < 4)
        return SF_L1_LOSE_VISITORS;
    if (round < 6)
        return SF_L1_LOSE_USERS;
    return round < 8 ? SF_L1_LOSE_TOMBSTONES : SF_L1_LOSE_TOUCHES;
}

/* Tells the sweeper where slabs are wanted; of evictions only some, or all would meet there. */
static void
want_room(struct sf_l1 *l1, uint32_t class_index, bool is_in_vain)
{
    uint32_t evictions = atomic_fetch_add_explicit(&l1->hands[class_index].evictions, 1,
                                                   memory_order_relaxed);

    if (is_in_vain || evictions % WANTED_SHARE == 0)
        atomic_fetch_add_explicit(&l1->header->wanted[class_index], WANTED_SHARE,
                                  memory_order_relaxed);
}

static bool
take_in_class(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use, struct sf_l1_owned *owned_out)
{
    struct sample sample;
    struct candidate gone;

    if (take_freed(l1, class_index, use, owned_out))
        return true;
    begin_sampling(l1, &sample);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        sample.loss = loss_in_round(round);
        if (probe(l1, class_index, use, &sample, owned_out))
            return true;
        if (round == 0 && use != SF_L1_FOR_END && take_elsewhere(l1, class_index, use, owned_out))
            return true;
        if (round == 0 && claim_slab(l1, class_index))
            continue;
        if (atomic_load_explicit(&l1->hands[class_index].next, memory_order_relaxed) ==
            SF_L1_NO_BLOCK)
            return false;
        if (evict_one(l1, &sample, &gone) && take_evicted(l1, &gone, use, owned_out)) {
            want_room(l1, class_index, false);
            return true;
        }
    }
    return false;
}

bool
sf_l1_take_any(struct sf_l1 *l1, uint32_t class_index, struct sf_l1_owned *owned_out)
{
    return take_in_class(l1, class_index, SF_L1_FOR_CHANGE, owned_out);
}

/* In the class, or a larger one. */
static bool
take_from(struct sf_l1 *l1, uint32_t class_index, enum sf_l1_use use, struct sf_l1_owned *owned_out)
{
    for (uint32_t i = class_index; i < l1->plan.class_count; i++) {
        if (take_in_class(l1, i, use, owned_out))
            return true;
        if (i == class_index) /* the larger ones are only tried in its place */
            want_room(l1, i, true);
    }
    return false;
}

enum sf_status
sf_l1_room_for(struct sf_l1 *l1, uint64_t bytes, enum sf_l1_use use, struct sf_l1_owned *owned_out)
{
    uint32_t class_index = sf_l1_plan_class(&l1->plan, bytes);
    enum sf_l1_use first = use == SF_L1_FOR_END ? SF_L1_FOR_CHANGE : use;

    if (take_from(l1, class_index, first, owned_out) ||
        (use == SF_L1_FOR_END && take_from(l1, class_index, use, owned_out)))
        return SF_OK;
    sf_count(l1->counters, l1_full);
    return SF_FULL;
}

/* true: a word is empty. */
static bool
collect_from(const struct sf_l1 *l1, const struct sf_l1_home *home, struct sample *sample)
{
    sample->count = 0;
    for (unsigned i = 0; i < 2 * SF_L1_BUCKET_WORDS; i++) {
        _Atomic uint64_t *word =
            &home->buckets[i / SF_L1_BUCKET_WORDS]->words[i % SF_L1_BUCKET_WORDS];
        uint64_t value = sf_l1_load(word);
        struct sf_l1_place place;

        if (sf_l1_word_is_empty(value))
            return true;
        if (!sf_l1_block_place(l1, sf_l1_word_block(value), &place))
            continue;
        consider(sample, sf_l1_word_block(value), &place, sf_l1_load(&place.control->state)); /* O3 */
    }
    return false;
}

bool
sf_l1_evict_from(struct sf_l1 *l1, const struct sf_l1_home *home)
{
    struct sample sample;
    struct candidate gone;

    begin_sampling(l1, &sample);
    for (sample.loss = SF_L1_LOSE_VISITORS; sample.loss <= SF_L1_LOSE_TOUCHES; sample.loss++) {
        if (collect_from(l1, home, &sample))
            return true;
        while (sample.count > 0) {
            if (!evict_one(l1, &sample, &gone))
                continue;
            sf_l1_block_retire(l1, gone.block, gone.control);
            return true;
        }
    }
    return false;
}
