/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/store_migrate_private.h"

#include <stdlib.h>
#include <time.h>

#define SECOND_LOAD_DEADLINE ((sf_time)150) /* the authority is asked then; a request waits for 250 ms */
#define SECOND_SWEEP_DEADLINE ((sf_time)250) /* changes wait behind it */
#define LANE_WAIT ((sf_time)50)             /* for the second's lane, which a page of a pass may have for long */
#define DOUBT_PAUSE (2 * SF_SECOND)         /* a write whose answer was lost may come to pass so much later */

/* ---- what is known of a key ---- */

bool
sf_migrate_trusts(const struct sf_migrate *migrate, const struct sf_key *key)
{
    const struct sf_migrate_state *state = &migrate->state;
    bool is_passed = state->is_copied || (state->has_cursor && memcmp(key, &state->cursor, sizeof *key) <= 0);
    return is_passed && migrate->takes_notes && !sf_debts_has(migrate->debts, key);
}

void
sf_migrate_distrust(struct sf_migrate *migrate)
{
    struct sf_migrate_state *state = &migrate->state;
    sf_debts_forget(migrate->debts);
    migrate->takes_notes = false;
    migrate->is_state_saved = false;
    migrate->pass = (struct sf_migrate_pass){.is_wanted = false};
    state->is_copied = state->has_cursor = false;
    state->verified = 0;
    if (state->phase == SF_MIGRATE_VERIFIED)
        state->phase = SF_MIGRATE_COPYING;
}

void
sf_migrate_doubt(struct sf_migrate *migrate)
{
    migrate->pass = (struct sf_migrate_pass){.is_wanted = migrate->state.is_copied};
    migrate->state.verified = 0;
    if (migrate->state.phase == SF_MIGRATE_VERIFIED)
        migrate->state.phase = SF_MIGRATE_COPYING;
}

bool
sf_migrate_knows_second(struct sf_migrate *migrate)
{
    if (migrate->second.store == NULL || !migrate->takes_notes)
        return true;
    uint64_t incarnation = sf_store_incarnation(migrate->second.store);
    if (incarnation == 0 || incarnation == migrate->state.incarnation)
        return true;
    if (migrate->state.incarnation != 0) {
        sf_migrate_distrust(migrate);
        return false;
    }
    migrate->state.incarnation = incarnation; /* of the first connection */
    migrate->is_state_saved = false;
    return true;
}

void
sf_migrate_owe(struct sf_migrate *migrate, const struct sf_key *key, bool is_acknowledged, sf_time due)
{
    const struct sf_debt debt = {.key = *key, .due = due, .is_acknowledged = is_acknowledged};
    if (migrate->takes_notes && !sf_debts_add(migrate->debts, &debt))
        sf_migrate_distrust(migrate);
}

bool
sf_migrate_is_alone(const struct sf_migrate *migrate)
{
    return migrate->state.host == 0 || sf_clock_steady() < migrate->alone_until;
}

/* ---- loads ---- */

/* One load, and where it is asked. */
struct plan {
    bool is_trusted;
    bool is_asked;         /* in the call that is made next */
    enum sf_status second; /* what the second has said, where it was asked first */
    bool was_second_first;
    bool may_back_up;
};

static void
plan_loads(struct sf_migrate *migrate, const struct sf_load *loads, struct plan *plans, size_t count)
{
    pthread_mutex_lock(&migrate->lock);
    bool is_alone = sf_migrate_is_alone(migrate), is_single = migrate->state.host == 0;
    bool may_ask = migrate->state.phase != SF_MIGRATE_FINISHED && is_alone && !atomic_load(&migrate->is_second_late);
    for (size_t i = 0; i < count; i++) {
        plans[i].is_trusted = sf_migrate_trusts(migrate, &loads[i].key);
        plans[i].may_back_up = is_alone;
        plans[i].is_asked = may_ask && plans[i].is_trusted && (is_single || !loads[i].needs_truth)
            && sf_key_mix(&loads[i].key) % 100 < (unsigned)migrate->state.percent;
        plans[i].was_second_first = plans[i].is_asked;
    }
    pthread_mutex_unlock(&migrate->lock);
}

