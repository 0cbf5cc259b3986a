/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_follow.h - news from Redis 6 and later, or Valkey: the server's own tracking of keys.
 *
 * One connection asks for it (CLIENT TRACKING, broadcast, of all keys with our prefix) and is told by
 * it: the news is redirected to the connection itself, which then listens (SUBSCRIBE). So there is
 * nothing left that could tell nobody, or of which nobody is told, when one of two dies. What this host
 * writes comes back as well: the server could leave it out only on the connection that writes, and
 * then loses a change that another host makes in the same moment.
 */
#include "common/store/redis/store_redis_connection.h"
#include "common/store/store.h"

/* Used by one thread. */
struct sf_redis_follower {
    struct sf_redis_connection link;
    unsigned connects;        /* server->connects when this link was made */
    sf_time beat_at;          /* steady clock: the next sign of life is asked for */
    sf_time asked;            /* the same: since then one is owed; 0: none is */
    struct sf_follow *follow; /* of the call that is going on */
    bool has_told;            /* in it */
};

void sf_redis_follower_init(struct sf_redis_follower *follower, struct sf_redis_server *server);
void sf_redis_follower_fini(struct sf_redis_follower *follower);

/*
 * For who has several of them: a turn of one that waits for no news. Connects if need be, tells what has come, and
 * asks for a sign of life when it is time. As sf_store_follow_fn; `follow` is the same in each turn.
 */
enum sf_status sf_redis_follow_step(struct sf_redis_follower *follower, struct sf_follow *follow) SF_MUST_CHECK;
sf_time sf_redis_follow_next(const struct sf_redis_follower *follower); /* steady: when it wants the next turn */

/* As sf_store_follow_fn. SF_INVALID: Redis before 6, or a right is missing. */
enum sf_status sf_redis_follow(struct sf_redis_follower *follower, sf_time until,
                               struct sf_follow *follow) SF_MUST_CHECK;
