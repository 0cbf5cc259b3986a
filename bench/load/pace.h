/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * pace.h - a rate that is kept: when each operation is due, whatever the ones before it took.
 *
 * Latency counted from the due time leaves nothing out: whoever waits for a slow answer before
 * asking again would measure few slow answers (coordinated omission).
 */
#include <stdint.h>

struct sf_pace {
    uint64_t begin_ns; /* sf_clock_ns */
    uint64_t per_second;
    uint64_t step, next; /* operations next, next + step, ... are ours */
};

/* One of `workers` that share the rate: number `index`. */
void sf_pace_init(struct sf_pace *pace, uint64_t begin_ns, uint64_t per_second, unsigned index,
                  unsigned workers);

/* Exact: no drift however long it runs. */
uint64_t sf_pace_due(const struct sf_pace *pace, uint64_t operation);

/*
 * Sleeps until our next operation is due and returns when that was; at once when it is late. Does
 * not spin: the processor belongs to whoever is measured.
 */
uint64_t sf_pace_wait(struct sf_pace *pace);
