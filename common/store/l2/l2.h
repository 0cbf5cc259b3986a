/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2.h - a cache between L1 and the store that several hosts share: memcached, or Redis or Valkey.
 *
 * What stands there for a key is nothing, a lease, a mark or a value. Who asks and finds nothing takes a
 * lease; who is about to change the session in the store puts a mark over whatever is there. Both give a
 * ticket, and a value gets in with the ticket of a lease only, while that is still there: what was read from the
 * store before a change never comes in behind the change. Leases and marks go by themselves when their makers die.
 *
 * Values are bytes here; store_tiered.c seals them. Each server has its keys by rendezvous hashing: when it
 * is lost its keys are misses, and no other key moves. Two lanes, each a thread of its own, as in store.h.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common/base/finding.h"
#include "common/base/histogram.h"
#include "common/identity/session_id.h"
#include "common/store/breaker.h"
#include "common/store/l2/l2_crew.h"
#include "common/store/store.h"
#include "common/store/store_url.h"

#define SF_L2_LEASE (10 * SF_SECOND) /* longer than a load may take */
#define SF_L2_MARK (30 * SF_SECOND)  /* longer than a write may take */
#define SF_L2_PAUSE (3 * SF_SECOND)  /* of l2_epochs.h, on all hosts; tests take less */
#define SF_L2_PIPELINE_MAX 128       /* items that a backend is given at once */
#define SF_L2_VALUE_MAX ((1u << 20) + 1024)

enum sf_l2_call {
    SF_L2_GET,  /* loads: the value, or a lease */
    SF_L2_FILL, /* loads: a value over what the ticket is for */
    SF_L2_HIDE, /* writes: a mark over anything */
    SF_L2_SHOW  /* writes: the mark away; is another there, a new mark over it */
};

struct sf_l2_ticket {
    uint64_t mark; /* 0: none */
    uint64_t link; /* the connection on which it was given: a server that was restarted begins to count anew */
};

struct sf_l2_item {
    struct sf_key key;
    unsigned server;            /* sf_l2_place */
    struct sf_l2_ticket ticket; /* GET, HIDE: of what is there now; FILL, SHOW: of what was there */
    struct sf_buffer value;     /* GET: empty: none; FILL */
    sf_time ttl;                /* FILL: at least a second */
    bool is_done;               /* the server has said so */
};

struct sf_l2;

/*
 * One pipeline with one server. SF_OK: each item has its answer. Others: none counts, and the connection is closed.
 * *link_out: which connection, never 0 when there was one.
 */
typedef enum sf_status sf_l2_talk_fn(struct sf_l2 *l2, unsigned server, enum sf_store_lane lane, enum sf_l2_call call,
                                     struct sf_l2_item *const *items, size_t count, sf_time deadline,
                                     uint64_t *link_out, struct sf_error *error);
/* Checks the URL, opens no socket; names servers and timeout. */
typedef enum sf_status sf_l2_open_fn(struct sf_l2 **l2_out, const char *url, struct sf_error *error);
/*
 * Looks at one server, and at our rights there, as sf_store_examine_fn does at a store; sets where the findings are.
 */
typedef enum sf_status sf_l2_examine_fn(struct sf_l2 *l2, unsigned server, sf_time deadline,
                                        struct sf_findings *findings);
typedef void sf_l2_close_fn(struct sf_l2 *l2);

struct sf_l2_ops {
    const char *scheme;
    sf_l2_open_fn *open;
    sf_l2_talk_fn *talk;
    sf_l2_examine_fn *examine;
    sf_l2_close_fn *close;
};

#define SF_L2_NAME 160

struct sf_l2_server {
    char name[SF_L2_NAME];                    /* has to be the same on all hosts */
    struct sf_breaker breakers[SF_STORE_LANES];  /* each its lane's */
    uint64_t links[SF_STORE_LANES];              /* the same: the last one */
    _Atomic bool is_down[SF_STORE_LANES];
    uint64_t losses;                          /* lane of writes: failures, and connections that were lost */
    struct sf_error last;                     /* that it has made */
};

struct sf_l2_lane {
    struct sf_l2_crew crew;
    struct sf_store_lane_figures figures; /* but for the latencies, which are in */
    struct sf_histogram latency;          /* microseconds */
};

struct sf_l2 {
    const struct sf_l2_ops *ops; /* first member of every backend's own struct, like what follows */
    char label[128];             /* for logs: without password */
    size_t server_count;
    struct sf_l2_server servers[SF_STORE_HOSTS_MAX];
    struct sf_l2_lane lanes[SF_STORE_LANES];
    sf_time timeout;             /* of one pipeline */
    pthread_mutex_t lock;        /* guards figures, latency and last */
};

#ifdef SF_WITH_MEMCACHED
extern const struct sf_l2_ops sf_l2_memcached;
#endif
#ifdef SF_WITH_REDIS
extern const struct sf_l2_ops sf_l2_redis, sf_l2_rediss;
#endif

/* Finds the backend by scheme. SF_INVALID: unknown scheme, or a URL that it does not take. */
enum sf_status sf_l2_open(struct sf_l2 **l2_out, const char *url, struct sf_error *error) SF_MUST_CHECK;
void sf_l2_close(struct sf_l2 *l2); /* NULL is fine */

unsigned sf_l2_place(const struct sf_l2 *l2, const struct sf_key *key);

/*
 * Sets is_done of each item; without a ticket FILL and SHOW leave it out. All servers are asked at once, each pipeline
 * for as long as the timeout; in the lane of reads, where somebody waits, all that one is asked together. A server that
 * fails is not asked again in this call, and after a few it is left alone for a while: its items are not done, at once.
 * true: all servers that were needed have answered.
 */
bool sf_l2_call(struct sf_l2 *l2, enum sf_store_lane lane, enum sf_l2_call call, struct sf_l2_item *items,
                size_t count);

/* All servers. SF_UNAVAILABLE: one of them cannot be reached or used. */
enum sf_status sf_l2_examine(struct sf_l2 *l2, sf_time deadline, struct sf_findings *findings) SF_MUST_CHECK;

bool sf_l2_is_up(const struct sf_l2 *l2, unsigned server);
/* From any thread: its last error; what has been measured, a pipeline being a call. */
void sf_l2_explain(struct sf_l2 *l2, unsigned server, struct sf_error *error_out);
void sf_l2_figures(struct sf_l2 *l2, struct sf_store_figures *figures_out);

/* ---- for backends ---- */

/* Takes "timeout" and "names" of the URL. sf_l2_fini in any case. */
enum sf_status sf_l2_init(struct sf_l2 *l2, const struct sf_l2_ops *ops, const struct sf_store_url *url,
                          struct sf_error *error) SF_MUST_CHECK;
void sf_l2_fini(struct sf_l2 *l2);
