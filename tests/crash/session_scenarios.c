/* SPDX-License-Identifier: Apache-2.0 */
/* What requests and the daemon do with a session. */
#include <string.h>
#include <sys/mman.h>

#include "common/cache/l1_commit.h"
#include "tests/crash/scenario_parts.h"

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

/* The journal takes it over, and brings it to the store: stored only behind that. */
static bool
operate_journal(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    if (sf_l1_find(l1, &key, NULL, &found) != SF_OK)
        return false;
    sf_l1_settle_journalled(l1, &(struct sf_l1_ticket){found.block, found.control},
                            sf_clock_steady());
    if (sf_l1_has_stored(l1, &key, 1))
        return false;
    sf_l1_settle_key(l1, &key, 1, sf_clock_steady());
    return sf_l1_has_stored(l1, &key, 1);
}

/* What "the store" has: all processes see it. */
static _Atomic uint64_t *flushed;

/* A hint that was announced, and whose process died, is in the way. */
static void
prepare_flush(struct sf_l1 *l1)
{
    if (flushed == NULL)
        flushed =
            mmap(NULL, sizeof(*flushed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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

const struct scenario session_scenarios[] = {
    {CREATE, "create", prepare_others, operate_create, judge_create, NULL},
    {UPDATE, "update", prepare_one, operate_update, judge_update, NULL},
    {UPDATE, "update of a stored one", prepare_one_stored, operate_update, judge_update, NULL},
    {TOUCH, "touch", prepare_one_stored, operate_touch, judge_unchanged, NULL},
    {END, "end", prepare_one_stored, operate_end, judge_end, NULL},
    {ROTATE, "rotate", prepare_one, operate_rotate, judge_rotate, NULL},
    {ROTATE, "login", prepare_one_stored, operate_login, judge_rotate, NULL},
    {EVICT, "create by eviction", prepare_full, operate_create, judge_evict, NULL},
    {EVICT, "create by eviction of pinned", prepare_full_of_pinned, operate_create, judge_evict,
     NULL},
    {EVICT, "drop", prepare_one_stored, operate_drop, judge_deny, NULL},
    {FILL, "fill", prepare_others, operate_fill, judge_fill, NULL},
    {CONFIRM, "renew", prepare_one_stored, operate_renew, judge_unchanged, NULL},
    {CONFIRM, "postpone", prepare_one_stored, operate_postpone, judge_unchanged, NULL},
    {CONFIRM, "take a later version", prepare_one_stored, operate_take_later, judge_take_later,
     NULL},
    {CONFIRM, "deny", prepare_one_stored, operate_deny, judge_deny, NULL},
    {FLUSH, "settle", prepare_one, operate_settle, judge_settle, NULL},
    {FLUSH, "journal", prepare_one, operate_journal, judge_settle, NULL},
    {FLUSH, "flush", prepare_flush, operate_flush, judge_flush, NULL},
};

const size_t session_scenario_count = sizeof(session_scenarios) / sizeof(session_scenarios[0]);
