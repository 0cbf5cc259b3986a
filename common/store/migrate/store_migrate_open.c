/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/config/migrate_words.h"
#include "common/store/migrate/store_migrate_hosts.h"

#define STATE_FILE "migration"
#define DEBTS_FILE "migration-owed"
#define DOUBT_PAUSE (2 * SF_SECOND) /* what the process before had under way may come to pass so much later */

/* ---- what the state folder and the configuration say together ---- */

enum { STORE_OLD = 1, STORE_NEW = 2 };

static int
which_store(const struct sf_migrate_state *state, const char *url)
{
    if (strcmp(url, state->old_url) == 0)
        return STORE_OLD;
    return strcmp(url, state->new_url) == 0 ? STORE_NEW : 0;
}

static enum sf_status
refuse_third(const struct sf_migrate *migrate, struct sf_error *error)
{
    char url[SF_MIGRATE_SHOWN];
    const struct sf_migrate_state *state = &migrate->state;
    sf_store_show_url(state->phase == SF_MIGRATE_FINISHED ? state->new_url : state->old_url, url, sizeof url);
    return sf_error_set(error, SF_INVALID,
                        "SessionFastStore names another store than the migration that is under way; the truth is "
                        "in %s. Name that one, or remove %s", url, migrate->state_path);
}

/* Nothing of it is left but the store that SessionFastStore names. */
static enum sf_status
forget_migration(struct sf_migrate *migrate, struct sf_error *error)
{
    migrate->state = (struct sf_migrate_state){.phase = SF_MIGRATE_NONE};
    sf_debts_forget(migrate->debts);
    return sf_migrate_state_remove(migrate->state_path, error);
}

static void
warn(struct sf_error *warning, const char *text)
{
    sf_error_set(warning, SF_CONFLICT, "%s", text);
}

static enum sf_status
after_abort(struct sf_migrate *migrate, int named, struct sf_error *warning, struct sf_error *error)
{
    if (named == STORE_NEW)
        return sf_error_set(error, SF_INVALID,
                            "SessionFastStore names the store that an aborted migration has left out of date. Name "
                            "the one before, or remove %s", migrate->state_path);
    if (named == STORE_OLD && strcmp(migrate->wanted_url, migrate->state.new_url) == 0)
        warn(warning, "the migration that SessionFastMigrate names was aborted and does not begin again by itself");
    if (named == STORE_OLD)
        migrate->wanted_url[0] = '\0';
    return named == STORE_OLD ? SF_OK : forget_migration(migrate, error);
}

static enum sf_status
after_finish(struct sf_migrate *migrate, int named, struct sf_error *warning, struct sf_error *error)
{
    if (named == 0)
        return refuse_third(migrate, error);
    if (named == STORE_NEW)
        return forget_migration(migrate, error); /* that is what the old one was kept for */
    warn(warning, "the migration is finished and the new store is used: SessionFastStore still names the old one");
    return SF_OK;
}

static enum sf_status
on_the_way(struct sf_migrate *migrate, int named, struct sf_error *warning, struct sf_error *error)
{
    if (named == 0)
        return refuse_third(migrate, error);
    migrate->is_new_named = named == STORE_NEW;
    if (named == STORE_NEW)
        warn(warning, "SessionFastStore names the new store, but the migration is not finished: the old one is used");
    return SF_OK;
}

static enum sf_status
decide(struct sf_migrate *migrate, const char *url, struct sf_error *warning, struct sf_error *error)
{
    int named = which_store(&migrate->state, url);
    switch (migrate->state.phase) {
    case SF_MIGRATE_NONE: return SF_OK;
    case SF_MIGRATE_ABORTED: return after_abort(migrate, named, warning, error);
    case SF_MIGRATE_FINISHED: return after_finish(migrate, named, warning, error);
    case SF_MIGRATE_COPYING:
    case SF_MIGRATE_VERIFIED: return on_the_way(migrate, named, warning, error);
    }
    return SF_OK;
}

/* ---- SessionFastMigrate ---- */

/* Of a migration that is under way the percentage counts when it was changed; another URL does not count. */
static void
take_wanted(struct sf_migrate *migrate, struct sf_error *warning)
{
    struct sf_migrate_state *state = &migrate->state;
    bool is_under_way = state->phase == SF_MIGRATE_COPYING || state->phase == SF_MIGRATE_VERIFIED;
    bool is_same = strcmp(migrate->wanted_url, state->new_url) == 0;
    if (migrate->wanted_url[0] == '\0')
        return;
    if (is_under_way && is_same && state->configured != migrate->wanted_percent) {
        state->percent = state->configured = migrate->wanted_percent;
        state->percent_since = sf_clock_wall();
        migrate->is_state_saved = false;
    } else if (is_under_way && !is_same) {
        warn(warning, "SessionFastMigrate names another store than the migration that is under way: it does not count");
    } else if (strcmp(migrate->wanted_url, migrate->store_url) == 0) {
        warn(warning, "SessionFastMigrate names the store that is used already: remove it");
    } else if (state->phase == SF_MIGRATE_NONE) {
        return;
    }
    migrate->wanted_url[0] = '\0';
}

static enum sf_status
read_wanted(struct sf_migrate *migrate, const char *wanted, struct sf_error *error)
{
    if (wanted[0] == '\0')
        return SF_OK;
    return sf_migrate_words_parse(wanted, migrate->wanted_url, sizeof migrate->wanted_url, &migrate->wanted_percent,
                                  error);
}

/* ---- life ---- */

static enum sf_status
open_any(void *context, struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    (void)context;
    return sf_store_open(store_out, url, state, error);
}

