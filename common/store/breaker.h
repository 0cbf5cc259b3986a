/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * breaker.h - when a server that fails is left alone, and when it is tried again.
 *
 * Closed: everybody calls. Three failures in a row open it: nobody calls, until a pause is over; then
 * one at a time probes. Two successes in a row close it; a failure makes the pause twice as long, up to its
 * longest. Time and chance are arguments. Its owner locks it.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

enum sf_breaker_state { SF_BREAKER_CLOSED, SF_BREAKER_OPEN, SF_BREAKER_HALF_OPEN };

/* All but the longest pause zero to begin with. */
struct sf_breaker {
    sf_time pause_max;
    enum sf_breaker_state state;
    unsigned failures, successes; /* in a row */
    sf_time pause;                /* the next one is as long; 0: the first */
    sf_time probe_at;             /* steady clock; OPEN only */
    bool is_probing;              /* HALF_OPEN: somebody is at it */
};

/* true: call, and tell how it went. */
bool sf_breaker_may_call(struct sf_breaker *breaker, sf_time now);

/* `chance`: any bits; pauses differ by up to a quarter, so that not all hosts come back at once. */
void sf_breaker_tell(struct sf_breaker *breaker, bool is_well, sf_time now, uint32_t chance);

/* Somebody else has had an answer: the next call is let through. */
void sf_breaker_hurry(struct sf_breaker *breaker, sf_time now);
