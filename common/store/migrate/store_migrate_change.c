/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "common/store/migrate/store_migrate_hosts.h"

/* ---- the state ---- */

enum sf_status
sf_migrate_save(struct sf_migrate *migrate, struct sf_error *error)
{
    pthread_mutex_lock(&migrate->lock);
    struct sf_migrate_state state = migrate->state;
    migrate->is_state_saved = true;
    pthread_mutex_unlock(&migrate->lock);
    enum sf_status status = sf_migrate_state_save(&state, migrate->state_path, error);
    if (status == SF_OK)
        return SF_OK;
    pthread_mutex_lock(&migrate->lock);
    migrate->is_state_saved = false;
    pthread_mutex_unlock(&migrate->lock);
    return status;
}

/* On the disk first: whoever is killed in between has done it. Only one thread changes the state but for its doubts. */
static enum sf_status
change_state(struct sf_migrate *migrate, const struct sf_migrate_state *state, struct sf_error *error)
{
    enum sf_status status = sf_migrate_state_save(state, migrate->state_path, error);
    if (status == SF_OK) {
        migrate->state = *state;
        migrate->known_until = 0;
        migrate->asked = 0;
    }
    return status;
}

void
sf_migrate_lock_all(struct sf_migrate *migrate)
{
    pthread_mutex_lock(&migrate->write_lane);
    pthread_mutex_lock(&migrate->authority.load_lane);
    pthread_mutex_lock(&migrate->second.load_lane);
    pthread_mutex_lock(&migrate->lock);
}

void
sf_migrate_unlock_all(struct sf_migrate *migrate)
{
    pthread_mutex_unlock(&migrate->lock);
    pthread_mutex_unlock(&migrate->second.load_lane);
    pthread_mutex_unlock(&migrate->authority.load_lane);
    pthread_mutex_unlock(&migrate->write_lane);
}

static bool
is_under_way(const struct sf_migrate *migrate)
{
    return migrate->second.store != NULL;
}

static enum sf_status
refuse_without_migration(struct sf_error *error)
{
    return sf_error_set(error, SF_INVALID, "no migration is under way");
}

/* ---- begin ---- */

static enum sf_status
may_start(const struct sf_migrate *migrate, const char *url, int percent, struct sf_error *error)
{
    if (is_under_way(migrate))
        return sf_error_set(error, SF_INVALID, "a migration is under way already: finish or abort it first");
    if (percent < 0 || percent > 100)
        return sf_error_set(error, SF_INVALID, "a percentage is from 0 to 100");
    if (strlen(url) >= SF_MIGRATE_URL_MAX || url[strcspn(url, " \n")] != '\0')
        return sf_error_set(error, SF_INVALID, "this is no URL of a store");
    if (strcmp(url, migrate->store_url) == 0)
        return sf_error_set(error, SF_INVALID, "this is the store that is used already");
    return SF_OK;
}

static enum sf_status
open_second(struct sf_migrate *migrate, const char *url, sf_time deadline, struct sf_store **store_out,
            struct sf_error *error)
{
    enum sf_status status = migrate->open_store(migrate->context, store_out, url, migrate->folder, error);
    if (status != SF_OK)
        return status;
    status = (*store_out)->ops->attach(*store_out, deadline, error);
    if (status == SF_OK)
        return SF_OK;
    sf_store_close(*store_out);
    return status;
}

/* Whatever the second has too much is removed later only where this is still the server that it is now. */
static enum sf_status
ask_authority(struct sf_migrate *migrate, sf_time deadline, struct sf_error *error)
{
    static const struct sf_key nobody;
    struct sf_stored stored;
    struct sf_migrate_side *side = &migrate->authority;
    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    pthread_mutex_lock(&side->load_lane);
    enum sf_status status = sf_store_load_one(side->store, &nobody, deadline, &stored);
    pthread_mutex_unlock(&side->load_lane);
    sf_buffer_fini(&stored.record);
    if (status == SF_OK || status == SF_NOT_FOUND)
        return SF_OK;
    return sf_error_set(error, SF_UNAVAILABLE, "the store that is used does not answer: %s", sf_status_text(status));
}

