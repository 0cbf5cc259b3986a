/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * commands.h - the commands of the daemon: one row of the table in commands.c and one function each.
 *
 * What they take and answer is in docs/daemon.md.
 */
#include "session_daemon/call.h"

typedef void command_fn(struct call *call);

command_fn command_load, command_get;
command_fn command_apply, command_end, command_epoch;
command_fn command_flush, command_list, command_migrate, command_status;

/* Runs the command that the words name, or replies that there is none. */
void commands_run(struct call *call);

/* "active", "ended", "former" (a replaced id in its grace) or "expired". */
const char *command_state(const struct sf_record_head *head, sf_time last_access, sf_time now);

/* Words as keys and numbers. false: an error was replied, also for a word that is not there. */
bool command_key(struct call *call, size_t word, struct sf_key *key_out) SF_MUST_CHECK;
/* A key of what may be named: not of what is no session. */
bool command_session(struct call *call, size_t word, struct sf_key *key_out) SF_MUST_CHECK;
bool command_integer(struct call *call, size_t word, int64_t min, int64_t max, int64_t *value_out) SF_MUST_CHECK;
