/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/clock_watch.h"

#include <inttypes.h>

static void
log_jump(const struct sf_log *log, sf_time jump)
{
    int64_t seconds = (jump < 0 ? -jump : jump) / SF_SECOND;
    sf_log_write(log, SF_LOG_WARNING, "SF0115",
                 "the clock was set %" PRId64 " s %s: expired sessions are not removed from the store for %" PRId64
                 " minutes", seconds, jump < 0 ? "back" : "forward", (int64_t)(CLOCK_SUSPICION / SF_MINUTE));
}

bool
clock_watch_trusts(struct clock_watch *watch, sf_time steady, sf_time wall, const struct sf_log *log)
{
    sf_time offset = wall - steady;
    sf_time jump = watch->has_offset ? offset - watch->offset : 0;
    watch->has_offset = true;
    watch->offset = offset;
    if (jump > CLOCK_JUMP || jump < -CLOCK_JUMP) {
        log_jump(log, jump);
        watch->trusted_again = steady + CLOCK_SUSPICION;
    }
    return steady >= watch->trusted_again;
}
