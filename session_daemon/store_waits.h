/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_waits.h - calls that wait until the store has what L1 has.
 *
 * Looked through after each batch, and now and then: a version may also become stored while nobody tells.
 */
#include "session_daemon/connection.h"

/*
 * The connection's `waiting` says for what. true: it waits; false: *answer_out is known already. Asks for a
 * batch at once.
 */
bool store_waits_begin(struct daemon *daemon, struct connection *connection, struct answer *answer_out);

/* Resumes whoever's wait is over. */
void store_waits_check(struct daemon *daemon);
