/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrator.h - the store of the instance, which may be on its way to another place, and the thread that moves it.
 */
#include "common/base/log.h"
#include "common/store/migrate/store_migrate.h"
#include "session_daemon/worker.h"

struct migrator {
    struct worker worker;          /* of the commands that change something, and of sf_migrate_step */
    struct sf_migrate *migrate;    /* belongs to daemon->store */
    enum sf_migrate_phase phase;   /* as the log knows it; the thread's own, as what follows */
    bool was_copied;
    int percent;
    struct sf_log_state log_state; /* does it go on? */
};

/* *store_out is open, and not attached. What the administrator should know is logged. */
enum sf_status migrator_open(struct migrator *migrator, struct sf_store **store_out, struct daemon *daemon,
                             struct sf_error *error) SF_MUST_CHECK;
enum sf_status migrator_start(struct migrator *migrator, struct daemon *daemon) SF_MUST_CHECK;

/* In the thread: after each change that somebody has asked for. */
void migrator_log(struct migrator *migrator, const struct sf_log *log);
