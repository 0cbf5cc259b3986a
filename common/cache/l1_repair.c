/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_hints.h"
#include "common/cache/l1_index.h"
#include "common/cache/l1_move.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_section.h"
#include "common/cache/l1_trim.h"

/*
 * One pass looks at every block and then at every bucket. Each repair is one or two CAS that carry
 * the generation, so it may be killed, repeated, and done by several at once. The order is always:
 * is the owner dead, then: does a word name the block. The other way round an owner could publish
 * in between and then die, and a published block would be freed.
 */

/* One call: a part of a pass. */
struct part {
    struct sf_l1 *l1;
    sf_time now;
    bool is_full;            /* no room for a tombstone: the next part asks again */
    struct sf_buffer record; /* of the block that is looked at */
};

/* ---- who is dead ---- */

static void
look_for_dead(struct sf_l1 *l1)
{
    for (uint32_t slot = 0; slot < l1->plan.slots; slot++)
        l1->dead_words[slot] = sf_process_slot_dead_word(&l1->slots, slot);
}

/*
 * Their blocks are repaired now, so their slots are free for others; and followers of hints must
 * not rely on theirs. One scan makes up for all of them.
 */
static void
bury_dead(struct sf_l1 *l1)
{
    bool is_any_dead = false;

    for (uint32_t slot = 0; slot < l1->plan.slots; slot++)
        is_any_dead |= l1->dead_words[slot] != 0;
    if (!is_any_dead)
        return;
    if (!SF_MUTANT(SILENT_DEATH))
        atomic_fetch_add_explicit(&l1->header->deaths, 1, memory_order_release); /* O9 */
    for (uint32_t slot = 0; slot < l1->plan.slots; slot++) {
        if (l1->dead_words[slot] != 0)
            (void)sf_process_slot_bury(&l1->slots, slot, l1->dead_words[slot]);
        l1->dead_words[slot] = 0;
    }
}

/*
 * Asked after the control was read. The slot may have been buried by another sweeper and claimed
 * again; then the word differs, and the block may be the new owner's. A slot that is not in use has
 * no owner, for whoever leaves has no blocks: then he may have published this one before he left, so
 * the control is asked again.
 */
static bool
is_owner_dead(const struct sf_l1 *l1, const struct sf_l1_place *place, uint64_t control)
{
    uint32_t owner = sf_l1_control_owner(control);

    if (owner >= l1->plan.slots)
        return true;
    uint64_t word = sf_l1_load(&l1->slots.slots[owner].word); /* O7 */
    if ((word & 1) == 0)
        return sf_l1_load(&place->control->state) == control;
    return word == l1->dead_words[owner] || SF_MUTANT(ROBS_LIVING);
}

/* ---- blocks ---- */

static size_t
free_block(const struct sf_l1_place *place, uint64_t control)
{
    uint64_t freed = sf_l1_control_make(SF_L1_FREE, 0, sf_l1_control_gen(control));

    return sf_l1_swap(&place->control->state, control, freed);
}

/* A fill that nobody has confirmed, and nobody has read. */
static size_t
undo_fill(const struct sf_l1_place *place, uint64_t control, _Atomic uint64_t *word, uint64_t value)
{
    return sf_l1_withdraw(word, value) ? free_block(place, control) : 0;
}

/* The dead one had committed: what he published is the session, acknowledged or not. */
static size_t
finish_publication(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place,
                   uint64_t control)
{
    uint64_t live = sf_l1_control_make(SF_L1_LIVE, 0, sf_l1_control_gen(control));

    if (!sf_l1_swap(&place->control->state, control, live))
        return 0;
    sf_l1_hint_leave(l1, block, live);
    return 1;
}

static size_t
repair_owned(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place, uint64_t control)
{
    struct sf_l1_image image;
    _Atomic uint64_t *word;
    uint64_t value;

    if (!is_owner_dead(l1, place, control))
        return 0;
    enum sf_status status = sf_l1_block_read(l1, place, control, NULL, NULL, &image);
    if (status == SF_CONFLICT)
        return 0;
    /*
     * A header that is half written was never published; whatever its key is, no word names this
     * block.
     */
    if (!sf_l1_find_naming(l1, &image.key, block, &word, &value))
        return free_block(place, control);
    if (sf_l1_is_unconfirmed(control))
        return undo_fill(place, control, word, value);
    return finish_publication(l1, block, place, control);
}

static bool
is_over(uint64_t control, const struct sf_l1_image *image, sf_time now)
{
    sf_time expires = sf_l1_image_expires(image, image->last_access);

    /* A second of grace, for last accesses are kept in whole seconds. */
    return sf_l1_control_is_clean(control) && expires != 0 && expires + SF_SECOND <= now;
}

/* Nobody reads it here any more, and the store has it, or the journal, and is to hear nothing of its last access. */
static bool
is_passed_by(const struct sf_l1 *l1, uint64_t control, const struct sf_l1_image *image)
{
    return sf_l1_is_bypassed(l1) && sf_l1_control_is_clean(control) &&
           !sf_l1_image_needs_touch(image);
}

