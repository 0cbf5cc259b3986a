/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * process_slots.h - which handle owns which slot of the segment, and whether its process lives.
 *
 * A slot is in use from claim to release; its owner lives while the kernel holds the record lock of
 * its byte. A slot whose owner died stays in use, so that nobody mistakes the dead one's blocks for
 * his own, until the sweeper has repaired them.
 */
#include "common/cache/l1_layout.h"
#include "common/cache/record_locks.h"

struct sf_process_slots {
    struct sf_l1_slot *slots; /* in shared memory */
    uint32_t count;
    struct sf_record_locks *locks;
};

/* Bytes of the lock file: slots first. The others keep their places in every layout: versions exclude each other. */
enum {
    SF_LOCK_CREATE = 8192,
    SF_LOCK_DUTY /* and the next ones: enum sf_l1_duty */
};

/* SF_FULL: every slot has an owner, or a dead owner's blocks have not been repaired yet. */
enum sf_status sf_process_slot_claim(const struct sf_process_slots *slots,
                                     uint32_t *slot_out) SF_MUST_CHECK;
void sf_process_slot_release(const struct sf_process_slots *slots, uint32_t slot);

bool sf_process_slot_is_alive(const struct sf_process_slots *slots, uint32_t slot);
uint32_t sf_process_slots_alive(const struct sf_process_slots *slots);

/* The word of a slot whose owner died; 0: alive, or not in use. */
uint64_t sf_process_slot_dead_word(const struct sf_process_slots *slots, uint32_t slot);
/* The blocks of the owner that died under `word` are repaired: others may have the slot. */
bool sf_process_slot_bury(const struct sf_process_slots *slots, uint32_t slot, uint64_t word);
