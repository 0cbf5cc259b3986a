/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_keys.h - which sessions there are, in the order of their keys.
 *
 * Redis has no order of keys. All of them are asked for with SCAN, which misses none that was there
 * all the time, and sorted here; those of one user stand in an index (store_redis_script.c). No index of all
 * sessions is kept in the server: each change would pay for what is asked once in a while.
 *
 * In a Cluster keys may move between the nodes while they are asked one after the other, and would be
 * missed: then all is asked again.
 */
#include "common/session/record.h"
#include "common/store/redis/store_redis_lane.h"

struct sf_redis_keys {
    struct sf_key *list; /* sorted, each once */
    size_t count, capacity;
};

void sf_redis_keys_fini(struct sf_redis_keys *keys); /* empty again */

/* Where the listing of all keys stands. All zero: none has begun. */
#define SF_REDIS_CURSOR_TEXT 24
struct sf_redis_listing {
    bool is_begun;
    size_t node;                       /* of the lane, whose keys are asked for */
    char cursor[SF_REDIS_CURSOR_TEXT]; /* where it is there */
    uint64_t nonce;                    /* of the connection that the cursor is from; 0: none yet */
    unsigned generation;               /* of the lane's map */
    struct sf_buffer slots;            /* CLUSTER: of all nodes, when it began */
    int tries;                         /* CLUSTER: that were in vain */
};

void sf_redis_listing_fini(struct sf_redis_listing *listing); /* none has begun */

/*
 * Replaces what keys_out holds, step by step. SF_FULL: the server has more keys than it is asked for at once, and
 * others may use the connection before this is called again. SF_UNAVAILABLE, SF_NO_MEMORY; SF_INVALID as
 * sf_redis_begin: it is over.
 */
enum sf_status sf_redis_keys_all(struct sf_redis_keys *keys_out, struct sf_redis_listing *listing,
                                 struct sf_redis_lane *lane, sf_time deadline, struct sf_error *error) SF_MUST_CHECK;
/* As the index says: some may have gone, or belong to another user by now. */
enum sf_status sf_redis_keys_of(struct sf_redis_keys *keys_out, struct sf_redis_lane *lane, struct sf_span user,
                                sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* Index of the first one behind `after`; NULL: 0. */
size_t sf_redis_keys_behind(const struct sf_redis_keys *keys, const struct sf_key *after);
