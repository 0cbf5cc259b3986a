/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cache/l1_commit.h"
#include "common/cache/l1_evict.h"
#include "common/cache/l1_move.h"

void
must(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "cannot prepare: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static bool
is_session(const struct sf_test_seen *seen, uint64_t version, const char *text)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_SESSION && seen->version == version &&
           strcmp(seen->text, text) == 0;
}

static bool
is_ended(const struct sf_test_seen *seen, uint64_t version)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_ENDED && seen->version == version;
}

static void
prepare_others(struct sf_l1 *l1)
{
    for (uint64_t number = 100; number < 110; number++)
        must(sf_test_create(l1, number, "value", "other") == SF_OK, "others");
    must(sf_test_settle_all(l1) > 0, "settle");
}

static void
prepare_one(struct sf_l1 *l1)
{
    prepare_others(l1);
    must(sf_test_create(l1, 1, "value", "old") == SF_OK, "create");
}

static void
prepare_one_stored(struct sf_l1 *l1)
{
    prepare_one(l1);
    must(sf_test_settle_all(l1) == 1, "settle");
}

static bool
operate_create(struct sf_l1 *l1)
{
    return sf_test_create(l1, 1, "value", "new") == SF_OK;
}

static const char *
judge_create(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (seen.status == SF_NOT_FOUND)
        return is_done ? "an acknowledged session is missing" : NULL;
    return is_session(&seen, 1, "new") && !seen.is_clean ? NULL : "neither absent nor new";
}

static bool
operate_update(struct sf_l1 *l1)
{
    return sf_test_set(l1, 1, "value", "new") == SF_OK;
}

static const char *
judge_update(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (is_session(&seen, 2, "new") && !seen.is_clean)
        return NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither old nor new";
}

static bool
operate_end(struct sf_l1 *l1)
{
    return sf_test_end(l1, 1) == SF_OK;
}

static const char *
judge_end(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (is_ended(&seen, 2) && !seen.is_clean)
        return NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither alive nor ended";
}

static bool
operate_rotate(struct sf_l1 *l1)
{
    return sf_test_rotate(l1, 1, 2, NULL) == SF_OK;
}

static bool
operate_login(struct sf_l1 *l1)
{
    return sf_test_rotate(l1, 1, 2, "bob") == SF_OK;
}

/* Until the old key has changed, a copy under the new one is allowed: nobody knows that key yet. */
static const char *
judge_rotate(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen old = sf_test_look(l1, 1, "value");
    struct sf_test_seen new = sf_test_look(l1, 2, "value");
    bool has_new = is_session(&new, 2, "old");

    if (is_ended(&old, 2) && strcmp(old.text, "old") == 0)
        return has_new ? NULL : "the old id is replaced, and the new one leads nowhere";
    if (is_done || !is_session(&old, 1, "old"))
        return "the old id is neither as it was nor replaced";
    return new.status == SF_NOT_FOUND || has_new ? NULL : "something else stands under the new id";
}

static bool
operate_fill(struct sf_l1 *l1)
{
    return sf_test_fill(l1, 1, 7, "stored") == SF_OK;
}

static const char *
judge_fill(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (seen.status == SF_NOT_FOUND)
        return is_done ? "the record is missing" : NULL;
    return is_session(&seen, 7, "stored") && seen.is_clean ? NULL : "neither absent nor clean";
}

/* No free block anywhere: whoever comes must evict. */
static void
prepare_full(struct sf_l1 *l1)
{
    struct sf_l1_usage usage;

    must(sf_test_create(l1, 50, "value", "dirty") == SF_OK, "dirty");
    for (uint64_t number = 1000; number < 6000; number++) {
        enum sf_status status = sf_test_fill(l1, number, 3, "stored");
        must(status == SF_OK || status == SF_CONFLICT, "fill");
    }
    sf_l1_usage(l1, &usage);
    must(usage.blocks_free < 20, "still room");
}

static const char *
judge_evict(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen dirty = sf_test_look(l1, 50, "value");

    return is_session(&dirty, 1, "dirty") ? judge_create(l1, is_done) : "a dirty record is gone";
}

static bool
operate_settle(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    if (sf_l1_find(l1, &key, NULL, &found) != SF_OK)
        return false;
    sf_l1_settle(l1, &(struct sf_l1_ticket){found.block, found.control}, sf_clock_steady());
    return true;
}

/* What "the store" has: all processes see it. */
static _Atomic uint64_t *flushed;

/* A hint that was announced, and whose process died, is in the way. */
static void
prepare_flush(struct sf_l1 *l1)
{
    if (flushed == NULL)
        flushed = mmap(NULL, sizeof(*flushed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0);
    must(flushed != MAP_FAILED, "shared memory");
    atomic_store(flushed, 0);
    prepare_one(l1);
    atomic_fetch_add(&l1->header->hint_head, 1);
}

static bool
operate_flush(struct sf_l1 *l1)
{
    struct sf_l1_cursor cursor = {.hint = 0};
    struct sf_l1_dirty item = {.dirty_since = 0};
    struct sf_record_head head = {.version = 0};

    if (sf_l1_lead(l1, SF_L1_FLUSHER) && sf_l1_dirty_take(l1, &cursor, &item, 1) == 1 &&
        sf_record_head(&head, sf_buffer_span(&item.record)) == SF_OK) {
        atomic_store(flushed, head.version);
        sf_l1_settle(l1, &item.ticket, sf_clock_steady());
    }
    sf_l1_dirty_fini(&item, 1);
    return head.version == 1;
}

static const char *
judge_flush(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (!is_session(&seen, 1, "old"))
        return "the record has changed";
    if (seen.is_clean && atomic_load(flushed) != 1)
        return "taken for stored, and the store does not have it";
    return is_done && !seen.is_clean ? "still dirty" : NULL;
}

static const char *
judge_settle(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (!is_session(&seen, 1, "old"))
        return "the record has changed";
    return is_done && !seen.is_clean ? "still dirty" : NULL;
}

static bool
operate_touch(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);

    sf_l1_touch(l1, &key, SF_TEST_NOW + SF_MINUTE);
    return true;
}

