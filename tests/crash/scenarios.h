/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * scenarios.h - the operations of the cache that are killed at every instruction, and what must be
 * there after each.
 */
#include "tests/support/test_cache.h"

#define CACHE_BYTES SF_L1_BYTES_MIN

/* What must be killed at every instruction; each has at least one scenario. */
enum operation {
    CREATE,
    UPDATE,
    TOUCH,
    END,
    ROTATE,
    EVICT,
    FILL,
    CONFIRM,
    FLUSH,
    SWEEP,
    MOVE,
    CLAIM,
    SEGMENT,
    REPAIR,
    OPERATIONS
};

struct scenario {
    enum operation operation;
    const char *name;
    void (*prepare)(struct sf_l1 *l1);
    bool (*operate)(struct sf_l1 *l1);                    /* true: done, and acknowledged */
    const char *(*judge)(struct sf_l1 *l1, bool is_done); /* NULL: all is well */
    void (*leave)(struct sf_l1 *l1); /* by a process that dies before it begins; NULL: nothing */
};

/* What is done with a session, and what for the cache as a whole. */
extern const struct scenario session_scenarios[], upkeep_scenarios[];
extern const size_t session_scenario_count, upkeep_scenario_count;

/* Ends the program when a scenario cannot be prepared. */
void must(bool is_true, const char *what);
