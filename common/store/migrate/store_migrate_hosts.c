/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/migrate/store_migrate_hosts.h"

#include <inttypes.h>

#define MEET_PAUSE ((sf_time)250)
#define ENDING_PAUSE ((sf_time)20)
#define ENDING_MAX (10 * SF_SECOND) /* so long changes are held */
#define ALONE_FOR (2 * SF_SECOND)   /* what the row has said of other hosts is good */
#define SAID_IN (5 * SF_SECOND)     /* whoever writes has seen the row: SF_KNOWN_FOR, and as long as a write takes */
#define ROW_DEADLINE (2 * SF_SECOND)
#define TRIES 10                    /* each of them lost to another host */

static enum sf_status
load_row(struct sf_migrate_side *side, struct sf_migrate_hosts *hosts_out)
{
    return sf_migrate_load_row(side, sf_clock_steady() + ROW_DEADLINE, hosts_out);
}

static enum sf_status
store_row(struct sf_migrate *migrate, struct sf_migrate_side *side, struct sf_migrate_hosts *hosts)
{
    return sf_migrate_store_row(migrate, side, sf_clock_steady() + ROW_DEADLINE, hosts);
}

/* Of the clock and the time that steps are told, the later. */
static sf_time
present(const struct sf_migrate *migrate)
{
    sf_time now = sf_clock_steady();
    return now > migrate->met_at ? now : migrate->met_at;
}

/* ---- joining ---- */

/* One attempt. Whoever has aborted stays in the row: it changes the old store, and must come along or be forgotten. */
static enum sf_status
enter(struct sf_migrate *migrate, const struct sf_migrate_state *state, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return sf_migrate_refuse(error, status);
    if (sf_migrate_why_not(hosts.phase) != NULL)
        return sf_error_set(error, SF_INVALID, "%s", sf_migrate_why_not(hosts.phase));
    if (sf_migrate_is_being_left(&hosts) && hosts.target != state->target)
        return sf_error_set(error, SF_INVALID, "the other hosts move to another store");
    struct sf_migrate_host *own = sf_migrate_hosts_add(&hosts, migrate->host);
    if (own == NULL)
        return sf_error_set(error, SF_INVALID, "too many hosts");
    if (hosts.count > 1 && state->percent > 0)
        return sf_error_set(error, SF_INVALID, SF_MIGRATE_NO_PERCENT);
    own->state = SF_HOST_COPIES;
    hosts.target = state->target;
    if (hosts.phase == SF_HOSTS_NONE)
        hosts.phase = SF_HOSTS_COPYING;
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : sf_migrate_refuse(error, status);
}

enum sf_status
sf_migrate_join(struct sf_migrate *migrate, struct sf_store *second, struct sf_migrate_state *state, sf_time deadline,
                struct sf_error *error)
{
    enum sf_status status = sf_migrate_mark_target(second, migrate->host != 0, &state->target, deadline,
                                                   error);
    if (status != SF_OK || migrate->host == 0)
        return status;
    state->host = migrate->host;
    migrate->compare_at = present(migrate) + SAID_IN;
    status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = enter(migrate, state, error);
    return status == SF_CONFLICT ? sf_migrate_refuse(error, status) : status;
}

enum sf_status
sf_migrate_may_stay(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    if (migrate->host == 0 || load_row(&migrate->authority, &hosts) != SF_OK)
        return SF_OK; /* it is asked once more before anything is written */
    migrate->saw_nobody_move = hosts.phase == SF_HOSTS_NONE;
    const char *why_not = sf_migrate_why_not(hosts.phase);
    return why_not == NULL ? SF_OK : sf_error_set(error, SF_INVALID, "%s", why_not);
}

/* ---- what this host does ---- */

static bool
has_verified(struct sf_migrate *migrate)
{
    struct sf_error ignored;
    pthread_mutex_lock(&migrate->lock);
    bool has_verified = sf_migrate_has_verified(migrate, &ignored) == SF_OK;
    pthread_mutex_unlock(&migrate->lock);
    return has_verified;
}

