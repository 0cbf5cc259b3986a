/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_move.h"

#include "common/cache/l1_evict.h"
#include "common/cache/l1_hints.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_section.h"

/*
 * A slab that another size needs more goes through these, each a CAS of its word in the table:
 *
 *   DRAINING  nobody who sees it takes a block. When all sections have ended that began before, no
 *             block turns from FREE to OWNED any more; what lives there is moved or evicted.
 *   CLOSED    all are FREE, so no word names them, and nobody finds a place here. When all sections
 *             have ended that began before, nobody will change a word here, however late he is.
 *   OPENING   with a base above all generations that were ever used here, for the new class. The
 *             controls are set up; then it is OPEN.
 *
 * Who comes after a leader that was killed opens what he finds DRAINING or CLOSED, for nothing in it
 * has changed but what left it, and sets up again what is OPENING. Whoever is stopped within a section delays this one
 * slab, and in the end it stays what it was.
 */

#define WANTED_MIN 32u       /* evictions of late, about, before a class gets a slab */
#define FORGOTTEN 4u         /* a quarter a second */
#define STEPS_MAX 100u       /* for a phase: about ten seconds */
#define STEPS_OF_REST 10u    /* behind one that did not become empty; and between two looks */
#define SAMPLES 32u          /* blocks looked at in a slab */
#define SLABS_LOOKED_AT 64u  /* of the class that wants one, and of the others */
#define AGE_MAX 31536000u    /* seconds: what is free counts as a year old */
#define FREE_MIN 4u          /* samples: fewer are on their way, in and out of somebody's magazine */
#define MARGIN 60u           /* seconds: what is hardly older stays where it is */

static uint64_t
table_value(const struct sf_l1 *l1, uint32_t slab)
{
    return sf_l1_load(&l1->table[slab]);
}

static bool
is_open(uint64_t value)
{
    return (value & SF_L1_TABLE_CLASS) != 0 && (value & SF_L1_TABLE_STATE) == 0;
}

static uint32_t
class_of(uint64_t value)
{
    return (uint32_t)(value & SF_L1_TABLE_CLASS) - 1;
}

/* ---- which slab, and for whom ---- */

static uint32_t
age_of(const struct sf_l1 *l1, uint32_t block, uint32_t now_seconds)
{
    struct sf_l1_place place;

    if (!sf_l1_block_place(l1, block, &place))
        return 0;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) == SF_L1_FREE)
        return AGE_MAX;
    if (sf_l1_control_state(control) != SF_L1_LIVE || !sf_l1_control_is_clean(control))
        return 0;
    uint32_t seconds = sf_l1_touch_seconds(sf_l1_block_touched(&place, control));
    uint32_t age = now_seconds > seconds ? now_seconds - seconds : 0;
    return age < AGE_MAX ? age : AGE_MAX;
}

/* The mean age of what lives in an open slab, from a sample. */
static uint32_t
coldness_of(const struct sf_l1 *l1, uint32_t slab, uint32_t now_seconds)
{
    uint32_t blocks = l1->plan.classes[class_of(table_value(l1, slab))].blocks;
    uint32_t samples = blocks < SAMPLES ? blocks : SAMPLES;
    uint64_t sum = 0;
    uint32_t free = 0;

    for (uint32_t i = 0; i < samples; i++) {
        uint32_t age = age_of(l1, (slab << l1->plan.entry_shift) + i * blocks / samples, now_seconds);
        if (age == AGE_MAX)
            free++;
        else
            sum += age;
    }
    if (free >= FREE_MIN)
        sum += (uint64_t)free * AGE_MAX;
    return (uint32_t)(sum / samples);
}

/* The class that wanted most; class_count: none wanted enough. */
static uint32_t
find_needy(const struct sf_l1 *l1)
{
    uint32_t needy = l1->plan.class_count;
    uint64_t most = WANTED_MIN - 1;

    for (uint32_t i = 0; i < l1->plan.class_count; i++) {
        uint64_t wanted = sf_l1_peek(&l1->header->wanted[i]);

        if (wanted > most) {
            most = wanted;
            needy = i;
        }
    }
    return needy;
}

