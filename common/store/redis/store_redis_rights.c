/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_rights.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/store/redis/store_redis_errors.h"

#define WORDS_MAX 7
#define KEY "\001" /* in a table: a key that nobody has */
#define NO_SCRIPT "0000000000000000000000000000000000000000"

enum use {
    ALWAYS,
    OF_STORE,
    OF_CACHE,
    WITH_DATABASE, /* another one than 0 */
    WITH_WAIT,
    IN_CLUSTER,
    FOR_NEWS /* the store works without, and other hosts hear later */
};

struct right {
    enum use use;
    const char *name; /* as ACL SETUSER wants it */
    const char *words[WORDS_MAX];
};

/* SUBSCRIBE is the last one: behind it the connection takes no other commands. */
static const struct right rights[] = {
    {ALWAYS, "ping", {"PING"}},
    {ALWAYS, "role", {"ROLE"}},
    {ALWAYS, "info", {"INFO", "server"}},
    {ALWAYS, "script|load", {"SCRIPT", "LOAD", "("}}, /* no script: it is refused, and not kept */
    {ALWAYS, "evalsha", {"EVALSHA", NO_SCRIPT, "1", KEY}},
    {ALWAYS, "get", {"GET", KEY}},
    {ALWAYS, "set", {"SET", KEY, "", "XX"}},
    {OF_STORE, "exists", {"EXISTS", KEY}},
    {OF_STORE, "hgetall", {"HGETALL", KEY}},
    {OF_STORE, "hmget", {"HMGET", KEY, "@head"}},
    {OF_STORE, "hset", {"HSET", KEY, "@head", "", "@user"}}, /* a name without a value */
    {ALWAYS, "del", {"DEL", KEY}},
    {OF_STORE, "pttl", {"PTTL", KEY}},
    {OF_STORE, "pexpireat", {"PEXPIREAT", KEY, "1"}},
    {OF_STORE, "persist", {"PERSIST", KEY}},
    {OF_STORE, "zadd", {"ZADD", KEY, "XX", "0", "none"}},
    {OF_STORE, "zrem", {"ZREM", KEY, "none"}},
    {OF_STORE, "zremrangebyscore", {"ZREMRANGEBYSCORE", KEY, "1", "0"}},
    {OF_STORE, "zrange", {"ZRANGE", KEY, "0", "0"}},
    {OF_STORE, "time", {"TIME"}},
    {OF_STORE, "scan", {"SCAN", "0", "COUNT", "1"}},
    {OF_CACHE, "getrange", {"GETRANGE", KEY, "0", "0"}},
    {WITH_DATABASE, "select", {"SELECT", "0"}},
    {WITH_WAIT, "wait", {"WAIT", "0", "1"}},
    {IN_CLUSTER, "cluster|slots", {"CLUSTER", "SLOTS"}},
    {IN_CLUSTER, "cluster|nodes", {"CLUSTER", "NODES"}},
    {IN_CLUSTER, "zscore", {"ZSCORE", KEY, "none"}},
    {IN_CLUSTER, "asking", {"ASKING"}},
    {FOR_NEWS, "client|id", {"CLIENT", "ID"}},
    {FOR_NEWS, "client|tracking", {"CLIENT", "TRACKING", "OFF"}},
    {FOR_NEWS, "subscribe &__redis__:invalidate", {"SUBSCRIBE", "__redis__:invalidate"}},
};

#define RIGHTS (sizeof rights / sizeof rights[0])

struct trial {
    const struct sf_redis_server *server;
    struct sf_findings *findings;
    const struct right *asked[RIGHTS];
    size_t missing;
};

static bool
is_needed(const struct right *right, const struct sf_redis_server *server)
{
    switch (right->use) {
    case OF_STORE: return !server->is_cache;
    case OF_CACHE: return server->is_cache;
    case WITH_DATABASE: return server->database != 0;
    case WITH_WAIT: return server->replicas > 0;
    case IN_CLUSTER: return server->kind == SF_REDIS_CLUSTER;
    case FOR_NEWS: return !server->is_cache;
    case ALWAYS: break;
    }
    return true;
}

/* What all keys have behind the prefix. */
static const char *
keys_of(const struct sf_redis_server *server)
{
    return server->is_cache ? SF_REDIS_CACHE_KEYS : "";
}

/* Renamed commands are unknown ones. */
static bool
is_refused(const struct redisReply *reply)
{
    struct sf_span said = sf_span_of(reply->str, reply->len);
    return reply->type == REDIS_REPLY_ERROR
           && (sf_redis_fault_is(said, "NOPERM") || sf_redis_fault_is(said, "NOAUTH")
               || strncmp(reply->str, "ERR unknown", strlen("ERR unknown")) == 0
               || strncmp(reply->str, "ERR Unknown", strlen("ERR Unknown")) == 0);
}

static void
take_answer(void *context, size_t index, const struct redisReply *reply)
{
    struct trial *trial = context;
    const struct right *right = trial->asked[index];
    char words[SF_REDIS_WORDS_TEXT], mend[256];
    bool is_for_news = right->use == FOR_NEWS;
    if (!is_refused(reply))
        return;
    trial->missing++;
    sf_redis_words_format(sf_span_of(reply->str, reply->len), words);
    const char *user = *trial->server->url.user == '\0' ? "default" : trial->server->url.user;
    snprintf(mend, sizeof mend, "ACL SETUSER %s +%s ~%s%s*", user, right->name, trial->server->prefix,
             keys_of(trial->server));
    sf_found(trial->findings, is_for_news ? SF_FINDING_WARNING : SF_FINDING_ERROR, "rights", mend, "%s: %s%s",
             right->name, words, is_for_news ? ": other hosts are not told of changes" : "");
}

static enum sf_status
add_command(struct sf_redis_connection *connection, const struct right *right, const char *key)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    for (; count < WORDS_MAX && right->words[count] != NULL; count++)
        words[count] = strcmp(right->words[count], KEY) == 0 ? key : right->words[count];
    return sf_redis_words(connection, words, count);
}

enum sf_status
sf_redis_rights_examine(struct sf_redis_connection *connection, sf_time deadline, struct sf_findings *findings)
{
    const struct sf_redis_server *server = connection->server;
    struct trial trial = {.server = server, .findings = findings};
    struct sf_error error = {.text = "no memory"};
    char key[256];
    size_t asked = 0;
    snprintf(key, sizeof key, "%s%s@check", server->prefix, keys_of(server));
    enum sf_status status = sf_redis_start(connection, false);
    for (size_t i = 0; status == SF_OK && i < RIGHTS; i++) {
        if (!is_needed(&rights[i], server))
            continue;
        trial.asked[asked++] = &rights[i];
        status = add_command(connection, &rights[i], key);
    }
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_answer, &trial, &error);
    sf_redis_close(connection);
    if (status != SF_OK)
        sf_found(findings, SF_FINDING_ERROR, "rights", "", "%s", error.text);
    else if (trial.missing == 0)
        sf_found(findings, SF_FINDING_OK, "rights", "", "%zu commands on keys %s%s*", asked, server->prefix,
                 keys_of(server));
    return status == SF_OK ? SF_OK : SF_UNAVAILABLE;
}