static enum sf_status
open_sides(struct sf_migrate *migrate, const char *url, struct sf_error *error)
{
    const struct sf_migrate_state *state = &migrate->state;
    bool is_finished = state->phase == SF_MIGRATE_FINISHED;
    bool is_double = is_finished || state->phase == SF_MIGRATE_COPYING || state->phase == SF_MIGRATE_VERIFIED;
    const char *first = url, *second = NULL;
    if (is_double) {
        first = is_finished ? state->new_url : state->old_url;
        second = is_finished ? state->old_url : state->new_url;
    }
    snprintf(migrate->store_url, sizeof migrate->store_url, "%s", first);
    enum sf_status status = migrate->open_store(migrate->context, &migrate->authority.store, first, migrate->folder,
                                                error);
    if (status == SF_OK && is_double)
        status = migrate->open_store(migrate->context, &migrate->second.store, second, migrate->folder, error);
    return status;
}

/* What the daemon asks once, when it starts. */
static void
be_like_authority(struct sf_migrate *migrate)
{
    const struct sf_store_ops *ops = migrate->authority.store->ops;
    migrate->ops.flags = ops->flags;
    if (ops->follow == NULL)
        migrate->ops.follow = NULL;
}

static enum sf_status
open_all(struct sf_migrate *migrate, const struct sf_migrate_options *options, struct sf_error *warning,
         struct sf_error *error)
{
    char path[PATH_MAX + 16];
    snprintf(migrate->folder, sizeof migrate->folder, "%s", options->state);
    snprintf(migrate->state_path, sizeof migrate->state_path, "%s/" STATE_FILE, options->state);
    snprintf(path, sizeof path, "%s/" DEBTS_FILE, options->state);
    if (sf_debts_new(&migrate->debts, path) != SF_OK)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    enum sf_status status = sf_migrate_state_load(&migrate->state, migrate->state_path, error);
    if (status != SF_OK && status != SF_NOT_FOUND)
        return status;
    status = read_wanted(migrate, options->wanted, error);
    if (status == SF_OK)
        status = decide(migrate, options->store_url, warning, error);
    if (status == SF_OK)
        status = open_sides(migrate, options->store_url, error);
    if (status != SF_OK)
        return status;
    be_like_authority(migrate);
    take_wanted(migrate, warning);
    return SF_OK;
}

enum sf_status
sf_migrate_open(struct sf_migrate **migrate_out, const struct sf_migrate_options *options, struct sf_error *warning,
                struct sf_error *error)
{
    struct sf_migrate *migrate = calloc(1, sizeof *migrate);
    *migrate_out = NULL;
    *warning = (struct sf_error){.status = SF_OK};
    if (migrate == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    migrate->ops = sf_migrate_ops;
    migrate->base.ops = &migrate->ops;
    migrate->open_store = options->open_store != NULL ? options->open_store : open_any;
    migrate->exchanged = options->exchanged;
    migrate->context = options->context;
    migrate->counters = options->counters;
    migrate->is_state_saved = true;
    pthread_mutex_init(&migrate->follow_lane, NULL);
    pthread_mutex_init(&migrate->write_lane, NULL);
    pthread_mutex_init(&migrate->authority.load_lane, NULL);
    pthread_mutex_init(&migrate->second.load_lane, NULL);
    pthread_mutex_init(&migrate->lock, NULL);
    enum sf_status status = open_all(migrate, options, warning, error);
    if (status == SF_OK)
        *migrate_out = migrate;
    else
        sf_migrate_close(&migrate->base);
    return status;
}

void
sf_migrate_share(struct sf_migrate *migrate, uint64_t host)
{
    migrate->host = host;
}

struct sf_store *
sf_migrate_store(struct sf_migrate *migrate)
{
    return &migrate->base;
}

/* What the second cannot do now it is asked for again by the work in the background. */
enum sf_status
sf_migrate_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    struct sf_store *second = migrate->second.store;
    enum sf_status status = migrate->authority.store->ops->attach(migrate->authority.store, deadline, error);
    if (second == NULL)
        return status == SF_OK ? sf_migrate_may_stay(migrate, error) : status;
    bool is_finished = migrate->state.phase == SF_MIGRATE_FINISHED;
    atomic_store(&migrate->is_held, migrate->state.host != 0 && !is_finished); /* until what the others do is known */
    (void)!second->ops->attach(second, sf_clock_steady() + SF_SECOND_DEADLINE, &migrate->trouble);
    migrate->takes_notes = sf_debts_recover(migrate->debts, sf_clock_steady() + DOUBT_PAUSE);
    if (!migrate->takes_notes)
        sf_migrate_distrust(migrate);
    if (migrate->state.is_copied && migrate->state.phase == SF_MIGRATE_COPYING)
        migrate->pass.is_wanted = true;
    sf_migrate_meet_again(migrate);
    return status;
}

void
sf_migrate_close(struct sf_store *store)
{
    struct sf_migrate *migrate = (struct sf_migrate *)store;
    struct sf_error ignored;
    if (!migrate->is_state_saved)
        (void)!sf_migrate_save(migrate, &ignored);
    if (migrate->takes_notes)
        sf_debts_end(migrate->debts);
    sf_debts_free(migrate->debts);
    sf_store_close(migrate->authority.store);
    sf_store_close(migrate->second.store);
    pthread_mutex_destroy(&migrate->follow_lane);
    pthread_mutex_destroy(&migrate->write_lane);
    pthread_mutex_destroy(&migrate->authority.load_lane);
    pthread_mutex_destroy(&migrate->second.load_lane);
    pthread_mutex_destroy(&migrate->lock);
    free(migrate);
}