static bool
owes_nothing(struct sf_migrate *migrate)
{
    struct sf_error ignored;
    pthread_mutex_lock(&migrate->lock);
    bool owes_nothing = sf_migrate_may_finish(migrate, &ignored) == SF_OK;
    pthread_mutex_unlock(&migrate->lock);
    return owes_nothing;
}

static enum sf_status
save(struct sf_migrate *migrate)
{
    struct sf_error error;
    return sf_migrate_save(migrate, &error);
}

/* From this row on this host changes nothing. */
static enum sf_status
remember(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts)
{
    pthread_mutex_lock(&migrate->lock);
    bool was_holding = migrate->state.is_holding;
    migrate->state.is_holding = true;
    if (!was_holding) {
        migrate->state.origin = hosts->store;
        migrate->state.agreed = hosts->version;
    }
    pthread_mutex_unlock(&migrate->lock);
    return was_holding ? SF_OK : save(migrate);
}

/* Who is killed before the disk knows looks at the row once more. */
static void
release(struct sf_migrate *migrate)
{
    pthread_mutex_lock(&migrate->lock);
    bool was_holding = migrate->state.is_holding;
    migrate->state.is_holding = false;
    pthread_mutex_unlock(&migrate->lock);
    if (was_holding)
        (void)!save(migrate);
    atomic_store(&migrate->is_held, false);
}

/*
 * true: no change is under way, none will be, and the second has all of them. It waits for a moment without debts; who
 * was held before, as after a start, stays so, and pays meanwhile.
 */
static bool
hold(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts)
{
    bool was_held = atomic_load(&migrate->is_held);
    if (!owes_nothing(migrate))
        return false;
    atomic_store(&migrate->is_held, true);
    pthread_mutex_lock(&migrate->write_lane); /* whoever is in there comes out */
    pthread_mutex_unlock(&migrate->write_lane);
    if (owes_nothing(migrate) && remember(migrate, hosts) == SF_OK)
        return true;
    if (!was_held)
        release(migrate);
    return false;
}

/* One that moves elsewhere changes this store as if it had aborted. */
static enum sf_host_state
own_state(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts, sf_time now)
{
    bool is_ending = hosts->phase == SF_HOSTS_ENDING, is_elsewhere = hosts->target != migrate->state.target;
    if (!is_ending)
        migrate->ending_since = 0;
    else if (migrate->ending_since == 0)
        migrate->ending_since = now;
    if (is_ending && !is_elsewhere && hold(migrate, hosts))
        return SF_HOST_HOLDS;
    if (!is_ending || is_elsewhere)
        release(migrate);
    if (is_elsewhere)
        return SF_HOST_GONE;
    return has_verified(migrate) ? SF_HOST_READY : SF_HOST_COPIES;
}

/* All go on with this store. */
static void
fall_back(struct sf_migrate_hosts *hosts)
{
    hosts->phase = SF_HOSTS_COPYING;
    for (size_t i = 0; i < hosts->count; i++)
        if (hosts->list[i].state == SF_HOST_HOLDS)
            hosts->list[i].state = SF_HOST_READY;
}

static bool
may_all_hold(const struct sf_migrate_hosts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (hosts->list[i].state != SF_HOST_HOLDS && hosts->list[i].state != SF_HOST_READY)
            return false;
    return true;
}

/* Whoever sees it first does it: it is one change of the row, this one or the other. */
static void
decide(const struct sf_migrate *migrate, struct sf_migrate_hosts *hosts, sf_time now)
{
    if (hosts->phase != SF_HOSTS_ENDING)
        return;
    if (sf_migrate_hosts_other_than(hosts, SF_HOST_HOLDS) == NULL)
        hosts->phase = SF_HOSTS_LEFT;
    else if (!may_all_hold(hosts) || migrate->ending_since + ENDING_MAX <= now)
        fall_back(hosts);
}

static void
say(struct sf_migrate *migrate, const char *text)
{
    pthread_mutex_lock(&migrate->lock);
    (void)sf_error_set(&migrate->stop, SF_CONFLICT, "%s", text);
    pthread_mutex_unlock(&migrate->lock);
}

