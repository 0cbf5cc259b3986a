/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_map.h - which master of a Cluster has which keys: by 16384 slots, of which a key belongs to one.
 */
#include "common/store/redis/store_redis_server.h"

struct redisReply;

#define SF_REDIS_SLOTS 16384
#define SF_REDIS_NODES_MAX 128
#define SF_REDIS_NO_NODE 255

struct sf_redis_map {
    struct sf_redis_place nodes[SF_REDIS_NODES_MAX];
    size_t count;
    uint8_t owner[SF_REDIS_SLOTS]; /* index in nodes, or SF_REDIS_NO_NODE */
};

/* CRC16 of the key, or of what stands in its first braces. */
unsigned sf_redis_slot(struct sf_span key);

/*
 * The reply to CLUSTER SLOTS. Nodes that are given without a host are at that of `asked`. SF_INVALID: it is none, or
 * has more than SF_REDIS_NODES_MAX masters, or none at all.
 */
enum sf_status sf_redis_map_read(struct sf_redis_map *map_out, const struct redisReply *reply,
                                 const struct sf_redis_place *asked) SF_MUST_CHECK;

/* "MOVED 3999 host:port": for good. "ASK 3999 host:port": for this once. */
struct sf_redis_redirect {
    bool is_ask;
    unsigned slot;
    struct sf_redis_place place;
};

/* false: this error is none. */
bool sf_redis_redirect_read(struct sf_redis_redirect *redirect_out, struct sf_span error,
                            const struct sf_redis_place *asked);
