/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * measure.h - targets side by side: each in turn, round after round, so that what else the machine
 * does hits all of them alike; medians of the rounds.
 */
#include "bench/workload.h"

#define MEASURE_ROUNDS_MAX 101

/* One target, opened or not. */
struct contestant {
    const struct target_ops *ops;
    struct target *target;
    bool is_missing;
    struct target_failure why; /* of missing ones */
    uint64_t changes;          /* acknowledged by all runs */
    uint64_t lost, wrong;      /* of all runs */
};

/* What all are asked to do. */
struct cell {
    const struct workload *workload;
    unsigned workers;
    bool is_threads;
    uint64_t per_second; /* 0: as many as can be */
    unsigned rounds;
    uint64_t round_ns;
    uint64_t operations; /* instead of round_ns, if not 0 */
    const uint32_t *sequence;
    uint32_t sequence_count;
};

/* What one of them did. */
struct finding {
    double rates[MEASURE_ROUNDS_MAX];  /* operations a second */
    double ratios[MEASURE_ROUNDS_MAX]; /* the first one's rate in that round by this one's */
    double cpu[MEASURE_ROUNDS_MAX];    /* nanoseconds that a worker computed for an operation */
    double rate, ratio, cpu_ns;        /* medians */
    uint64_t operations, lost, torn, wrong;
    struct sf_histogram reads, writes;
};

/* `findings_out`: one for each, untouched for those that are missing. false: a worker failed. */
bool measure_cell(const struct cell *cell, struct contestant *contestants, unsigned count,
                  struct finding *findings_out);

double measure_median(double *values, unsigned count); /* sorts them */