/* Not by a timed lock, whose clock may be set, nor by so many pauses, which are long on a busy machine. */
static bool
take_lane(struct sf_migrate_side *side, sf_time until)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (pthread_mutex_trylock(&side->load_lane) != 0) {
        if (sf_clock_steady() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool
is_no_answer(enum sf_status status)
{
    return status != SF_OK && status != SF_NOT_FOUND;
}

static bool
is_any_there(const struct sf_load *loads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (loads[i].status != SF_UNAVAILABLE)
            return true;
    return false;
}

/* The second's lane is waited for so long only; the authority's as long as there is time: nobody else can be asked. */
static void
ask_side(struct sf_migrate *migrate, struct sf_migrate_side *side, struct sf_load *asked, size_t count,
         sf_time deadline)
{
    bool is_second = side == &migrate->second;
    sf_store_answer_loads(asked, count, SF_UNAVAILABLE);
    if (take_lane(side, is_second ? sf_clock_steady() + LANE_WAIT : deadline)) {
        if (side->store != NULL)
            side->store->ops->load(side->store, asked, count, deadline);
        pthread_mutex_unlock(&side->load_lane);
    }
    if (is_second && !is_any_there(asked, count))
        sf_migrate_note_late(migrate);
}

/* Those that are planned, all at once. */
static void
ask(struct sf_migrate *migrate, struct sf_migrate_side *side, struct sf_load *loads, const struct plan *plans,
    struct sf_load *asked, size_t count, sf_time deadline)
{
    size_t wanted = 0, answered = 0;
    for (size_t i = 0; i < count; i++)
        if (plans[i].is_asked)
            asked[wanted++] = loads[i];
    if (wanted == 0)
        return;
    ask_side(migrate, side, asked, wanted, deadline);
    for (size_t i = 0; i < count; i++)
        if (plans[i].is_asked)
            loads[i].status = asked[answered++].status;
}

/* After the second was asked: what it has said may have been out of date, or its server restarted with older data. */
static void
trust_again(struct sf_migrate *migrate, const struct sf_load *loads, struct plan *plans, size_t count)
{
    pthread_mutex_lock(&migrate->lock);
    (void)sf_migrate_knows_second(migrate);
    for (size_t i = 0; i < count; i++)
        plans[i].is_trusted = plans[i].is_trusted && sf_migrate_trusts(migrate, &loads[i].key);
    pthread_mutex_unlock(&migrate->lock);
}

static void
plan_authority(const struct sf_load *loads, struct plan *plans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        plans[i].second = plans[i].was_second_first ? loads[i].status : SF_NOT_FOUND;
        if (!plans[i].is_trusted)
            plans[i].second = SF_UNAVAILABLE;
        plans[i].is_asked = !plans[i].was_second_first || plans[i].second != SF_OK;
    }
}

/* The second as the authority's backup: what it has, it has for certain. */
static bool
plan_backup(const struct sf_load *loads, struct plan *plans, size_t count)
{
    bool is_any = false;
    for (size_t i = 0; i < count; i++) {
        plans[i].is_asked = plans[i].may_back_up && plans[i].is_trusted && !plans[i].was_second_first
            && is_no_answer(loads[i].status);
        is_any |= plans[i].is_asked;
    }
    return is_any;
}

static void
ask_backup(struct sf_migrate *migrate, struct sf_load *loads, struct plan *plans, struct sf_load *asked,
           size_t count, sf_time deadline)
{
    ask(migrate, &migrate->second, loads, plans, asked, count, deadline);
    trust_again(migrate, loads, plans, count);
    for (size_t i = 0; i < count; i++)
        if (plans[i].is_asked && (loads[i].status != SF_OK || !plans[i].is_trusted))
            loads[i].status = SF_UNAVAILABLE; /* a "no" is the authority's only */
}

/* It had to have what it does not. */
static void
note_missing(struct sf_migrate *migrate, const struct sf_load *loads, const struct plan *plans, size_t count)
{
    size_t from_second = 0, from_authority = 0;
    pthread_mutex_lock(&migrate->lock);
    for (size_t i = 0; i < count; i++) {
        if (!plans[i].was_second_first)
            continue;
        from_second += plans[i].second == SF_OK;
        from_authority += plans[i].second != SF_OK;
        bool is_wrong = plans[i].second == SF_NOT_FOUND || plans[i].second == SF_CORRUPT;
        if (!is_wrong || loads[i].status != SF_OK || !sf_migrate_trusts(migrate, &loads[i].key))
            continue;
        sf_migrate_list(migrate, &(struct sf_difference){
            .kind = plans[i].second == SF_CORRUPT ? SF_DIFFERENCE_DAMAGED : SF_DIFFERENCE_MISSING,
            .key = loads[i].key, .noticed = sf_clock_wall()});
        sf_migrate_owe(migrate, &loads[i].key, true, 0);
    }
    pthread_mutex_unlock(&migrate->lock);
    sf_migrate_count(migrate, SF_COUNTER_migrate_reads, from_second);
    sf_migrate_count(migrate, SF_COUNTER_migrate_reads_back, from_authority);
}

static void
load_planned(struct sf_migrate *migrate, struct sf_load *loads, struct plan *plans, struct sf_load *asked, size_t count,
             sf_time deadline)
{
    plan_loads(migrate, loads, plans, count);
    ask(migrate, &migrate->second, loads, plans, asked, count,
        sf_migrate_earlier(deadline, sf_clock_steady() + SECOND_LOAD_DEADLINE));
    trust_again(migrate, loads, plans, count);
    plan_authority(loads, plans, count);
    ask(migrate, &migrate->authority, loads, plans, asked, count, deadline);
    if (plan_backup(loads, plans, count))
        ask_backup(migrate, loads, plans, asked, count, deadline);
    note_missing(migrate, loads, plans, count);
}

static void
migrate_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    struct plan *plans = calloc(count, sizeof *plans);
    struct sf_load *asked = calloc(count, sizeof *asked);
    if (plans != NULL && asked != NULL)
        load_planned(migrate, loads, plans, asked, count, deadline);
    else
        sf_store_answer_loads(loads, count, SF_NO_MEMORY);
    free(plans);
    free(asked);
}

