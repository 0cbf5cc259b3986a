/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis.c - Redis or Valkey: a HASH for each session, changed by one script, asked in pipelines.
 *
 * Three connections, because the daemon loads in one thread, writes in another and listens in a third.
 * docs/stores.md has the layout and says what each failure does; store_redis_server.h has the URLs.
 */
#include "common/store/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/redis/store_redis_examine.h"
#include "common/store/redis/store_redis_follow_cluster.h"
#include "common/store/redis/store_redis_keys.h"
#include "common/store/redis/store_redis_load.h"
#include "common/store/redis/store_redis_write.h"

#define KEYS_KEPT SF_MINUTE /* so long a scan goes on over the keys that it began with */

struct redis_store {
    struct sf_store base;
    struct sf_redis_server server;
    struct sf_redis_lane reader, writer;
    struct sf_redis_follower follower;
    struct sf_redis_cluster_follower cluster_follower;
    struct sf_redis_keys keys; /* the loader's, as what follows */
    sf_time keys_until;        /* steady; 0: there are none */
    struct sf_redis_listing listing; /* that `keys` are still being asked for */
    sf_time listed_until;      /* deadline of the scan that it is for, by which it is known */
    pthread_mutex_t lock;      /* guards `last` */
    struct sf_error last;
};

static sf_store_open_fn redis_open;
static sf_store_attach_fn redis_attach;
static sf_store_load_fn redis_load;
static sf_store_write_fn redis_write;
static sf_store_scan_fn redis_scan;
static sf_store_follow_fn redis_follow;
static sf_store_explain_fn redis_explain;
static sf_store_close_fn redis_close;
static sf_store_incarnation_fn redis_incarnation;
static sf_store_renew_fn redis_renew;
static sf_store_examine_fn redis_examine;

#define REDIS_OPS(text, more_flags)                                                      \
    {                                                                                    \
        .scheme = text,                                                                  \
        .flags = SF_STORE_DURABLE | SF_STORE_EXPIRES | SF_STORE_SHARED | (more_flags),   \
        .open = redis_open,                                                              \
        .attach = redis_attach,                                                          \
        .load = redis_load,                                                              \
        .write = redis_write,                                                            \
        .scan = redis_scan,                                                              \
        .follow = redis_follow,                                                          \
        .explain = redis_explain,                                                        \
        .close = redis_close,                                                            \
        .incarnation = redis_incarnation,                                                \
        .renew = redis_renew,                                                            \
        .examine = redis_examine,                                                        \
    }

const struct sf_store_ops sf_store_redis = REDIS_OPS("redis", 0);
const struct sf_store_ops sf_store_rediss = REDIS_OPS("rediss", 0);
const struct sf_store_ops sf_store_redis_sentinel = REDIS_OPS("redis-sentinel", 0);
const struct sf_store_ops sf_store_rediss_sentinel = REDIS_OPS("rediss-sentinel", 0);
const struct sf_store_ops sf_store_redis_cluster = REDIS_OPS("redis-cluster", SF_STORE_PARTS);
const struct sf_store_ops sf_store_rediss_cluster = REDIS_OPS("rediss-cluster", SF_STORE_PARTS);

/* ---- life ---- */

/* That the URL begins with: sf_store_open has looked for it. */
static const struct sf_store_ops *
ops_of(const char *url)
{
    static const struct sf_store_ops *const all[] = {&sf_store_rediss, &sf_store_redis_sentinel,
                                                     &sf_store_rediss_sentinel, &sf_store_redis_cluster,
                                                     &sf_store_rediss_cluster};
    struct sf_span scheme = sf_span_of(url, strcspn(url, ":"));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (sf_span_equal(scheme, sf_span_text(all[i]->scheme)))
            return all[i];
    return &sf_store_redis;
}

static enum sf_status
make_lanes(struct redis_store *redis, struct sf_error *error)
{
    enum sf_status status = sf_redis_lane_init(&redis->reader, &redis->server);
    if (status == SF_OK)
        status = sf_redis_lane_init(&redis->writer, &redis->server);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "store: no memory");
}

