/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/targets/server_target.h"

#include <stdio.h>
#include <stdlib.h>

#define FILL_BATCH 200

void
server_target_path(char path_out[SERVER_PATH_MAX], const struct target_plan *plan)
{
    snprintf(path_out, SERVER_PATH_MAX, "%s/socket", plan->memory);
}

bool
server_target_open(struct target **target_out, const struct target_plan *plan,
                   const char *const *arguments, struct target_failure *failure)
{
    struct target *target = calloc(1, sizeof *target);
    char path[SERVER_PATH_MAX];

    if (target == NULL)
        return target_fail(failure, "no memory");
    target->plan = *plan;
    *target_out = target;
    server_target_path(path, plan);
    if (server_start(&target->server, path, arguments, failure))
        return true;
    free(target);
    return false;
}

void
server_target_close(struct target *target)
{
    server_stop(&target->server);
    free(target);
}

void
server_target_detach(struct target_worker *worker)
{
    client_close(&worker->client);
    target_values_fini(&worker->values);
    free(worker);
}

struct target_worker *
server_target_attach(struct target *target)
{
    struct target_worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->target = target;
    if (target_values_init(&worker->values, target->plan.bytes) &&
        client_open(&worker->client, target->server.socket_path))
        return worker;
    server_target_detach(worker);
    return NULL;
}

bool
server_target_fill(struct target_worker *worker, uint32_t first, uint32_t count,
                   server_target_fill_fn *fill_batch)
{
    for (uint32_t i = 0; i < count; i += FILL_BATCH) {
        uint32_t batch = count - i < FILL_BATCH ? count - i : FILL_BATCH;

        if (!fill_batch(worker, first + i, batch))
            return false;
    }
    return true;
}
