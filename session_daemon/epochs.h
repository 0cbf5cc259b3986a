/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * epochs.h - reads and changes the rows that say who was logged out everywhere (user_epochs.h), in the store.
 *
 *   load, in the loader thread -> nothing to be changed: that is the answer
 *                              -> the next row, in the writer thread, over the very version that was loaded
 *                                 -> another host was faster with some: load those again
 *                                 -> L1 has them, too: the answer
 *
 * Killed at any moment it has changed rows of the store or not: there is nothing to be repaired.
 */
#include "common/session/user_epochs.h"
#include "session_daemon/call.h"

/*
 * The call waits for it. `change` NULL: nothing is changed; else its `user` is taken from here. answer->status: SF_OK:
 * the store has it. SF_UNAVAILABLE: not changed, or only in some of the rows of everybody; SF_UNCERTAIN: perhaps;
 * SF_FULL; SF_CONFLICT, where nothing is to be changed: the store has gone back, and may lack what the caches of all
 * hosts are about to put there again. false: no memory; nothing was begun.
 */
bool epochs_begin(struct call *call, struct sf_span user, const struct sf_user_epochs_change *change,
                  call_resume_fn *resume) SF_MUST_CHECK;

/* What a login gets now, or whoever the change was made for. */
uint32_t epochs_answer(const struct caller_task *task);
uint32_t epochs_least(const struct caller_task *task); /* what his sessions need; where nothing is changed */

/* ---- as far as L1 knows ---- */

bool epochs_are_known(struct daemon *daemon, struct sf_span user); /* and need not be asked again */
uint32_t epochs_cached(struct daemon *daemon, struct sf_span user);         /* what a login gets */
bool epochs_refuse(struct daemon *daemon, const struct sf_record_head *head); /* its user was logged out everywhere */
