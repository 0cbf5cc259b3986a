/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l2_redis.c - redis://host[:port][,host...][/number] and rediss: as a cache, on the store's connections.
 *
 * What stands there begins with what it is, and a number that nobody else uses: the ticket. A value has behind it the
 * run of the server on which it was put there, and counts on that one only: a server that comes back with an older
 * copy, or a replica in its place, may not have heard of the marks that came after the copy was made.
 *
 * Each host of the URL is a server by itself, with its share of the sessions: that one of them is lost costs no more
 * than misses. So neither Sentinels nor a Cluster are of use here; while they change their mind, two hosts of ours
 * could take two servers for the one that has a session, and the marks of one would be unknown to the other.
 */
#include "common/store/l2/l2.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/store/redis/store_redis_connection.h"
#include "common/store/redis/store_redis_examine.h"
#include "common/store/redis/store_redis_script.h"

#define TICKET_AT 1 /* in what stands there; the script knows it, too */
#define RUN_AT 9    /* of a value */
#define SEALED_AT 17
#define NAME_TEXT 192
#define NUMBER_TEXT 24

enum kind { LEASE = 'L', MARK = 'M', VALUE = 'V' };

struct link {
    struct sf_redis_connection connection;
    uint64_t ticket;       /* the last one that was given */
    struct sf_buffer room; /* for a value to be put together in */
};

struct redis {
    struct sf_l2 base;
    struct sf_redis_server servers[SF_STORE_HOSTS_MAX];
    struct link links[SF_STORE_HOSTS_MAX][SF_STORE_LANES];
};

/* One pipeline. */
struct talk {
    struct link *link;
    enum sf_l2_call call;
    struct sf_l2_item *items[SF_L2_PIPELINE_MAX]; /* that the server is asked for */
    size_t count;
    uint64_t first;        /* ticket of the first one, if it gets one of ours; the others' follow */
    enum sf_status status; /* of the replies so far */
    struct sf_error error;
};

/* ---- asking ---- */

static struct sf_span
format_name(const struct talk *talk, const struct sf_l2_item *item, char text_out[NAME_TEXT])
{
    char key[SF_KEY_TEXT + 1];
    sf_key_format(&item->key, key);
    int size = snprintf(text_out, NAME_TEXT, "%s" SF_REDIS_CACHE_KEYS "%s", talk->link->connection.server->prefix, key);
    return sf_span_of(text_out, (size_t)size);
}

static enum sf_status
add_number(struct sf_redis_connection *connection, sf_time number)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%" PRId64, number);
    return sf_redis_word(connection, sf_span_text(text));
}

/* A lease where nothing is, or a mark over whatever is there. */
static enum sf_status
add_set(struct talk *talk, struct sf_span name, enum kind kind, uint64_t ticket)
{
    struct sf_redis_connection *connection = &talk->link->connection;
    unsigned char bytes[RUN_AT] = {(unsigned char)kind};
    sf_store_u64(bytes + TICKET_AT, ticket);
    enum sf_status status = sf_redis_command(connection, kind == LEASE ? 6 : 5);
    const struct sf_span words[] = {sf_span_text("SET"), name, sf_span_of(bytes, sizeof bytes), sf_span_text("PX")};
    for (size_t i = 0; i < sizeof words / sizeof words[0] && status == SF_OK; i++)
        status = sf_redis_word(connection, words[i]);
    if (status == SF_OK)
        status = add_number(connection, kind == LEASE ? SF_L2_LEASE : SF_L2_MARK);
    if (status == SF_OK && kind == LEASE)
        status = sf_redis_word(connection, sf_span_text("NX"));
    return status;
}

static enum sf_status
add_get(struct talk *talk, struct sf_span name, uint64_t ticket)
{
    enum sf_status status = add_set(talk, name, LEASE, ticket);
    if (status == SF_OK)
        status = sf_redis_command(&talk->link->connection, 2);
    if (status == SF_OK)
        status = sf_redis_word(&talk->link->connection, sf_span_text("GET"));
    return status == SF_OK ? sf_redis_word(&talk->link->connection, name) : status;
}

