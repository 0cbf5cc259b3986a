/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_server.h - what the URL says: which servers, of which kind, and how they are spoken to.
 *
 *   redis://HOST,HOST/DATABASE                    the first of them that is a master
 *   redis-sentinel://HOST,HOST/DATABASE?master=NAME   Sentinels, which know where the master is
 *   redis-cluster://HOST,HOST                     some of the nodes of a Cluster, which know the others
 *
 * "rediss" instead of "redis": by TLS, the Sentinels too.
 */
#include <stdatomic.h>

#include "common/store/redis/store_redis_marks.h"
#include "common/store/store_url.h"
#include "common/store/wire.h"

enum sf_redis_kind { SF_REDIS_SINGLE, SF_REDIS_SENTINEL, SF_REDIS_CLUSTER };

/* Set once, then constant but for what is atomic: all connections of a store use it. */
struct sf_redis_server {
    struct sf_store_url url;
    enum sf_redis_kind kind;
    const char *prefix;        /* of every key; in the URL */
    int64_t database;
    bool is_cache;             /* of l2_redis.h: no session of a store is there */
    bool is_tls;
    struct sf_wire_tls tls;    /* its host is filled in for each connection */
    struct sf_resolver *resolvers[SF_STORE_HOSTS_MAX]; /* of the URL's hosts */
    const char *master;        /* SENTINEL: its name; in the URL */
    int64_t replicas;          /* that must have a batch before it counts as written */
    _Atomic uint64_t marks[SF_REDIS_MARKS]; /* hashes of what our marks are; 0: not seen */
    _Atomic uint64_t incarnation; /* as seen when a connection was made last */
    atomic_uint connects;      /* of those who load and write; see store_redis_follow.h */
};

#define SF_REDIS_PORT 6379
#define SF_REDIS_CACHE_PREFIX "session-"
#define SF_REDIS_CACHE_KEYS "l2:" /* behind the prefix of a cache */

/* All zero before. Needs sf_redis_server_fini in any case. SF_INVALID: the text says what is wrong. */
enum sf_status sf_redis_server_init(struct sf_redis_server *server, const char *url,
                                    struct sf_error *error) SF_MUST_CHECK;
/* As a cache: that one of the URL's hosts, which has nothing to do with the others. */
enum sf_status sf_redis_server_init_cache(struct sf_redis_server *server, const char *url,
                                          const struct sf_store_url_rules *rules, size_t host,
                                          struct sf_error *error) SF_MUST_CHECK;
void sf_redis_server_fini(struct sf_redis_server *server);

/* Where one server is, as another one has told. */
#define SF_REDIS_HOST_TEXT 256
struct sf_redis_place {
    char host[SF_REDIS_HOST_TEXT]; /* "": none */
    uint16_t port;
};

/* SF_INVALID: no name that fits, or no port. */
enum sf_status sf_redis_place_set(struct sf_redis_place *place_out, struct sf_span host, int64_t port) SF_MUST_CHECK;
bool sf_redis_place_equal(const struct sf_redis_place *a, const struct sf_redis_place *b);
