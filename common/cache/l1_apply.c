/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <string.h>

#include "common/cache/l1_commit.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_section.h"
#include "common/cache/l1_confirm.h"
#include "common/cache/l1_worth.h"
#include "common/session/life.h"
#include "common/session/lineage_keep.h"

#define TRIES_MAX 20000    /* races lost, each to somebody who got his change through */
#define SPINS_MAX 4        /* from then on the processor goes to somebody else first */
#define FORWARDS_MAX 8     /* rotations followed for one change */

/*
 * One call of sf_l1_apply. Each attempt reads the session, applies the list to a private copy and
 * tries to commit; whoever loses the race starts again with what the winner left.
 */
struct attempt {
    struct sf_l1 *l1;
    const struct sf_l1_change *change;
    struct sf_l1_applied *applied;
    struct sf_key key;
    struct sf_l1_found found;
    struct sf_buffer record;   /* as found: the session's spans point into it; or changed in place */
    struct sf_session session;
    struct sf_ops_outcome outcome;
    struct sf_buffer scratch;
    struct sf_buffer own;      /* the new record when the caller does not want it */
    struct sf_buffer *encoded;
    const struct sf_buffer *fresh; /* the new record: `encoded` or, changed in place, `record` */
    struct sf_buffer former;   /* what the old key holds after a rotation */
    bool lost_race;            /* with SF_CONFLICT: another attempt may succeed */
};

static void
init_attempt(struct attempt *attempt, struct sf_buffer *record_out)
{
    sf_buffer_init(&attempt->record, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&attempt->scratch, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&attempt->own, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&attempt->former, SF_RECORD_BYTES_MAX);
    sf_session_init(&attempt->session);
    attempt->encoded = record_out != NULL ? record_out : &attempt->own;
}

static void
fini_attempt(struct attempt *attempt)
{
    sf_session_fini(&attempt->session);
    sf_buffer_fini(&attempt->record);
    sf_buffer_fini(&attempt->scratch);
    sf_buffer_fini(&attempt->own);
    sf_buffer_fini(&attempt->former);
}

static enum sf_status
lose_race(struct attempt *attempt)
{
    sf_count(attempt->l1->counters, l1_conflicts);
    attempt->lost_race = true;
    return SF_CONFLICT;
}

/* ---- the new record ---- */

/* SF_FULL: too large, which the version in `applied` tells from "no room". */
static enum sf_status
encode(struct attempt *attempt, size_t max_bytes)
{
    sf_buffer_clear(attempt->encoded);
    enum sf_status status = sf_session_encode(&attempt->session, max_bytes, attempt->encoded);

    attempt->fresh = attempt->encoded;
    if (status == SF_FULL)
        attempt->applied->version = attempt->session.head.version;
    return status;
}

/* The caller's, who does not know which host this is. */
static struct sf_ops
ops_of(const struct attempt *attempt)
{
    struct sf_ops ops = *attempt->change->ops;

    ops.host = sf_l1_host(attempt->l1);
    return ops;
}

static enum sf_status
apply_ops(struct attempt *attempt)
{
    const struct sf_ops ops = ops_of(attempt);

    sf_buffer_clear(&attempt->scratch);
    enum sf_status status = sf_ops_apply(&attempt->session, &ops, attempt->change->now,
                                         &attempt->scratch, &attempt->outcome);

    if (status == SF_FULL)
        attempt->applied->version = attempt->session.head.version + 1;
    return status;
}

static void
report(struct attempt *attempt, const struct sf_key *key)
{
    attempt->applied->key = *key;
    attempt->applied->version = attempt->session.head.version;
    attempt->applied->changed = attempt->outcome.changed;
}

/* ---- pressure ---- */

/* Who is not logged in gives way; a pinned session counts as a user's. */
static enum sf_status
give_way_to_users(struct attempt *attempt, enum sf_l1_pressure refused_from)
{
    enum sf_l1_pressure pressure = sf_l1_pressure(attempt->l1);

    attempt->applied->is_visitors = sf_l1_worth_of(&attempt->session.head) < SF_L1_LOGGED_IN;
    if (pressure < refused_from || !attempt->applied->is_visitors)
        return SF_OK;
    attempt->applied->pressure = pressure;
    sf_count(attempt->l1->counters, pressure_refused);
    return SF_FULL;
}

/* ---- change and end ---- */

