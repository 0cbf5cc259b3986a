/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_follow.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/store/redis/store_redis_greeting.h"

#define PATIENCE (2 * SF_SECOND) /* with each answer */
#define CHANNEL "__redis__:invalidate"
#define NUMBER_TEXT 24

void
sf_redis_follower_init(struct sf_redis_follower *follower, struct sf_redis_server *server)
{
    *follower = (struct sf_redis_follower){.connects = 0};
    sf_redis_init(&follower->link, server);
}

void
sf_redis_follower_fini(struct sf_redis_follower *follower)
{
    sf_redis_fini(&follower->link);
}

static enum sf_status
lose(struct sf_redis_follower *follower, const char *text)
{
    struct sf_error *error = &follower->follow->error;
    sf_redis_close(&follower->link);
    return sf_error_set(error, SF_UNAVAILABLE, "%s: %s", follower->link.server->url.label, text);
}

/* ---- a new link ---- */

struct asking {
    struct sf_redis_follower *follower;
    char id[NUMBER_TEXT]; /* of the link's connection */
    enum sf_status status;
};

static bool
begins_with(const struct redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

/* SF_INVALID: it will say the same the next time. */
static enum sf_status
refuse(struct sf_redis_follower *follower, const struct redisReply *reply)
{
    struct sf_error *error = &follower->follow->error;
    if (reply->type != REDIS_REPLY_ERROR)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: it answers what it was not asked",
                            follower->link.server->url.label);
    enum sf_status status = sf_redis_judge(&follower->link, reply, error);
    return begins_with(reply, "NOPERM") || begins_with(reply, "ERR") ? SF_INVALID : status;
}

static void
take_id(void *context, size_t index, const struct redisReply *reply)
{
    struct asking *asking = context;
    (void)index;
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(asking->id, sizeof asking->id, "%lld", reply->integer);
    else
        asking->status = refuse(asking->follower, reply);
}

static void
take_consent(void *context, size_t index, const struct redisReply *reply)
{
    struct asking *asking = context;
    (void)index;
    if (reply->type != REDIS_REPLY_STATUS)
        asking->status = refuse(asking->follower, reply);
}

static enum sf_status
ask(struct asking *asking, const char *const *words, size_t count, sf_redis_take_fn *take, sf_time deadline)
{
    struct sf_redis_connection *link = &asking->follower->link;
    struct sf_error *error = &asking->follower->follow->error;
    enum sf_status status = sf_redis_start(link, true);
    if (status == SF_OK)
        status = sf_redis_words(link, words, count);
    if (status == SF_OK)
        status = sf_redis_finish(link, deadline, take, asking, error);
    return status == SF_OK ? asking->status : status;
}

static enum sf_status
send_words(struct sf_redis_follower *follower, const char *const *words, size_t count, sf_time deadline)
{
    struct sf_redis_connection *link = &follower->link;
    struct sf_error error = {.text = "no memory"};
    enum sf_status status = sf_redis_start(link, false);
    if (status == SF_OK)
        status = sf_redis_words(link, words, count);
    if (status == SF_OK)
        status = sf_wire_send(link->wire, sf_buffer_span(&link->out), deadline, &error);
    return status == SF_OK ? SF_OK : lose(follower, error.text);
}

static bool
is_text(const struct redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

/* `first`: what kind of message it is. */
static bool
is_message(const struct redisReply *reply, const char *first, size_t elements)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements && is_text(reply->element[0], first);
}

static void
tell(struct sf_redis_follower *follower, const struct sf_key *key)
{
    follower->follow->news(follower->follow->context, key);
    follower->has_told = true;
}

/* From its answer on there is news. */
static enum sf_status
subscribe(struct sf_redis_follower *follower, sf_time deadline)
{
    struct sf_error error;
    redisReply *reply;
    enum sf_status status = send_words(follower, (const char *const[]){"SUBSCRIBE", CHANNEL}, 2, deadline);
    if (status != SF_OK)
        return status;
    if (sf_redis_receive(&follower->link, &reply, deadline, &error) != SF_OK)
        return lose(follower, error.text);
    if (!is_message(reply, "subscribe", 3))
        status = refuse(follower, reply);
    freeReplyObject(reply);
    if (status != SF_OK)
        return status;
    follower->follow->proven = sf_clock_steady();
    tell(follower, NULL);
    return SF_OK;
}

static enum sf_status
open_link(struct sf_redis_follower *follower, sf_time deadline)
{
    struct asking asking = {.follower = follower};
    struct sf_redis_connection *link = &follower->link;
    const char *const track[] = {"CLIENT",  "TRACKING", "ON",     "REDIRECT",
                                 asking.id, "BCAST",    "PREFIX", link->server->prefix};
    follower->asked = 0;
    follower->beat_at = 0;
    follower->connects = atomic_load(&link->server->connects);
    enum sf_status status = sf_redis_connect(link, deadline, &follower->follow->error);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    status = ask(&asking, (const char *const[]){"CLIENT", "ID"}, 2, take_id, deadline);
    if (status == SF_OK)
        status = ask(&asking, track, sizeof track / sizeof track[0], take_consent, deadline);
    if (status == SF_OK)
        status = subscribe(follower, deadline);
    if (status == SF_OK)
        return SF_OK;
    sf_redis_close(link);
    return status == SF_INVALID ? SF_INVALID : SF_UNAVAILABLE;
}

