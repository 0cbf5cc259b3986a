/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * call.h - one command under way: its words, its reply, and what it waits for.
 *
 * A command either replies or begins one wait and returns. When the wait is over its resume function is
 * called with the same words, parsed anew: the request stays in the connection's input until it is answered.
 * Main thread only.
 */
#include "common/front/resp.h"
#include "session_daemon/connection.h"
#include "session_daemon/daemon.h"

struct call {
    struct daemon *daemon;
    struct connection *connection;
    const struct sf_span *words; /* [0] is the command */
    size_t count;
    sf_time now;                 /* wall clock */
    enum sf_status status;       /* of the reply: once it cannot grow, the connection is closed */
};

/* ---- replies; a failure is kept in `status` ---- */

void reply_array(struct call *call, size_t count);
void reply_bulk(struct call *call, struct sf_span bytes);
void reply_text(struct call *call, const char *text); /* a bulk */
void reply_key(struct call *call, const struct sf_key *key);
void reply_integer(struct call *call, int64_t value);
void reply_nil(struct call *call);
void reply_simple(struct call *call, const char *text);
void reply_error(struct call *call, enum sf_status status, const char *text);
void reply_encoded(struct call *call, struct sf_span resp); /* values that are RESP already */

bool word_is(struct sf_span word, const char *text); /* any case */

/* ---- waits ---- */

/*
 * Until the store has said what it has under `key`; joins a load that is under way. answer->status: SF_OK
 * (answer->stored; L1 has it too if there was room), SF_NOT_FOUND (or expired), SF_CORRUPT, SF_UNAVAILABLE.
 */
void call_wait_for_load(struct call *call, const struct sf_key *key, call_resume_fn *resume);
/* The same, but L1 does not get it. */
void call_wait_for_load_only(struct call *call, const struct sf_key *key, call_resume_fn *resume);
/* And nor does it keep what it has, which is brought to the store first if that lacks it. */
void call_wait_for_truth(struct call *call, const struct sf_key *key, call_resume_fn *resume);

/*
 * Until the store has these versions (none given: all that waits now). SF_INVALID: it has, but for records
 * that it refuses for themselves; SF_UNAVAILABLE: a batch failed; SF_UNCERTAIN: nothing known after `wait`.
 * May resume at once.
 */
#define CALL_STORE_WAIT (5 * SF_SECOND) /* where nobody says how long */
void call_wait_for_store(struct call *call, const struct stored_mark *marks, size_t count, sf_time wait,
                         call_resume_fn *resume);

/*
 * Until these versions are on disk: in the journal, or in the store. Where several hosts share the store, until
 * that has them, so that the others know, and the journal only when it gives no answer. SF_UNAVAILABLE: the
 * journal cannot be written; SF_UNCERTAIN: nothing known after `wait`.
 */
void call_wait_for_journal(struct call *call, const struct stored_mark *marks, size_t count, sf_time wait,
                           call_resume_fn *resume);

/* Until L1 has room again, because the store or the journal has what waited. As call_wait_for_store for all of it. */
void call_wait_for_room(struct call *call, enum sf_want want, sf_time wait, call_resume_fn *resume);

/* Until `task`, which the caller pushes afterwards, is finished. answer->task is it. */
void call_wait_for_task(struct call *call, struct caller_task *task, call_resume_fn *resume);