static enum sf_status
make_value(struct talk *talk, struct sf_span sealed, uint64_t ticket)
{
    unsigned char head[SEALED_AT] = {VALUE};
    struct sf_buffer *room = &talk->link->room;
    sf_store_u64(head + TICKET_AT, ticket);
    sf_store_u64(head + RUN_AT, talk->link->connection.run);
    sf_buffer_clear(room);
    enum sf_status status = sf_buffer_append(room, head, sizeof head);
    return status == SF_OK ? sf_buffer_append_span(room, sealed) : status;
}

/* The script. `ttl`: of the value, which make_value has made; 0: what is there goes. */
static enum sf_status
add_change(struct talk *talk, struct sf_span name, const struct sf_l2_item *item, sf_time ttl)
{
    struct sf_redis_connection *connection = &talk->link->connection;
    unsigned char seen[sizeof(uint64_t)];
    sf_store_u64(seen, item->ticket.mark);
    enum sf_status status = sf_redis_command(connection, ttl > 0 ? 7 : 5);
    const struct sf_span words[] = {sf_span_text("EVALSHA"), sf_span_text(connection->script), sf_span_text("1"), name,
                                    sf_span_of(seen, sizeof seen), sf_buffer_span(&talk->link->room)};
    for (size_t i = 0; i < (ttl > 0 ? 6u : 5u) && status == SF_OK; i++)
        status = sf_redis_word(connection, words[i]);
    return status == SF_OK && ttl > 0 ? add_number(connection, ttl) : status;
}

static enum sf_status
add_item(struct talk *talk, size_t index)
{
    const struct sf_l2_item *item = talk->items[index];
    uint64_t ticket = talk->first + index;
    char text[NAME_TEXT];
    struct sf_span name = format_name(talk, item, text);
    enum sf_status status;
    switch (talk->call) {
    case SF_L2_GET: return add_get(talk, name, ticket);
    case SF_L2_HIDE: return add_set(talk, name, MARK, ticket);
    case SF_L2_SHOW: return add_change(talk, name, item, 0);
    case SF_L2_FILL:
        status = make_value(talk, sf_buffer_span(&item->value), ticket);
        return status == SF_OK ? add_change(talk, name, item, item->ttl) : status;
    }
    return SF_INVALID;
}

/* ---- what a reply means ---- */

/* What is only this item's misfortune, or that there is no room, is no reason to think less of the others. */
static void
take_error(struct talk *talk, const struct redisReply *reply)
{
    enum sf_status status = sf_redis_judge(&talk->link->connection, reply, &talk->error);
    if (status != SF_FULL && status != SF_INVALID)
        talk->status = SF_UNAVAILABLE;
}

static void
doubt(struct talk *talk)
{
    talk->status =
        sf_redis_fail(&talk->link->connection, SF_UNAVAILABLE, "it answers what it was not asked", &talk->error);
}

/* What is none of the three is for who opens it to complain about, and to be replaced like any value. */
static void
take_value(struct talk *talk, struct sf_l2_item *item, struct sf_span found, uint64_t lease)
{
    uint64_t ticket = found.size < RUN_AT ? 0 : sf_load_u64(found.data + TICKET_AT);
    enum kind kind = found.size == 0 ? VALUE : (enum kind)*found.data;
    item->ticket.mark = ticket;
    if (found.size == RUN_AT && (kind == MARK || kind == LEASE)) {
        item->ticket.mark = kind == LEASE && ticket == lease ? ticket : 0;
        return;
    }
    if (kind == VALUE && found.size > SEALED_AT) {
        if (sf_load_u64(found.data + RUN_AT) != talk->link->connection.run)
            return;
        found = sf_span_of(found.data + SEALED_AT, found.size - SEALED_AT);
    }
    if (sf_buffer_append_span(&item->value, found) != SF_OK)
        sf_buffer_clear(&item->value);
}

