/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_migrate_hosts.h"

#include <inttypes.h>

#include "common/base/random.h"

#define MEET_PAUSE ((sf_time)250)
#define ENDING_PAUSE ((sf_time)20)
#define ENDING_MAX (10 * SF_SECOND) /* so long changes are held */
#define ALONE_FOR (2 * SF_SECOND)   /* what the row has said of other hosts is good */
#define ROW_DEADLINE (2 * SF_SECOND)
#define TRIES 10                    /* each of them lost to another host */

/* ---- the row of the authority ---- */

/* Without one, the store gets a number that it has from then on, whoever asks. */
static enum sf_status
take_row(struct sf_migrate_hosts *hosts, enum sf_status status)
{
    return status == SF_NOT_FOUND ? sf_random_bytes(&hosts->store, sizeof hosts->store) : status;
}

static enum sf_status
load_row(struct sf_migrate_side *side, struct sf_migrate_hosts *hosts_out)
{
    pthread_mutex_lock(&side->load_lane);
    enum sf_status status = sf_migrate_hosts_load(hosts_out, side->store, sf_clock_steady() + ROW_DEADLINE);
    pthread_mutex_unlock(&side->load_lane);
    return take_row(hosts_out, status);
}

static enum sf_status
store_row(struct sf_migrate *migrate, struct sf_migrate_side *side, struct sf_migrate_hosts *hosts)
{
    pthread_mutex_lock(&migrate->write_lane);
    enum sf_status status = sf_migrate_hosts_store(hosts, side->store, sf_clock_steady() + ROW_DEADLINE);
    pthread_mutex_unlock(&migrate->write_lane);
    return status;
}

static enum sf_status
refuse(struct sf_error *error, enum sf_status status)
{
    return sf_error_set(error, SF_UNAVAILABLE, "what the other hosts do cannot be seen: %s", sf_status_text(status));
}

/* ---- joining ---- */

/* Somebody still writes this store, and another one with it. */
static bool
is_being_left(const struct sf_migrate_hosts *hosts)
{
    bool is_under_way = hosts->phase == SF_HOSTS_COPYING || hosts->phase == SF_HOSTS_ENDING;
    return is_under_way && sf_migrate_hosts_other_than(hosts, SF_HOST_GONE) != NULL;
}

/* What it says of a store that was left once is over: it is moved to again. */
static enum sf_status
mark_target(struct sf_store *second, bool is_several, uint64_t *id_out, sf_time deadline, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++) {
        status = take_row(&hosts, sf_migrate_hosts_load(&hosts, second, deadline));
        if (status != SF_OK)
            break;
        if (is_being_left(&hosts))
            return sf_error_set(error, SF_INVALID, "other hosts move away from this store");
        if (hosts.phase == SF_HOSTS_NONE && (hosts.version != 0 || !is_several))
            break;
        hosts.phase = SF_HOSTS_NONE;
        hosts.count = 0;
        status = sf_migrate_hosts_store(&hosts, second, deadline);
    }
    *id_out = hosts.store;
    return status == SF_OK ? SF_OK : refuse(error, status);
}

/* One attempt. Whoever has aborted stays in the row: it changes the old store, and must come along or be forgotten. */
static enum sf_status
enter(struct sf_migrate *migrate, const struct sf_migrate_state *state, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return refuse(error, status);
    if (hosts.phase == SF_HOSTS_LEFT)
        return sf_error_set(error, SF_INVALID, "the other hosts have left this store: SessionFastStore must name "
                            "theirs");
    if (is_being_left(&hosts) && hosts.target != state->target)
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
    return status == SF_OK || status == SF_CONFLICT ? status : refuse(error, status);
}

enum sf_status
sf_migrate_join(struct sf_migrate *migrate, struct sf_store *second, struct sf_migrate_state *state, sf_time deadline,
                struct sf_error *error)
{
    enum sf_status status = mark_target(second, migrate->host != 0, &state->target, deadline, error);
    if (status != SF_OK || migrate->host == 0)
        return status;
    state->host = migrate->host;
    status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = enter(migrate, state, error);
    return status == SF_CONFLICT ? refuse(error, status) : status;
}

