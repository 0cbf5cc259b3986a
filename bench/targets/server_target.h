/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * server_target.h - what all targets that are servers have in common: the process, and for each worker
 * a client of its own.
 */
#include "bench/targets/client.h"
#include "bench/targets/server.h"
#include "bench/targets/targets.h"

struct target {
    struct target_plan plan;
    struct server server;
};

struct target_worker {
    struct target *target;
    struct client client;
    struct target_values values;
};

/* Where its socket is to be. */
void server_target_path(char path_out[SERVER_PATH_MAX], const struct target_plan *plan);
bool server_target_open(struct target **target_out, const struct target_plan *plan,
                        const char *const *arguments, struct target_failure *failure);
void server_target_close(struct target *target);
struct target_worker *server_target_attach(struct target *target);
void server_target_detach(struct target_worker *worker);

/* In batches that fit into the buffers of a socket. */
typedef bool server_target_fill_fn(struct target_worker *worker, uint32_t first, uint32_t count);
bool server_target_fill(struct target_worker *worker, uint32_t first, uint32_t count,
                        server_target_fill_fn *fill_batch);