static enum sf_status
begin(struct sf_migrate *migrate, const char *url, const struct sf_migrate_state *joined, struct sf_store *store,
      struct sf_error *error)
{
    struct sf_migrate_state state = {
        .phase = SF_MIGRATE_COPYING,
        .percent = joined->percent,
        .configured = migrate->wanted_url[0] != '\0' ? migrate->wanted_percent : -1,
        .host = joined->host,
        .target = joined->target,
        .is_first_copy = true,
        .old_incarnation = sf_store_incarnation(migrate->authority.store),
        .started = sf_clock_wall(),
        .percent_since = sf_clock_wall(),
    };
    snprintf(state.old_url, sizeof state.old_url, "%s", migrate->store_url);
    snprintf(state.new_url, sizeof state.new_url, "%s", url);
    sf_debts_forget(migrate->debts); /* of another migration */
    enum sf_status status = change_state(migrate, &state, error);
    if (status == SF_OK) {
        migrate->wanted_url[0] = '\0'; /* whoever asked for it first: one is under way */
        migrate->second.store = store;
        atomic_store(&migrate->is_second_late, false);
        migrate->takes_notes = false;
        migrate->pass = (struct sf_migrate_pass){.is_wanted = false};
        migrate->passes = migrate->compared = migrate->found = migrate->repaired = migrate->difference_count = 0;
        migrate->trouble.text[0] = migrate->stop.text[0] = '\0';
    }
    return status;
}

enum sf_status
sf_migrate_start(struct sf_migrate *migrate, const char *url, int percent, sf_time deadline, struct sf_error *error)
{
    struct sf_store *store;
    enum sf_status status = may_start(migrate, url, percent, error);
    if (status == SF_OK)
        status = ask_authority(migrate, deadline, error);
    if (status == SF_OK)
        status = open_second(migrate, url, deadline, &store, error);
    if (status != SF_OK)
        return status;
    struct sf_migrate_state joined = {.percent = percent};
    status = sf_migrate_join(migrate, store, &joined, deadline, error);
    if (status == SF_OK) {
        sf_migrate_lock_all(migrate);
        status = begin(migrate, url, &joined, store, error);
        sf_migrate_unlock_all(migrate);
    }
    if (status != SF_OK)
        sf_store_close(store);
    migrate->retry_at = migrate->backoff = migrate->ending_since = 0;
    sf_migrate_meet_at_once(migrate);
    return status;
}

/* ---- on the way ---- */

/* What other keys are read there counts for the end when it has been looked at once more. */
static enum sf_status
change_percent(struct sf_migrate *migrate, int percent, struct sf_error *error)
{
    struct sf_migrate_state state = migrate->state;
    bool is_same = state.percent == percent;
    if (state.phase == SF_MIGRATE_FINISHED)
        return sf_error_set(error, SF_INVALID, "the migration is finished: everything is read from the new store");
    if (percent > 0 && !sf_migrate_is_alone(migrate))
        return sf_error_set(error, SF_INVALID, SF_MIGRATE_NO_PERCENT);
    state.percent = percent;
    state.percent_since = sf_clock_wall();
    if (state.phase == SF_MIGRATE_VERIFIED && !is_same)
        state.phase = SF_MIGRATE_COPYING;
    enum sf_status status = change_state(migrate, &state, error);
    if (status == SF_OK && !is_same)
        migrate->pass = (struct sf_migrate_pass){.is_wanted = state.is_copied};
    return status;
}

enum sf_status
sf_migrate_set_percent(struct sf_migrate *migrate, int percent, struct sf_error *error)
{
    if (!is_under_way(migrate))
        return refuse_without_migration(error);
    if (percent < 0 || percent > 100)
        return sf_error_set(error, SF_INVALID, "a percentage is from 0 to 100");
    sf_migrate_meet_at_once(migrate);
    sf_migrate_lock_all(migrate);
    enum sf_status status = change_percent(migrate, percent, error);
    sf_migrate_unlock_all(migrate);
    return status;
}

enum sf_status
sf_migrate_compare(struct sf_migrate *migrate, struct sf_error *error)
{
    if (!is_under_way(migrate))
        return refuse_without_migration(error);
    pthread_mutex_lock(&migrate->lock);
    migrate->pass = (struct sf_migrate_pass){.is_wanted = true};
    pthread_mutex_unlock(&migrate->lock);
    return SF_OK;
}

/* ---- end ---- */

static void
exchange(struct sf_migrate *migrate)
{
    struct sf_store *store = migrate->authority.store;
    migrate->authority.store = migrate->second.store;
    migrate->second.store = store;
    atomic_store(&migrate->is_second_late, false);
    if (migrate->exchanged != NULL)
        migrate->exchanged(migrate->context, sf_store_incarnation(store),
                           sf_store_incarnation(migrate->authority.store));
}

static void
name_authority(struct sf_migrate *migrate)
{
    const struct sf_migrate_state *state = &migrate->state;
    const char *url = state->phase == SF_MIGRATE_FINISHED ? state->new_url : state->old_url;
    snprintf(migrate->store_url, sizeof migrate->store_url, "%s", url);
}

static enum sf_status
has_copied(const struct sf_migrate *migrate, struct sf_error *error)
{
    if (migrate->takes_notes && migrate->state.is_copied)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "not everything has been copied to the other store yet");
}