static enum sf_status
redis_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    struct redis_store *redis = calloc(1, sizeof *redis);
    (void)state;
    if (redis == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "store: no memory");
    redis->base.ops = ops_of(url);
    sf_redis_follower_init(&redis->follower, &redis->server);
    sf_redis_cluster_follower_init(&redis->cluster_follower, &redis->server);
    pthread_mutex_init(&redis->lock, NULL);
    enum sf_status status = sf_redis_server_init(&redis->server, url, error);
    if (status == SF_OK)
        status = make_lanes(redis, error);
    if (status != SF_OK) {
        redis_close(&redis->base);
        return status;
    }
    *store_out = &redis->base;
    return SF_OK;
}

static void
redis_close(struct sf_store *store)
{
    struct redis_store *redis = (struct redis_store *)store;
    sf_redis_lane_fini(&redis->reader);
    sf_redis_lane_fini(&redis->writer);
    sf_redis_follower_fini(&redis->follower);
    sf_redis_cluster_follower_fini(&redis->cluster_follower);
    sf_redis_listing_fini(&redis->listing);
    sf_redis_keys_fini(&redis->keys);
    sf_redis_server_fini(&redis->server);
    pthread_mutex_destroy(&redis->lock);
    free(redis);
}

static uint64_t
redis_incarnation(struct sf_store *store)
{
    return atomic_load(&((struct redis_store *)store)->server.incarnation);
}

static void
redis_renew(struct sf_store *store)
{
    struct sf_redis_lane *lane = &((struct redis_store *)store)->writer;
    for (size_t i = 0; i < lane->count; i++)
        sf_redis_close(&lane->nodes[i]->connection);
}

static enum sf_status
redis_examine(struct sf_store *store, sf_time deadline, struct sf_findings *findings)
{
    return sf_redis_examine(&((struct redis_store *)store)->server, deadline, findings);
}

static void
remember(struct redis_store *redis, const struct sf_error *error)
{
    if (error->text[0] == '\0')
        return;
    pthread_mutex_lock(&redis->lock);
    redis->last = *error;
    pthread_mutex_unlock(&redis->lock);
}

static void
redis_explain(struct sf_store *store, struct sf_error *error_out)
{
    struct redis_store *redis = (struct redis_store *)store;
    pthread_mutex_lock(&redis->lock);
    *error_out = redis->last;
    pthread_mutex_unlock(&redis->lock);
}

static enum sf_status
redis_attach(struct sf_store *store, sf_time deadline, struct sf_error *error)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct sf_error reason = {.status = SF_OK};
    enum sf_status status = sf_redis_lane_attach(&redis->writer, deadline, &reason);
    if (status == SF_OK)
        return SF_OK;
    remember(redis, &reason);
    return sf_error_set(error, status, "%s", reason.text);
}

/* ---- reading ---- */

static void
redis_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct sf_error error;
    (void)!sf_redis_load(&redis->reader, loads, count, deadline, &error);
    remember(redis, &error);
}

static enum sf_status
redis_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct redis_store *redis = (struct redis_store *)store;
    return redis->server.kind == SF_REDIS_CLUSTER ? sf_redis_follow_cluster(&redis->cluster_follower, until, follow)
                                                  : sf_redis_follow(&redis->follower, until, follow);
}

/* ---- scanning ---- */

/* SF_FULL: not yet. While one scan lists the keys others wait, for as long as it has time: SF_CONFLICT. */
static enum sf_status
list_all_keys(struct redis_store *redis, sf_time deadline, struct sf_error *error)
{
    if (redis->listing.is_begun && redis->listed_until != deadline) {
        if (sf_clock_steady() < redis->listed_until)
            return sf_clock_steady() < deadline ? SF_CONFLICT : SF_UNAVAILABLE;
        sf_redis_listing_fini(&redis->listing);
    }
    redis->listed_until = deadline;
    return sf_redis_keys_all(&redis->keys, &redis->listing, &redis->reader, deadline, error);
}

static enum sf_status
list_keys(struct redis_store *redis, const struct sf_key *after, sf_time deadline)
{
    struct sf_error error = {.text = ""};
    sf_time now = sf_clock_steady();
    if (after != NULL && now < redis->keys_until)
        return SF_OK;
    enum sf_status status = list_all_keys(redis, deadline, &error);
    redis->keys_until = status == SF_OK ? now + KEYS_KEPT : 0;
    remember(redis, &error);
    return status == SF_INVALID ? SF_UNAVAILABLE : status;
}

