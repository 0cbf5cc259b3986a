/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis.c - Redis or Valkey: a HASH for each session, changed by one script, asked in pipelines.
 *
 * Three connections, because the daemon loads in one thread, writes in another and listens in a third.
 * docs/stores.md has the layout and says what each failure does; store_redis_server.h has the URLs.
 */
#include "common/store/store.h"

#include <hiredis.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/store_redis_follow.h"
#include "common/store/store_redis_keys.h"
#include "common/store/store_redis_rows.h"
#include "common/store/store_redis_script.h"

#define PIPELINE_MAX 256          /* commands */
#define PIPELINE_BYTES (1u << 20) /* one command more at most */
#define LOADS_MAX 64              /* in one pipeline */
#define KEYS_KEPT SF_MINUTE       /* so long a scan goes on over the keys that it began with */

struct redis_store {
    struct sf_store base;
    struct sf_redis_server server;
    struct sf_redis_connection reader, writer;
    struct sf_redis_follower follower;
    struct sf_redis_keys keys; /* the loader's, as what follows */
    sf_time keys_until;        /* steady; 0: there are none */
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

#define REDIS_OPS(text)                                                     \
    {                                                                       \
        .scheme = text,                                                     \
        .flags = SF_STORE_DURABLE | SF_STORE_EXPIRES | SF_STORE_SHARED,     \
        .open = redis_open,                                                 \
        .attach = redis_attach,                                             \
        .load = redis_load,                                                 \
        .write = redis_write,                                               \
        .scan = redis_scan,                                                 \
        .follow = redis_follow,                                             \
        .explain = redis_explain,                                           \
        .close = redis_close,                                               \
    }

const struct sf_store_ops sf_store_redis = REDIS_OPS("redis");
const struct sf_store_ops sf_store_rediss = REDIS_OPS("rediss");
const struct sf_store_ops sf_store_redis_sentinel = REDIS_OPS("redis-sentinel");
const struct sf_store_ops sf_store_rediss_sentinel = REDIS_OPS("rediss-sentinel");

/* ---- life ---- */

/* That the URL begins with: sf_store_open has looked for it. */
static const struct sf_store_ops *
ops_of(const char *url)
{
    static const struct sf_store_ops *const all[] = {&sf_store_rediss, &sf_store_redis_sentinel,
                                                     &sf_store_rediss_sentinel};
    struct sf_span scheme = sf_span_of(url, strcspn(url, ":"));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (sf_span_equal(scheme, sf_span_text(all[i]->scheme)))
            return all[i];
    return &sf_store_redis;
}

static enum sf_status
redis_open(struct sf_store **store_out, const char *url, const char *state, struct sf_error *error)
{
    struct redis_store *redis = calloc(1, sizeof *redis);
    (void)state;
    if (redis == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "store: no memory");
    redis->base.ops = ops_of(url);
    sf_redis_init(&redis->reader, &redis->server);
    sf_redis_init(&redis->writer, &redis->server);
    sf_redis_follower_init(&redis->follower, &redis->server);
    pthread_mutex_init(&redis->lock, NULL);
    enum sf_status status = sf_redis_server_init(&redis->server, url, error);
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
    sf_redis_fini(&redis->reader);
    sf_redis_fini(&redis->writer);
    sf_redis_follower_fini(&redis->follower);
    sf_redis_keys_fini(&redis->keys);
    sf_redis_server_fini(&redis->server);
    pthread_mutex_destroy(&redis->lock);
    free(redis);
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
    enum sf_status status = sf_redis_begin(&redis->writer, deadline, &reason);
    if (status == SF_OK)
        return SF_OK;
    remember(redis, &reason);
    return sf_error_set(error, status, "%s", reason.text);
}

/* ---- reading ---- */

struct reading {
    struct redis_store *redis;
    struct sf_load *loads;
    size_t count;
    bool is_emptied;  /* the mark has gone: that a session is not there means nothing */
    bool is_doubtful; /* a row is damaged, or this is another session's; or another server may do better */
    struct sf_error error;
};

/* Asked for last: a server that was emptied between two rows is noticed as well. */
static void
take_mark(struct reading *reading, const struct redisReply *reply)
{
    struct redis_store *redis = reading->redis;
    bool is_there = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    reading->is_emptied = !is_there && atomic_load(&redis->server.was_seen);
    if (reading->is_emptied)
        sf_error_set(&reading->error, SF_UNAVAILABLE, "%s: " SF_REDIS_EMPTIED, redis->server.url.label);
}

static void
take_row(void *context, size_t index, const struct redisReply *reply)
{
    struct reading *reading = context;
    if (index == reading->count) {
        take_mark(reading, reply);
        return;
    }
    struct sf_load *load = &reading->loads[index];
    struct redis_store *redis = reading->redis;
    char label[SF_KEY_LABEL + 1];
    if (reply->type != REDIS_REPLY_ERROR) {
        load->status = sf_redis_read_row(load->stored, &load->key, reply);
    } else {
        load->status = sf_redis_judge(&redis->reader, reply, &reading->error);
        load->status = load->status == SF_INVALID ? SF_CORRUPT : SF_UNAVAILABLE;
    }
    reading->is_doubtful |= load->status == SF_CORRUPT || redis->reader.must_leave;
    sf_key_label(&load->key, label);
    if (load->status == SF_CORRUPT)
        sf_error_set(&reading->error, SF_CORRUPT, "%s: session %s is damaged", redis->server.url.label, label);
}

/* SF_OK: each load has its own answer. */
static enum sf_status
load_once(struct reading *reading, sf_time deadline)
{
    struct sf_redis_connection *connection = &reading->redis->reader;
    char mark[SF_REDIS_MARK_TEXT];
    sf_redis_mark_format(connection->server, mark);
    enum sf_status status = sf_redis_begin(connection, deadline, &reading->error);
    for (size_t i = 0; i < reading->count && status == SF_OK; i++)
        status = sf_redis_add_load(connection, &reading->loads[i].key);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"EXISTS", mark}, 2);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_row, reading, &reading->error);
    if (status == SF_OK && reading->is_emptied)
        status = SF_UNAVAILABLE;
    if (status != SF_OK)
        sf_store_answer_loads(reading->loads, reading->count,
                              status == SF_NO_MEMORY ? SF_NO_MEMORY : SF_UNAVAILABLE);
    return status;
}

