/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/migrator.h"

#include <inttypes.h>
#include <string.h>

#include "common/store/store_guard.h"
#include "session_daemon/daemon.h"

/* Each store has a guard of its own: one that is away does not make the other one look so. */
static enum sf_status
open_guarded(void *context, struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    struct daemon *daemon = context;
    bool is_configured = strcmp(url, daemon->config.store) == 0;
    enum sf_status status = sf_store_open(store_out, url, state, error);
    if (status != SF_OK)
        return status;
    return sf_store_guard(store_out, *store_out, is_configured ? "store" : "other_store",
                          is_configured ? sf_l1_counters(daemon->l1) : NULL, &daemon->log);
}

/* What is clean in the cache is in the other store, too: nothing is to be put there again. */
static void
note_exchange(void *context, uint64_t former, uint64_t now)
{
    const struct daemon *daemon = context;
    if (sf_l1_store(daemon->l1) == former)
        sf_l1_set_store(daemon->l1, now);
}

enum sf_status
migrator_open(struct migrator *migrator, struct sf_store **store_out, struct daemon *daemon, struct sf_error *error)
{
    struct sf_error warning;
    const struct sf_migrate_options options = {
        .store_url = daemon->config.store,
        .wanted = daemon->config.migrate,
        .state = daemon->instance.state,
        .counters = sf_l1_counters(daemon->l1),
        .open_store = open_guarded,
        .exchanged = note_exchange,
        .context = daemon,
    };
    enum sf_status status = sf_migrate_open(&migrator->migrate, &options, &warning, error);
    if (status != SF_OK)
        return status;
    if (warning.text[0] != '\0')
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0240", "%s", warning.text);
    *store_out = sf_migrate_store(migrator->migrate);
    return SF_OK;
}

/* ---- the log ---- */

static void
log_phase(const struct sf_migrate_report *report, const struct sf_log *log)
{
    switch (report->phase) {
    case SF_MIGRATE_COPYING:
        sf_log_write(log, SF_LOG_NOTICE, "SF0241", "migration from %s to %s: copying; %d %% of the keys are read there",
                     report->authority, report->second, report->percent);
        break;
    case SF_MIGRATE_VERIFIED:
        sf_log_write(log, SF_LOG_NOTICE, "SF0242", "migration: both stores have the same %" PRIu64 " sessions",
                     report->compared);
        break;
    case SF_MIGRATE_FINISHED:
        sf_log_write(log, SF_LOG_WARNING, "SF0243",
                     "migration finished: %s is used, %s still gets every change: change SessionFastStore",
                     report->authority, report->second);
        break;
    case SF_MIGRATE_ABORTED:
        sf_log_write(log, SF_LOG_NOTICE, "SF0244", "migration aborted: %s is used", report->authority);
        break;
    case SF_MIGRATE_NONE: break;
    }
}

static void
log_trouble(struct migrator *migrator, const struct sf_migrate_report *report, const struct sf_log *log)
{
    bool is_well = report->trouble[0] == '\0';
    if (!sf_log_state_changed(&migrator->log_state, is_well))
        return;
    if (is_well)
        sf_log_write(log, SF_LOG_NOTICE, "SF0246", "the migration goes on");
    else
        sf_log_write(log, SF_LOG_WARNING, "SF0245", "the migration waits: %s", report->trouble);
}

void
migrator_log(struct migrator *migrator, const struct sf_log *log)
{
    struct sf_migrate_report report;
    sf_migrate_report(migrator->migrate, &report);
    bool is_doubted = migrator->was_copied && report.is_copying && report.phase == migrator->phase;
    bool is_asked = report.percent != migrator->percent && report.phase == SF_MIGRATE_COPYING;
    if (report.phase != migrator->phase && migrator->phase != SF_MIGRATE_VERIFIED)
        log_phase(&report, log);
    else if (report.phase != migrator->phase && report.phase != SF_MIGRATE_COPYING)
        log_phase(&report, log);
    else if (report.phase != migrator->phase && is_asked && !report.is_copying)
        sf_log_write(log, SF_LOG_NOTICE, "SF0248",
                     "migration: %d %% of the keys are read from the new store; both are compared once more",
                     report.percent);
    else if (report.phase != migrator->phase || is_doubted)
        sf_log_write(log, SF_LOG_WARNING, "SF0247",
                     "migration: the stores are not known to be equal any more: %s",
                     report.is_copying ? "all of it is copied once more" : "they are compared once more");
    log_trouble(migrator, &report, log);
    migrator->phase = report.phase;
    migrator->was_copied = !report.is_copying;
    migrator->percent = report.percent;
}

/* ---- the thread ---- */

static sf_time
step(struct daemon *daemon)
{
    sf_time next = sf_migrate_step(daemon->migrator.migrate, sf_clock_steady());
    migrator_log(&daemon->migrator, &daemon->log);
    return next;
}

enum sf_status
migrator_start(struct migrator *migrator, struct daemon *daemon)
{
    struct sf_migrate_report report;
    sf_migrate_report(migrator->migrate, &report);
    migrator->phase = report.phase;
    migrator->was_copied = !report.is_copying;
    migrator->percent = report.percent;
    migrator->worker.step = step;
    return worker_start(&migrator->worker, daemon);
}
