/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/breaker.h"

#define FAILURES_TO_OPEN 3
#define SUCCESSES_TO_CLOSE 2
#define PAUSE_MIN 250

bool
sf_breaker_may_call(struct sf_breaker *breaker, sf_time now)
{
    if (breaker->state == SF_BREAKER_CLOSED)
        return true;
    if (breaker->state == SF_BREAKER_OPEN && now < breaker->probe_at)
        return false;
    if (breaker->state == SF_BREAKER_HALF_OPEN && breaker->is_probing)
        return false;
    breaker->state = SF_BREAKER_HALF_OPEN;
    breaker->is_probing = true;
    return true;
}

static void
open_it(struct sf_breaker *breaker, sf_time now, uint32_t chance)
{
    sf_time pause = breaker->pause < PAUSE_MIN ? PAUSE_MIN : breaker->pause;
    breaker->state = SF_BREAKER_OPEN;
    breaker->probe_at = now + pause - (sf_time)(chance % (uint32_t)(pause / 4));
    breaker->pause = pause * 2 > breaker->pause_max ? breaker->pause_max : pause * 2;
}

static void
note_success(struct sf_breaker *breaker)
{
    breaker->failures = 0;
    if (breaker->state == SF_BREAKER_CLOSED || ++breaker->successes < SUCCESSES_TO_CLOSE)
        return;
    breaker->state = SF_BREAKER_CLOSED;
    breaker->pause = 0;
}

/* What was called before it opened and fails late says nothing new. */
void
sf_breaker_tell(struct sf_breaker *breaker, bool is_well, sf_time now, uint32_t chance)
{
    if (breaker->state == SF_BREAKER_OPEN)
        return;
    breaker->is_probing = false;
    if (is_well) {
        note_success(breaker);
        return;
    }
    breaker->successes = 0;
    if (breaker->state == SF_BREAKER_HALF_OPEN || ++breaker->failures >= FAILURES_TO_OPEN)
        open_it(breaker, now, chance);
}

void
sf_breaker_hurry(struct sf_breaker *breaker, sf_time now)
{
    if (breaker->state == SF_BREAKER_OPEN && breaker->probe_at > now)
        breaker->probe_at = now;
}
