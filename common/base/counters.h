/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * counters.h - what happened, counted: one row of counters.def is the field, the status line and the manual entry.
 *
 * Each process slot of L1 owns one struct sf_counters in shared memory; a new owner of the slot goes on counting
 * from where the last one stopped, so a sum over the slots never goes back.
 */
#include <stdatomic.h>
#include <stdint.h>

#define COUNTER(name, help) SF_COUNTER_##name,
enum sf_counter {
#include "common/base/counters.def"
    SF_COUNTER_COUNT
};
#undef COUNTER

struct sf_counters {
    _Alignas(64) _Atomic uint64_t values[SF_COUNTER_COUNT]; /* relaxed; several threads of one process add */
};

#define sf_count(counters, name) sf_count_add((counters), SF_COUNTER_##name, 1)

static inline void
sf_count_add(struct sf_counters *counters, enum sf_counter which, uint64_t amount)
{
    atomic_fetch_add_explicit(&counters->values[which], amount, memory_order_relaxed);
}

const char *sf_counter_name(enum sf_counter which);
const char *sf_counter_help(enum sf_counter which);