/* What was wanted some seconds ago counts less and less. */
static void
forget_some(struct sf_l1 *l1)
{
    for (uint32_t i = 0; i < l1->plan.class_count; i++) {
        uint64_t wanted = sf_l1_peek(&l1->header->wanted[i]);

        atomic_fetch_sub_explicit(&l1->header->wanted[i], wanted / FORGOTTEN, memory_order_relaxed);
    }
}

/* What was seen of the slabs on one look round. */
struct round {
    uint32_t needy;
    uint32_t own;               /* slabs of the needy class: all of them are counted */
    uint32_t mildest;           /* coldness of the coldest of those that were looked at */
    uint32_t others;            /* slabs of other classes that were looked at */
    uint32_t coldest, coldness; /* of the others */
};

static void
look_at_own(const struct sf_l1 *l1, struct round *round, uint32_t slab, uint32_t now_seconds)
{
    if (round->own++ >= SLABS_LOOKED_AT)
        return;
    uint32_t coldness = coldness_of(l1, slab, now_seconds);
    if (coldness > round->mildest)
        round->mildest = coldness;
}

/* The next round begins behind the last one that was looked at. */
static void
look_at_other(struct sf_l1 *l1, struct round *round, uint32_t slab, uint32_t now_seconds)
{
    if (round->others == SLABS_LOOKED_AT)
        return;
    uint32_t coldness = coldness_of(l1, slab, now_seconds);
    if (round->others++ == 0 || coldness > round->coldness) {
        round->coldest = slab;
        round->coldness = coldness;
    }
    l1->move.next = (slab + 1) % l1->plan.slabs;
}

/* The whole table, a word a slab; the blocks of some slabs. */
static void
look_round(struct sf_l1 *l1, struct round *round, uint32_t now_seconds)
{
    uint32_t first = l1->move.next;

    for (uint32_t i = 0; i < l1->plan.slabs; i++) {
        uint32_t slab = (first + i) % l1->plan.slabs;
        uint64_t value = table_value(l1, slab);

        if (!is_open(value))
            continue;
        if (class_of(value) == round->needy)
            look_at_own(l1, round, slab, now_seconds);
        else if (slab != sf_l1_plan_smallest_slab(&l1->plan))
            look_at_other(l1, round, slab, now_seconds);
    }
}

/*
 * A class that has nothing gets the coldest slab that there is; one that has some must be hotter than
 * what it takes, or slabs would go to and fro.
 */
static bool
is_worth_it(const struct round *round)
{
    if (round->others == 0)
        return false;
    return round->own == 0 || round->coldness / 2 > round->mildest + MARGIN;
}

static void
start(struct sf_l1 *l1, uint32_t slab, uint32_t class_index)
{
    uint64_t value = table_value(l1, slab);

    if (!is_open(value) || !sf_l1_swap(&l1->table[slab], value, value | SF_L1_TABLE_DRAINING))
        return;
    l1->move.slab = slab;
    l1->move.class_index = class_index;
    l1->move.phase = SF_L1_MOVE_DRAINING;
    l1->move.steps = 0;
    sf_l1_grace_begin(l1);
}

static void
choose(struct sf_l1 *l1, sf_time now)
{
    struct round round = {.needy = find_needy(l1)};

    if (l1->move.steps++ % STEPS_OF_REST != 0)
        return;
    forget_some(l1);
    if (round.needy >= l1->plan.class_count)
        return;
    look_round(l1, &round, (uint32_t)(now / SF_SECOND));
    if (is_worth_it(&round))
        start(l1, round.coldest, round.needy);
}

/* ---- out of it ---- */

/* Names the copy instead of the block, if a word names that very generation of it. */
static bool
name_instead(const struct sf_l1 *l1, const struct sf_key *key, uint32_t block,
             const struct sf_l1_place *place, uint64_t control, uint32_t copy)
{
    _Atomic uint64_t *word;
    uint64_t value;

    if (!sf_l1_find_naming(l1, key, block, &word, &value))
        return false;
    if (sf_l1_control_gen(sf_l1_load(&place->control->state)) != sf_l1_control_gen(control))
        return false;
    return sf_l1_replace(word, value, copy);
}

/*
 * The same version in another block, an ordinary change but for being as clean as it was. Killed
 * halfway it is written to the store once more, which changes nothing. It is never absent.
 */
