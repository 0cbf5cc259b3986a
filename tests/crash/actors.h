/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * actors.h - what the processes of a web server do with sessions, all at once, through the front and
 * its cache, with a ledger beside it.
 *
 * Each session has a counter that equals its version, and a text that proves itself: a record of two
 * versions, or of another session, is found out.
 */
#include "tests/crash/ledger.h"

#define SF_ACTORS 9

struct sf_actor {
    struct sf_ledger *ledger;
    struct sf_instance instance;
    struct sf_config config;
    const _Atomic unsigned *stops; /* as in waits.h */
    size_t role;                   /* below SF_ACTORS */
    unsigned seed;
};

/* Until it is told to stop. */
void sf_actor_play(const struct sf_actor *actor);

/* The shared sessions, in the store; the others come as their owners make them. */
void sf_actor_begin(const struct sf_actor *actor);

/*
 * Nobody else is at work, but a daemon. Everything that was acknowledged is there; where
 * `has_lost_cache`, everything that was said to be durable. What was in doubt no longer is.
 */
void sf_actor_verify(const struct sf_actor *actor, bool has_lost_cache);