static enum sf_status
replace(struct attempt *attempt)
{
    struct sf_l1_draft draft;
    const struct sf_l1_legacy legacy = sf_l1_legacy_of(&attempt->found);
    enum sf_status status = sf_l1_draft_make(&draft, attempt->l1, &attempt->key,
                                             sf_buffer_span(attempt->fresh), &legacy);

    if (status != SF_OK)
        return status;
    if (!sf_l1_draft_replace(attempt->l1, &draft, &attempt->found)) {
        sf_l1_draft_drop(attempt->l1, &draft);
        return lose_race(attempt);
    }
    report(attempt, &attempt->key);
    return SF_OK;
}

static bool
is_patched(const struct attempt *attempt)
{
    return attempt->fresh == &attempt->record;
}

/* For the caller, when he wants it. */
static enum sf_status
copy_record(struct attempt *attempt)
{
    sf_buffer_clear(attempt->encoded);
    return attempt->encoded == &attempt->own
               ? SF_OK
               : sf_buffer_append_span(attempt->encoded, sf_buffer_span(&attempt->record));
}

static enum sf_status
update(struct attempt *attempt)
{
    enum sf_status status = is_patched(attempt) ? copy_record(attempt)
                                                : encode(attempt, attempt->change->max_bytes);

    return status == SF_OK ? replace(attempt) : status;
}

/* The tombstone says that the session is gone until no request can come with its id any more. */
static enum sf_status
end(struct attempt *attempt)
{
    const struct sf_l1_change *change = attempt->change;

    sf_session_end(&attempt->session, change->end_reason, change->now, change->tombstone_lifetime);
    enum sf_status status = encode(attempt, SF_RECORD_BYTES_MAX);
    if (status == SF_OK)
        status = replace(attempt);
    if (status == SF_OK) {
        attempt->applied->ended = true;
        sf_count(attempt->l1->counters, sessions_ended);
    }
    return status;
}

/* Nothing differs: no new version, and no write. */
static enum sf_status
keep(struct attempt *attempt)
{
    report(attempt, &attempt->key);
    return copy_record(attempt);
}

/* ---- rotation ---- */

/*
 * What the old key holds from now on: the session as it was, to be read until the grace ends. After
 * ROTATE its changes go to the successor; after LOGIN nothing leads from the old id, which others
 * may know, to the new privileges.
 */
static enum sf_status
encode_former(struct attempt *attempt)
{
    const struct sf_l1_change *change = attempt->change;
    const struct sf_replacement replacement = {
        .version = attempt->session.head.version,
        .successor = sf_ops_has(change->ops, SF_OP_LOGIN) ? NULL : change->new_key,
        .now = change->now,
        .grace = change->rotate_grace,
        .tombstone_lifetime = change->tombstone_lifetime,
    };
    struct sf_session former;
    struct sf_buffer lineage;

    sf_session_init(&former);
    sf_buffer_init(&lineage, SF_LINEAGE_BYTES_MAX);
    enum sf_status status = sf_session_decode(&former, sf_buffer_span(&attempt->record));
    former.is_stored = sf_l1_control_is_stored(attempt->found.control);
    if (status == SF_OK)
        status = sf_lineage_of_end(&lineage, &former, sf_l1_host(attempt->l1), replacement.version);
    if (status == SF_OK) {
        sf_session_replace(&former, &replacement);
        sf_buffer_clear(&attempt->former);
        status = sf_session_encode(&former, SF_RECORD_BYTES_MAX, &attempt->former);
    }
    sf_buffer_fini(&lineage);
    sf_session_fini(&former);
    return status;
}

/*
 * New key first, then the old one: whoever holds the old id sees both or neither, and nobody knows
 * the new key until this call has returned. Killed in between: a copy that nobody can ask for,
 * which expires by itself.
 */
static enum sf_status
commit_rotation(struct attempt *attempt, const struct sf_l1_draft *fresh,
                const struct sf_l1_draft *former)
{
    struct sf_l1_committed named;
    bool is_replaced = SF_MUTANT(OLD_KEY_FIRST) &&
                       sf_l1_draft_replace(attempt->l1, former, &attempt->found);
    enum sf_status status = sf_l1_draft_name(attempt->l1, fresh, &named);

    if (status != SF_OK)
        return status;
    if (!is_replaced && !sf_l1_draft_replace(attempt->l1, former, &attempt->found)) {
        sf_l1_draft_withdraw(&named);
        return lose_race(attempt);
    }
    sf_l1_draft_confirm(attempt->l1, fresh);
    return SF_OK;
}

