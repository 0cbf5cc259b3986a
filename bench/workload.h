/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * workload.h - what one worker does to a target, how fast it was, and whether every answer was right.
 */
#include "bench/targets/target.h"
#include "common/base/histogram.h"

enum workload_op { WORKLOAD_READ, WORKLOAD_WRITE, WORKLOAD_CHANGE, WORKLOAD_FIELD };

/* `often` so many times of a hundred, else `else_op`. */
struct workload {
    const char *name;
    unsigned percent;
    enum workload_op often, else_op;
};

extern const struct workload workloads[]; /* up to one without a name */

/* NULL: there is none of this name. */
const struct workload *workload_find(const char *name);

struct workload_run {
    const struct workload *workload;
    const struct target_ops *ops;
    struct target *target;
    const uint32_t *sequence; /* sessions, in the order in which they are asked for; round and round */
    uint32_t sequence_count;  /* a power of two */
    uint64_t seed;
    uint64_t duration_ns;
    uint64_t operations; /* of each worker, whatever they take; 0: as many as fit into the time */
    uint64_t per_second; /* of all workers together, kept whatever the answers take; 0: as many as can be */
};

struct workload_result {
    uint64_t operations, ns;
    uint64_t cpu_ns; /* of this worker: what it computed, without what it waited */
    uint64_t lost, torn, wrong;
    uint64_t changes; /* that were acknowledged */
    struct sf_histogram reads, writes; /* nanoseconds; with a rate: since each was due */
};

/* Closed: each next operation begins when the last one ended; one in 16 is timed. */
struct sf_crowd_worker;
bool workload_prepare(struct sf_crowd_worker *worker); /* context: a struct workload_run */
bool workload_work(struct sf_crowd_worker *worker);    /* result: a struct workload_result */