static void
trim(struct part *part, const struct sf_l1_image *image)
{
    if (!part->is_full && sf_l1_needs_trim(image, part->now))
        part->is_full = sf_l1_trim(part->l1, &image->key, part->now) == SF_FULL;
}

/*
 * Whole, for a hit does not look at the checksum, and nobody else may ever come to a record that is
 * only read. A dirty one that is damaged is lost: there is no other copy.
 */
static enum sf_status
examine(struct part *part, const struct sf_l1_place *place, uint64_t control,
        struct sf_l1_image *image_out)
{
    enum sf_status status =
        sf_l1_block_read(part->l1, place, control, NULL, &part->record, image_out);

    return status == SF_CONFLICT || status == SF_CORRUPT ? status : SF_OK;
}

static size_t
repair_live(struct part *part, uint32_t block, const struct sf_l1_place *place, uint64_t control)
{
    struct sf_l1 *l1 = part->l1;
    struct sf_l1_image image;
    _Atomic uint64_t *word;
    uint64_t value;
    enum sf_status status = examine(part, place, control, &image);

    if (status == SF_CONFLICT)
        return 0;
    if (!sf_l1_find_naming(l1, &image.key, block, &word, &value))
        return free_block(
            place,
            control); /* replaced or removed, and then its remover died or has not come to it yet */
    if (status == SF_CORRUPT)
        sf_count(l1->counters, l1_bad);
    if (status != SF_CORRUPT && !is_over(control, &image, part->now) &&
        !is_passed_by(l1, control, &image))
        trim(part, &image);
    else if (sf_l1_unname(l1, block, place, control, &image.key))
        sf_l1_block_retire(l1, block, control);
    return status == SF_CORRUPT;
}

static size_t
repair_block(struct part *part, uint32_t block)
{
    struct sf_l1_place place;

    if (!sf_l1_block_place(part->l1, block, &place))
        return 0;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) == SF_L1_OWNED)
        return repair_owned(part->l1, block, &place, control);
    if (sf_l1_control_state(control) == SF_L1_LIVE)
        return repair_live(part, block, &place, control);
    return 0;
}

/* ---- words: only damage, never a death, makes one wrong ---- */

static size_t
repair_word(struct sf_l1 *l1, _Atomic uint64_t *word)
{
    uint64_t value = sf_l1_load(word);
    struct sf_l1_found found;

    if (sf_l1_word_is_empty(value))
        return 0;
    enum sf_status status = sf_l1_follow(l1, word, value, &found);
    if (status == SF_OK)
        status = sf_l1_block_read(l1, &found.place, found.control, NULL, NULL, &found.image);
    if (status == SF_OK) {
        struct sf_l1_home home = sf_l1_home_of(l1, &found.image.key);
        status = sf_l1_home_has(&home, word, value) ? SF_OK : SF_CORRUPT;
    }
    if (status != SF_CORRUPT)
        return 0;
    sf_count(l1->counters, l1_bad);
    return sf_l1_withdraw(word, value);
}

static size_t
repair_bucket(struct sf_l1 *l1, uint32_t bucket)
{
    size_t repairs = 0;

    for (uint32_t i = 0; i < SF_L1_BUCKET_WORDS; i++)
        repairs += repair_word(l1, &l1->index[bucket].words[i]);
    return repairs;
}

uint32_t
sf_l1_repair_budget(const struct sf_l1 *l1, uint32_t calls)
{
    uint64_t steps = l1->plan.buckets;

    for (uint32_t slab = 0; slab < l1->plan.slabs; slab++) {
        uint64_t class_index = (sf_l1_load(&l1->table[slab]) & SF_L1_TABLE_CLASS) - 1;

        steps += class_index < l1->plan.class_count ? l1->plan.classes[class_index].blocks : 1;
    }
    return (uint32_t)(steps / calls) + 1;
}

size_t
sf_l1_repair(struct sf_l1 *l1, sf_time now, uint32_t *cursor, uint32_t budget)
{
    struct part part = {.l1 = l1, .now = now};
    uint32_t blocks = sf_l1_block_limit(l1);
    uint32_t end = blocks + l1->plan.buckets;
    size_t repairs = 0;

    if (!l1->is_writable)
        return 0;
    sf_buffer_init(&part.record, SF_RECORD_BYTES_MAX);
    if (*cursor == 0)
        look_for_dead(l1);
    uint64_t section = sf_l1_enter(l1);
    for (; budget > 0 && *cursor < end; budget--) {
        if (*cursor < blocks) {
            repairs += repair_block(&part, *cursor);
            *cursor = sf_l1_block_next(l1, *cursor);
        } else {
            repairs += repair_bucket(l1, *cursor - blocks);
            ++*cursor;
        }
    }
    sf_l1_leave(l1, section);
    (void)sf_l1_move_step(l1, now);
    if (*cursor >= end) {
        bury_dead(l1);
        *cursor = 0;
    }
    sf_buffer_fini(&part.record);
    sf_count_add(l1->counters, SF_COUNTER_l1_repairs, repairs);
    return repairs;
}
