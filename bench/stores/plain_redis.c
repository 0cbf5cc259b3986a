/* SPDX-License-Identifier: Apache-2.0 */
/* hiredis: SET with a time to live, GET and DEL of one key for each session. */
#include <hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stores/plain.h"
#include "common/store/store_url.h"

struct plain_redis {
    struct plain base;
    redisContext *context;
};

static void
close_connection(struct plain *plain)
{
    struct plain_redis *self = (struct plain_redis *)plain;

    if (self->context != NULL)
        redisFree(self->context);
    free(self);
}

static bool
is_status(redisReply *reply)
{
    bool is_well = reply != NULL && reply->type == REDIS_REPLY_STATUS;

    freeReplyObject(reply);
    return is_well;
}

static bool
log_in(struct plain_redis *self, const struct sf_store_url *url)
{
    char password[SF_STORE_PASSWORD_MAX];
    struct sf_error error;

    if (sf_store_url_password(password, url, &error) != SF_OK)
        return false;
    if (*password != '\0' && *url->user != '\0')
        return is_status(redisCommand(self->context, "AUTH %s %s", url->user, password));
    return *password == '\0' || is_status(redisCommand(self->context, "AUTH %s", password));
}

static bool
join(struct plain_redis *self, const char *text)
{
    static const char *const options[] = {"prefix", "wait", NULL};
    static const struct sf_store_url_rules rules = {.port = 6379, .options = options};
    struct sf_store_url url;
    struct sf_error error;

    if (sf_store_url_parse(&url, text, &rules, &error) != SF_OK)
        return false;
    const struct sf_store_host *host = &url.hosts[0];
    self->context = host->name[0] == '/' ? redisConnectUnix(host->name) : redisConnect(host->name, host->port);
    bool is_well = self->context != NULL && self->context->err == 0 && log_in(self, &url);
    sf_store_url_fini(&url);
    return is_well;
}

static struct plain *
open_connection(const char *url, const char *folder)
{
    struct plain_redis *self = calloc(1, sizeof *self);

    (void)folder;
    if (self == NULL)
        return plain_fail(&plain_redis, "no memory");
    self->base.ops = &plain_redis;
    if (join(self, url))
        return &self->base;
    close_connection(&self->base);
    return plain_fail(&plain_redis, "it does not answer");
}

static bool
put(struct plain *plain, const char *id, struct sf_span value)
{
    return is_status(redisCommand(((struct plain_redis *)plain)->context, "SET plain:%s %b EX %d", id, value.data,
                                  value.size, PLAIN_LIFETIME_S));
}

static bool
read_one(struct plain *plain, const char *id, struct sf_buffer *value_out)
{
    redisReply *reply = redisCommand(((struct plain_redis *)plain)->context, "GET plain:%s", id);
    bool is_there = reply != NULL && reply->type == REDIS_REPLY_STRING;

    sf_buffer_clear(value_out);
    is_there = is_there && sf_buffer_append(value_out, reply->str, reply->len) == SF_OK;
    freeReplyObject(reply);
    return is_there;
}

static bool
end(struct plain *plain, const char *id)
{
    redisReply *reply = redisCommand(((struct plain_redis *)plain)->context, "DEL plain:%s", id);
    bool is_done = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;

    freeReplyObject(reply);
    return is_done;
}

const struct plain_ops plain_redis = {
    .scheme = "redis",
    .what = "hiredis: SET with a time to live, GET, DEL",
    .open = open_connection,
    .close = close_connection,
    .create = put,
    .read = read_one,
    .save = put,
    .end = end,
};