static enum sf_status
publish_rotation(struct attempt *attempt)
{
    struct sf_l1 *l1 = attempt->l1;
    struct sf_l1_draft fresh, former;
    const struct sf_l1_legacy legacy = sf_l1_legacy_of(&attempt->found);
    struct sf_l1_legacy of_fresh = legacy;
    of_fresh.dirty_since = 0; /* under this key it is new */
    enum sf_status status = sf_l1_draft_make(&fresh, l1, attempt->change->new_key,
                                             sf_buffer_span(attempt->encoded), &of_fresh);

    if (status != SF_OK)
        return status;
    status = sf_l1_draft_make(&former, l1, &attempt->key, sf_buffer_span(&attempt->former),
                              &legacy);
    if (status == SF_OK) {
        status = commit_rotation(attempt, &fresh, &former);
        if (status != SF_OK)
            sf_l1_draft_drop(l1, &former);
    }
    if (status != SF_OK)
        sf_l1_draft_drop(l1, &fresh);
    return status;
}

static enum sf_status
rotate(struct attempt *attempt)
{
    if (attempt->change->new_key == NULL)
        return SF_INVALID;
    enum sf_status status = encode_former(attempt);
    if (status == SF_OK)
        status = encode(attempt, attempt->change->max_bytes);
    if (status == SF_OK)
        status = publish_rotation(attempt);
    if (status == SF_OK) {
        report(attempt, attempt->change->new_key);
        attempt->applied->rotated = true;
        sf_count(attempt->l1->counters, sessions_rotated);
    }
    return status;
}

/* ---- an existing session ---- */

/* L1 may know of a later access than the record. */
static void
raise_last_access(struct attempt *attempt)
{
    if (attempt->session.head.last_access < attempt->found.image.last_access)
        attempt->session.head.last_access = attempt->found.image.last_access;
}

/*
 * The short way: most lists give fields that are there other values of the same size, and the record
 * need not be taken to pieces and put together again.
 */
static bool
patch(struct attempt *attempt)
{
    const struct sf_l1_change *change = attempt->change;
    struct sf_ops_outcome outcome = {.changed = false};
    const struct sf_ops ops = ops_of(attempt);

    if (attempt->record.size > change->max_bytes ||
        !sf_ops_patch(&attempt->record, &attempt->session.head, &ops, change->now,
                      &outcome.changed))
        return false;
    attempt->outcome = outcome;
    attempt->fresh = &attempt->record;
    return true;
}

/* SF_OK: go on. A session that is over says NOT_FOUND for certain. */
static enum sf_status
load_session(struct attempt *attempt)
{
    struct sf_record_head *head = &attempt->session.head;
    enum sf_status status = sf_record_head(head, sf_buffer_span(&attempt->record));

    attempt->fresh = NULL;
    if (status != SF_OK || head->kind == SF_RECORD_ENDED)
        return status;
    raise_last_access(attempt);
    sf_time expires = sf_record_expires(head, head->last_access);
    if (expires != 0 && expires <= attempt->change->now)
        return SF_NOT_FOUND;
    if (patch(attempt))
        return SF_OK;
    status = sf_session_decode(&attempt->session, sf_buffer_span(&attempt->record));
    attempt->session.is_stored = sf_l1_control_is_stored(attempt->found.control);
    raise_last_access(attempt);
    return status;
}

/*
 * Finds the session, following what ROTATE left behind. Not for LOGIN and ROTATE: the new id goes to
 * whoever asks, and the old one may be known to somebody else.
 */
static enum sf_status
find_session(struct attempt *attempt)
{
    for (int i = 0; i < FORWARDS_MAX; i++) {
        enum sf_status status =
            sf_l1_find(attempt->l1, &attempt->key, &attempt->record, &attempt->found);

        if (status == SF_CONFLICT)
            return lose_race(attempt);
        if (status == SF_OK && attempt->change->must_be_fresh &&
            sf_l1_found_is_stale(attempt->l1, &attempt->found))
            status = SF_NOT_FOUND;
        if (status == SF_NOT_FOUND) {
            attempt->applied->missed = true;
            attempt->applied->key = attempt->key;
        }
        if (status == SF_OK)
            status = load_session(attempt);
        if (status != SF_OK || attempt->session.head.kind != SF_RECORD_ENDED)
            return status;
        if (!sf_session_leads_on(&attempt->session.head, attempt->change->now) ||
            sf_ops_wants_new_id(attempt->change->ops)) {
            return SF_NOT_FOUND;
        }
        attempt->key = attempt->session.head.successor;
    }
    return SF_NOT_FOUND;
}