static void
take_get(struct talk *talk, struct sf_l2_item *item, const struct redisReply *reply, uint64_t lease)
{
    item->ticket = (struct sf_l2_ticket){0, talk->link->connection.nonce};
    sf_buffer_clear(&item->value);
    if (reply->type == REDIS_REPLY_ERROR) {
        take_error(talk, reply);
        return;
    }
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL) {
        doubt(talk);
        return;
    }
    item->is_done = true;
    if (reply->type == REDIS_REPLY_STRING)
        take_value(talk, item, sf_span_of(reply->str, reply->len), lease);
}

/* Of SET: of a lease, where something is already, nil. */
static void
take_set(struct talk *talk, struct sf_l2_item *item, const struct redisReply *reply, uint64_t ticket)
{
    bool is_mark = talk->call == SF_L2_HIDE;
    if (reply->type == REDIS_REPLY_ERROR)
        take_error(talk, reply);
    else if (reply->type != REDIS_REPLY_STATUS && (is_mark || reply->type != REDIS_REPLY_NIL))
        doubt(talk);
    if (!is_mark)
        return;
    item->is_done = reply->type == REDIS_REPLY_STATUS;
    item->ticket = (struct sf_l2_ticket){item->is_done ? ticket : 0, talk->link->connection.nonce};
}

/* Nothing there is as good as taken away, but not as put there. */
static void
take_change(struct talk *talk, struct sf_l2_item *item, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        take_error(talk, reply);
    else if (reply->type != REDIS_REPLY_INTEGER)
        doubt(talk);
    else
        item->is_done = reply->integer == SF_REDIS_DONE
                        || (reply->integer == SF_REDIS_MISSING && talk->call == SF_L2_SHOW);
}

static void
take_reply(void *context, size_t index, const struct redisReply *reply)
{
    struct talk *talk = context;
    size_t at = talk->call == SF_L2_GET ? index / 2 : index;
    bool is_found = talk->call == SF_L2_GET && index % 2 == 1;
    if (talk->call == SF_L2_FILL || talk->call == SF_L2_SHOW)
        take_change(talk, talk->items[at], reply);
    else if (is_found)
        take_get(talk, talk->items[at], reply, talk->first + at);
    else
        take_set(talk, talk->items[at], reply, talk->first + at);
}

/* ---- a pipeline ---- */

/*
 * A ticket of another connection says nothing: the server may be one by now that has never given it, or one that has
 * lost what came after it.
 */
static void
choose_items(struct talk *talk, struct sf_l2_item *const *items, size_t count)
{
    bool needs_ticket = talk->call == SF_L2_FILL || talk->call == SF_L2_SHOW;
    for (size_t i = 0; i < count; i++)
        if (!needs_ticket || items[i]->ticket.link == talk->link->connection.nonce)
            talk->items[talk->count++] = items[i];
    talk->first = talk->link->ticket + 1;
    talk->link->ticket += talk->count;
}

static enum sf_status
exchange(struct talk *talk, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_connection *connection = &talk->link->connection;
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < talk->count && status == SF_OK; i++)
        status = add_item(talk, i);
    if (status != SF_OK) {
        sf_redis_close(connection);
        return sf_redis_fail(connection, status, "no memory", error);
    }
    status = sf_redis_finish(connection, deadline, take_reply, talk, error);
    if (status == SF_OK && talk->error.text[0] != '\0')
        *error = talk->error;
    if (status != SF_OK || talk->status == SF_OK)
        return status;
    sf_redis_close(connection);
    return talk->status;
}

static enum sf_status
redis_talk(struct sf_l2 *l2, unsigned server, enum sf_store_lane lane, enum sf_l2_call call,
           struct sf_l2_item *const *items, size_t count, sf_time deadline, uint64_t *link_out, struct sf_error *error)
{
    struct redis *redis = (struct redis *)l2;
    struct link *link = &redis->links[server][lane];
    struct talk talk = {.link = link, .call = call};
    enum sf_status status = sf_redis_begin(&link->connection, deadline, error);
    *link_out = link->connection.nonce;
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    choose_items(&talk, items, count);
    return exchange(&talk, deadline, error) == SF_OK ? SF_OK : SF_UNAVAILABLE;
}

