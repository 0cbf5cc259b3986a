/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_keeper.h - how httpd's parent takes care of the daemon of its instance while httpd runs: by
 * the end of a child, which is all that wakes it. That is the daemon, or a guard that stands beside
 * somebody else's. What happens at each start and restart is in daemon_process.c.
 */
#include <apr_thread_proc.h>

#include "common/front/daemon_care.h"
#include "mod_session_fast/module.h"

/* What outlives the configuration, and with it this shared object: no pointers. */
struct sf_retained {
    struct sf_daemon_state daemon;
    bool has_served;       /* httpd has run with it: from now on a failure must not end httpd */
    dev_t log_device;      /* where its standard error goes */
    ino_t log_file;
    char lock_path[SF_INSTANCE_PATH_MAX];   /* of the instance that the child serves */
    char config_path[SF_INSTANCE_PATH_MAX]; /* of the instance of this httpd; "": none */
};

/* A child as APR knows it; proc.pid 0: none. */
struct sf_kept_child {
    apr_proc_t proc;
    struct sf_keeper *keeper;
};

/* One for each configuration, in pconf. */
struct sf_keeper {
    struct sf_retained *retained;
    struct sf_daemon_care care;
    struct sf_process *process;
    server_rec *s;
    apr_pool_t *pconf;
    apr_pool_t *scratch;            /* of what `care` calls, until the next call */
    const struct sf_config *before; /* the options until now, at a restart; NULL: nobody knows */
    struct sf_kept_child daemon;
    struct sf_kept_child guard;
    pid_t parent;
};

struct sf_retained *sf_keeper_retained(void);

struct sf_keeper *sf_keeper_new(apr_pool_t *pconf, server_rec *s, struct sf_process *process);

/* Has this configuration a daemon that httpd takes care of? */
bool sf_keeper_is_needed(const struct sf_keeper *keeper);

/* From now on the end of the daemon is heard, whoever's it is. */
void sf_keeper_listen(struct sf_keeper *keeper);

/* Is there a daemon? See sf_daemon_care_look. */
void sf_keeper_look(struct sf_keeper *keeper);

/* In a child of httpd: leaves the parent's signal handler behind. */
void sf_keeper_child_init(void);
