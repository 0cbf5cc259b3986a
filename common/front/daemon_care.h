/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_care.h - a front takes care of session-fastd: one of its own, started again when it dies,
 * or somebody else's as long as that one lives. The fronts of an instance share one daemon, and
 * whichever hears of its end first starts the next.
 *
 * How a front hears of the end of a process is its own business. One thread at a time.
 */
#include "common/base/log.h"
#include "common/front/daemon_start.h"

/* What may outlive the rest, and the program text too: no pointers. Zero to begin with. */
struct sf_daemon_state {
    pid_t child;           /* our own daemon, not reaped yet; 0: none */
    pid_t other;           /* somebody else's, which we go along with; 0: none */
    sf_time started;       /* steady clock */
    unsigned quick_deaths; /* in a row */
};

struct sf_daemon_care {
    struct sf_daemon_state *state;
    const struct sf_config *config; /* INSTANCE options */
    const struct sf_instance *instance;
    const char *installed;          /* the program, where the options name none */
    struct sf_log log;
    void *context; /* of the calls */

    /* Of instance.conf, which the daemon reads: see sf_config_write and sf_config_differs. */
    enum sf_status (*write_config)(void *context, struct sf_error *error);
    const char *(*config_differs)(void *context);
    void (*become_user)(void *context); /* as in struct sf_daemon_program */
};

/* false: the options say that somebody else starts it. */
bool sf_daemon_care_is_needed(const struct sf_daemon_care *care);

struct sf_daemon_program sf_daemon_care_program(const struct sf_daemon_care *care,
                                                const char *config_path);

/*
 * At a start: goes along with the daemon that serves the instance, or puts one of our own in its
 * place when nobody cares for it or it does not answer; starts one when there is none, and waits
 * until it answers.
 */
enum sf_status sf_daemon_care_begin(struct sf_daemon_care *care,
                                    struct sf_error *error) SF_MUST_CHECK;

/* Starts one of our own and waits. SF_CONFLICT: another one has the instance. */
enum sf_status sf_daemon_care_start(struct sf_daemon_care *care,
                                    struct sf_error *error) SF_MUST_CHECK;

/*
 * Our own has ended and was reaped, with this exit status or signal. Starts the next without
 * waiting for it, unless somebody else has, or it dies again and again: then care_look does.
 */
void sf_daemon_care_child_ended(struct sf_daemon_care *care, int result);

/*
 * When somebody else's has ended, and now and then in any case: starts a daemon when there is none,
 * goes along with what there is.
 */
void sf_daemon_care_look(struct sf_daemon_care *care);

/*
 * For a front that reaps by itself: whatever of this has happened since the last time. Call it after
 * SIGCHLD and once a second.
 */
void sf_daemon_care_step(struct sf_daemon_care *care);

/* Ends our own, which `why` (NULL: nothing to tell) replaces; no other is started. */
void sf_daemon_care_end_child(struct sf_daemon_care *care, const char *why);

/* The front is going for good: ends our own, and one that nobody else cares for. */
void sf_daemon_care_end(struct sf_daemon_care *care);