static enum sf_status
list_keys_of(struct sf_redis_keys *keys_out, struct redis_store *redis, struct sf_span user, sf_time deadline)
{
    struct sf_error error = {.text = ""};
    enum sf_status status = sf_redis_keys_of(keys_out, &redis->reader, user, deadline, &error);
    remember(redis, &error);
    return status == SF_INVALID ? SF_UNAVAILABLE : status;
}

struct visit {
    struct sf_span user;
    size_t limit;
    sf_store_visit_fn *visit;
    void *context;
};

static bool
is_of_user(const struct sf_stored *stored, struct sf_span user)
{
    struct sf_record_head head;
    return user.size == 0
           || (sf_record_head(&head, sf_buffer_span(&stored->record)) == SF_OK && sf_span_equal(head.user, user));
}

/* false: the visitor has enough. */
static bool
visit_loaded(struct visit *visit, const struct sf_load *loads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (loads[i].status != SF_OK || !is_of_user(loads[i].stored, visit->user))
            continue;
        if (visit->limit-- == 0 || !visit->visit(visit->context, &loads[i].key, loads[i].stored) || visit->limit == 0)
            return false;
    }
    return true;
}

/* false: some cannot be had, which would be a hole in the list. */
static bool
load_page(struct redis_store *redis, struct sf_load *loads, size_t count, sf_time deadline)
{
    redis_load(&redis->base, loads, count, deadline);
    for (size_t i = 0; i < count; i++)
        if (loads[i].status == SF_UNAVAILABLE || loads[i].status == SF_NO_MEMORY)
            return false;
    return true;
}

static enum sf_status
visit_keys(struct redis_store *redis, const struct sf_redis_keys *keys, const struct sf_key *after,
           struct visit *visit, sf_time deadline)
{
    size_t at = sf_redis_keys_behind(keys, after);
    struct sf_stored stored[SF_REDIS_LOADS_MAX];
    struct sf_load loads[SF_REDIS_LOADS_MAX];
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < SF_REDIS_LOADS_MAX; i++)
        sf_buffer_init(&stored[i].record, SF_RECORD_BYTES_MAX);
    for (bool goes_on = visit->limit > 0; goes_on && at < keys->count;) {
        size_t count = keys->count - at < SF_REDIS_LOADS_MAX ? keys->count - at : SF_REDIS_LOADS_MAX;
        count = count < visit->limit ? count : visit->limit;
        for (size_t i = 0; i < count; i++)
            loads[i] = (struct sf_load){.key = keys->list[at + i], .stored = &stored[i]};
        if (!load_page(redis, loads, count, deadline)) {
            status = SF_UNAVAILABLE;
            break;
        }
        goes_on = visit_loaded(visit, loads, count);
        at += count;
    }
    for (size_t i = 0; i < SF_REDIS_LOADS_MAX; i++)
        sf_buffer_fini(&stored[i].record);
    return status;
}

static enum sf_status
scan_user(struct redis_store *redis, const struct sf_key *after, struct visit *visit, sf_time deadline)
{
    struct sf_redis_keys keys = {.list = NULL};
    enum sf_status status = list_keys_of(&keys, redis, visit->user, deadline);
    if (status == SF_OK)
        status = visit_keys(redis, &keys, after, visit, deadline);
    sf_redis_keys_fini(&keys);
    return status;
}

static enum sf_status
scan_all(struct redis_store *redis, const struct sf_key *after, struct visit *visit, sf_time deadline)
{
    enum sf_status status = list_keys(redis, after, deadline);
    return status == SF_OK ? visit_keys(redis, &redis->keys, after, visit, deadline) : status;
}

static enum sf_status
redis_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
           sf_store_visit_fn *visit, void *context)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct visit what = {user, limit, visit, context};
    enum sf_status status =
        user.size > 0 ? scan_user(redis, after, &what, deadline) : scan_all(redis, after, &what, deadline);
    bool is_answer = status == SF_OK || status == SF_FULL || status == SF_CONFLICT || status == SF_NO_MEMORY;
    return is_answer ? status : SF_UNAVAILABLE;
}

/* ---- writing ---- */

static enum sf_status
redis_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct sf_error error;
    sf_redis_write(&redis->writer, writes, count, deadline, &error);
    remember(redis, &error);
    return sf_store_worst(writes, count);
}
