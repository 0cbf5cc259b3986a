/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_hints.h"

/* There is a power of two of them. */
static uint64_t
place_of(const struct sf_l1 *l1, uint64_t at)
{
    return at & (l1->plan.hints - 1);
}

void
sf_l1_hint_leave(struct sf_l1 *l1, uint32_t block, uint64_t control)
{
    uint64_t at = atomic_fetch_add_explicit(&l1->header->hint_head, 1, memory_order_release); /* O9 */
    uint64_t hint = sf_l1_hint_make(block, sf_l1_control_gen(control), at);

    atomic_store_explicit(&l1->hints[place_of(l1, at)], hint, memory_order_release); /* O6 */
}

enum sf_l1_hint_answer
sf_l1_hint_read(const struct sf_l1 *l1, uint64_t at, struct sf_l1_hint *hint_out)
{
    uint64_t head = sf_l1_peek(&l1->header->hint_head);

    if (at == head)
        return SF_L1_HINT_NONE;
    if (at > head || head - at > l1->plan.hints)
        return SF_L1_HINT_OVERRUN;
    uint64_t hint = sf_l1_load(&l1->hints[place_of(l1, at)]); /* O6 */
    uint64_t place = sf_l1_hint_make(0, 0, at);
    if ((hint & 0xFFFFFu) != place)
        return SF_L1_HINT_WAIT;
    *hint_out = (struct sf_l1_hint){.block = (uint32_t)(hint >> 36), .gen = (uint16_t)(hint >> 20)};
    return SF_L1_HINT_BLOCK;
}
