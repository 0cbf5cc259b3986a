/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for the cache as a whole: after the dead, against time, for room. */
#include <string.h>

#include "common/cache/l1_commit.h"
#include "common/cache/l1_evict.h"
#include "common/cache/l1_move.h"
#include "tests/crash/scenario_parts.h"

/* ---- what dead processes leave, for the repair to be killed over ---- */

static void
leave_unfinished_fill(struct sf_l1 *l1)
{
    static const unsigned char junk[SF_RECORD_HEAD_BYTES];
    struct sf_l1_owned owned;
    struct sf_l1_image image = {
        .key = sf_test_cache_key(10), .length = sizeof(junk), .last_access = SF_TEST_NOW};
    _Atomic uint64_t *word;
    uint64_t value;

    must(sf_l1_room_for(l1, sizeof(junk), SF_L1_FOR_FILL, &owned) == SF_OK, "room");
    sf_l1_block_fill(l1, &owned, &image, sf_span_of(junk, sizeof(junk)));
    must(sf_l1_insert(l1, &image.key, owned.block, &word, &value) == SF_OK, "insert");
}

static void
leave_half_changes(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_draft draft;
    struct sf_l1_committed named;
    struct sf_l1_found found;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    must(sf_l1_find(l1, &key, &record, &found) == SF_OK, "find");
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK,
         "never published");
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK, "draft");
    must(sf_l1_replace(found.word, found.value, draft.owned.block),
         "published, not confirmed, the old one not retired");
    key = sf_test_cache_key(2);
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK, "draft");
    must(sf_l1_draft_name(l1, &draft, &named) == SF_OK, "created, not confirmed");
    key = sf_test_cache_key(100);
    must(sf_l1_find(l1, &key, NULL, &found) == SF_OK, "find");
    must(sf_l1_evict_block(l1, found.block, &found.place, found.control, SF_L1_LOSE_TOUCHES),
         "evicted, not retired");
    leave_unfinished_fill(l1);
}

static bool
operate_repair(struct sf_l1 *l1)
{
    (void)sf_test_repair_all(l1, SF_TEST_NOW);
    return true;
}

static const char *
judge_repair(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen one = sf_test_look(l1, 1, "value");
    struct sf_test_seen two = sf_test_look(l1, 2, "value");

    (void)is_done;
    if (!is_session(&one, 1, "old") || one.is_clean || !is_session(&two, 1, "old") || two.is_clean)
        return "a published record is lost, or taken for stored";
    return sf_test_look(l1, 10, NULL).status == SF_NOT_FOUND
               ? NULL
               : "a fill that was not confirmed can be read";
}

/* ---- what an old id leaves, and what is over ---- */

static void
prepare_expired(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(3);
    struct sf_ops ops;
    struct sf_l1_applied applied;

    sf_ops_init(&ops);
    must(sf_ops_add_set(&ops, sf_span_text("value"), sf_span_text("over")) == SF_OK, "set");
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW - 40 * SF_MINUTE);
    change.new_key = &key;
    change.may_create = true;
    must(sf_l1_apply(l1, NULL, &change, NULL, &applied) == SF_OK, "expired");
    must(sf_test_settle_all(l1) == 1, "settle");
    sf_ops_fini(&ops);
}

static void
prepare_rotated(struct sf_l1 *l1)
{
    prepare_expired(l1);
    prepare_one(l1);
    must(sf_test_rotate(l1, 1, 2, NULL) == SF_OK, "rotate");
    must(sf_test_settle_all(l1) == 2, "settle");
}

static bool
operate_trim(struct sf_l1 *l1)
{
    (void)sf_test_repair_all(l1, SF_TEST_NOW + SF_MINUTE);
    return true;
}

static const char *
judge_trim(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen over = sf_test_look(l1, 3, "value");

    if (over.status != SF_NOT_FOUND && (is_done || !is_session(&over, 1, "over")))
        return "what has expired is neither as it was nor gone";
    struct sf_test_seen old = sf_test_look(l1, 1, "value");
    struct sf_test_seen new = sf_test_look(l1, 2, "value");

    if (!is_session(&new, 2, "old"))
        return "the session is damaged";
    if (is_ended(&old, 3) && old.text[0] == '\0' && !old.is_clean)
        return NULL;
    return is_ended(&old, 2) && strcmp(old.text, "old") == 0 && !is_done
               ? NULL
               : "neither an image nor a tombstone";
}

/* ---- a slab that gets another class ---- */

#define LONG 3000 /* so that few are in the slab that is emptied; copied by plain stores */
#define MOVE_STEPS 60

static const char *
long_text(char letter)
{
    static char text[LONG + 1];

    memset(text, letter, LONG);
    return text;
}