static enum sf_status
redis_examine(struct sf_l2 *l2, unsigned server, sf_time deadline, struct sf_findings *findings)
{
    return sf_redis_examine(&((struct redis *)l2)->servers[server], deadline, findings);
}

/* ---- life ---- */

static void
redis_close(struct sf_l2 *l2)
{
    struct redis *redis = (struct redis *)l2;
    for (size_t i = 0; i < SF_STORE_HOSTS_MAX; i++) {
        for (size_t lane = 0; lane < SF_STORE_LANES; lane++) {
            sf_redis_fini(&redis->links[i][lane].connection);
            sf_buffer_fini(&redis->links[i][lane].room);
        }
        sf_redis_server_fini(&redis->servers[i]);
    }
    sf_l2_fini(l2);
    free(redis);
}

static enum sf_status
make_link(struct link *link, struct sf_redis_server *server, struct sf_error *error)
{
    sf_redis_init(&link->connection, server);
    sf_buffer_init(&link->room, SF_L2_VALUE_MAX + SEALED_AT);
    if (sf_random_bytes(&link->ticket, sizeof link->ticket) != SF_OK)
        return sf_error_set(error, SF_UNAVAILABLE, "L2: no random bytes");
    return SF_OK;
}

/* Hosts that mean another database, or other keys, mean another server. */
static enum sf_status
complete_name(struct sf_l2_server *server, const struct sf_redis_server *from, struct sf_error *error)
{
    char name[2 * SF_L2_NAME];
    bool is_usual = strcmp(from->prefix, SF_REDIS_CACHE_PREFIX) == 0;
    int size = snprintf(name, sizeof name, "%s/%" PRId64 "%s%s", server->name, from->database, is_usual ? "" : " ",
                        is_usual ? "" : from->prefix);
    if (size >= SF_L2_NAME)
        return sf_error_set(error, SF_INVALID, "L2: name of the host, database and prefix are too long");
    memcpy(server->name, name, (size_t)size + 1);
    sf_text_clean(server->name);
    return SF_OK;
}

static enum sf_status
make_servers(struct redis *redis, const char *url, const struct sf_store_url_rules *rules, struct sf_error *error)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < redis->base.server_count && status == SF_OK; i++) {
        struct sf_redis_server *server = &redis->servers[i];
        status = sf_redis_server_init_cache(server, url, rules, i, error);
        if (status == SF_OK)
            status = complete_name(&redis->base.servers[i], server, error);
        for (size_t lane = 0; lane < SF_STORE_LANES && status == SF_OK; lane++)
            status = make_link(&redis->links[i][lane], server, error);
    }
    return status;
}

static enum sf_status
redis_open(struct sf_l2 **l2_out, const char *text, struct sf_error *error)
{
    static const char *const options[] = {"timeout", "names", "prefix", "ca", "cert", "key", NULL};
    static const struct sf_store_url_rules rules = {.port = SF_REDIS_PORT, .options = options};
    struct sf_store_url url;
    enum sf_status status = sf_store_url_parse(&url, text, &rules, error);
    if (status != SF_OK)
        return status;
    struct redis *redis = calloc(1, sizeof *redis);
    if (redis == NULL) {
        sf_store_url_fini(&url);
        return sf_error_set(error, SF_NO_MEMORY, "L2: no memory");
    }
    bool is_tls = strncmp(text, "rediss:", strlen("rediss:")) == 0;
    status = sf_l2_init(&redis->base, is_tls ? &sf_l2_rediss : &sf_l2_redis, &url, error);
    if (status == SF_OK)
        status = make_servers(redis, text, &rules, error);
    sf_store_url_fini(&url);
    if (status != SF_OK) {
        redis_close(&redis->base);
        return status;
    }
    *l2_out = &redis->base;
    return SF_OK;
}

#define OPS .open = redis_open, .talk = redis_talk, .examine = redis_examine, .close = redis_close
const struct sf_l2_ops sf_l2_redis = {.scheme = "redis", OPS};
const struct sf_l2_ops sf_l2_rediss = {.scheme = "rediss", OPS};
