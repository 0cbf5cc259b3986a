/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/lease.h"

#include <stdbool.h>

unsigned
lease_hear(struct lease *lease)
{
    atomic_fetch_add_explicit(&lease->open[lease->half], 1, memory_order_relaxed);
    return lease->half;
}

void
lease_settle(struct lease *lease, unsigned half, unsigned count)
{
    if (count > 0)
        atomic_fetch_sub_explicit(&lease->open[half], count, memory_order_release);
}

static bool
is_empty(const struct lease *lease, unsigned half)
{
    return atomic_load_explicit(&lease->open[half], memory_order_acquire) == 0;
}

sf_time
lease_prove(struct lease *lease, sf_time proven)
{
    unsigned other = 1 - lease->half;
    if (!is_empty(lease, other))
        return lease->since[other];
    if (is_empty(lease, lease->half)) {
        lease->since[lease->half] = proven;
        return proven;
    }
    sf_time held_up = lease->since[lease->half];
    lease->half = other;
    lease->since[other] = proven;
    return held_up;
}