enum sf_status
sf_migrate_may_stay(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    if (migrate->host == 0 || load_row(&migrate->authority, &hosts) != SF_OK || hosts.phase != SF_HOSTS_LEFT)
        return SF_OK;
    return sf_error_set(error, SF_INVALID,
                        "the hosts that use this store have moved to another one: SessionFastStore must name that");
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
remember(struct sf_migrate *migrate, bool is_holding)
{
    struct sf_error error;
    pthread_mutex_lock(&migrate->lock);
    bool was_holding = migrate->state.is_holding;
    migrate->state.is_holding = is_holding;
    pthread_mutex_unlock(&migrate->lock);
    return was_holding == is_holding ? SF_OK : sf_migrate_save(migrate, &error);
}

/* Not before the disk knows; what a killed daemon has held its successor holds on. */
static void
release(struct sf_migrate *migrate)
{
    if (remember(migrate, false) == SF_OK)
        atomic_store(&migrate->is_held, false);
}

/* true: no change is under way, none will be, and the second has all of them. It waits for a moment without debts. */
static bool
hold(struct sf_migrate *migrate)
{
    if (migrate->state.is_holding && atomic_load(&migrate->is_held))
        return true;
    if (!owes_nothing(migrate))
        return false;
    atomic_store(&migrate->is_held, true);
    pthread_mutex_lock(&migrate->write_lane); /* whoever is in there comes out */
    pthread_mutex_unlock(&migrate->write_lane);
    if (owes_nothing(migrate) && remember(migrate, true) == SF_OK)
        return true;
    release(migrate);
    return false;
}

static enum sf_host_state
own_state(struct sf_migrate *migrate, enum sf_hosts_phase phase, sf_time now)
{
    if (phase == SF_HOSTS_ENDING) {
        if (migrate->ending_since == 0)
            migrate->ending_since = now;
        return hold(migrate) ? SF_HOST_HOLDS : SF_HOST_READY;
    }
    migrate->ending_since = 0;
    release(migrate);
    return has_verified(migrate) ? SF_HOST_READY : SF_HOST_COPIES;
}

/* Whoever sees it first does it: it is one change of the row, this one or the other. */
static void
decide(const struct sf_migrate *migrate, struct sf_migrate_hosts *hosts, sf_time now)
{
    if (hosts->phase != SF_HOSTS_ENDING)
        return;
    if (sf_migrate_hosts_other_than(hosts, SF_HOST_HOLDS) == NULL)
        hosts->phase = SF_HOSTS_LEFT;
    else if (migrate->ending_since + ENDING_MAX <= now)
        hosts->phase = SF_HOSTS_COPYING;
    for (size_t i = 0; hosts->phase == SF_HOSTS_COPYING && i < hosts->count; i++)
        if (hosts->list[i].state == SF_HOST_HOLDS)
            hosts->list[i].state = SF_HOST_READY;
}

static void
say(struct sf_migrate *migrate, const char *text)
{
    pthread_mutex_lock(&migrate->lock);
    (void)sf_error_set(&migrate->stop, SF_CONFLICT, "%s", text);
    pthread_mutex_unlock(&migrate->lock);
}

/* What is left behind here nobody may take for a store that is used. */
static void
go_over(struct sf_migrate *migrate, struct sf_migrate_hosts *hosts)
{
    struct sf_error error;
    const struct sf_migrate_host *own = sf_migrate_hosts_find(hosts, migrate->state.host);
    if (own == NULL || own->state != SF_HOST_HOLDS) {
        atomic_store(&migrate->is_held, true);
        say(migrate, "the other hosts have left this store without this one: nothing is written any more. "
                     "SessionFastStore must name theirs");
    } else if (sf_migrate_exchange(migrate, &error) == SF_OK) {
        atomic_store(&migrate->is_held, false);
    } else {
        say(migrate, error.text);
    }
}

static void
note_others(struct sf_migrate *migrate, const struct sf_migrate_hosts *hosts, sf_time asked)
{
    pthread_mutex_lock(&migrate->lock);
    migrate->host_count = hosts->count;
    migrate->is_ending = hosts->phase == SF_HOSTS_ENDING;
    migrate->alone_until = hosts->count == 1 && hosts->list[0].id == migrate->state.host ? asked + ALONE_FOR : 0;
    pthread_mutex_unlock(&migrate->lock);
}

/* Somebody has lost the row: as long as this host holds, the others may have left. */
static bool
is_lost(struct sf_migrate *migrate, struct sf_migrate_hosts *hosts)
{
    if (hosts->phase != SF_HOSTS_NONE)
        return false;
    if (migrate->state.is_holding) {
        say(migrate, "the old store has lost what the hosts have agreed on: \"migrate abort\" goes on with it");
        return true;
    }
    hosts->phase = SF_HOSTS_COPYING;
    hosts->target = migrate->state.target;
    return false;
}

/* false: there is more to do at once. */
static bool
look(struct sf_migrate *migrate, sf_time now)
{
    struct sf_migrate_hosts hosts;
    sf_time asked = sf_clock_steady();
    if (load_row(&migrate->authority, &hosts) != SF_OK || is_lost(migrate, &hosts))
        return true;
    if (hosts.phase == SF_HOSTS_LEFT) {
        go_over(migrate, &hosts);
        return true;
    }
    size_t count = hosts.count;
    struct sf_migrate_host *own = sf_migrate_hosts_add(&hosts, migrate->state.host);
    if (own == NULL)
        return true;
    enum sf_host_state former = own->state;
    enum sf_hosts_phase phase = hosts.phase;
    own->state = own_state(migrate, phase, now);
    decide(migrate, &hosts, now);
    bool is_changed = hosts.count != count || own->state != former || hosts.phase != phase;
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
    sf_time now = sf_clock_steady();
    migrate->meet_at = 0;
    (void)sf_migrate_meet(migrate, now > migrate->met_at ? now : migrate->met_at);
}

/* ---- what the administrator asks for ---- */

static enum sf_status
refuse_for(struct sf_error *error, const struct sf_migrate_host *host)
{
    static const char *const why[] = {
        [SF_HOST_COPIES] = "is not ready: it copies, or compares",
        [SF_HOST_READY] = "is ready",
        [SF_HOST_HOLDS] = "holds its changes already",
        [SF_HOST_GONE] = "has aborted: start it there, too",
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
        return refuse(error, status);
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
    return status == SF_OK || status == SF_CONFLICT ? status : refuse(error, status);
}

enum sf_status
sf_migrate_call_end(struct sf_migrate *migrate, struct sf_error *error)
{
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = call_end(migrate, error);
    if (status != SF_OK)
        return status == SF_CONFLICT ? refuse(error, status) : status;
    pthread_mutex_lock(&migrate->lock);
    migrate->is_ending = true;
    pthread_mutex_unlock(&migrate->lock);
    for (int i = 0; i < TRIES && is_together(migrate); i++)
        sf_migrate_meet_at_once(migrate); /* whoever is alone is through then */
    return SF_OK;
}

/* Whoever lives is back in the row when it looks the next time. */
static enum sf_status
forget(struct sf_migrate *migrate, uint64_t host, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return refuse(error, status);
    struct sf_migrate_host *other = sf_migrate_hosts_find(&hosts, host);
    if (other == NULL || host == migrate->state.host || hosts.phase != SF_HOSTS_COPYING)
        return sf_error_set(error, SF_INVALID, "no such host waits to finish");
    *other = hosts.list[--hosts.count];
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : refuse(error, status);
}

enum sf_status
sf_migrate_forget(struct sf_migrate *migrate, uint64_t host, struct sf_error *error)
{
    if (!is_together(migrate))
        return sf_error_set(error, SF_INVALID, "no hosts move together");
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = forget(migrate, host, error);
    return status == SF_CONFLICT ? refuse(error, status) : status;
}

static enum sf_status
leave(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_hosts hosts;
    enum sf_status status = load_row(&migrate->authority, &hosts);
    if (status != SF_OK)
        return refuse(error, status);
    if (hosts.phase == SF_HOSTS_LEFT)
        return sf_error_set(error, SF_INVALID, "the hosts have left this store: the new one has the truth");
    struct sf_migrate_host *own = sf_migrate_hosts_add(&hosts, migrate->state.host);
    if (own == NULL)
        return sf_error_set(error, SF_INVALID, "too many hosts");
    own->state = SF_HOST_GONE;
    if (sf_migrate_hosts_other_than(&hosts, SF_HOST_GONE) == NULL) {
        hosts.phase = SF_HOSTS_NONE;
        hosts.count = 0;
    }
    status = store_row(migrate, &migrate->authority, &hosts);
    return status == SF_OK || status == SF_CONFLICT ? status : refuse(error, status);
}

enum sf_status
sf_migrate_leave(struct sf_migrate *migrate, struct sf_error *error)
{
    if (!is_together(migrate))
        return SF_OK;
    enum sf_status status = SF_CONFLICT;
    for (int i = 0; status == SF_CONFLICT && i < TRIES; i++)
        status = leave(migrate, error);
    return status == SF_CONFLICT ? refuse(error, status) : status;
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
    return status == SF_OK ? SF_OK : refuse(error, status);
}
