/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/module.h"

bool
sf_seldom(struct sf_seldom *seldom, unsigned *times_out)
{
    sf_time now = sf_clock_steady();
    sf_time next = atomic_load(&seldom->next);
    atomic_fetch_add(&seldom->times, 1);
    if (now < next || !atomic_compare_exchange_strong(&seldom->next, &next, now + SF_MINUTE))
        return false;
    *times_out = atomic_exchange(&seldom->times, 0);
    return true;
}
