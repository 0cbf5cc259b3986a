/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * crowd.h - many workers that do the same at the same time: processes, as a web server has, or
 * threads.
 *
 * All prepare first (attach, connect); none begins before all are ready. Each has a piece of memory
 * for its result that the caller reads when all have ended.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

struct sf_crowd_worker {
    const void *context; /* the caller's, the same for all */
    unsigned index, count;
    void *state;   /* prepare's, for work */
    void *result;  /* zeroed */
    uint64_t begin_ns; /* for work: when all were ready, by sf_clock_ns; the same for all */
};

/* false: the run has failed. */
typedef bool sf_crowd_step_fn(struct sf_crowd_worker *worker);

struct sf_crowd {
    bool is_threads; /* else processes */
    unsigned count;
    sf_crowd_step_fn *prepare; /* may be NULL */
    bool (*may_begin)(void);   /* asked of the parent when all are ready; NULL: they may */
    sf_crowd_step_fn *work;
    const void *context;
    size_t result_bytes;
};

/*
 * `results_out`: count * result_bytes. SF_UNAVAILABLE: a worker failed, was killed, or could not be
 * started; all have ended.
 */
enum sf_status sf_crowd_run(const struct sf_crowd *crowd, void *results_out) SF_MUST_CHECK;
