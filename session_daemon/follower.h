/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * follower.h - hears what other hosts change in the store, in a thread of its own.
 *
 * While it does, entries of L1 are good for SessionFastCacheTTL (sf_l1_lease), and what it hears of is loaded
 * anew (loader_hear); the lease is not prolonged over what has been heard and not been dealt with (lease.h). While it
 * does not, they are for SessionFastFreshness: the lease runs out by itself, also when this daemon is killed or
 * stopped.
 */
#include <stdatomic.h>

#include "common/base/log.h"
#include "session_daemon/lease.h"
#include "session_daemon/task_queue.h"

enum follower_state {
    FOLLOWER_NONE,   /* nobody shares the store, or it has no news */
    FOLLOWER_DOWN,   /* not connected, or not yet */
    FOLLOWER_UP,
    FOLLOWER_REFUSED /* the server will not, as it is */
};

struct follower {
    struct task_queue queue;       /* of no tasks: for pauses, and for the stop */
    pthread_t thread;
    bool is_running;
    struct sf_log_state log_state; /* the follower's, as what follows */
    struct news *news;             /* what has been heard and not yet handed on; NULL: nothing */
    struct lease lease;            /* what has been heard, and is not dealt with yet, holds it up */
    sf_time pause;                 /* after the next failure */
    _Atomic int state;             /* for status: an enum follower_state */
    _Atomic sf_time since;         /* the same, wall clock */
    pthread_mutex_t lock;          /* guards */
    struct sf_error error;         /* of the last failure, for status */
};

/* Does nothing where there is nothing to be heard. */
enum sf_status follower_start(struct follower *follower, struct daemon *daemon) SF_MUST_CHECK;
/* false: it is still inside the store at `deadline` (steady clock). */
bool follower_stop(struct follower *follower, sf_time deadline);
void follower_fini(struct follower *follower);

const char *follower_state_name(const struct follower *follower);
void follower_error(struct follower *follower, struct sf_error *error_out); /* "": it is up */
