/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journaler.h - the thread that commits to the journal: all who wait at the same time share one
 * transaction and one sync; who waits alone does not wait for others. It also makes room in L1 when the store does
 * not: the writer may be inside the store for long.
 */
#include <stdatomic.h>

#include "common/writeback/spill.h"
#include "session_daemon/connection.h"

struct journaler {
    struct task_queue queue;
    pthread_t thread;
    bool is_running;
    struct sf_journal *journal;
    struct sf_spill spill; /* the journal's thread */
    sf_time spill_at;      /* the same; steady clock */
    _Atomic int64_t room_wanted; /* steady; since when a change finds no room in L1; 0: none does */
    atomic_bool is_wanted_by_user; /* one of those who do is logged in */
};

enum sf_status journaler_start(struct journaler *journaler, struct daemon *daemon) SF_MUST_CHECK;
/* false: a commit still runs at `deadline` (steady clock). */
bool journaler_stop(struct journaler *journaler, sf_time deadline);
void journaler_fini(struct journaler *journaler); /* the journal is closed, too */

/* A change finds no room: if the store does not take what waits at once, the journal does. */
void journaler_make_room(struct journaler *journaler, enum sf_want want);

/*
 * The connection, whose `waiting` has marks and a time, waits until the journal or the store has them: SF_OK;
 * SF_UNAVAILABLE: the journal cannot be written; SF_UNCERTAIN: nothing known in time. false: no memory.
 */
bool journaler_join(struct daemon *daemon, struct connection *connection);
void journaler_leave(struct connection *connection); /* the client has gone */
void journaler_check(struct daemon *daemon);         /* resumes those whose time is over */