/*
 * A connection that has served for a while may turn out to be dead, and a damaged row to be a reply that
 * was somebody else's: each is asked once more, on a new connection.
 */
static enum sf_status
load_some(struct redis_store *redis, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct reading reading = {.redis = redis, .loads = loads, .count = count};
    bool was_open = redis->reader.wire != NULL;
    enum sf_status status = load_once(&reading, deadline);
    bool may_help = status == SF_OK ? reading.is_doubtful : was_open;
    if (may_help && sf_clock_steady() < deadline) {
        sf_redis_close(&redis->reader);
        reading = (struct reading){.redis = redis, .loads = loads, .count = count};
        status = load_once(&reading, deadline);
    }
    remember(redis, &reading.error);
    return status;
}

static void
redis_load(struct sf_store *store, struct sf_load *loads, size_t count, sf_time deadline)
{
    struct redis_store *redis = (struct redis_store *)store;
    enum sf_status status = SF_OK;
    sf_store_answer_loads(loads, count, SF_UNAVAILABLE);
    for (size_t at = 0; at < count && status == SF_OK; at += LOADS_MAX)
        status = load_some(redis, loads + at, count - at < LOADS_MAX ? count - at : LOADS_MAX, deadline);
}

static enum sf_status
redis_follow(struct sf_store *store, sf_time until, struct sf_follow *follow)
{
    struct redis_store *redis = (struct redis_store *)store;
    return sf_redis_follow(&redis->follower, until, follow);
}

/* ---- scanning ---- */

static enum sf_status
list_keys(struct redis_store *redis, const struct sf_key *after, struct sf_span user, sf_time deadline)
{
    struct sf_error error = {.text = ""};
    sf_time now = sf_clock_steady();
    if (after != NULL && user.size == 0 && now < redis->keys_until)
        return SF_OK;
    enum sf_status status = user.size > 0
                                ? sf_redis_keys_of(&redis->keys, &redis->reader, user, deadline, &error)
                                : sf_redis_keys_all(&redis->keys, &redis->reader, deadline, &error);
    redis->keys_until = status == SF_OK && user.size == 0 ? now + KEYS_KEPT : 0;
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

static enum sf_status
visit_keys(struct redis_store *redis, size_t at, struct visit *visit, sf_time deadline)
{
    struct sf_stored stored[LOADS_MAX];
    struct sf_load loads[LOADS_MAX];
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < LOADS_MAX; i++)
        sf_buffer_init(&stored[i].record, SF_RECORD_BYTES_MAX);
    for (bool goes_on = visit->limit > 0; goes_on && at < redis->keys.count;) {
        size_t count = redis->keys.count - at < LOADS_MAX ? redis->keys.count - at : LOADS_MAX;
        count = count < visit->limit ? count : visit->limit;
        for (size_t i = 0; i < count; i++)
            loads[i] = (struct sf_load){.key = redis->keys.list[at + i], .stored = &stored[i]};
        status = load_some(redis, loads, count, deadline);
        if (status != SF_OK)
            break;
        goes_on = visit_loaded(visit, loads, count);
        at += count;
    }
    for (size_t i = 0; i < LOADS_MAX; i++)
        sf_buffer_fini(&stored[i].record);
    return status;
}