/* What the authority has acknowledged the second has too: it may take over. Nothing is under way meanwhile. */
static enum sf_status
may_exchange(const struct sf_migrate *migrate, struct sf_error *error)
{
    size_t owed = sf_debts_acknowledged(migrate->debts);
    enum sf_status status = has_copied(migrate, error);
    if (status == SF_OK && owed > 0)
        return sf_error_set(error, SF_INVALID, "%zu changed sessions are not in the other store yet", owed);
    return status;
}

enum sf_status
sf_migrate_has_verified(const struct sf_migrate *migrate, struct sf_error *error)
{
    if (migrate->state.phase == SF_MIGRATE_FINISHED)
        return sf_error_set(error, SF_INVALID, "it is finished already: set SessionFastStore to the new store");
    enum sf_status status = has_copied(migrate, error);
    if (status == SF_OK && migrate->state.phase != SF_MIGRATE_VERIFIED)
        status = sf_error_set(error, SF_INVALID, "the stores have not been found equal yet: see migrate status");
    return status;
}

enum sf_status
sf_migrate_may_finish(const struct sf_migrate *migrate, struct sf_error *error)
{
    enum sf_status status = sf_migrate_has_verified(migrate, error);
    return status == SF_OK ? may_exchange(migrate, error) : status;
}

static enum sf_status
go_over(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_state state = migrate->state;
    state.phase = SF_MIGRATE_FINISHED;
    state.finished = sf_clock_wall();
    state.is_holding = false;
    state.incarnation = sf_store_incarnation(migrate->authority.store); /* which becomes the second */
    enum sf_status status = change_state(migrate, &state, error);
    if (status != SF_OK)
        return status;
    exchange(migrate);
    name_authority(migrate);
    migrate->is_ending = false;
    migrate->stop.text[0] = '\0';
    return SF_OK;
}

enum sf_status
sf_migrate_exchange(struct sf_migrate *migrate, struct sf_error *error)
{
    sf_migrate_lock_all(migrate);
    enum sf_status status = go_over(migrate, error);
    sf_migrate_unlock_all(migrate);
    return status;
}

static enum sf_status
finish_alone(struct sf_migrate *migrate, struct sf_error *error)
{
    enum sf_status status = sf_migrate_open_target(migrate, sf_clock_steady() + SF_SECOND_DEADLINE);
    if (status != SF_OK)
        return sf_migrate_refuse(error, status);
    sf_migrate_lock_all(migrate);
    status = sf_migrate_may_finish(migrate, error);
    if (status == SF_OK)
        status = go_over(migrate, error);
    sf_migrate_unlock_all(migrate);
    return status;
}

enum sf_status
sf_migrate_finish(struct sf_migrate *migrate, struct sf_error *error)
{
    if (!is_under_way(migrate))
        return refuse_without_migration(error);
    pthread_mutex_lock(&migrate->lock);
    bool is_single = migrate->state.host == 0;
    enum sf_status status = is_single ? sf_migrate_may_finish(migrate, error) : sf_migrate_has_verified(migrate, error);
    pthread_mutex_unlock(&migrate->lock);
    if (status != SF_OK)
        return status;
    return is_single ? finish_alone(migrate, error) : sf_migrate_call_end(migrate, error);
}

void
sf_migrate_close_second(struct sf_migrate *migrate)
{
    sf_store_close(migrate->second.store);
    migrate->second.store = NULL;
    migrate->takes_notes = false;
    migrate->pass = (struct sf_migrate_pass){.is_wanted = false};
    migrate->trouble.text[0] = migrate->stop.text[0] = '\0';
    sf_debts_forget(migrate->debts);
}

static enum sf_status
abort_it(struct sf_migrate *migrate, struct sf_error *error)
{
    struct sf_migrate_state state = migrate->state;
    bool goes_back = state.phase == SF_MIGRATE_FINISHED;
    enum sf_status status = goes_back ? may_exchange(migrate, error) : SF_OK;
    if (status != SF_OK)
        return status;
    state.phase = SF_MIGRATE_ABORTED;
    state.finished = state.verified = 0;
    state.is_holding = false;
    status = change_state(migrate, &state, error);
    if (status != SF_OK)
        return status;
    if (goes_back)
        exchange(migrate);
    name_authority(migrate);
    sf_migrate_close_second(migrate);
    atomic_store(&migrate->is_held, false);
    return SF_OK;
}

static enum sf_status
tell_others(struct sf_migrate *migrate, struct sf_error *error)
{
    pthread_mutex_lock(&migrate->lock);
    bool goes_back = migrate->state.phase == SF_MIGRATE_FINISHED;
    enum sf_status status = goes_back ? may_exchange(migrate, error) : SF_OK;
    pthread_mutex_unlock(&migrate->lock);
    if (status != SF_OK)
        return status;
    return goes_back ? sf_migrate_may_return(migrate, error) : sf_migrate_leave(migrate, error);
}

