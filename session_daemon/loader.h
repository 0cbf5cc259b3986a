/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * loader.h - reads from the store, in a thread of its own: one load for each key, however many ask.
 */
#include "session_daemon/connection.h"
#include "session_daemon/worker.h"

#define LOADER_BUCKETS 1024 /* a power of two */

struct load;

struct loader {
    struct worker worker; /* of loads and scans */
    struct load *buckets[LOADER_BUCKETS]; /* loads and holds under way, by key; main thread */
    size_t loads;
    _Atomic sf_time busy_since; /* steady clock: the call that the store has not answered; 0: none */
    sf_time check_at;           /* main thread; steady clock: while loads fail, not before */
    sf_time let_go;             /* main thread: the call that hung last, and was waited for no longer */
};

/*
 * The connection waits for a load of `key`, which begins if none is under way. `keeps_out`: this load does
 * not put the record into L1. Where sessions are in the store only, the store is asked once more for who comes when
 * it has been asked: its answer may be older than what he knows. false: too many are under way, or no memory.
 */
bool loader_join(struct daemon *daemon, struct connection *connection, const struct sf_key *key, bool keeps_out);
void loader_leave(struct connection *connection); /* the client has gone */

/* In the loader thread, in the middle of another task: loads that wait, if any. */
void loader_run_waiting(struct daemon *daemon);

/*
 * Should the store be asked about what can be used as it is? Not while it hangs; and while it fails,
 * a second after the last such question at the earliest, to see whether it is back.
 */
bool loader_may_check(const struct daemon *daemon);

/* Often, while loads are under way: whoever waits for a store that hangs, and can go on with what L1 has, does. */
void loader_check(struct daemon *daemon);

/*
 * Another host may have changed it: what L1 has of it is loaded anew, whatever its version (after a loss of data, or a
 * long cut, this host may have given that number, too), and what is just being loaded once more. `half` is told to the
 * lease when that is done.
 */
void loader_hear(struct daemon *daemon, const struct sf_key *key, unsigned half);

/* This daemon has just changed it there itself: what is being loaded is loaded once more. */
void loader_outdate(struct daemon *daemon, const struct sf_key *key);

/* They may have changed anything: what L1 has is no longer trusted; what waits here is merged with it. Any thread. */
void loader_hear_of_anything(struct daemon *daemon);

/*
 * While a key is held nobody loads it: whoever asks waits for the release. For a change that is made in the
 * store alone. false: a load or another hold is under way.
 */
bool loader_hold(struct daemon *daemon, const struct sf_key *key);
void loader_release(struct daemon *daemon, const struct sf_key *key);
