/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/process_slots.h"

#include <unistd.h>

#include "common/base/clock.h"

static bool
is_in_use(uint64_t word)
{
    return (word & 1) != 0;
}

static uint64_t
load_word(const struct sf_process_slots *slots, uint32_t slot)
{
    return atomic_load_explicit(&slots->slots[slot].word, memory_order_acquire); /* O7 */
}

/* With the lock of its byte: nobody else claims it now. */
static bool
take_slot(struct sf_l1_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire); /* O7 */

    if (is_in_use(word))
        return false;
    atomic_store_explicit(&slot->pid, (uint64_t)getpid(), memory_order_relaxed);
    atomic_store_explicit(&slot->since, (uint64_t)sf_clock_wall(), memory_order_relaxed);
    atomic_store_explicit(&slot->busy, 0, memory_order_relaxed); /* whatever the one before left */
    atomic_store_explicit(&slot->word, word + 3,
                          memory_order_release); /* O7: next incarnation, in use */
    return true;
}

enum sf_status
sf_process_slot_claim(const struct sf_process_slots *slots, uint32_t *slot_out)
{
    for (uint32_t slot = 0; slot < slots->count; slot++) {
        if (is_in_use(load_word(slots, slot)) || !sf_record_locks_try(slots->locks, slot))
            continue;
        if (take_slot(&slots->slots[slot])) {
            *slot_out = slot;
            return SF_OK;
        }
        sf_record_locks_release(slots->locks, slot);
    }
    return SF_FULL;
}

void
sf_process_slot_release(const struct sf_process_slots *slots, uint32_t slot)
{
    uint64_t word = load_word(slots, slot);

    atomic_store_explicit(&slots->slots[slot].word, word & ~UINT64_C(1),
                          memory_order_release); /* O7 */
    sf_record_locks_release(slots->locks, slot);
}

/*
 * The owner holds the lock from before it sets the word until after it clears it: the same word on
 * both sides of a free lock is a dead one's. Without the second look an owner that left in between,
 * and his successor, would be taken for dead.
 */
uint64_t
sf_process_slot_dead_word(const struct sf_process_slots *slots, uint32_t slot)
{
    uint64_t word = load_word(slots, slot);

    if (!is_in_use(word) || sf_record_locks_is_held(slots->locks, slot))
        return 0;
    return load_word(slots, slot) == word ? word : 0;
}

bool
sf_process_slot_is_alive(const struct sf_process_slots *slots, uint32_t slot)
{
    return is_in_use(load_word(slots, slot)) && sf_record_locks_is_held(slots->locks, slot);
}

uint32_t
sf_process_slots_alive(const struct sf_process_slots *slots)
{
    uint32_t alive = 0;

    for (uint32_t slot = 0; slot < slots->count; slot++)
        alive += sf_process_slot_is_alive(slots, slot);
    return alive;
}

bool
sf_process_slot_bury(const struct sf_process_slots *slots, uint32_t slot, uint64_t word)
{
    return atomic_compare_exchange_strong_explicit(&slots->slots[slot].word, &word,
                                                   word & ~UINT64_C(1), memory_order_acq_rel,
                                                   memory_order_relaxed); /* O7 */
}
