/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * clock_watch.h - notices that the wall clock was set.
 *
 * Expiry is judged by the wall clock. Where it is wrong for a while, sessions seem to be over; they are back when
 * it is right again, unless they have been swept away meanwhile.
 */
#include <stdbool.h>

#include "common/base/log.h"

#define CLOCK_JUMP SF_MINUTE             /* less is drift, or a slow machine */
#define CLOCK_SUSPICION (10 * SF_MINUTE) /* after a jump; another one begins it anew */

struct clock_watch {
    bool has_offset;
    sf_time offset;        /* of the wall clock from the steady one at the last look */
    sf_time trusted_again; /* steady clock */
};

/* May what the wall clock says have consequences that last? To be called often; logs a jump. */
bool clock_watch_trusts(struct clock_watch *watch, sf_time steady, sf_time wall, const struct sf_log *log);