/* ---- writes ---- */

static void
note(struct sf_migrate *migrate, const struct sf_write *writes, size_t count)
{
    pthread_mutex_lock(&migrate->lock);
    if (migrate->takes_notes && !sf_debts_note(migrate->debts, writes, count))
        sf_migrate_distrust(migrate);
    pthread_mutex_unlock(&migrate->lock);
}

/* What the authority has taken, for the second, which judges by the version only. */
static size_t
copy_taken(const struct sf_write *writes, struct sf_write *copies, size_t count)
{
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (writes[i].status != SF_OK)
            continue;
        copies[taken] = writes[i];
        copies[taken++].expected = 0;
    }
    return taken;
}

/* A touch of what the pass has not copied yet is no debt. */
static bool
is_failure(const struct sf_migrate *migrate, const struct sf_write *copy)
{
    return copy->status != SF_OK && (copy->status != SF_NOT_FOUND || sf_migrate_trusts(migrate, &copy->key));
}

static void
keep_answers(struct sf_migrate *migrate, const struct sf_write *writes, size_t count, const struct sf_write *copies,
             size_t taken)
{
    size_t failed = 0;
    sf_time now = sf_clock_steady();
    pthread_mutex_lock(&migrate->lock);
    for (size_t i = 0; i < taken; i++) {
        if (!is_failure(migrate, &copies[i]))
            continue;
        sf_migrate_owe(migrate, &copies[i].key, true, now);
        failed++;
    }
    for (size_t i = 0; i < count; i++)
        if (writes[i].status == SF_UNCERTAIN)
            sf_migrate_owe(migrate, &writes[i].key, false, now + DOUBT_PAUSE);
    if (migrate->takes_notes)
        sf_debts_take_back(migrate->debts);
    pthread_mutex_unlock(&migrate->lock);
    sf_migrate_count(migrate, SF_COUNTER_migrate_failed, failed);
}

