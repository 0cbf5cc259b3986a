/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_marks.h - how a server that has lost its sessions is told from one that never had them.
 *
 * A key of ours, with the version of the layout, and behind a blank a number that was drawn when it was made,
 * stands on each server that we have used: where it is gone, the sessions are, and a new one has another number. A
 * server of its own has one. In a Cluster keys move between servers, slot by slot: so there are many marks, in slots
 * as chance has it, and each master has some of them.
 *
 * Each of these says besides on which run of which server it was seen last. Who finds one on another run, because
 * the server was restarted, a replica took over, or the slot has moved, writes it anew: so all marks together tell
 * all hosts that something may have been lost, whichever node it was.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/status.h"

struct sf_redis_server;
struct sf_redis_connection;

#define SF_REDIS_MARKS 256 /* of a Cluster */
#define SF_REDIS_NO_MARK SF_REDIS_MARKS

/* Those that are on one server. */
struct sf_redis_marks {
    uint64_t bits[SF_REDIS_MARKS / 64];
};

void sf_redis_marks_add(struct sf_redis_marks *marks, unsigned mark);

/* One of them that was there before; SF_REDIS_NO_MARK. */
unsigned sf_redis_marks_known(const struct sf_redis_marks *marks, const struct sf_redis_server *server);

#define SF_REDIS_MARK_TEXT 256
void sf_redis_mark_format(const struct sf_redis_server *server, unsigned mark, char text_out[SF_REDIS_MARK_TEXT]);

/*
 * Asks a server that has just been connected to for its marks, and puts those there that nobody has seen yet.
 * SF_INVALID: they are a later version's.
 */
enum sf_status sf_redis_marks_check(struct sf_redis_connection *connection, sf_time deadline,
                                    struct sf_error *error) SF_MUST_CHECK;

/* Of a Cluster; 0: not all of them have been seen yet. */
uint64_t sf_redis_marks_incarnation(const struct sf_redis_server *server);

#define SF_REDIS_EMPTIED \
    "the sessions that were there are gone: flushed, evicted, or not kept over a restart"
