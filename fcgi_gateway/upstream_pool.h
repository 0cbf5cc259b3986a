/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * upstream_pool.h - how many requests an upstream gets at the same time, who waits for his turn,
 * and the connections that are kept between requests.
 *
 * One pool an address, whatever routes lead there; it outlives every reload of the configuration.
 * Those who wait are let in in the order in which they came.
 */
#include <poll.h>
#include <pthread.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/config.h"

/* A connection nobody has used for this long is closed. */
#define SF_UPSTREAM_KEPT_TIME (5 * SF_SECOND)

struct sf_upstream_kept {
    int socket;
    sf_time since;
};

struct sf_upstream_waiter;

struct sf_upstream_place {
    int socket; /* -1: make one */
    bool has_waited;
};

/*
 * 1. Whoever has a place and gives it back finds the one who waits longest: nobody waits while a
 * place is free.
 * 2. used + kept_count is at most what GatewayUpstreamConnections says, as long as that is the same
 * for all.
 */
struct sf_upstream_pool {
    struct sf_upstream_pool *next;
    char *address;                             /* malloc'ed */
    struct sf_log_seldom complaints, refusals; /* of the application, and for want of room */

    pthread_mutex_t lock; /* of all that follows */
    unsigned used;
    struct sf_upstream_waiter *first, *last;
    unsigned waiter_count;
    struct sf_upstream_kept *kept; /* malloc'ed; the last one in is the first one out */
    size_t kept_count, kept_room;
};

struct sf_upstream_pools {
    pthread_mutex_t lock;
    struct sf_upstream_pool *first; /* grows only */
};

void sf_upstream_pools_init(struct sf_upstream_pools *pools);
void sf_upstream_pools_fini(struct sf_upstream_pools *pools); /* nobody uses one any more */
/* Closes the connections that were kept for too long. `now`: steady clock. */
void sf_upstream_pools_tidy(struct sf_upstream_pools *pools, sf_time now);

/* Made when it is asked for first; valid until pools_fini. NULL: no memory. */
struct sf_upstream_pool *sf_upstream_pools_find(struct sf_upstream_pools *pools,
                                                const char *address);

/*
 * A place, by the GatewayUpstream... options of `config`, and with it a connection that was kept.
 * Waits for at most GatewayUpstreamQueueTime, or until one of `others` (for poll) is
 * ready. SF_OK: give it back; SF_FULL: too many wait; SF_UNAVAILABLE: waited too long;
 * SF_NOT_FOUND: one of `others` is ready.
 */
enum sf_status sf_upstream_pool_take(struct sf_upstream_pool *pool, const struct sf_config *config,
                                     const struct pollfd *others, size_t other_count,
                                     struct sf_upstream_place *place_out) SF_MUST_CHECK;

/* `socket`: can be used again, and is kept or closed; -1: there is none. */
void sf_upstream_pool_give(struct sf_upstream_pool *pool, const struct sf_config *config,
                           int socket);
