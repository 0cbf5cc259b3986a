/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/redis/store_redis_greeting.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/store/redis/store_redis_login.h"
#include "common/store/redis/store_redis_script.h"
#include "common/store/redis/store_redis_sentinel.h"
#include "common/store/store.h"

struct verdict {
    struct sf_redis_connection *connection;
    enum sf_status status;
    struct sf_error error;
};

/* ---- what it is ---- */

enum greeting { GREET_SELECT, GREET_ROLE, GREET_INFO, GREET_SCRIPT, GREET_INDEX_SCRIPT };
#define GREETINGS_MAX 5

struct hello {
    struct verdict verdict;
    enum greeting order[GREETINGS_MAX]; /* what was asked */
};

static enum sf_status
refuse(struct hello *hello, enum sf_status status, const char *text)
{
    struct verdict *verdict = &hello->verdict;
    verdict->connection->must_leave = true;
    return sf_redis_fail(verdict->connection, status, text, &verdict->error);
}

static enum sf_status
check_role(struct hello *hello, const struct redisReply *reply)
{
    const redisReply *role = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 ? reply->element[0] : NULL;
    if (role == NULL || role->type != REDIS_REPLY_STRING)
        return refuse(hello, SF_UNAVAILABLE, "does not say whether it is a master");
    if (strcmp(role->str, "master") == 0)
        return SF_OK;
    if (strcmp(role->str, "sentinel") == 0)
        return refuse(hello, SF_UNAVAILABLE, "this is a Sentinel, not a server with data");
    return refuse(hello, SF_UNAVAILABLE, "this is a replica, and not the master");
}

/*
 * Who may not ask does without: then a restart is noticed if the mark has gone, and not with an older copy. A cache
 * has no mark.
 */
static enum sf_status
keep_run(struct hello *hello, const struct redisReply *reply)
{
    static const char name[] = "run_id:";
    struct sf_redis_connection *connection = hello->verdict.connection;
    const char *found = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    connection->run = found == NULL ? 0 : XXH3_64bits(found, strcspn(found, "\r\n"));
    if (connection->run == 0 && connection->server->is_cache)
        return refuse(hello, SF_UNAVAILABLE, "does not say whether it was restarted (INFO server)");
    return SF_OK;
}

static enum sf_status
keep_script(struct hello *hello, char *script, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != SF_REDIS_SHA_TEXT)
        return refuse(hello, SF_UNAVAILABLE, "does not take the script");
    memcpy(script, reply->str, SF_REDIS_SHA_TEXT);
    return SF_OK;
}

static void
take_greeting(void *context, size_t index, const struct redisReply *reply)
{
    struct hello *hello = context;
    struct verdict *verdict = &hello->verdict;
    if (verdict->status != SF_OK)
        return;
    bool is_needed = hello->order[index] != GREET_INFO || verdict->connection->server->is_cache;
    if (reply->type == REDIS_REPLY_ERROR && is_needed) {
        verdict->status = sf_redis_judge(verdict->connection, reply, &verdict->error);
        verdict->connection->must_leave = true;
        return;
    }
    switch (hello->order[index]) {
    case GREET_SELECT: break;
    case GREET_INFO: verdict->status = keep_run(hello, reply); break;
    case GREET_ROLE: verdict->status = check_role(hello, reply); break;
    case GREET_SCRIPT: verdict->status = keep_script(hello, verdict->connection->script, reply); break;
    case GREET_INDEX_SCRIPT: verdict->status = keep_script(hello, verdict->connection->index_script, reply); break;
    }
}

static const char *
script_of(const struct sf_redis_server *server)
{
    if (server->is_cache)
        return sf_redis_cache_script;
    return server->kind == SF_REDIS_CLUSTER ? sf_redis_cluster_script : sf_redis_script;
}

