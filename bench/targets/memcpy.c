/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit: session number i lies at place i, and nobody looks whether somebody else is changing it.
 * No cache can be faster; this one cannot be used for anything.
 */
#include <stdlib.h>

#include "bench/targets/plain_worker.h"

struct place {
    _Atomic int64_t n;
    unsigned char value[];
};

struct target {
    struct target_plan plan;
    size_t place_bytes, bytes;
    unsigned char *places;
};

static struct place *
place_of(const struct target *target, uint32_t session)
{
    return (struct place *)(void *)(target->places + session * target->place_bytes);
}

static bool
memcpy_open(struct target **target_out, const struct target_plan *plan,
            struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);

    if (target == NULL)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    target->place_bytes = (sizeof(struct place) + plan->bytes + 63) / 64 * 64;
    target->bytes = target->place_bytes * plan->sessions;
    target->places = plain_memory_map(target->bytes);
    *target_out = target;
    if (target->places != NULL)
        return true;
    free(target);
    return target_fail(failure, "no shared memory");
}

static void
memcpy_close(struct target *target)
{
    plain_memory_unmap(target->places, target->bytes);
    free(target);
}

static struct target_worker *
memcpy_attach(struct target *target)
{
    return plain_worker_attach(target, target->plan.bytes);
}

static enum target_answer
memcpy_write(struct target_worker *worker, uint32_t session, uint64_t version)
{
    const unsigned char *value = target_values_stamp(&worker->values, session, version);

    memcpy(place_of(worker->target, session)->value, value, worker->values.bytes);
    return TARGET_DONE;
}

static bool
memcpy_fill(struct target_worker *worker, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy_write(worker, first + i, 1);
        place_of(worker->target, first + i)->n = 0;
    }
    return true;
}

static enum target_answer
memcpy_read(struct target_worker *worker, uint32_t session, struct target_found *found_out)
{
    const struct target_values *values = &worker->values;

    memcpy(values->found, place_of(worker->target, session)->value, values->bytes);
    *found_out = (struct target_found){values->found, values->bytes};
    return TARGET_DONE;
}

static enum target_answer
memcpy_change(struct target_worker *worker, uint32_t session)
{
    place_of(worker->target, session)->n++;
    return TARGET_DONE;
}

static enum target_answer
memcpy_field(struct target_worker *worker, uint32_t session, int64_t *n_out)
{
    *n_out = place_of(worker->target, session)->n;
    return TARGET_DONE;
}

const struct target_ops target_memcpy = {
    .name = "memcpy",
    .what = "the limit: a perfect index and memcpy out of shared memory, no protection",
    .counts_exactly = true,
    .may_tear = true,
    .open = memcpy_open,
    .close = memcpy_close,
    .attach = memcpy_attach,
    .detach = plain_worker_detach,
    .fill = memcpy_fill,
    .read = memcpy_read,
    .write = memcpy_write,
    .change = memcpy_change,
    .field = memcpy_field,
};