/*
 * Nothing is written here any more. Who was away when the others left goes over when it owes nothing, or when it was
 * told that the new store is the one: what it owes the others may have changed since.
 */
static void
go_over(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts)
{
    struct sf_error error;
    bool is_there = hosts->target == migrate->state.target;
    atomic_store(&migrate->is_held, true);
    if (!is_there || (!hold(migrate, hosts) && !migrate->is_new_named)) {
        say(migrate, is_there ? "the other hosts have left this store without this one, which owes changes to theirs: "
                                "nothing is written until it has brought them over, or SessionFastStore names it"
                              : "the other hosts have left this store for another one: SessionFastStore must name it");
    } else if (sf_migrate_open_target(migrate, sf_clock_steady() + ROW_DEADLINE) != SF_OK) {
        say(migrate, "all have left the old store, and the new one does not answer");
    } else if (sf_migrate_exchange(migrate, &error) == SF_OK) {
        atomic_store(&migrate->is_held, false);
    } else {
        say(migrate, error.text);
    }
}

/* The one that this host was told to forget, until it says something. */
static struct sf_migrate_host *
silent_host(const struct sf_migrate *migrate, struct sf_migrate_hosts *hosts)
{
    struct sf_migrate_host *asked = sf_migrate_hosts_find(hosts, migrate->asked);
    return asked != NULL && asked->state == SF_HOST_ASKED ? asked : NULL;
}

static void
note_others(struct sf_migrate *migrate, struct sf_migrate_hosts *hosts, sf_time asked)
{
    pthread_mutex_lock(&migrate->lock);
    migrate->host_count = hosts->count;
    if (silent_host(migrate, hosts) == NULL)
        migrate->asked = 0;
    migrate->is_ending = hosts->phase == SF_HOSTS_ENDING || hosts->phase == SF_HOSTS_LEFT; /* it goes over next */
    migrate->alone_until = hosts->count == 1 && hosts->list[0].id == migrate->state.host ? asked + ALONE_FOR : 0;
    migrate->known_until = asked + SF_KNOWN_FOR;
    if (migrate->state.is_holding)
        migrate->state.agreed = hosts->version;
    migrate->stop.text[0] = '\0';
    if (hosts->target != migrate->state.target)
        (void)sf_error_set(&migrate->stop, SF_CONFLICT, "the other hosts move to another store: abort it here");
    pthread_mutex_unlock(&migrate->lock);
}

/*
 * The store has gone back, or lost the row: as long as this host holds, the others may have left. Who does not has
 * changed it all the time, and none has left without it.
 */
static bool
is_lost(struct sf_migrate *migrate, struct sf_migrate_hosts *hosts)
{
    const struct sf_migrate_state *state = &migrate->state;
    bool is_same = hosts->phase != SF_HOSTS_NONE && hosts->store == state->origin && hosts->version >= state->agreed;
    if (state->is_holding && !is_same) {
        say(migrate, "the old store has lost what the hosts have agreed on: \"migrate abort\" goes on with it");
        return true;
    }
    if (hosts->phase == SF_HOSTS_NONE) {
        hosts->phase = SF_HOSTS_COPYING;
        hosts->target = state->target;
    }
    return false;
}

/* true: there is nothing to agree on here. */
static bool
is_over(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts)
{
    if (hosts->phase == SF_HOSTS_LEFT) {
        go_over(migrate, hosts);
    } else if (hosts->phase == SF_HOSTS_COMING) {
        atomic_store(&migrate->is_held, true);
        say(migrate, sf_migrate_why_not(hosts->phase));
    }
    return sf_migrate_why_not(hosts->phase) != NULL;
}

/*
 * true: it has not for so long, and is none of them any more. What it has changed in this store alone nobody owes now:
 * this host compares once more, and is not ready before.
 */
