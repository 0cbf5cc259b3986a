/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_keeper.h - httpd's parent and the daemon of its instance while httpd runs: one of its own,
 * started again when it dies, or that of somebody else, beside which a guard stands. What happens at
 * each start and restart is in daemon_process.c.
 */
#include <apr_thread_proc.h>

#include "mod_session_fast/module.h"

/* What outlives the configuration, and with it this shared object: no pointers. */
struct sf_retained {
    pid_t child;           /* our own daemon, not reaped yet; 0: none */
    pid_t other;           /* somebody else's, of which the log was told; 0: none */
    sf_time started;       /* steady clock */
    unsigned quick_deaths; /* in a row */
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
    struct sf_process *process;
    server_rec *s;
    apr_pool_t *pconf;
    const struct sf_config *before; /* the options until now, at a restart; NULL: nobody knows */
    struct sf_kept_child daemon;
    struct sf_kept_child guard;
    pid_t parent;
};

struct sf_retained *sf_keeper_retained(void);

struct sf_keeper *sf_keeper_new(apr_pool_t *pconf, server_rec *s, struct sf_process *process);

/* Has this configuration a daemon that httpd takes care of? */
bool sf_keeper_is_needed(const struct sf_process *process);

/*
 * Writes run/instance.conf, starts the daemon and waits until it answers. SF_CONFLICT: another one
 * has the instance.
 */
enum sf_status sf_keeper_start(struct sf_keeper *keeper, apr_pool_t *pool,
                               struct sf_error *error) SF_MUST_CHECK;

/* Goes along with the daemon that somebody else runs for this instance. */
void sf_keeper_go_along(struct sf_keeper *keeper, pid_t holder, const char *differences);

void sf_keeper_end_child(struct sf_keeper *keeper);
void sf_keeper_end_other(struct sf_keeper *keeper, pid_t holder);

/* From now on the end of our own daemon is heard. */
void sf_keeper_listen(struct sf_keeper *keeper);

/* Nobody serves the instance: starts a daemon. Somebody else's does: goes along with it. */
void sf_keeper_look(struct sf_keeper *keeper);

/* In a child of httpd: leaves the parent's signal handler behind. */
void sf_keeper_child_init(void);
