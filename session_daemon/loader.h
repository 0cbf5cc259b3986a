/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * loader.h - reads from the store, in a thread of its own: one load for each key, however many ask.
 */
#include "session_daemon/connection.h"

#define LOADER_BUCKETS 1024 /* a power of two */

struct load;

struct loader {
    struct task_queue queue; /* loads and scans, run in order */
    pthread_t thread;
    bool is_running;
    struct load *buckets[LOADER_BUCKETS]; /* loads and holds under way, by key; main thread */
    size_t loads;
};

enum sf_status loader_start(struct loader *loader, struct daemon *daemon) SF_MUST_CHECK;
/* false: the thread is still inside the store at `deadline` (steady clock); nothing of it may be freed. */
bool loader_stop(struct loader *loader, sf_time deadline);
void loader_fini(struct loader *loader);

/*
 * The connection waits for a load of `key`, which begins if none is under way. `keeps_out`: this load does
 * not put the record into L1. false: too many are under way, or no memory.
 */
bool loader_join(struct daemon *daemon, struct connection *connection, const struct sf_key *key, bool keeps_out);
void loader_leave(struct connection *connection); /* the client has gone */

/*
 * While a key is held nobody loads it: whoever asks waits for the release. For a change that is made in the
 * store alone. false: a load or another hold is under way.
 */
bool loader_hold(struct daemon *daemon, const struct sf_key *key);
void loader_release(struct daemon *daemon, const struct sf_key *key);
