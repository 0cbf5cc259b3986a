/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_keys.h"

#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/redis/store_redis_batch.h"
#include "common/store/redis/store_redis_rows.h"

#define AT_ONCE "1000" /* a hint: keys that the server looks at for each SCAN */
#define PATTERN_TEXT 512
#define SLOTS_BYTES_MAX (1u << 20) /* of what all nodes say of their slots */
#define SLOTS_WORD 8 /* of a line of CLUSTER NODES: from here on stand its slots */
#define TRIES 3      /* while keys move */

void
sf_redis_keys_fini(struct sf_redis_keys *keys)
{
    free(keys->list);
    *keys = (struct sf_redis_keys){.list = NULL};
}

/* ---- taking ---- */

/* What a question is for. */
struct listing {
    struct sf_redis_keys *keys;
    struct sf_redis_connection *connection;
    size_t skipped; /* bytes of each name before its 32 digits */
    char *cursor;
    struct sf_buffer *slots; /* of all nodes of a Cluster */
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
                   && reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len < SF_REDIS_CURSOR_TEXT
                   && reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!is_page) {
        refuse_reply(listing, reply);
        return;
    }
    memcpy(listing->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    take_names(listing, reply->element[1]);
}

/* ---- slots of a Cluster ---- */

/* The line about the node itself: "id host:port flags,myself ... slots". */
static struct sf_span
find_slots(struct sf_span text)
{
    const char *line = memmem(text.data, text.size, "myself", strlen("myself"));
    if (line == NULL)
        return sf_span_of(NULL, 0);
    while (line > (const char *)text.data && line[-1] != '\n')
        line--;
    for (int word = 0; word < SLOTS_WORD && *line != '\n' && *line != '\0'; word++)
        line += strcspn(line, " \n") + (line[strcspn(line, " \n")] == ' ');
    return sf_span_of(line, strcspn(line, "\n"));
}