/* The note stays when there is no memory: all of it is owed. */
static void
owe_all(struct sf_migrate *migrate, const struct sf_write *writes, size_t count)
{
    pthread_mutex_lock(&migrate->lock);
    for (size_t i = 0; i < count; i++)
        sf_migrate_owe(migrate, &writes[i].key, true, 0);
    pthread_mutex_unlock(&migrate->lock);
}

static bool
is_any_answered(const struct sf_write *copies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (copies[i].status != SF_UNAVAILABLE && copies[i].status != SF_UNCERTAIN)
            return true;
    return false;
}

/* For as long as the authority took, or a moment: then it is left to the work in the background. */
static void
try_second(struct sf_migrate *migrate, struct sf_write *copies, size_t count, sf_time until, sf_time took)
{
    struct sf_store *second = migrate->second.store;
    sf_time patience = sf_migrate_patience(copies, count);
    for (size_t i = 0; i < count; i++)
        copies[i].status = SF_UNAVAILABLE;
    if (count == 0 || atomic_load(&migrate->is_second_late))
        return;
    sf_time deadline = sf_clock_steady() + (patience > took ? patience : took);
    (void)!second->ops->write(second, copies, count, sf_migrate_earlier(until, deadline));
    if (!is_any_answered(copies, count))
        sf_migrate_note_late(migrate);
}

static void
write_second(struct sf_migrate *migrate, const struct sf_write *writes, size_t count, sf_time until, sf_time took)
{
    struct sf_write *copies = calloc(count, sizeof *copies);
    if (copies == NULL) {
        owe_all(migrate, writes, count);
        return;
    }
    size_t taken = copy_taken(writes, copies, count);
    try_second(migrate, copies, taken, until, took);
    keep_answers(migrate, writes, count, copies, taken);
    free(copies);
}

/* With the write lane in hand; or false: it is held until the deadline. */
static bool
take_free_lane(struct sf_migrate *migrate, sf_time deadline)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    pthread_mutex_lock(&migrate->write_lane);
    while (atomic_load(&migrate->is_held)) {
        pthread_mutex_unlock(&migrate->write_lane);
        if (sf_clock_steady() >= deadline)
            return false;
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&migrate->write_lane);
    }
    return true;
}

/* With the write lane in hand, or false: nothing may be written. */
static bool
take_write_lane(struct sf_migrate *migrate, sf_time deadline)
{
    if (!take_free_lane(migrate, deadline))
        return false;
    if (sf_migrate_may_write(migrate, deadline) == SF_OK)
        return true;
    pthread_mutex_unlock(&migrate->write_lane);
    return false;
}

static enum sf_status
migrate_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    if (!take_write_lane(migrate, deadline)) {
        for (size_t i = 0; i < count; i++)
            writes[i].status = SF_UNAVAILABLE;
        return SF_UNAVAILABLE;
    }
    bool is_double = migrate->second.store != NULL && count > 0;
    if (is_double)
        note(migrate, writes, count);
    struct sf_store *authority = migrate->authority.store;
    sf_time began = sf_clock_steady();
    enum sf_status worst = authority->ops->write(authority, writes, count, deadline);
    if (is_double)
        write_second(migrate, writes, count, deadline, sf_clock_steady() - began);
    pthread_mutex_unlock(&migrate->write_lane);
    return worst;
}

/* ---- the rest ---- */

static enum sf_status
sweep_one(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    *removed_out = 0;
    if (store == NULL || store->ops->sweep == NULL)
        return SF_OK;
    return store->ops->sweep(store, now, limit, deadline, removed_out);
}

/* What the second fails to remove is found the next time. */
static enum sf_status
migrate_sweep(struct sf_store *store, sf_time now, size_t limit, sf_time deadline, size_t *removed_out)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    size_t removed = 0;
    pthread_mutex_lock(&migrate->write_lane);
    enum sf_status status = sweep_one(migrate->authority.store, now, limit, deadline, removed_out);
    sf_time soon = sf_migrate_earlier(deadline, sf_clock_steady() + SECOND_SWEEP_DEADLINE);
    if (status == SF_OK && !atomic_load(&migrate->is_second_late)
        && sweep_one(migrate->second.store, now, limit, soon, &removed) != SF_OK)
        sf_migrate_note_late(migrate);
    if (removed > *removed_out)
        *removed_out = removed;
    pthread_mutex_unlock(&migrate->write_lane);
    return status;
}

