/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_section.h"

/* What has not been seen at rest, of one slot. */
enum { FIRST_COUNT = 1, SECOND_COUNT = 2, BOTH_COUNTS = FIRST_COUNT | SECOND_COUNT };

void
sf_l1_grace_begin(struct sf_l1 *l1)
{
    sf_l1_fence(); /* O10: the slab table has changed; now the slots */
    for (uint32_t slot = 0; slot < l1->plan.slots; slot++)
        l1->awaited[slot] = BOTH_COUNTS;
}

/*
 * A slot that is not in use has no section that began before; nor has one whose owner died, or who
 * has come since. Each count may be seen at rest at another time: a section that began before is in
 * one of them until it ends.
 */
static uint8_t
still_awaited(const struct sf_l1 *l1, uint32_t slot)
{
    const struct sf_l1_slot *owner = &l1->slots.slots[slot];
    uint8_t awaited = l1->awaited[slot];

    if ((sf_l1_load(&owner->word) & 1) == 0)
        return 0;
    uint64_t busy = sf_l1_load(&owner->busy); /* O10 */
    if ((uint32_t)busy == 0)
        awaited &= (uint8_t)~FIRST_COUNT;
    if (busy >> 32 == 0)
        awaited &= (uint8_t)~SECOND_COUNT;
    return awaited != 0 && sf_process_slot_dead_word(&l1->slots, slot) != 0 ? 0 : awaited;
}

bool
sf_l1_grace_is_over(struct sf_l1 *l1)
{
    bool is_over = true;

    for (uint32_t slot = 0; slot < l1->plan.slots; slot++) {
        if (l1->awaited[slot] == 0)
            continue;
        l1->awaited[slot] = still_awaited(l1, slot);
        is_over &= l1->awaited[slot] == 0;
    }
    if (!is_over)
        atomic_fetch_add_explicit(&l1->header->sections, 1, memory_order_relaxed);
    return is_over;
}
