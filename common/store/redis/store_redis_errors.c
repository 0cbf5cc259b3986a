/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_errors.h"

#include <stdio.h>

static const struct sf_redis_fault faults[] = {
    {"READONLY", SF_UNAVAILABLE, true, "this is a replica, which takes no writes"},
    {"LOADING", SF_UNAVAILABLE, false, "the server is still loading its data from disk"},
    {"MASTERDOWN", SF_UNAVAILABLE, true, "this is a replica that has lost its master"},
    {"OOM", SF_FULL, false, "the server has reached maxmemory"},
    {"MISCONF", SF_UNAVAILABLE, false, "the server cannot save to its disk, and so takes no writes"},
    {"NOREPLICAS", SF_UNAVAILABLE, false, "too few replicas for min-replicas-to-write"},
    {"NOAUTH", SF_UNAVAILABLE, true, "the server asks for a password"},
    {"WRONGPASS", SF_UNAVAILABLE, true, "the server does not take this user and password"},
    {"NOPERM", SF_UNAVAILABLE, true, "the user lacks a right that docs/stores.md names"},
    {"BUSY", SF_UNAVAILABLE, false, "somebody's script has kept the server busy for too long"},
    {"NOSCRIPT", SF_UNAVAILABLE, true, "the server has forgotten the script; it gets it again"},
    {"CLUSTERDOWN", SF_UNAVAILABLE, true, "the Cluster is down, or this part of it"},
    {"MOVED", SF_UNAVAILABLE, true, "this is a node of a Cluster: begin the URL with redis-cluster:"},
    {"ASK", SF_UNAVAILABLE, true, "this is a node of a Cluster: begin the URL with redis-cluster:"},
    {"TRYAGAIN", SF_UNAVAILABLE, false, "this is a node of a Cluster: begin the URL with redis-cluster:"},
    {"CROSSSLOT", SF_UNAVAILABLE, true, "this is a node of a Cluster: begin the URL with redis-cluster:"},
    {SF_REDIS_MAXCLIENTS, SF_UNAVAILABLE, true, "the server has reached maxclients"},
    {"WRONGTYPE", SF_INVALID, false, "somebody else has put something there that is no session"},
};

static const struct sf_redis_fault unknown = {"", SF_UNAVAILABLE, false, "the server answers with an error"};

static bool
stands_at(const struct sf_span reply, size_t at, const char *word)
{
    size_t length = strlen(word);
    return at + length <= reply.size && memcmp(reply.data + at, word, length) == 0
           && (at + length == reply.size || reply.data[at + length] == ' ');
}

/* Redis 6 and older put "-OOM ..." behind "ERR Error running script ..."; later ones begin with it. */
static bool
says(struct sf_span reply, const char *word)
{
    if (stands_at(reply, 0, word))
        return true;
    if (!stands_at(reply, 0, "ERR"))
        return false;
    for (size_t at = 1; at < reply.size; at++)
        if (reply.data[at - 1] == '-' && stands_at(reply, at, word))
            return true;
    return false;
}

bool
sf_redis_fault_is(struct sf_span reply, const char *word)
{
    return stands_at(reply, 0, word);
}

const struct sf_redis_fault *
sf_redis_fault(struct sf_span reply)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (says(reply, faults[i].word))
            return &faults[i];
    return &unknown;
}

void
sf_redis_words_format(struct sf_span reply, char text_out[SF_REDIS_WORDS_TEXT])
{
    static const char repeats[] = ", with args";
    const unsigned char *end =
        reply.size == 0 ? NULL : memmem(reply.data, reply.size, repeats, sizeof repeats - 1);
    size_t size = end == NULL ? reply.size : (size_t)(end - reply.data);
    snprintf(text_out, SF_REDIS_WORDS_TEXT, "%.*s", size > SF_REDIS_WORDS_TEXT ? SF_REDIS_WORDS_TEXT : (int)size,
             size == 0 ? "" : (const char *)reply.data);
    sf_text_clean(text_out);
}