static bool
forget_silent(struct sf_migrate *migrate, struct sf_migrate_hosts *hosts, sf_time now)
{
    struct sf_migrate_host *silent = silent_host(migrate, hosts);
    if (silent == NULL || now < migrate->asked_at + SAID_IN)
        return false;
    pthread_mutex_lock(&migrate->lock);
    sf_migrate_doubt(migrate);
    pthread_mutex_unlock(&migrate->lock);
    if (save(migrate) != SF_OK)
        return false;
    *silent = hosts->list[--hosts->count];
    return true;
}

/* false: there is more to do at once. */
static bool
look(struct sf_migrate *migrate, sf_time now)
{
    struct sf_migrate_hosts hosts;
    sf_time asked = sf_clock_steady();
    if (load_row(&migrate->authority, &hosts) != SF_OK || is_lost(migrate, &hosts) || is_over(migrate, &hosts))
        return true;
    bool is_changed = forget_silent(migrate, &hosts, now);
    size_t count = hosts.count;
    struct sf_migrate_host *own = sf_migrate_hosts_add(&hosts, migrate->state.host);
    if (own == NULL)
        return true;
    enum sf_host_state former = own->state;
    enum sf_hosts_phase phase = hosts.phase;
    own->state = own_state(migrate, &hosts, now);
    is_changed |= hosts.count != count || own->state != former;
    decide(migrate, &hosts, now);
    is_changed |= hosts.phase != phase;
    enum sf_status status = is_changed ? store_row(migrate, &migrate->authority, &hosts) : SF_OK;
    if (status == SF_OK)
        note_others(migrate, &hosts, asked);
    return !is_changed;
}

static bool
is_together(struct sf_migrate *migrate)
{
    pthread_mutex_lock(&migrate->lock);
    enum sf_migrate_phase phase = migrate->state.phase;
    pthread_mutex_unlock(&migrate->lock);
    return migrate->second.store != NULL && migrate->state.host != 0
        && (phase == SF_MIGRATE_COPYING || phase == SF_MIGRATE_VERIFIED);
}

void
sf_migrate_meet_again(struct sf_migrate *migrate)
{
    const struct sf_migrate_state *state = &migrate->state;
    if (state->host != 0 && sf_clock_wall() < state->started + SAID_IN)
        migrate->compare_at = present(migrate) + SAID_IN;
}

sf_time
sf_migrate_meet(struct sf_migrate *migrate, sf_time now)
{
    if (!is_together(migrate))
        return INT64_MAX;
    if (now < migrate->meet_at)
        return migrate->meet_at;
    bool is_quiet = look(migrate, now) && migrate->ending_since == 0;
    migrate->met_at = now;
    migrate->meet_at = now + (is_quiet ? MEET_PAUSE : ENDING_PAUSE);
    return migrate->meet_at;
}

void
sf_migrate_meet_at_once(struct sf_migrate *migrate)
{
    migrate->meet_at = 0;
    (void)sf_migrate_meet(migrate, present(migrate));
}

/* ---- what the administrator asks for ---- */

static enum sf_status
refuse_for(struct sf_error *error, const struct sf_migrate_host *host)
{
    static const char *const why[] = {
        [SF_HOST_COPIES] = "is not ready: it copies, or compares",
        [SF_HOST_READY] = "is ready",
        [SF_HOST_HOLDS] = "holds its changes already",
        [SF_HOST_GONE] = "has aborted, or not begun: start it there, too",
        [SF_HOST_ASKED] = "is asked whether it is still there, which takes some seconds: if that was not here, forget "
                          "it once more",
    };
    return sf_error_set(error, SF_INVALID, "host %016" PRIx64 " %s", host->id, why[host->state]);
}

/* One attempt. */
static enum sf_status
call_end(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return sf_migrate_refuse(error, status);
    struct sf_migrate_host *own = sf_migrate_hosts_find(&hosts, migrate->state.host);
    if (own == NULL || (hosts.phase != SF_HOSTS_COPYING && hosts.phase != SF_HOSTS_ENDING))
        return sf_error_set(error, SF_INVALID, "the hosts do not know of each other yet");
    if (hosts.phase == SF_HOSTS_ENDING)
        return SF_OK;
    own->state = SF_HOST_READY;
    const struct sf_migrate_host *other = sf_migrate_hosts_other_than(&hosts, SF_HOST_READY);
    if (other != NULL)
        return refuse_for(error, other);
    hosts.phase = SF_HOSTS_ENDING;
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : sf_migrate_refuse(error, status);
}