enum sf_status
sf_migrate_abort(struct sf_migrate *migrate, struct sf_error *error)
{
    if (!is_under_way(migrate))
        return refuse_without_migration(error);
    enum sf_status status = tell_others(migrate, error);
    if (status != SF_OK)
        return status;
    atomic_store_explicit(&migrate->is_link_wanted, true, memory_order_relaxed);
    pthread_mutex_lock(&migrate->follow_lane);
    atomic_store_explicit(&migrate->is_link_wanted, false, memory_order_relaxed);
    sf_migrate_lock_all(migrate);
    status = abort_it(migrate, error);
    sf_migrate_unlock_all(migrate);
    pthread_mutex_unlock(&migrate->follow_lane);
    return status;
}

/* ---- what is told ---- */

static const char *const difference_names[] = {
    [SF_DIFFERENCE_MISSING] = "missing", [SF_DIFFERENCE_EXTRA] = "extra",   [SF_DIFFERENCE_VERSION] = "version",
    [SF_DIFFERENCE_BYTES] = "bytes",     [SF_DIFFERENCE_ACCESS] = "access", [SF_DIFFERENCE_DAMAGED] = "damaged",
    [SF_DIFFERENCE_REFUSED] = "refused",
};

const char *
sf_difference_name(enum sf_difference_kind kind)
{
    return difference_names[kind];
}

void
sf_migrate_list(struct sf_migrate *migrate, const struct sf_difference *difference)
{
    migrate->differences[migrate->difference_count++ % SF_DIFFERENCES_KEPT] = *difference;
    sf_migrate_count(migrate, SF_COUNTER_migrate_differences, 1);
}

size_t
sf_migrate_differences(struct sf_migrate *migrate, struct sf_difference differences_out[SF_DIFFERENCES_KEPT])
{
    size_t count = 0;
    pthread_mutex_lock(&migrate->lock);
    for (uint64_t i = migrate->difference_count; i > 0 && count < SF_DIFFERENCES_KEPT; i--)
        differences_out[count++] = migrate->differences[(i - 1) % SF_DIFFERENCES_KEPT];
    pthread_mutex_unlock(&migrate->lock);
    return count;
}

/* Keys are spread evenly. */
static int
share_below(bool has_cursor, const struct sf_key *cursor)
{
    return has_cursor ? (cursor->bytes[0] * 256 + cursor->bytes[1]) * 100 / 65536 : 0;
}

static void
report_pass(const struct sf_migrate *migrate, struct sf_migrate_report *report)
{
    const struct sf_migrate_state *state = &migrate->state;
    report->is_copying = migrate->second.store != NULL && !state->is_copied;
    report->is_comparing = !report->is_copying && migrate->pass.is_wanted;
    report->progress = 100;
    if (report->is_copying)
        report->progress = share_below(state->has_cursor, &state->cursor);
    else if (report->is_comparing)
        report->progress = share_below(migrate->pass.has_cursor, &migrate->pass.cursor);
}

void
sf_migrate_report(struct sf_migrate *migrate, struct sf_migrate_report *report_out)
{
    pthread_mutex_lock(&migrate->lock);
    const struct sf_migrate_state *state = &migrate->state;
    bool is_finished = state->phase == SF_MIGRATE_FINISHED;
    *report_out = (struct sf_migrate_report){
        .phase = state->phase, .percent = is_finished ? 100 : state->percent, .copied = state->copied,
        .owed = sf_debts_count(migrate->debts), .passes = migrate->passes, .compared = migrate->compared,
        .found = migrate->found, .differences = migrate->difference_count, .repaired = migrate->repaired,
        .started = state->started, .percent_since = state->percent_since, .verified = state->verified,
        .finished = state->finished, .host = state->host, .hosts = migrate->host_count, .is_ending = migrate->is_ending,
        .is_asking = migrate->asked != 0, .waits = atomic_load(&migrate->waits),
    };
    sf_store_show_url(migrate->store_url, report_out->authority, sizeof report_out->authority);
    if (migrate->second.store != NULL)
        sf_store_show_url(is_finished ? state->old_url : state->new_url, report_out->second, sizeof report_out->second);
    report_pass(migrate, report_out);
    const char *trouble = migrate->stop.text[0] != '\0' ? migrate->stop.text : migrate->trouble.text;
    snprintf(report_out->trouble, sizeof report_out->trouble, "%.199s", trouble);
    pthread_mutex_unlock(&migrate->lock);
}
