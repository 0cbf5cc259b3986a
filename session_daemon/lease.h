/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * lease.h - up to when everything that others have changed is in L1: news that were heard, and are not dealt
 * with yet, hold it up.
 *
 * The server proves with a sign of life that all that was stored before is told; what is heard behind it was
 * stored later. So each piece of news holds up what was proven when it came. To know which is the earliest of
 * many they are counted in two halves: one is filled; the other one, which is earlier, only gets empty, and then
 * it is the one that is filled. A session that changes all the time does not hold it up for ever.
 */
#include <stdatomic.h>

#include "common/base/clock.h"

#define LEASE_HALVES 2

/* All zero to begin with. */
struct lease {
    _Atomic unsigned open[LEASE_HALVES]; /* release by who has dealt with it pairs with acquire by the follower */
    sf_time since[LEASE_HALVES];         /* the follower's, as what follows: proven when it began to be filled */
    unsigned half;                       /* which is filled */
};

/* The follower has heard something. Returns the half that it belongs to. */
unsigned lease_hear(struct lease *lease);
/* So many of them are dealt with: L1 has what the store says, or is not trusted. Any thread. */
void lease_settle(struct lease *lease, unsigned half, unsigned count);
/* All that was stored before `proven` has been told. Returns up to when all of it is dealt with, too. The follower. */
sf_time lease_prove(struct lease *lease, sf_time proven);