enum sf_status
sf_migrate_call_end(struct sf_migrate *migrate, struct sf_error *error)
{
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = call_end(migrate, error);
    if (status != SF_OK)
        return status == SF_CONFLICT ? sf_migrate_refuse(error, status) : status;
    pthread_mutex_lock(&migrate->lock);
    migrate->is_ending = true;
    pthread_mutex_unlock(&migrate->lock);
    for (int i = 0; i < TRIES && is_together(migrate); i++)
        sf_migrate_meet_at_once(migrate); /* whoever is alone is through then */
    return SF_OK;
}

/* Whoever lives says so in the row before it changes anything. */
static enum sf_status
forget(struct sf_migrate *migrate, uint64_t host, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return sf_migrate_refuse(error, status);
    struct sf_migrate_host *other = sf_migrate_hosts_find(&hosts, host);
    if (other == NULL || host == migrate->state.host || hosts.phase != SF_HOSTS_COPYING)
        return sf_error_set(error, SF_INVALID, "no such host waits to finish");
    other->state = SF_HOST_ASKED;
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : sf_migrate_refuse(error, status);
}

enum sf_status
sf_migrate_forget(struct sf_migrate *migrate, uint64_t host, struct sf_error *error)
{
    if (!is_together(migrate))
        return sf_error_set(error, SF_INVALID, "no hosts move together");
    if (migrate->asked != 0)
        return sf_error_set(error, SF_INVALID, "host %016" PRIx64 " is being asked: forget one after the other",
                            migrate->asked);
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = forget(migrate, host, error);
    if (status == SF_OK) {
        pthread_mutex_lock(&migrate->lock);
        migrate->asked = host;
        pthread_mutex_unlock(&migrate->lock);
        migrate->asked_at = present(migrate);
        sf_migrate_meet_at_once(migrate);
    }
    return status == SF_CONFLICT ? sf_migrate_refuse(error, status) : status;
}

static enum sf_status
leave(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return sf_migrate_refuse(error, status);
    if (sf_migrate_why_not(hosts.phase) != NULL)
        return sf_error_set(error, SF_INVALID, "%s", sf_migrate_why_not(hosts.phase));
    struct sf_migrate_host *own = sf_migrate_hosts_add(&hosts, migrate->state.host);
    if (own == NULL)
        return sf_error_set(error, SF_INVALID, "too many hosts");
    own->state = SF_HOST_GONE;
    if (sf_migrate_hosts_other_than(&hosts, SF_HOST_GONE) == NULL) {
        hosts.phase = SF_HOSTS_NONE;
        hosts.count = 0;
    }
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : sf_migrate_refuse(error, status);
}

enum sf_status
sf_migrate_leave(struct sf_migrate *migrate, struct sf_error *error)
{
    if (!is_together(migrate))
        return SF_OK;
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = leave(migrate, error);
    return status == SF_CONFLICT ? sf_migrate_refuse(error, status) : status;
}

enum sf_status
sf_migrate_may_return(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    if (migrate->state.host == 0)
        return SF_OK;
    enum sf_status status = load_row(&migrate->second, &hosts);
    if (status == SF_OK && hosts.count > 1)
        return sf_error_set(error, SF_INVALID, "%zu hosts have moved together, and none of them goes back alone: set "
                            "SessionFastStore to the new store, and move from there to the old one", hosts.count);
    hosts.phase = SF_HOSTS_NONE;
    hosts.count = 0;
    if (status == SF_OK && hosts.version != 0)
        status = store_row(migrate, &migrate->second, &hosts);
    return status == SF_OK ? SF_OK : sf_migrate_refuse(error, status);
}
