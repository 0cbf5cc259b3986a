/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_redis_keys.h"

#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE "1000" /* a hint: keys that the server looks at for each SCAN */
#define CURSOR_TEXT 24
#define NAME_TEXT (SF_STORE_PASSWORD_MAX + SF_KEY_TEXT)

void
sf_redis_keys_fini(struct sf_redis_keys *keys)
{
    free(keys->list);
    *keys = (struct sf_redis_keys){.list = NULL};
}

/* ---- taking ---- */

struct listing {
    struct sf_redis_keys *keys;
    struct sf_redis_connection *connection;
    size_t skipped; /* bytes of each name before its 32 digits */
    char cursor[CURSOR_TEXT];
    enum sf_status status;
    struct sf_error error;
};

static enum sf_status
add_key(struct sf_redis_keys *keys, const struct sf_key *key)
{
    if (keys->count == keys->capacity) {
        size_t capacity = keys->capacity == 0 ? 1024 : 2 * keys->capacity;
        struct sf_key *larger = reallocarray(keys->list, capacity, sizeof *larger);
        if (larger == NULL)
            return SF_NO_MEMORY;
        keys->list = larger;
        keys->capacity = capacity;
    }
    keys->list[keys->count++] = *key;
    return SF_OK;
}

/* Names that are no session's are left out: somebody else's, or our own indexes. */
static void
take_names(struct listing *listing, const redisReply *names)
{
    struct sf_key key;
    for (size_t i = 0; i < names->elements && listing->status == SF_OK; i++) {
        const redisReply *name = names->element[i];
        if (name->type == REDIS_REPLY_STRING && name->len == listing->skipped + SF_KEY_TEXT
            && sf_key_parse(&key, sf_span_of(name->str + listing->skipped, SF_KEY_TEXT)) == SF_OK)
            listing->status = add_key(listing->keys, &key);
    }
}

static void
refuse_reply(struct listing *listing, const struct redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        listing->status = sf_redis_judge(listing->connection, reply, &listing->error);
    if (listing->status != SF_NO_MEMORY)
        listing->status = SF_UNAVAILABLE;
}

static void
take_page(void *context, size_t index, const struct redisReply *reply)
{
    struct listing *listing = context;
    (void)index;
    bool is_page = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                   && reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len < CURSOR_TEXT
                   && reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!is_page) {
        refuse_reply(listing, reply);
        return;
    }
    memcpy(listing->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    take_names(listing, reply->element[1]);
}

static void
take_members(void *context, size_t index, const struct redisReply *reply)
{
    struct listing *listing = context;
    (void)index;
    if (reply->type == REDIS_REPLY_ARRAY)
        take_names(listing, reply);
    else
        refuse_reply(listing, reply);
}

/* ---- order ---- */

static int
compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct sf_key));
}

/* SCAN may name a key more than once. */
static void
put_in_order(struct sf_redis_keys *keys)
{
    size_t kept = 0;
    if (keys->count > 0)
        qsort(keys->list, keys->count, sizeof *keys->list, compare_keys);
    for (size_t i = 0; i < keys->count; i++)
        if (kept == 0 || compare_keys(&keys->list[kept - 1], &keys->list[i]) != 0)
            keys->list[kept++] = keys->list[i];
    keys->count = kept;
}

size_t
sf_redis_keys_behind(const struct sf_redis_keys *keys, const struct sf_key *after)
{
    size_t low = 0, high = after == NULL ? 0 : keys->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(&keys->list[middle], after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- asking ---- */

static enum sf_status
settle(struct listing *listing, enum sf_status status, struct sf_error *error)
{
    if (status == SF_OK && listing->status != SF_OK) {
        status = listing->status;
        const char *text = listing->error.text[0] != '\0' ? listing->error.text : "the keys cannot be listed";
        sf_error_set(error, status, "%s", text);
    }
    return status == SF_UNCERTAIN ? SF_UNAVAILABLE : status;
}

static enum sf_status
ask(struct listing *listing, const char *const *words, size_t count, sf_redis_take_fn *take, sf_time deadline,
    struct sf_error *error)
{
    enum sf_status status = sf_redis_begin(listing->connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_words(listing->connection, words, count);
    if (status == SF_OK)
        status = sf_redis_finish(listing->connection, deadline, take, listing, error);
    return settle(listing, status, error);
}

/* The prefix as it is, and 32 of anything. */
static void
format_pattern(const char *prefix, char text_out[2 * NAME_TEXT])
{
    char *to = text_out;
    for (const char *from = prefix; *from != '\0'; from++) {
        if (strchr("*?[]\\^", *from) != NULL)
            *to++ = '\\';
        *to++ = *from;
    }
    memset(to, '?', SF_KEY_TEXT);
    to[SF_KEY_TEXT] = '\0';
}

enum sf_status
sf_redis_keys_all(struct sf_redis_keys *keys_out, struct sf_redis_connection *connection, sf_time deadline,
                  struct sf_error *error)
{
    char pattern[2 * NAME_TEXT];
    struct listing listing = {.keys = keys_out, .connection = connection, .cursor = "0"};
    listing.skipped = strlen(connection->server->prefix);
    format_pattern(connection->server->prefix, pattern);
    keys_out->count = 0;
    do {
        const char *const words[] = {"SCAN", listing.cursor, "MATCH", pattern, "COUNT", AT_ONCE};
        enum sf_status status = ask(&listing, words, 6, take_page, deadline, error);
        if (status != SF_OK)
            return status;
    } while (strcmp(listing.cursor, "0") != 0);
    put_in_order(keys_out);
    return SF_OK;
}

enum sf_status
sf_redis_keys_of(struct sf_redis_keys *keys_out, struct sf_redis_connection *connection, struct sf_span user,
                 sf_time deadline, struct sf_error *error)
{
    char name[NAME_TEXT + SF_USER_MAX];
    struct listing listing = {.keys = keys_out, .connection = connection};
    keys_out->count = 0;
    if (user.size > SF_USER_MAX)
        return SF_OK;
    snprintf(name, sizeof name, "%s@user:%.*s", connection->server->prefix, (int)user.size, (const char *)user.data);
    enum sf_status status =
        ask(&listing, (const char *const[]){"ZRANGE", name, "0", "-1"}, 4, take_members, deadline, error);
    if (status == SF_OK)
        put_in_order(keys_out);
    return status;
}
