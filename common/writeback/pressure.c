/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/pressure.h"

#define FALL_PAUSE SF_SECOND
#define FULL_AT 95 /* percent; the rest is the reserve of those who log out */

void
sf_pressure_init(struct sf_pressure *pressure)
{
    pressure->level = sf_l1_pressure(pressure->l1);
    pressure->fall_at = 0;
}

void
sf_pressure_renew(const struct sf_pressure *pressure)
{
    if (pressure->level != SF_L1_PRESSURE_NONE)
        sf_l1_set_pressure(pressure->l1, pressure->level);
}

static enum sf_l1_pressure
level_for(const struct sf_pressure *pressure, int share, enum sf_want want)
{
    bool is_nearly_full = want == SF_WANTED_BY_VISITOR || share >= (pressure->limit + FULL_AT) / 2;
    if (share < pressure->limit)
        return SF_L1_PRESSURE_NONE;
    if (want == SF_WANTED_BY_USER)
        return SF_L1_PRESSURE_FULL;
    return is_nearly_full ? SF_L1_PRESSURE_NO_ANONYMOUS : SF_L1_PRESSURE_NO_NEW;
}

void
sf_pressure_rise(struct sf_pressure *pressure, int share, enum sf_want want, sf_time now)
{
    enum sf_l1_pressure level = level_for(pressure, share, want);
    if (level > pressure->level) {
        pressure->level = level;
        sf_log_write(pressure->log, SF_LOG_WARNING, "SF0221",
                     "changes fill %d %% of the cache, and neither store nor journal takes them: %s", share,
                     sf_l1_pressure_text(level));
    }
    pressure->fall_at = now + FALL_PAUSE;
    sf_l1_set_pressure(pressure->l1, pressure->level);
}

void
sf_pressure_fall(struct sf_pressure *pressure, sf_time now)
{
    if (pressure->level == SF_L1_PRESSURE_NONE)
        return;
    if (pressure->fall_at == 0)
        pressure->fall_at = now + FALL_PAUSE;
    if (now >= pressure->fall_at) {
        pressure->level--;
        pressure->fall_at = now + FALL_PAUSE;
        sf_log_write(pressure->log, SF_LOG_NOTICE, "SF0222", "what fills the cache is taken again: %s",
                     sf_l1_pressure_text(pressure->level));
    }
    sf_l1_set_pressure(pressure->l1, pressure->level);
}