/* ---- what it says ---- */

/* Names that are no session's are our own indexes, or somebody else's. */
static void
tell_names(struct sf_redis_follower *follower, const struct redisReply *names)
{
    size_t skipped = strlen(follower->link.server->prefix);
    struct sf_key key;
    if (names->type != REDIS_REPLY_ARRAY)
        tell(follower, NULL); /* flushed */
    for (size_t i = 0; names->type == REDIS_REPLY_ARRAY && i < names->elements; i++) {
        const redisReply *name = names->element[i];
        if (name->type == REDIS_REPLY_STRING && name->len == skipped + SF_KEY_TEXT
            && sf_key_parse(&key, sf_span_of(name->str + skipped, SF_KEY_TEXT)) == SF_OK)
            tell(follower, &key);
    }
}

static void
take_sign_of_life(struct sf_redis_follower *follower, const struct redisReply *text)
{
    char expected[NUMBER_TEXT];
    snprintf(expected, sizeof expected, "%" PRId64, follower->asked);
    if (!is_text(text, expected))
        return;
    follower->follow->proven = follower->asked;
    follower->asked = 0;
}

static enum sf_status
take_message(struct sf_redis_follower *follower)
{
    struct sf_error error;
    redisReply *reply;
    bool is_known = true;
    if (sf_redis_receive(&follower->link, &reply, sf_clock_steady() + PATIENCE, &error) != SF_OK)
        return lose(follower, error.text);
    if (is_message(reply, "message", 3))
        tell_names(follower, reply->element[2]);
    else if (is_message(reply, "pong", 2))
        take_sign_of_life(follower, reply->element[1]);
    else
        is_known = false;
    freeReplyObject(reply);
    return is_known ? SF_OK : lose(follower, "it says what nobody has asked for");
}

static bool
has_more(const struct sf_redis_follower *follower)
{
    const redisReader *reader = follower->link.reader;
    return reader->pos < reader->len;
}

/* ---- waiting for it ---- */

static enum sf_status
ask_for_sign_of_life(struct sf_redis_follower *follower)
{
    char text[NUMBER_TEXT];
    sf_time now = sf_clock_steady();
    if (follower->asked != 0)
        return now < follower->asked + PATIENCE ? SF_OK : lose(follower, "no sign of life in time");
    if (now < follower->beat_at)
        return SF_OK;
    snprintf(text, sizeof text, "%" PRId64, now);
    follower->asked = now;
    follower->beat_at = now + follower->follow->beat;
    return send_words(follower, (const char *const[]){"PING", text}, 2, now + PATIENCE);
}

sf_time
sf_redis_follow_next(const struct sf_redis_follower *follower)
{
    return follower->asked != 0 ? follower->asked + PATIENCE : follower->beat_at;
}

static enum sf_status
wait_for_message(struct sf_redis_follower *follower, sf_time until)
{
    sf_time next = sf_redis_follow_next(follower);
    if (!sf_wire_wait(follower->link.wire, until < next ? until : next))
        return SF_OK;
    return take_message(follower);
}

/*
 * The store has connected anew since, perhaps to another server, after a failover: what is heard here may be the
 * old one, to which nobody writes any more.
 */
static bool
is_outdated(const struct sf_redis_follower *follower)
{
    return follower->connects != atomic_load(&follower->link.server->connects);
}

enum sf_status
sf_redis_follow_step(struct sf_redis_follower *follower, struct sf_follow *follow)
{
    enum sf_status status = SF_OK;
    follower->follow = follow;
    follower->has_told = false;
    if (follower->link.wire == NULL)
        status = open_link(follower, sf_clock_steady() + PATIENCE);
    while (status == SF_OK && (has_more(follower) || !sf_wire_is_quiet(follower->link.wire)))
        status = take_message(follower);
    return status == SF_OK ? ask_for_sign_of_life(follower) : status;
}

enum sf_status
sf_redis_follow(struct sf_redis_follower *follower, sf_time until, struct sf_follow *follow)
{
    enum sf_status status = SF_OK;
    follower->follow = follow;
    follower->has_told = false;
    if (is_outdated(follower))
        sf_redis_close(&follower->link);
    if (follower->link.wire == NULL)
        status = open_link(follower, sf_clock_steady() + PATIENCE);
    while (status == SF_OK) {
        if (has_more(follower)) {
            status = take_message(follower);
            continue;
        }
        if (follower->has_told || sf_clock_steady() >= until)
            break;
        status = ask_for_sign_of_life(follower);
        if (status == SF_OK)
            status = wait_for_message(follower, until);
    }
    return status;
}