static const char *
judge_touch(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    (void)is_done;
    return is_session(&seen, 1, "old") ? NULL : "the record has changed";
}

/* ---- the store is asked again ---- */

static struct sf_l1_question
ask(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_question question;

    sf_l1_ask(l1, &key, &question);
    return question;
}

static bool
operate_renew(struct sf_l1 *l1)
{
    struct sf_l1_question question = ask(l1);

    return sf_test_confirm(l1, 1, 1, SF_TEST_NOW + SF_MINUTE, &question) == SF_OK;
}

static bool
operate_postpone(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_question question = ask(l1);

    sf_l1_set_ttl(l1, 1);
    sf_l1_postpone(l1, &key, &question);
    return true;
}

static bool
operate_take_later(struct sf_l1 *l1)
{
    struct sf_l1_question question = ask(l1);

    return sf_test_confirm(l1, 1, 9, SF_TEST_NOW, &question) == SF_OK;
}

/* Killed halfway it may be written to the store once more. */
static const char *
judge_take_later(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (is_session(&seen, 9, "stored"))
        return is_done && !seen.is_clean ? "stored, and taken for dirty" : NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither the old nor the later version";
}

static bool
operate_deny(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_question question = ask(l1);

    return sf_l1_deny(l1, &key, &question) == SF_OK;
}

static const char *
judge_deny(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (seen.status == SF_NOT_FOUND)
        return NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither as it was nor gone";
}

static bool
operate_drop(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);

    return sf_l1_drop(l1, &key) == SF_OK;
}

/* Everything that can go is pinned: the search goes through all its levels. */
static void
prepare_full_of_pinned(struct sf_l1 *l1)
{
    struct sf_op mark = {.kind = SF_OP_MARK, .name = sf_span_text("pinned")};
    struct sf_ops ops;
    struct sf_l1_applied applied;

    prepare_full(l1);
    sf_ops_init(&ops);
    must(sf_ops_add(&ops, &mark) == SF_OK, "mark");
    struct sf_l1_change change = sf_test_change(&ops, SF_TEST_NOW);
    for (uint64_t number = 1000; number < 6000; number++) {
        struct sf_key key = sf_test_cache_key(number);
        struct sf_l1_found found;

        enum sf_status status = sf_l1_apply(l1, &key, &change, NULL, &applied);
        must(status == SF_OK || status == SF_NOT_FOUND, "pin");
        if (status == SF_OK && sf_l1_find(l1, &key, NULL, &found) == SF_OK)
            sf_l1_settle(l1, &(struct sf_l1_ticket){found.block, found.control}, sf_clock_steady());
    }
    sf_ops_fini(&ops);
}

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
    atomic_store(slab, sf_l1_slab_opening(sf_l1_slab_base(atomic_load(slab)) + 1000,
                                          l1->move.class_index));
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

const struct scenario scenarios[] = {
    {CREATE, "create", prepare_others, operate_create, judge_create, NULL},
    {UPDATE, "update", prepare_one, operate_update, judge_update, NULL},
    {UPDATE, "update of a stored one", prepare_one_stored, operate_update, judge_update, NULL},
    {TOUCH, "touch", prepare_one_stored, operate_touch, judge_touch, NULL},
    {END, "end", prepare_one_stored, operate_end, judge_end, NULL},
    {ROTATE, "rotate", prepare_one, operate_rotate, judge_rotate, NULL},
    {ROTATE, "login", prepare_one_stored, operate_login, judge_rotate, NULL},
    {EVICT, "create by eviction", prepare_full, operate_create, judge_evict, NULL},
    {EVICT, "create by eviction of pinned", prepare_full_of_pinned, operate_create, judge_evict,
     NULL},
    {EVICT, "drop", prepare_one_stored, operate_drop, judge_deny, NULL},
    {FILL, "fill", prepare_others, operate_fill, judge_fill, NULL},
    {CONFIRM, "renew", prepare_one_stored, operate_renew, judge_touch, NULL},
    {CONFIRM, "postpone", prepare_one_stored, operate_postpone, judge_touch, NULL},
    {CONFIRM, "take a later version", prepare_one_stored, operate_take_later, judge_take_later,
     NULL},
    {CONFIRM, "deny", prepare_one_stored, operate_deny, judge_deny, NULL},
    {FLUSH, "settle", prepare_one, operate_settle, judge_settle, NULL},
    {FLUSH, "flush", prepare_flush, operate_flush, judge_flush, NULL},
    {SWEEP, "trim and expire", prepare_rotated, operate_trim, judge_trim, NULL},
    {MOVE, "move of a slab", prepare_move, operate_move, judge_move, NULL},
    {CLAIM, "claim of a slot", prepare_one_stored, operate_claim, judge_touch, NULL},
    {CLAIM, "claim beside a dead one", prepare_one_stored, operate_claim, judge_touch, leave_slot},
    {REPAIR, "repair", prepare_one, operate_repair, judge_repair, leave_half_changes},
    {REPAIR, "repair of a draining slab", prepare_move, operate_adopt, judge_move, leave_draining},
    {REPAIR, "repair of a closed slab", prepare_move, operate_adopt, judge_move, leave_closed},
    {REPAIR, "repair of an opening slab", prepare_move, operate_adopt, judge_move, leave_opening},
};

const size_t scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
