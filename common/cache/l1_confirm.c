/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_confirm.h"

#include "common/cache/l1_commit.h"
#include "common/cache/l1_evict.h"
#include "common/cache/l1_section.h"
#include "common/session/merge.h"

/*
 * An entry that the store has not confirmed for SessionFastCacheTTL is asked for again, by whoever
 * wants to read it: nobody looks for such entries. Many that came in at once become stale one after
 * the other, for each has a TTL of its own, up to a quarter shorter, that follows from its key.
 *
 * The lease: until lease_until the daemon hears what other hosts change, and brings it here; what was
 * confirmed after lease_from is then good for lease_ttl, where that is longer. A lease that nobody
 * renews runs out, whatever has become of the daemon. lease_from moves forward only.
 */

#define SHARE_EARLY 4
#define MERGES_MAX 1000 /* races lost, each to a change that got through */
#define POSTPONED SF_SECOND /* from one question without an answer to the next */

void
sf_l1_set_ttl(struct sf_l1 *l1, sf_time ttl)
{
    if (l1->is_writable)
        atomic_store_explicit(&l1->header->ttl, (uint64_t)ttl, memory_order_relaxed);
}

void
sf_l1_lease(struct sf_l1 *l1, sf_time ttl, sf_time until)
{
    if (!l1->is_writable)
        return;
    atomic_store_explicit(&l1->header->lease_ttl, (uint64_t)ttl, memory_order_relaxed);
    atomic_store_explicit(&l1->header->lease_until, (uint64_t)until, memory_order_release); /* O12 */
}