static bool
copy_record(struct sf_l1 *l1, uint32_t block, const struct sf_l1_place *place, uint64_t control,
            struct sf_buffer *record)
{
    struct sf_l1_image image;
    struct sf_l1_owned owned;

    if (sf_l1_block_read(l1, place, control, NULL, record, &image) != SF_OK ||
        !sf_l1_take_any(l1, place->class_index, &owned))
        return false;
    sf_time last_access = image.last_access;
    image.last_access = image.stored_access; /* what the store knows; the rest is a touch */
    image.worth = sf_l1_touch_worth(sf_l1_block_touched(place, control));
    sf_l1_block_fill(l1, &owned, &image, sf_buffer_span(record));
    sf_l1_block_touch(&owned.place, owned.control, last_access);
    if (!name_instead(l1, &image.key, block, place, control, owned.block)) {
        sf_l1_block_give_back(l1, &owned);
        return false;
    }
    uint64_t live = sf_l1_control_make(SF_L1_LIVE, 0, sf_l1_control_gen(owned.control)) |
                    (control & (SF_L1_CLEAN | SF_L1_JOURNALLED));
    if (sf_l1_swap(&owned.place.control->state, owned.control, live) &&
        !sf_l1_control_is_clean(live))
        sf_l1_hint_leave(l1, owned.block, live);
    uint32_t touched = sf_l1_touch_seconds(sf_l1_block_touched(place, control));
    sf_l1_block_touch(&owned.place, owned.control, (sf_time)touched * SF_SECOND);
    sf_l1_block_retire(l1, block, control);
    return true;
}

/* true: it is FREE. What is OWNED is its owner's, or the next pass of the repair's. */
static bool
empty_block(struct sf_l1 *l1, uint32_t block, struct sf_buffer *record)
{
    struct sf_l1_place place;

    if (!sf_l1_block_place(l1, block, &place))
        return false;
    uint64_t control = sf_l1_load(&place.control->state);
    if (sf_l1_control_state(control) == SF_L1_FREE)
        return true;
    if (sf_l1_control_state(control) != SF_L1_LIVE)
        return false;
    if (copy_record(l1, block, &place, control, record))
        return true;
    if (!sf_l1_evict_block(l1, block, &place, control, SF_L1_LOSE_TOUCHES))
        return false;
    sf_l1_block_retire(l1, block, control);
    return true;
}

static bool
empty_slab(struct sf_l1 *l1)
{
    uint32_t first = l1->move.slab << l1->plan.entry_shift;
    uint32_t blocks = l1->plan.classes[class_of(table_value(l1, l1->move.slab))].blocks;
    uint64_t section = sf_l1_enter(l1);
    struct sf_buffer record;
    bool is_empty = true;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    for (uint32_t i = 0; i < blocks; i++)
        is_empty &= empty_block(l1, first + i, &record);
    sf_buffer_fini(&record);
    sf_l1_leave(l1, section);
    return is_empty;
}

/* ---- into the new class ---- */

static struct sf_l1_control *
control_at(const struct sf_l1 *l1, uint32_t slab, uint32_t class_index, uint32_t entry)
{
    unsigned char *base = l1->slabs + ((uint64_t)slab << l1->plan.slab_shift);

    return (void *)(base + (uint64_t)entry * l1->plan.classes[class_index].bytes);
}

/*
 * Above all that were used under the class it had. A leader that was killed while he set up the next
 * one has raised some of them; that does no harm.
 */
static uint64_t
next_base(const struct sf_l1 *l1, uint32_t slab, uint32_t class_index, uint64_t base)
{
    for (uint32_t i = 0; i < l1->plan.classes[class_index].blocks; i++) {
        uint64_t control = sf_l1_peek(&control_at(l1, slab, class_index, i)->state);

        if (sf_l1_control_gen(control) > base)
            base = sf_l1_control_gen(control);
    }
    return SF_MUTANT(OLD_BASE) ? 0 : base + 1;
}

