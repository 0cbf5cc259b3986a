/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * usage.h - how full L1 is: counted in a thread of its own, because that walks all of it.
 *
 * What was counted in a large cache is good for a second, and for twenty times as long as the count took:
 * however often somebody asks, it costs at most a twentieth of a processor.
 */
#include "common/cache/l1.h"
#include "session_daemon/worker.h"

#define USAGE_KEPT_FROM ((uint64_t)256 << 20) /* bytes; smaller caches are counted each time */

struct usage_counter {
    struct worker worker;
    uint64_t kept_from;      /* USAGE_KEPT_FROM */
    struct sf_l1_usage kept; /* worker thread */
    sf_time kept_until;      /* the same; steady clock; 0: never counted */
};

/* In the worker's thread. */
void usage_count(struct usage_counter *counter, struct sf_l1 *l1, struct sf_l1_usage *usage_out);