/* One slab with a dirty and a clean record in it, and a size that wants one. */
static void
prepare_move(struct sf_l1 *l1)
{
    uint32_t needy = sf_l1_plan_class(&l1->plan, 4 * LONG);

    must(sf_test_create(l1, 1, "value", long_text('d')) == SF_OK, "create");
    must(sf_test_fill(l1, 2, 5, long_text('c')) == SF_OK, "fill");
    atomic_store(&l1->header->wanted[needy], 1000);
}

static bool
operate_move(struct sf_l1 *l1)
{
    const struct sf_counters *counters = sf_l1_counters(l1);
    bool is_moved = false;

    must(sf_l1_lead(l1, SF_L1_SWEEPER), "lead");
    for (int i = 0; i < MOVE_STEPS && !is_moved; i++) {
        (void)sf_l1_move_step(l1, SF_TEST_NOW);
        is_moved = atomic_load(&counters->values[SF_COUNTER_l1_slabs_moved]) > 0;
    }
    return is_moved;
}

/* Both are there whenever somebody looks, and behind the next leader's first step. */
static const char *
judge_move(struct sf_l1 *l1, bool is_done)
{
    (void)is_done;
    for (int i = 0; i < 2; i++) {
        struct sf_test_seen dirty = sf_test_look(l1, 1, "value");
        struct sf_test_seen clean = sf_test_look(l1, 2, "value");

        if (dirty.status != SF_OK || dirty.version != 1 || dirty.is_clean || dirty.text[99] != 'd')
            return "the dirty record is lost or damaged";
        if (clean.status != SF_OK || clean.version != 5 || clean.text[99] != 'c')
            return "the clean record is lost or damaged";
        if (sf_l1_lead(l1, SF_L1_SWEEPER))
            (void)sf_l1_move_step(l1, SF_TEST_NOW);
    }
    return NULL;
}

/* ---- what a leader leaves who dies over a move ---- */

static void
move_until(struct sf_l1 *l1, enum sf_l1_move_phase phase)
{
    must(sf_l1_lead(l1, SF_L1_SWEEPER), "lead");
    for (int i = 0; i < MOVE_STEPS && l1->move.phase != phase; i++)
        (void)sf_l1_move_step(l1, SF_TEST_NOW);
    must(l1->move.phase == phase, "a slab that moves");
}

static void
leave_draining(struct sf_l1 *l1)
{
    move_until(l1, SF_L1_MOVE_DRAINING);
}

static void
leave_closed(struct sf_l1 *l1)
{
    move_until(l1, SF_L1_MOVE_CLOSED);
}

static void
leave_opening(struct sf_l1 *l1)
{
    leave_closed(l1);
    _Atomic uint64_t *slab = &l1->table[l1->move.slab];
    atomic_store(
        slab, sf_l1_slab_opening(sf_l1_slab_base(atomic_load(slab)) + 1000, l1->move.class_index));
}

/* The next leader's first step. */
static bool
operate_adopt(struct sf_l1 *l1)
{
    must(sf_l1_lead(l1, SF_L1_SWEEPER), "lead");
    (void)sf_l1_move_step(l1, SF_TEST_NOW);
    for (uint32_t slab = 0; slab < l1->plan.slabs; slab++)
        must((atomic_load(&l1->table[slab]) & SF_L1_TABLE_STATE) == 0, "an open slab");
    return true;
}

/* ---- slots ---- */

/* It does not say goodbye. */
static void
leave_slot(struct sf_l1 *l1)
{
    (void)l1;
}

static bool
operate_claim(struct sf_l1 *l1)
{
    uint32_t slot;

    if (sf_process_slot_claim(&l1->slots, &slot) != SF_OK)
        return false;
    sf_process_slot_release(&l1->slots, slot);
    return true;
}

const struct scenario upkeep_scenarios[] = {
    {SWEEP, "trim and expire", prepare_rotated, operate_trim, judge_trim, NULL},
    {MOVE, "move of a slab", prepare_move, operate_move, judge_move, NULL},
    {CLAIM, "claim of a slot", prepare_one_stored, operate_claim, judge_unchanged, NULL},
    {CLAIM, "claim beside a dead one", prepare_one_stored, operate_claim, judge_unchanged,
     leave_slot},
    {REPAIR, "repair", prepare_one, operate_repair, judge_repair, leave_half_changes},
    {REPAIR, "repair of a draining slab", prepare_move, operate_adopt, judge_move, leave_draining},
    {REPAIR, "repair of a closed slab", prepare_move, operate_adopt, judge_move, leave_closed},
    {REPAIR, "repair of an opening slab", prepare_move, operate_adopt, judge_move, leave_opening},
};

const size_t upkeep_scenario_count = sizeof(upkeep_scenarios) / sizeof(upkeep_scenarios[0]);