static enum sf_status
change_existing(struct attempt *attempt)
{
    enum sf_status status = find_session(attempt);

    if (status == SF_OK && !is_patched(attempt))
        status = apply_ops(attempt);
    if (status != SF_OK)
        return status;
    /* Or the search for room might evict the very session. */
    sf_l1_block_touch(&attempt->found.place, attempt->found.control,
                      attempt->session.head.last_access);
    if (attempt->outcome.ended)
        return end(attempt);
    if (!attempt->outcome.changed)
        return keep(attempt);
    status = give_way_to_users(attempt, SF_L1_PRESSURE_NO_ANONYMOUS);
    if (status != SF_OK)
        return status;
    return attempt->outcome.wants_new_id ? rotate(attempt) : update(attempt);
}

/* ---- a new session ---- */

static enum sf_status
publish_new(struct attempt *attempt)
{
    struct sf_l1_draft draft;
    struct sf_l1_committed named;
    enum sf_status status = sf_l1_draft_make(&draft, attempt->l1, attempt->change->new_key,
                                             sf_buffer_span(attempt->encoded), NULL);

    if (status != SF_OK)
        return status;
    status = sf_l1_draft_name(attempt->l1, &draft, &named);
    if (status == SF_OK)
        sf_l1_draft_confirm(attempt->l1, &draft);
    else
        sf_l1_draft_drop(attempt->l1, &draft);
    return status;
}

static enum sf_status
create(struct attempt *attempt)
{
    const struct sf_l1_change *change = attempt->change;

    if (!change->may_create || !sf_ops_may_create(change->ops))
        return SF_NOT_FOUND;
    if (change->new_key == NULL)
        return SF_INVALID;
    sf_session_begin(&attempt->session, change->now, change->idle_timeout,
                     change->absolute_timeout);
    enum sf_status status = apply_ops(attempt);
    if (status != SF_OK)
        return status;
    if (attempt->outcome.ended || !attempt->outcome.changed)
        return SF_NOT_FOUND; /* nothing is created for nothing */
    status = give_way_to_users(attempt, SF_L1_PRESSURE_NO_NEW);
    if (status == SF_OK)
        status = encode(attempt, change->max_bytes);
    if (status == SF_OK)
        status = publish_new(attempt);
    if (status == SF_OK) {
        report(attempt, change->new_key);
        attempt->applied->created = true;
        sf_count(attempt->l1->counters, sessions_created);
    }
    return status;
}

/* ---- all of it ---- */

static void
give_way(int lost)
{
    if (lost > SPINS_MAX)
        (void)sched_yield();
}

static enum sf_status
attempt_until_done(struct attempt *attempt, const struct sf_key *key)
{
    enum sf_status status = SF_CONFLICT;

    attempt->lost_race = true;
    for (int lost = 0; attempt->lost_race && lost < TRIES_MAX; lost++) {
        give_way(lost);
        attempt->lost_race = false;
        *attempt->applied = (struct sf_l1_applied){.version = 0};
        if (key != NULL) {
            attempt->key = *key;
            status = change_existing(attempt);
        } else {
            status = create(attempt);
        }
    }
    return status;
}

enum sf_status
sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key, const struct sf_l1_change *change,
            struct sf_buffer *record_out, struct sf_l1_applied *applied_out)
{
    struct attempt attempt = {.l1 = l1, .change = change, .applied = applied_out};

    *applied_out = (struct sf_l1_applied){.version = 0};
    if (!l1->is_writable)
        return SF_INVALID;
    init_attempt(&attempt, record_out);
    uint64_t section = sf_l1_enter(l1);
    enum sf_status status = attempt_until_done(&attempt, key);
    sf_l1_leave(l1, section);
    fini_attempt(&attempt);
    if (status == SF_OK)
        sf_count(l1->counters, changes);
    else if (!applied_out->missed)
        sf_count(l1->counters, changes_refused);
    return status;
}