void
sf_l1_distrust(struct sf_l1 *l1)
{
    uint64_t now = (uint64_t)sf_clock_steady();
    uint64_t from = sf_l1_peek(&l1->header->lease_from);

    while (l1->is_writable && from < now &&
           !atomic_compare_exchange_weak_explicit(&l1->header->lease_from, &from, now,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

/* Of this key, where others have `ttl` or up to a quarter less. */
static sf_time
share_of(sf_time ttl, const struct sf_key *key)
{
    return ttl - ttl / SHARE_EARLY * sf_load_u16(key->bytes) / (UINT16_MAX + 1);
}

static sf_time
ttl_of(const struct sf_l1 *l1, const struct sf_key *key)
{
    return share_of((sf_time)sf_l1_peek(&l1->header->ttl), key);
}

static bool
is_leased(const struct sf_l1 *l1, const struct sf_key *key, sf_time since, sf_time now)
{
    const struct sf_l1_header *header = l1->header;
    uint64_t until = atomic_load_explicit(&header->lease_until, memory_order_acquire); /* O12 */
    sf_time ttl = share_of((sf_time)sf_l1_peek(&header->lease_ttl), key);

    return (uint64_t)now < until && (uint64_t)since > sf_l1_peek(&header->lease_from) &&
           (ttl == 0 || now < since + ttl);
}

static bool
is_past(const struct sf_l1 *l1, const struct sf_key *key, sf_time since)
{
    sf_time ttl = ttl_of(l1, key), now = ttl > 0 && since > 0 ? sf_clock_steady() : 0;

    return now > 0 && since + ttl <= now && !is_leased(l1, key, since, now);
}

bool
sf_l1_is_stale(const struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_view *view)
{
    return is_past(l1, key, view->since);
}

sf_time
sf_l1_found_confirmed_at(const struct sf_l1_found *found)
{
    bool has_age = sf_l1_control_is_clean(found->control) &&
                   found->image.brief.kind == SF_RECORD_SESSION;

    return has_age ? found->image.since : 0;
}

bool
sf_l1_found_is_stale(const struct sf_l1 *l1, const struct sf_l1_found *found)
{
    return is_past(l1, &found->image.key, sf_l1_found_confirmed_at(found));
}

static void
ask_in_section(struct sf_l1 *l1, const struct sf_key *key, struct sf_l1_question *question_out)
{
    struct sf_l1_home home = sf_l1_home_of(l1, key);
    struct sf_l1_found found;

    *question_out = (struct sf_l1_question){
        .vacancy = {sf_l1_load(home.removals), sf_clock_steady()}, /* before the look: O4 */
    };
    if (sf_l1_find_at(l1, &home, key, NULL, &found) != SF_OK ||
        !sf_l1_control_is_clean(found.control))
        return;
    question_out->is_here = true;
    question_out->ticket = (struct sf_l1_ticket){found.block, found.control};
}

void
sf_l1_ask(struct sf_l1 *l1, const struct sf_key *key, struct sf_l1_question *question_out)
{
    uint64_t section = sf_l1_enter(l1);

    ask_in_section(l1, key, question_out);
    sf_l1_leave(l1, section);
}

/* ---- what the store says ---- */

/* The answer, when the store was asked for it, and the memory that it takes to merge it. */
struct merge {
    const struct sf_key *key;
    const struct sf_l1_answer *answer;
    struct sf_record_head head; /* of its record */
    sf_time asked;
    struct sf_buffer ours, merged;
};

/* On another host, too. */
static void
take_accesses(const struct sf_l1_place *place, uint64_t control, sf_time stored)
{
    sf_l1_block_touch(place, control, stored);
    sf_l1_block_note_access(place, control, stored);
}

/*
 * The answer has all that is here: somebody else has written it. A change like any other, but for being stored, or
 * journalled, already; killed halfway it is written to the store once more, which changes nothing.
 */
static enum sf_status
replace(struct sf_l1 *l1, const struct merge *merge, const struct sf_l1_found *found)
{
    struct sf_l1_draft draft;
    struct sf_l1_legacy legacy = sf_l1_legacy_of(found);
    legacy.dirty_since = merge->asked; /* and then, clean, as old as the question */
    enum sf_status status =
        sf_l1_draft_make(&draft, l1, &found->image.key, merge->answer->record, &legacy);

    if (status != SF_OK)
        return status;
    const struct sf_l1_place *place = &draft.owned.place;
    sf_l1_block_touch(place, draft.owned.control, found->image.last_access);
    take_accesses(place, draft.owned.control, merge->answer->last_access);
    if (!sf_l1_draft_replace(l1, &draft, found)) {
        sf_l1_draft_drop(l1, &draft);
        return SF_CONFLICT;
    }
    uint64_t live = sf_l1_control_make(SF_L1_LIVE, 0, sf_l1_control_gen(draft.owned.control));
    (void)sf_l1_swap(&place->control->state, live,
                     live | sf_l1_marks_of(merge->answer)); /* else it has changed */
    return SF_OK;
}

/* It is what the answer says, or the store had it before. */
static enum sf_status
renew(const struct merge *merge, const struct sf_l1_found *found)
{
    const struct sf_l1_place *place = &found->place;

    take_accesses(place, found->control, merge->answer->last_access);
    sf_l1_block_renew(place, found->control, merge->asked);
    if ((found->control & SF_L1_JOURNALLED) != 0 && !merge->answer->is_journalled)
        (void)sf_l1_swap(&place->control->state, found->control,
                         found->control & ~SF_L1_JOURNALLED);
    return SF_OK;
}

/* Of two in one line the later one: where what is here is stored, or nobody shares the store. */
static enum sf_status
take_later(struct sf_l1 *l1, const struct merge *merge, const struct sf_l1_found *found)
{
    uint64_t here = found->image.brief.version;

    if (merge->head.version > here)
        return replace(l1, merge, found);
    bool is_same = merge->head.version == here && sf_l1_control_is_clean(found->control);
    return is_same || sf_l1_control_is_stored(found->control) ? renew(merge, found) : SF_OK;
}

/* For the store, as a change is, and as old as those that it has in it. */
static enum sf_status
publish_merged(struct sf_l1 *l1, const struct merge *merge, const struct sf_l1_found *found)
{
    struct sf_l1_draft draft;
    const struct sf_l1_legacy legacy = sf_l1_legacy_of(found);
    enum sf_status status =
        sf_l1_draft_make(&draft, l1, merge->key, sf_buffer_span(&merge->merged), &legacy);

    if (status != SF_OK)
        return status;
    sf_l1_block_touch(&draft.owned.place, draft.owned.control, found->image.last_access);
    sf_l1_block_touch(&draft.owned.place, draft.owned.control, merge->answer->last_access);
    if (sf_l1_draft_replace(l1, &draft, found))
        return SF_OK;
    sf_l1_draft_drop(l1, &draft);
    return SF_CONFLICT;
}

/* Both were made of an earlier row, which the store had. */
static enum sf_status
merge_both(struct sf_l1 *l1, struct merge *merge, const struct sf_l1_found *found)
{
    struct sf_span row = merge->answer->record, ours = sf_buffer_span(&merge->ours);
    bool is_new;
    enum sf_status status = merge->answer->is_journalled
                                ? sf_record_merge_journalled(&merge->merged, &is_new, row, ours)
                                : sf_record_merge(&merge->merged, &is_new, row, ours);

    if (status != SF_OK)
        return status;
    return is_new ? publish_merged(l1, merge, found) : replace(l1, merge, found);
}

/*
 * Where hosts count for themselves the number of a version says little; that somebody has logged out says all. He stays
 * logged out here as well, whatever the store knew of what is here.
 */
static bool
ends_what_is_later(struct sf_l1 *l1, const struct merge *merge, const struct sf_l1_found *found)
{
    return merge->head.kind == SF_RECORD_ENDED && found->image.brief.kind != SF_RECORD_ENDED &&
           merge->head.version <= found->image.brief.version && sf_l1_host(l1) != 0;
}

static bool
has_lineage(const struct sf_buffer *record)
{
    struct sf_record_head head;

    return sf_record_head(&head, sf_buffer_span(record)) == SF_OK && head.lineage.size > 0;
}

static bool
is_later(const struct merge *merge, const struct sf_l1_found *found)
{
    return merge->head.version > found->image.brief.version;
}

/* What is stored, as it is here: the store went back, and others went on from there. */
static bool
has_been_lost(const struct merge *merge, const struct sf_l1_found *found)
{
    return sf_l1_control_is_stored(found->control) && merge->head.kind == SF_RECORD_SESSION &&
           sf_lineage_lacks(merge->answer->record, sf_buffer_span(&merge->ours));
}

static enum sf_status
merge_once(struct sf_l1 *l1, struct merge *merge)
{
    struct sf_l1_found found;
    enum sf_status status = sf_l1_find(l1, merge->key, &merge->ours, &found);

    if (status != SF_OK)
        return status;
    if (ends_what_is_later(l1, merge, &found))
        return merge_both(l1, merge, &found);
    struct sf_span ours = sf_buffer_span(&merge->ours);
    if (is_later(merge, &found) && has_been_lost(merge, &found))
        return merge_both(l1, merge, &found);
    bool is_same = sf_l1_control_is_clean(found.control) &&
                   sf_span_equal(merge->answer->record, ours);
    if (is_same || sf_l1_control_is_stored(found.control) || !has_lineage(&merge->ours))
        return take_later(l1, merge, &found);
    if (merge->head.version <= sf_lineage_base(ours))
        return SF_OK; /* a late answer: what is here grew from that, or from a later one */
    return merge_both(l1, merge, &found);
}

static enum sf_status
merge_in_section(struct sf_l1 *l1, struct merge *merge)
{
    enum sf_status status = SF_CONFLICT;

    sf_buffer_init(&merge->ours, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&merge->merged, SF_RECORD_BYTES_MAX);
    for (int i = 0; i < MERGES_MAX && status == SF_CONFLICT; i++)
        status = merge_once(l1, merge);
    sf_buffer_fini(&merge->ours);
    sf_buffer_fini(&merge->merged);
    return status;
}

static enum sf_status
confirm_in_section(struct sf_l1 *l1, struct merge *merge, const struct sf_l1_question *question)
{
    struct sf_l1_found found;
    enum sf_status status = sf_l1_find(l1, merge->key, NULL, &found);

    if (status == SF_CONFLICT || (status == SF_OK && !sf_l1_control_is_clean(found.control)))
        return SF_OK; /* it is here, and changing */
    if (status != SF_OK)
        return sf_l1_fill_in_section(l1, merge->key, merge->answer, &question->vacancy);
    if (sf_l1_control_is_stored(found.control) && !is_later(merge, &found) &&
        !ends_what_is_later(l1, merge, &found))
        return take_later(l1, merge, &found);
    status = merge_in_section(l1, merge);
    return status == SF_NOT_FOUND ? SF_CONFLICT : status;
}

enum sf_status
sf_l1_confirm(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_answer *answer,
              const struct sf_l1_question *question)
{
    struct merge merge = {.key = key, .answer = answer, .asked = question->vacancy.seen};
    enum sf_status status =
        l1->is_writable ? sf_record_head(&merge.head, answer->record) : SF_INVALID;

    if (status != SF_OK)
        return status;
    uint64_t section = sf_l1_enter(l1);
    status = confirm_in_section(l1, &merge, question);
    sf_l1_leave(l1, section);
    return status;
}

/* ---- other hosts ---- */

enum sf_status
sf_l1_merge(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_answer *answer,
            sf_time asked)
{
    struct merge merge = {.key = key, .answer = answer, .asked = asked};
    enum sf_status status =
        l1->is_writable ? sf_record_head(&merge.head, answer->record) : SF_INVALID;

    if (status != SF_OK)
        return status;
    uint64_t section = sf_l1_enter(l1);
    status = merge_in_section(l1, &merge);
    sf_l1_leave(l1, section);
    return status;
}

static enum sf_status
deny_in_section(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_question *question)
{
    struct sf_l1_found found;
    enum sf_status status = l1->is_writable ? sf_l1_find(l1, key, NULL, &found) : SF_INVALID;

    if (status != SF_OK)
        return status == SF_NOT_FOUND ? SF_OK : status;
    /* What was dirty then, or is another one now, the store could not know. */
    if (!question->is_here || found.block != question->ticket.block ||
        found.control != question->ticket.control)
        return SF_CONFLICT;
    if (!sf_l1_evict_block(l1, found.block, &found.place, found.control, SF_L1_LOSE_TOUCHES)) {
        sf_l1_block_renew(&found.place, found.control, question->vacancy.seen);
        return SF_CONFLICT;
    }
    sf_l1_block_retire(l1, found.block, found.control);
    return SF_OK;
}

enum sf_status
sf_l1_deny(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_question *question)
{
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = deny_in_section(l1, key, question);

    sf_l1_leave(l1, section);
    return status;
}

static void
postpone_in_section(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_question *question)
{
    struct sf_l1_place place;
    sf_time now = sf_clock_steady(), ttl = ttl_of(l1, key);
    sf_time since = ttl > POSTPONED ? now - ttl + POSTPONED : now;

    /* Now it seems to be confirmed later than it is: not for the lease, from the beginning. */
    sf_l1_distrust(l1);
    sf_l1_fence(); /* O12 */
    /* Within a TTL of the boot nothing is stale; a time before it would be one far ahead. */
    if (since > 0 && l1->is_writable && question->is_here &&
        sf_l1_block_place(l1, question->ticket.block, &place))
        sf_l1_block_renew(&place, question->ticket.control, since);
}

void
sf_l1_postpone(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_question *question)
{
    uint64_t section = sf_l1_enter(l1);

    postpone_in_section(l1, key, question);
    sf_l1_leave(l1, section);
}