static void
open_slab(struct sf_l1 *l1, uint32_t slab)
{
    uint64_t value = table_value(l1, slab), base = sf_l1_slab_base(value);
    uint32_t class_index = sf_l1_slab_kept_class(value);

    atomic_thread_fence(memory_order_release); /* O2: whoever copies one sees the new base */
    for (uint32_t i = 0; i < l1->plan.classes[class_index].blocks; i++)
        atomic_store_explicit(&control_at(l1, slab, class_index, i)->state,
                              sf_l1_control_make(SF_L1_FREE, 0, base), memory_order_relaxed);
    (void)sf_l1_swap(&l1->table[slab], value, sf_l1_slab_open(base, class_index)); /* O11 */
}

static void
give_slab(struct sf_l1 *l1)
{
    uint32_t slab = l1->move.slab;
    uint64_t value = table_value(l1, slab);
    uint64_t base =
        next_base(l1, slab, sf_l1_slab_kept_class(value), sf_l1_slab_base(value));

    (void)sf_l1_swap(&l1->table[slab], value, sf_l1_slab_opening(base, l1->move.class_index));
    open_slab(l1, slab);
    sf_count(l1->counters, l1_slabs_moved);
}

/* ---- step by step ---- */

static void
rest(struct sf_l1 *l1)
{
    l1->move.phase = SF_L1_MOVE_NONE;
    l1->move.steps = 1;
}

/* Nothing in it has changed but what left it: it may go on as it was. */
static void
give_up(struct sf_l1 *l1)
{
    uint64_t value = table_value(l1, l1->move.slab);
    uint32_t class_index = sf_l1_slab_is_shut(value) ? sf_l1_slab_kept_class(value) : class_of(value);

    (void)sf_l1_swap(&l1->table[l1->move.slab], value,
                     sf_l1_slab_open(sf_l1_slab_base(value), class_index));
    rest(l1);
}

static void
go_on(struct sf_l1 *l1, enum sf_l1_move_phase phase)
{
    l1->move.phase = phase;
    l1->move.steps = 0;
}

static void
close_slab(struct sf_l1 *l1)
{
    uint64_t value = table_value(l1, l1->move.slab);

    (void)sf_l1_swap(&l1->table[l1->move.slab], value,
                     sf_l1_slab_closed(sf_l1_slab_base(value), class_of(value)));
    go_on(l1, SF_L1_MOVE_CLOSED);
    sf_l1_grace_begin(l1);
}

/* What the leader before this one left. One that is CLOSED gets the class back that it had. */
static void
adopt(struct sf_l1 *l1)
{
    rest(l1);
    for (uint32_t slab = 0; slab < l1->plan.slabs; slab++) {
        uint64_t value = table_value(l1, slab);

        if (sf_l1_slab_is_draining(value))
            (void)sf_l1_swap(&l1->table[slab], value, value & ~(uint64_t)SF_L1_TABLE_STATE);
        if (!sf_l1_slab_is_shut(value))
            continue;
        if ((value & SF_L1_TABLE_OPENING) != 0)
            open_slab(l1, slab);
        else
            (void)sf_l1_swap(&l1->table[slab], value,
                             sf_l1_slab_open(sf_l1_slab_base(value), sf_l1_slab_kept_class(value)));
    }
}

static void
step(struct sf_l1 *l1, sf_time now)
{
    switch (l1->move.phase) {
    case SF_L1_MOVE_UNKNOWN:
        adopt(l1);
        break;
    case SF_L1_MOVE_NONE:
        choose(l1, now);
        break;
    case SF_L1_MOVE_DRAINING:
        if (sf_l1_grace_is_over(l1))
            go_on(l1, SF_L1_MOVE_EMPTYING);
        break;
    case SF_L1_MOVE_EMPTYING:
        if (empty_slab(l1))
            close_slab(l1);
        break;
    case SF_L1_MOVE_CLOSED:
        if (sf_l1_grace_is_over(l1) || SF_MUTANT(NO_GRACE)) {
            give_slab(l1);
            rest(l1);
        }
        break;
    }
}

bool
sf_l1_move_step(struct sf_l1 *l1, sf_time now)
{
    if (!l1->leads[SF_L1_SWEEPER])
        return false;
    step(l1, now);
    if (l1->move.phase <= SF_L1_MOVE_NONE)
        return false;
    if (++l1->move.steps > STEPS_MAX)
        give_up(l1);
    return true;
}
