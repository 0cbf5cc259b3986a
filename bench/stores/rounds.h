/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * rounds.h - a store of ours and a plain client of the same backend, in turn, round after round. Each finding is
 * a line of JSON; bench_stores.py makes medians and tables of them.
 */
#include <stdbool.h>
#include <stdint.h>

struct rounds_request {
    const char *url;
    const char *folder;  /* for files */
    const char *config;  /* steps: of a daemon that runs on this store, in a cache of its own */
    const char *bare;    /* steps: of one without a cache; NULL: there is none */
    const char *cache;   /* steps: socket of a memcached in front of the plain client; NULL: none */
    unsigned rounds;
    unsigned milliseconds; /* batches: of each kind of call in a round */
    uint32_t sessions;
    uint32_t bytes;        /* of a session's value */
};

/* The store without a daemon: loads and writes, 1 to 1,000 in a call. false: failed, which was told. */
bool rounds_of_batches(const struct rounds_request *request);

/* Through cache and daemon, as a web server's process: create, reads, save, end. */
bool rounds_of_steps(const struct rounds_request *request);

/* Steady changes of several sessions: what of them reaches the store. */
bool rounds_of_changes(const struct rounds_request *request);

/* ---- for these ---- */

/* `count` in a call of `us` microseconds. */
void rounds_say(const char *what, const char *who, unsigned count, double us);
bool rounds_fail(const char *what, const char *why); /* false */
double rounds_us_since(uint64_t begin_ns);
