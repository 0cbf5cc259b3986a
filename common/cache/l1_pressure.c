/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_private.h"

#define LIFE_SECONDS (SF_L1_PRESSURE_LIFE / SF_SECOND)

void
sf_l1_set_pressure(struct sf_l1 *l1, enum sf_l1_pressure pressure)
{
    uint64_t word = sf_l1_pressure_make(pressure, sf_clock_steady() / SF_SECOND);

    if (l1->is_writable)
        atomic_store_explicit(&l1->header->pressure, word, memory_order_relaxed);
}

enum sf_l1_pressure
sf_l1_pressure(const struct sf_l1 *l1)
{
    uint64_t word = sf_l1_peek(&l1->header->pressure);
    unsigned level = sf_l1_pressure_level(word);

    if (level == SF_L1_PRESSURE_NONE || level > SF_L1_PRESSURE_FULL)
        return SF_L1_PRESSURE_NONE;
    int64_t age = sf_clock_steady() / SF_SECOND - sf_l1_pressure_seconds(word);
    return age > LIFE_SECONDS ? SF_L1_PRESSURE_NONE : (enum sf_l1_pressure)level;
}

const char *
sf_l1_pressure_text(enum sf_l1_pressure pressure)
{
    switch (pressure) {
    case SF_L1_PRESSURE_NONE:
        break;
    case SF_L1_PRESSURE_NO_NEW:
        return "level 1: no new anonymous sessions";
    case SF_L1_PRESSURE_NO_ANONYMOUS:
        return "level 2: no new anonymous sessions, and no changes of those there are";
    case SF_L1_PRESSURE_FULL:
        return "level 3: nothing of anonymous sessions, and changes of users only where there is room";
    }
    return "level 0: everything is taken";
}