static enum sf_status
add_greeting(struct hello *hello, enum greeting greeting)
{
    struct sf_redis_connection *connection = hello->verdict.connection;
    char number[24];
    hello->order[connection->commands] = greeting;
    switch (greeting) {
    case GREET_SELECT: break;
    case GREET_INFO: return sf_redis_words(connection, (const char *const[]){"INFO", "server"}, 2);
    case GREET_ROLE: return sf_redis_words(connection, (const char *const[]){"ROLE"}, 1);
    case GREET_SCRIPT:
        return sf_redis_words(connection, (const char *const[]){"SCRIPT", "LOAD", script_of(connection->server)}, 3);
    case GREET_INDEX_SCRIPT:
        return sf_redis_words(connection, (const char *const[]){"SCRIPT", "LOAD", sf_redis_index_script}, 3);
    }
    snprintf(number, sizeof number, "%" PRId64, connection->server->database);
    return sf_redis_words(connection, (const char *const[]){"SELECT", number}, 2);
}

static enum sf_status
add_greetings(struct hello *hello)
{
    const struct sf_redis_server *server = hello->verdict.connection->server;
    enum sf_status status = sf_redis_start(hello->verdict.connection, true);
    if (status == SF_OK && server->database != 0)
        status = add_greeting(hello, GREET_SELECT);
    if (status == SF_OK)
        status = add_greeting(hello, GREET_ROLE);
    if (status == SF_OK)
        status = add_greeting(hello, GREET_INFO);
    if (status == SF_OK)
        status = add_greeting(hello, GREET_SCRIPT);
    if (status == SF_OK && server->kind == SF_REDIS_CLUSTER)
        status = add_greeting(hello, GREET_INDEX_SCRIPT);
    return status;
}

static void
note_incarnation(struct sf_redis_connection *connection)
{
    struct sf_redis_server *server = connection->server;
    bool is_cluster = server->kind == SF_REDIS_CLUSTER;
    uint64_t seen = is_cluster ? sf_redis_marks_incarnation(server)
                               : sf_store_incarnation_of(connection->run, connection->mark);
    atomic_store(&server->incarnation, seen);
}

static enum sf_status
greet(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct hello hello = {.verdict.connection = connection};
    enum sf_status status = add_greetings(&hello);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_greeting, &hello, error);
    if (status == SF_OK && hello.verdict.status != SF_OK) {
        *error = hello.verdict.error;
        status = hello.verdict.status;
    }
    if (status != SF_OK || connection->server->is_cache)
        return status;
    status = sf_redis_marks_check(connection, deadline, error);
    if (status == SF_OK)
        note_incarnation(connection);
    return status;
}

/* ---- one of the hosts ---- */

static enum sf_status
ask_for_master(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_place master;
    sf_time now = sf_clock_steady();
    enum sf_status status =
        sf_redis_sentinel_ask(&master, connection->server, connection->host, now + (deadline - now) / 2, error);
    return status == SF_OK ? sf_redis_go_to(connection, &master) : status;
}

static enum sf_status
connect_host(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    enum sf_status status = SF_OK;
    if (connection->server->kind == SF_REDIS_SENTINEL)
        status = ask_for_master(connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_login_as_user(connection, deadline, error);
    if (status == SF_OK)
        status = greet(connection, deadline, error);
    return status == SF_UNCERTAIN ? SF_UNAVAILABLE : status;
}

enum sf_status
sf_redis_connect(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    size_t hosts = connection->server->kind == SF_REDIS_CLUSTER ? 1 : connection->server->url.host_count;
    enum sf_status status = SF_UNAVAILABLE;
    for (size_t left = hosts; left > 0; left--) {
        size_t host = connection->host;
        sf_time now = sf_clock_steady();
        status = connect_host(connection, now + (deadline - now) / (sf_time)left, error);
        if (status == SF_OK || status == SF_INVALID)
            break;
        sf_redis_close(connection);
        connection->host = (host + 1) % hosts;
    }
    if (status != SF_OK)
        sf_redis_close(connection);
    return status;
}
