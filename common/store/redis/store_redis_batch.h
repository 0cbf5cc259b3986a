/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_batch.h - many commands at once, each to the server that has its key, all servers side by side.
 *
 * Each server gets its part as one pipeline and has its share of the time; what happens to one of them is the fate
 * of its part only. A command that a node of a Cluster sends elsewhere goes there, one that a server could not be asked
 * goes to the one that has taken its place, so often as is of use before the deadline.
 */
#include "common/store/redis/store_redis_lane.h"

#define SF_REDIS_CALLS_MAX 256

/* Adds one command. After anything but SF_OK it is taken out again, and lost. */
typedef enum sf_status sf_redis_add_fn(void *context, size_t call, struct sf_redis_connection *connection);
/* The answer, which counts unless the call is lost later. false: another connection may do better. */
typedef bool sf_redis_answer_fn(void *context, size_t call, struct sf_redis_connection *connection,
                                const struct redisReply *reply);
/* There is no answer: SF_UNAVAILABLE, SF_UNCERTAIN, or what `add` has said. */
typedef void sf_redis_lose_fn(void *context, size_t call, enum sf_status status);

/* The slot is the caller's to fill in, the rest is zero. */
struct sf_redis_call {
    unsigned slot; /* of the key, in a Cluster */
    uint8_t node;  /* index in the lane */
    uint8_t next;  /* the same: where it is to go from there */
    uint8_t state, tries;
    bool is_asking; /* the node does not have this slot yet, but may be asked for once */
    bool is_answered;
};

struct sf_redis_batch {
    struct sf_redis_lane *lane;
    bool is_read;          /* asked again when the answer is lost, and believed only where our mark is */
    struct sf_redis_call calls[SF_REDIS_CALLS_MAX];
    size_t count;
    sf_redis_add_fn *add;
    sf_redis_answer_fn *answer;
    sf_redis_lose_fn *lose;
    void *context;
    unsigned generation;   /* of the map that the calls' nodes belong to */
    struct sf_error error; /* the last one that a call was lost by; "": none */
};

/* Each call is answered or lost. Returns how many were answered, or refused by `add`. */
size_t sf_redis_batch_run(struct sf_redis_batch *batch, sf_time deadline);
