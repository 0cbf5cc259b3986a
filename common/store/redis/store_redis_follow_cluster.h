/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_follow_cluster.h - news from a Redis Cluster: a link to each of its masters.
 *
 * What was stored before a moment has been told when the link to each master is up and has given a sign of life
 * that was asked for later, and each master, asked later, knows no other masters than those. A master that somebody
 * has heard of is linked to, and from then on anything may have changed. While one link is down there is no news.
 */
#include "common/store/redis/store_redis_follow.h"
#include "common/store/redis/store_redis_nodes.h"

struct sf_redis_member {
    char id[SF_REDIS_ID_TEXT];
    struct sf_redis_follower follower;
    struct sf_redis_connection asks; /* the other one listens, and can ask nothing */
    struct sf_follow follow;         /* of its link */
    bool has_answered;               /* in this round */
};

/* Used by one thread. */
struct sf_redis_cluster_follower {
    struct sf_redis_server *server;
    struct sf_redis_member *members[SF_REDIS_NODES_MAX];
    size_t count;
    sf_time agreed;  /* steady: asked then, all knew these members and no others; 0: never */
    sf_time look_at; /* the same: they are asked again */
    unsigned connects; /* server->connects when they were asked: who loads and writes may have met another one since */
};

void sf_redis_cluster_follower_init(struct sf_redis_cluster_follower *cluster, struct sf_redis_server *server);
void sf_redis_cluster_follower_fini(struct sf_redis_cluster_follower *cluster);

/* As sf_store_follow_fn. */
enum sf_status sf_redis_follow_cluster(struct sf_redis_cluster_follower *cluster, sf_time until,
                                       struct sf_follow *follow) SF_MUST_CHECK;
