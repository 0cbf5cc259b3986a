/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_lane.h - one thread's connections: one to a server, or one to each master of a Cluster, and
 * the map that says which of them has which keys.
 *
 * The map is asked for at the start, and again when a node has failed or is none any more; single slots
 * follow what the nodes say when they are asked for a key that they do not have.
 */
#include "common/store/breaker.h"
#include "common/store/redis/store_redis_connection.h"
#include "common/store/redis/store_redis_map.h"

struct sf_redis_node {
    struct sf_redis_connection connection;
    struct sf_breaker breaker; /* CLUSTER: of this node alone */
    unsigned troubles;         /* in this batch: see store_redis_batch.c */
};

/* Used by one thread. */
struct sf_redis_lane {
    struct sf_redis_server *server;
    struct sf_redis_node *nodes[SF_REDIS_NODES_MAX];
    size_t count;
    uint8_t owner[SF_REDIS_SLOTS]; /* CLUSTER: index in nodes, or SF_REDIS_NO_NODE */
    bool is_stale;                 /* the map */
    sf_time look_at;               /* steady: not asked for again before */
    unsigned generation;           /* of the map: then indexes of nodes are others */
};

/* SF_NO_MEMORY. Needs sf_redis_lane_fini in any case. */
enum sf_status sf_redis_lane_init(struct sf_redis_lane *lane, struct sf_redis_server *server) SF_MUST_CHECK;
void sf_redis_lane_fini(struct sf_redis_lane *lane);

/* Connects to all that it knows of. SF_UNAVAILABLE, SF_INVALID: as sf_redis_begin, of any of them. */
enum sf_status sf_redis_lane_attach(struct sf_redis_lane *lane, sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/*
 * Asks for the map, if it is stale and was not asked for a moment ago; `now`: in any case. SF_UNAVAILABLE: nobody
 * gives one, and what was known stays.
 */
enum sf_status sf_redis_lane_look(struct sf_redis_lane *lane, bool now, sf_time deadline,
                                  struct sf_error *error) SF_MUST_CHECK;

/* Index of the node; SF_REDIS_NO_NODE: nobody has this slot, or (_at) there are too many nodes. */
uint8_t sf_redis_lane_owner(const struct sf_redis_lane *lane, unsigned slot);
uint8_t sf_redis_lane_node_at(struct sf_redis_lane *lane, const struct sf_redis_place *place);

/* From now on that node has it. */
void sf_redis_lane_move(struct sf_redis_lane *lane, unsigned slot, uint8_t node);

/* Begins a pipeline on this node, or says why not. As sf_redis_begin, and keeps the node's breaker. */
enum sf_status sf_redis_lane_begin(struct sf_redis_lane *lane, uint8_t node, sf_time deadline,
                                   struct sf_error *error) SF_MUST_CHECK;
void sf_redis_lane_tell(struct sf_redis_lane *lane, uint8_t node, bool is_well);
