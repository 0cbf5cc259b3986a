/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pressure.h - what is refused while changes fill L1 and nobody takes them: the level, for all processes.
 *
 * Visitors give way first, so that what room there is remains for users. It rises as far as it must at once, and falls
 * by one level a second once somebody takes changes again. Runs with the spill, in the journal's thread.
 */
#include "common/base/log.h"
#include "common/cache/l1.h"

/* Who has found no room at all; one who is logged in counts more. */
enum sf_want { SF_WANTED_BY_NOBODY, SF_WANTED_BY_VISITOR, SF_WANTED_BY_USER };

/* The first three are the caller's to set, the rest begins as zero. */
struct sf_pressure {
    struct sf_l1 *l1;
    const struct sf_log *log;
    int64_t limit;          /* percent of the room in the cache that changes may fill */

    enum sf_l1_pressure level;
    sf_time fall_at;        /* steady; 0: not known yet */
};

/* As the daemon before this one has left it. */
void sf_pressure_init(struct sf_pressure *pressure);

/* Neither store nor journal takes what waits. `share`: percent of the room that it fills. */
void sf_pressure_rise(struct sf_pressure *pressure, int share, enum sf_want want, sf_time now);

/* Nothing new is known: to be called more often than once in SF_L1_PRESSURE_LIFE. */
void sf_pressure_renew(const struct sf_pressure *pressure);

/* Somebody takes it; or less waits than may. */
void sf_pressure_fall(struct sf_pressure *pressure, sf_time now);