static void
take_nodes(void *context, size_t index, const struct redisReply *reply)
{
    struct listing *listing = context;
    (void)index;
    if (reply->type != REDIS_REPLY_STRING) {
        refuse_reply(listing, reply);
        return;
    }
    listing->status = sf_buffer_append_span(listing->slots, find_slots(sf_span_of(reply->str, reply->len)));
    if (listing->status == SF_OK)
        listing->status = sf_buffer_append_text(listing->slots, "\n");
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
format_pattern(const char *prefix, char text_out[PATTERN_TEXT])
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

/* A cursor is worth something only where it comes from: on another connection another server may have it. */
static enum sf_status
list_page(struct listing *listing, struct sf_redis_listing *state, sf_time deadline, struct sf_error *error)
{
    const struct sf_redis_connection *connection = listing->connection;
    char pattern[PATTERN_TEXT];
    format_pattern(connection->server->prefix, pattern);
    listing->skipped = strlen(connection->server->prefix);
    listing->cursor = state->cursor;
    const char *const words[] = {"SCAN", state->cursor, "MATCH", pattern, "COUNT", AT_ONCE};
    enum sf_status status = ask(listing, words, 6, take_page, deadline, error);
    if (status == SF_OK && state->nonce != 0 && state->nonce != connection->nonce)
        status = sf_redis_fail(connection, SF_UNAVAILABLE, "the connection was lost while keys were listed", error);
    state->nonce = connection->nonce;
    return status;
}

static void
begin_node(struct sf_redis_listing *state, size_t node)
{
    state->node = node;
    state->nonce = 0;
    snprintf(state->cursor, sizeof state->cursor, "0");
}

/* Up to the first page behind which its node has more: SF_FULL. */
static enum sf_status
list_nodes(struct listing *listing, struct sf_redis_listing *state, struct sf_redis_lane *lane, sf_time deadline,
           struct sf_error *error)
{
    while (state->node < lane->count) {
        listing->connection = &lane->nodes[state->node]->connection;
        enum sf_status status = list_page(listing, state, deadline, error);
        if (status != SF_OK)
            return status;
        if (strcmp(state->cursor, "0") != 0)
            return SF_FULL;
        begin_node(state, state->node + 1);
    }
    return SF_OK;
}

/* What each node says of its own slots. */
static enum sf_status
list_slots(struct listing *listing, struct sf_redis_lane *lane, struct sf_buffer *slots_out, sf_time deadline,
           struct sf_error *error)
{
    enum sf_status status = SF_OK;
    listing->slots = slots_out;
    sf_buffer_clear(slots_out);
    for (size_t i = 0; i < lane->count && status == SF_OK; i++) {
        listing->connection = &lane->nodes[i]->connection;
        status = ask(listing, (const char *const[]){"CLUSTER", "NODES"}, 2, take_nodes, deadline, error);
    }
    return status;
}

static enum sf_status
begin_listing(struct listing *listing, struct sf_redis_listing *state, struct sf_redis_lane *lane, sf_time deadline,
              struct sf_error *error)
{
    enum sf_status status = SF_OK;
    if (lane->server->kind == SF_REDIS_CLUSTER) {
        status = sf_redis_lane_look(lane, true, deadline, error);
        if (status == SF_OK)
            status = list_slots(listing, lane, &state->slots, deadline, error);
    }
    listing->keys->count = 0;
    state->generation = lane->generation;
    state->is_begun = status == SF_OK;
    begin_node(state, 0);
    return status;
}

/* SF_CONFLICT: keys have moved meanwhile. A slot that is on its way stands there in brackets. */
static enum sf_status
check_slots(struct listing *listing, const struct sf_redis_listing *state, struct sf_redis_lane *lane,
            sf_time deadline, struct sf_error *error)
{
    struct sf_buffer slots;
    sf_buffer_init(&slots, SLOTS_BYTES_MAX);
    enum sf_status status = list_slots(listing, lane, &slots, deadline, error);
    bool is_moving = state->generation != lane->generation
                     || !sf_span_equal(sf_buffer_span(&state->slots), sf_buffer_span(&slots))
                     || (slots.size > 0 && memchr(slots.data, '[', slots.size) != NULL);
    sf_buffer_fini(&slots);
    if (status != SF_OK || !is_moving)
        return status;
    return sf_error_set(error, SF_CONFLICT, "%s: keys are being moved to other nodes: a list of them would have holes",
                        lane->server->url.label);
}

static enum sf_status
list_more(struct listing *listing, struct sf_redis_listing *state, struct sf_redis_lane *lane, sf_time deadline,
          struct sf_error *error)
{
    bool is_cluster = lane->server->kind == SF_REDIS_CLUSTER;
    enum sf_status status = state->is_begun ? SF_OK : begin_listing(listing, state, lane, deadline, error);
    if (status == SF_OK && (!is_cluster || state->generation == lane->generation))
        status = list_nodes(listing, state, lane, deadline, error);
    if (status == SF_OK && is_cluster)
        status = check_slots(listing, state, lane, deadline, error);
    if (status != SF_CONFLICT)
        return status;
    state->is_begun = false;
    return ++state->tries < TRIES ? SF_FULL : SF_UNAVAILABLE;
}

void
sf_redis_listing_fini(struct sf_redis_listing *listing)
{
    sf_buffer_fini(&listing->slots);
    *listing = (struct sf_redis_listing){.is_begun = false};
}

enum sf_status
sf_redis_keys_all(struct sf_redis_keys *keys_out, struct sf_redis_listing *listing, struct sf_redis_lane *lane,
                  sf_time deadline, struct sf_error *error)
{
    struct listing question = {.keys = keys_out};
    if (!listing->is_begun && listing->slots.limit == 0)
        sf_buffer_init(&listing->slots, SLOTS_BYTES_MAX);
    enum sf_status status = list_more(&question, listing, lane, deadline, error);
    if (status == SF_OK)
        put_in_order(keys_out);
    if (status != SF_FULL)
        sf_redis_listing_fini(listing);
    return status;
}

/* ---- of one user ---- */

struct membership {
    struct listing listing;
    struct sf_redis_batch batch;
    char name[SF_REDIS_INDEX_TEXT];
};

static enum sf_status
add_question(void *context, size_t call, struct sf_redis_connection *connection)
{
    struct membership *membership = context;
    (void)call;
    return sf_redis_words(connection, (const char *const[]){"ZRANGE", membership->name, "0", "-1"}, 4);
}

static bool
take_members(void *context, size_t call, struct sf_redis_connection *connection, const struct redisReply *reply)
{
    struct membership *membership = context;
    struct listing *listing = &membership->listing;
    (void)call;
    listing->connection = connection;
    listing->status = SF_OK;
    listing->keys->count = 0;
    if (reply->type == REDIS_REPLY_ARRAY)
        take_names(listing, reply);
    else
        refuse_reply(listing, reply);
    return !connection->must_leave;
}

static void
lose_question(void *context, size_t call, enum sf_status status)
{
    struct membership *membership = context;
    (void)call;
    membership->listing.status = status == SF_NO_MEMORY ? SF_NO_MEMORY : SF_UNAVAILABLE;
    membership->listing.error = membership->batch.error;
}

enum sf_status
sf_redis_keys_of(struct sf_redis_keys *keys_out, struct sf_redis_lane *lane, struct sf_span user, sf_time deadline,
                 struct sf_error *error)
{
    struct membership membership = {.listing.keys = keys_out};
    keys_out->count = 0;
    if (user.size > SF_USER_MAX)
        return SF_OK;
    membership.batch = (struct sf_redis_batch){.lane = lane, .is_read = true, .count = 1, .add = add_question,
                                               .answer = take_members, .lose = lose_question, .context = &membership};
    membership.batch.calls[0].slot = sf_redis_index_slot(lane->server, user);
    sf_redis_index_format(lane->server, user, membership.name);
    (void)!sf_redis_batch_run(&membership.batch, deadline);
    enum sf_status status = settle(&membership.listing, SF_OK, error);
    if (status == SF_OK)
        put_in_order(keys_out);
    return status;
}
