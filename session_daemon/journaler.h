/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journaler.h - the thread that commits to the journal: all who wait at the same time share one
 * transaction and one sync; who waits alone does not wait for others.
 */
#include "common/writeback/journal.h"
#include "session_daemon/connection.h"

struct journaler {
    struct task_queue queue;
    pthread_t thread;
    bool is_running;
    struct sf_journal *journal;
};

enum sf_status journaler_start(struct journaler *journaler, struct daemon *daemon) SF_MUST_CHECK;
/* false: a commit still runs at `deadline` (steady clock). */
bool journaler_stop(struct journaler *journaler, sf_time deadline);
void journaler_fini(struct journaler *journaler); /* the journal is closed, too */

/*
 * The connection, whose `waiting` has marks and a time, waits until the journal or the store has them: SF_OK;
 * SF_UNAVAILABLE: the journal cannot be written; SF_UNCERTAIN: nothing known in time. false: no memory.
 */
bool journaler_join(struct daemon *daemon, struct connection *connection);
void journaler_leave(struct connection *connection); /* the client has gone */
void journaler_check(struct daemon *daemon);         /* resumes those whose time is over */
