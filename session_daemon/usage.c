/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/usage.h"

#define KEPT_MIN SF_SECOND
#define KEPT_FACTOR 20 /* times as long as the count took */

void
usage_count(struct usage_counter *counter, struct sf_l1 *l1, struct sf_l1_usage *usage_out)
{
    sf_time before = sf_clock_steady();
    if (before >= counter->kept_until) {
        sf_l1_usage(l1, &counter->kept);
        sf_time now = sf_clock_steady();
        sf_time cost = KEPT_FACTOR * (now - before);
        if (counter->kept.bytes >= counter->kept_from)
            counter->kept_until = now + (cost > KEPT_MIN ? cost : KEPT_MIN);
    }
    *usage_out = counter->kept;
}