struct visit {
    sf_store_visit_fn *visit;
    void *context;
};

static bool
visit_session(void *context, const struct sf_key *key, const struct sf_stored *stored)
{
    const struct visit *visit = context;
    return sf_migrate_hosts_is_row(key) || visit->visit(visit->context, key, stored);
}

static enum sf_status
migrate_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
             sf_store_visit_fn *visit, void *context)
{
    struct visit mine = {visit, context};
    struct sf_migrate_side *side = &((struct sf_migrate *)store)->authority;
    pthread_mutex_lock(&side->load_lane);
    enum sf_status status = side->store->ops->scan(side->store, after, user, limit, deadline, visit_session, &mine);
    pthread_mutex_unlock(&side->load_lane);
    return status;
}

/*
 * Of the authority; but while there is a second its news say nothing of what is read there, nor of what a host writes
 * that has another authority already. Whoever is in here has its store in hand, which may become the second and be
 * closed: that waits, but not behind one call after the other.
 */
static enum sf_status
migrate_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    enum sf_status status = SF_UNAVAILABLE;
    if (atomic_load_explicit(&migrate->is_link_wanted, memory_order_relaxed))
        return sf_error_set(&follow->error, status, "the stores are being exchanged");
    pthread_mutex_lock(&migrate->follow_lane);
    pthread_mutex_lock(&migrate->lock);
    struct sf_store *authority = migrate->authority.store;
    bool is_moving = migrate->second.store != NULL;
    pthread_mutex_unlock(&migrate->lock);
    if (is_moving)
        status = sf_error_set(&follow->error, SF_INVALID, "the sessions are being moved to another store");
    else if (authority->ops->follow != NULL)
        status = authority->ops->follow(authority, until, follow);
    else
        status = sf_error_set(&follow->error, SF_INVALID, "this store tells no news");
    pthread_mutex_unlock(&migrate->follow_lane);
    return status;
}

static void
migrate_report(struct sf_store *store, sf_store_tell_fn *tell, void *context)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    pthread_mutex_lock(&migrate->lock);
    sf_store_report(migrate->authority.store, tell, context);
    if (migrate->second.store != NULL)
        sf_store_report(migrate->second.store, tell, context);
    pthread_mutex_unlock(&migrate->lock);
}

/* The authority is what has everything: the second is asked for nothing that is missing there. */
static uint64_t
migrate_incarnation(struct sf_store *store)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    pthread_mutex_lock(&migrate->lock);
    uint64_t incarnation = sf_store_incarnation(migrate->authority.store);
    pthread_mutex_unlock(&migrate->lock);
    return incarnation;
}

static void
migrate_renew(struct sf_store *store)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    pthread_mutex_lock(&migrate->write_lane);
    sf_store_renew(migrate->authority.store);
    pthread_mutex_unlock(&migrate->write_lane);
}

static void
migrate_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    pthread_mutex_lock(&migrate->lock);
    if (migrate->stop.text[0] != '\0')
        *error_out = migrate->stop;
    else
        migrate->authority.store->ops->explain(migrate->authority.store, error_out);
    pthread_mutex_unlock(&migrate->lock);
}

const struct sf_store_ops sf_migrate_ops = {
    .scheme = "migrate",
    .flags = 0,
    .open = NULL, /* sf_migrate_open takes more than a URL */
    .attach = sf_migrate_attach,
    .load = migrate_load,
    .write = migrate_write,
    .sweep = migrate_sweep,
    .scan = migrate_scan,
    .follow = migrate_follow,
    .explain = migrate_explain,
    .close = sf_migrate_close,
    .report = migrate_report,
    .incarnation = migrate_incarnation,
    .renew = migrate_renew,
};
