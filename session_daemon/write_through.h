/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * write_through.h - a change that L1 has no room for: made on a copy, and written to the store before it is
 * acknowledged.
 *
 * L1 does not hold the session then and nobody loads it meanwhile (loader_hold), so nobody else changes it.
 */
#include "session_daemon/call.h"

/*
 * `found` is what the store has just said of `key`, which the caller holds; both NULL: the change creates a
 * session. SF_OK: `resume` is called when it is written, or not: answer->status is SF_OK, SF_UNAVAILABLE,
 * SF_UNCERTAIN, SF_FULL, or SF_CONFLICT: the store has something else by now; the key is released then. Other
 * statuses: nothing was begun, and the key is still held.
 */
enum sf_status write_through_begin(struct call *call, const struct sf_key *key, const struct sf_l1_change *change,
                                   const struct answer *found, call_resume_fn *resume) SF_MUST_CHECK;

/* For `resume`: what was done. */
const struct sf_l1_applied *write_through_applied(const struct caller_task *task);
