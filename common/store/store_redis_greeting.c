/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_redis_greeting.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/store/store_redis_login.h"
#include "common/store/store_redis_script.h"
#include "common/store/store_redis_sentinel.h"

#define LAYOUT "1" /* of the keys and fields that store_redis_rows.h and the script write */

struct verdict {
    struct sf_redis_connection *connection;
    enum sf_status status;
    struct sf_error error;
};

/* ---- what it is ---- */

enum greeting { GREET_ROLE, GREET_SCRIPT, GREET_LAYOUT, GREET_SELECT };

struct hello {
    struct verdict verdict;
    const enum greeting *order;
    bool has_layout;
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

static enum sf_status
keep_script(struct hello *hello, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != SF_REDIS_SHA_TEXT)
        return refuse(hello, SF_UNAVAILABLE, "does not take the script");
    memcpy(hello->verdict.connection->script, reply->str, SF_REDIS_SHA_TEXT);
    return SF_OK;
}

static enum sf_status
check_layout(struct hello *hello, const struct redisReply *reply)
{
    hello->has_layout = reply->type == REDIS_REPLY_STRING;
    if (!hello->has_layout && atomic_load(&hello->verdict.connection->server->was_seen))
        return refuse(hello, SF_UNAVAILABLE, SF_REDIS_EMPTIED);
    if (!hello->has_layout || strcmp(reply->str, LAYOUT) == 0)
        return SF_OK;
    return refuse(hello, SF_INVALID, "its sessions were written by a later version of session-fast");
}

static void
take_greeting(void *context, size_t index, const struct redisReply *reply)
{
    struct hello *hello = context;
    struct verdict *verdict = &hello->verdict;
    if (verdict->status != SF_OK)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        verdict->status = sf_redis_judge(verdict->connection, reply, &verdict->error);
        verdict->connection->must_leave = true;
        return;
    }
    switch (hello->order[index]) {
    case GREET_SELECT: break;
    case GREET_ROLE: verdict->status = check_role(hello, reply); break;
    case GREET_SCRIPT: verdict->status = keep_script(hello, reply); break;
    case GREET_LAYOUT: verdict->status = check_layout(hello, reply); break;
    }
}

static enum sf_status
add_greetings(struct sf_redis_connection *connection)
{
    char number[24], mark[SF_REDIS_MARK_TEXT];
    snprintf(number, sizeof number, "%" PRId64, connection->server->database);
    sf_redis_mark_format(connection->server, mark);
    enum sf_status status = sf_redis_start(connection, true);
    if (status == SF_OK && connection->server->database != 0)
        status = sf_redis_words(connection, (const char *const[]){"SELECT", number}, 2);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"ROLE"}, 1);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"SCRIPT", "LOAD", sf_redis_script}, 3);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"GET", mark}, 2);
    return status;
}

/* A server that takes no writes now says so when there is something to write. Another host may have been first. */
static void
take_mark(void *context, size_t index, const struct redisReply *reply)
{
    struct sf_redis_connection *connection = context;
    (void)index;
    if (reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_NIL)
        atomic_store(&connection->server->was_seen, true);
}

static enum sf_status
mark_layout(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    char mark[SF_REDIS_MARK_TEXT];
    sf_redis_mark_format(connection->server, mark);
    enum sf_status status = sf_redis_start(connection, true);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"SET", mark, LAYOUT, "NX"}, 4);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_mark, connection, error);
    return status;
}

static enum sf_status
greet(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    static const enum greeting all[] = {GREET_SELECT, GREET_ROLE, GREET_SCRIPT, GREET_LAYOUT};
    struct hello hello = {.verdict.connection = connection,
                          .order = connection->server->database != 0 ? all : all + 1};
    enum sf_status status = add_greetings(connection);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_greeting, &hello, error);
    if (status == SF_OK && hello.verdict.status != SF_OK) {
        *error = hello.verdict.error;
        return hello.verdict.status;
    }
    if (status == SF_OK && !hello.has_layout)
        return mark_layout(connection, deadline, error);
    if (status == SF_OK)
        atomic_store(&connection->server->was_seen, true);
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
    size_t hosts = connection->server->url.host_count;
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