static enum sf_status
redis_scan(struct sf_store *store, const struct sf_key *after, struct sf_span user, size_t limit, sf_time deadline,
           sf_store_visit_fn *visit, void *context)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct visit what = {user, limit, visit, context};
    enum sf_status status = list_keys(redis, after, user, deadline);
    if (status == SF_OK)
        status = visit_keys(redis, sf_redis_keys_behind(&redis->keys, after), &what, deadline);
    return status == SF_OK || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

/* ---- writing ---- */

struct writing {
    struct redis_store *redis;
    struct sf_write *writes;
    size_t at[PIPELINE_MAX]; /* of each command */
    size_t commands;
    bool may_repeat; /* nothing was written, and another connection may do */
    struct sf_error error;
};

static void
take_answer(void *context, size_t index, const struct redisReply *reply)
{
    static const enum sf_status meant[] = {
        [SF_REDIS_MISSING] = SF_NOT_FOUND, [SF_REDIS_DONE] = SF_OK, [SF_REDIS_CONFLICT] = SF_CONFLICT};
    struct writing *writing = context;
    struct sf_write *write = &writing->writes[writing->at[index]];
    if (reply->type == REDIS_REPLY_ERROR)
        write->status = sf_redis_judge(&writing->redis->writer, reply, &writing->error);
    else if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer <= SF_REDIS_CONFLICT)
        write->status = meant[reply->integer];
    else
        write->status = SF_UNCERTAIN;
    writing->may_repeat |= writing->redis->writer.must_leave;
}

/* SF_FULL: the pipeline has no room for it; what of it went in is taken out again. */
static enum sf_status
add_write(struct writing *writing, size_t at)
{
    struct sf_redis_connection *connection = &writing->redis->writer;
    size_t size = connection->out.size, commands = connection->commands;
    enum sf_status status = sf_redis_add_write(connection, &writing->writes[at]);
    if (status == SF_OK) {
        writing->at[writing->commands++] = at;
    } else {
        connection->out.size = size;
        connection->commands = commands;
        writing->writes[at].status = status;
    }
    return status;
}

/* Those that are still unavailable, from *next on, as many as go into one pipeline. */
static enum sf_status
write_some(struct writing *writing, size_t count, size_t *next, sf_time deadline)
{
    struct sf_redis_connection *connection = &writing->redis->writer;
    writing->commands = 0;
    enum sf_status status = sf_redis_begin(connection, deadline, &writing->error);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    for (; *next < count && writing->commands < PIPELINE_MAX && connection->out.size < PIPELINE_BYTES; ++*next)
        if (writing->writes[*next].status == SF_UNAVAILABLE)
            (void)!add_write(writing, *next);
    if (writing->commands == 0)
        return SF_OK;
    status = sf_redis_finish(connection, deadline, take_answer, writing, &writing->error);
    for (size_t i = 0; i < writing->commands && status != SF_OK; i++)
        writing->writes[writing->at[i]].status = status;
    writing->may_repeat |= status == SF_UNAVAILABLE;
    return status;
}

static enum sf_status
write_all(struct writing *writing, size_t count, sf_time deadline)
{
    enum sf_status status = SF_OK;
    writing->may_repeat = false;
    for (size_t next = 0; next < count && status == SF_OK && !writing->may_repeat;)
        status = write_some(writing, count, &next, deadline);
    return status;
}

static enum sf_status
redis_write(struct sf_store *store, struct sf_write *writes, size_t count, sf_time deadline)
{
    struct redis_store *redis = (struct redis_store *)store;
    struct writing writing = {.redis = redis, .writes = writes};
    for (size_t i = 0; i < count; i++)
        writes[i].status = writes[i].version > INT64_MAX ? SF_INVALID : SF_UNAVAILABLE;
    enum sf_status status = write_all(&writing, count, deadline);
    if (writing.may_repeat && status != SF_UNCERTAIN)
        (void)!write_all(&writing, count, deadline);
    remember(redis, &writing.error);
    return sf_store_worst(writes, count);
}
