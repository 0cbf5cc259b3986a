/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/targets/plain_worker.h"

#include <stdlib.h>
#include <sys/mman.h>

void *
plain_memory_map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void
plain_memory_unmap(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

void
plain_worker_detach(struct target_worker *worker)
{
    target_values_fini(&worker->values);
    free(worker);
}

struct target_worker *
plain_worker_attach(struct target *target, size_t value_bytes)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->target = target;
    if (target_values_init(&worker->values, value_bytes))
        return worker;
    plain_worker_detach(worker);
    return NULL;
}
