/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plain_worker.h - for targets in this program's own shared memory: a worker has nothing but values.
 */
#include "bench/targets/targets.h"

struct target_worker {
    struct target *target;
    struct target_values values;
};

/* Every page of it is there, for all processes. NULL: no room. */
void *plain_memory_map(size_t bytes);
void plain_memory_unmap(void *memory, size_t bytes);

struct target_worker *plain_worker_attach(struct target *target, size_t value_bytes);
void plain_worker_detach(struct target_worker *worker);
