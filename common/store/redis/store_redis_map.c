/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_map.h"

#include <hiredis.h>
#include <string.h>

/* ---- slots ---- */

/* XMODEM: x^16 + x^12 + x^5 + 1, beginning with 0. */
static uint16_t
crc16(struct sf_span bytes)
{
    unsigned crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (unsigned)bytes.data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

unsigned
sf_redis_slot(struct sf_span key)
{
    const unsigned char *open = key.size == 0 ? NULL : memchr(key.data, '{', key.size);
    const unsigned char *end = key.data + key.size;
    const unsigned char *close = open == NULL ? NULL : memchr(open + 1, '}', (size_t)(end - open - 1));
    if (close != NULL && close > open + 1)
        key = sf_span_of(open + 1, (size_t)(close - open - 1));
    return crc16(key) % SF_REDIS_SLOTS;
}

/* ---- the map ---- */

/* An unknown host is nil, "", or "?". */
static bool
read_node(struct sf_redis_place *place, const redisReply *node, const struct sf_redis_place *asked)
{
    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 || node->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    const redisReply *host = node->element[0];
    bool is_known = host->type == REDIS_REPLY_STRING && host->len > 0 && strcmp(host->str, "?") != 0;
    struct sf_span name = is_known ? sf_span_of(host->str, host->len) : sf_span_text(asked->host);
    return sf_redis_place_set(place, name, node->element[1]->integer) == SF_OK;
}

/* Index; SF_REDIS_NO_NODE: there are too many. */
static uint8_t
add_node(struct sf_redis_map *map, const struct sf_redis_place *place)
{
    for (size_t i = 0; i < map->count; i++)
        if (sf_redis_place_equal(&map->nodes[i], place))
            return (uint8_t)i;
    if (map->count == SF_REDIS_NODES_MAX)
        return SF_REDIS_NO_NODE;
    map->nodes[map->count] = *place;
    return (uint8_t)map->count++;
}

/* First slot, last slot, master, replicas. */
static bool
read_range(struct sf_redis_map *map, const redisReply *range, const struct sf_redis_place *asked)
{
    struct sf_redis_place place;
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || range->element[0]->type != REDIS_REPLY_INTEGER
        || range->element[1]->type != REDIS_REPLY_INTEGER || !read_node(&place, range->element[2], asked))
        return false;
    long long first = range->element[0]->integer, last = range->element[1]->integer;
    uint8_t node = add_node(map, &place);
    if (first < 0 || last < first || last >= SF_REDIS_SLOTS || node == SF_REDIS_NO_NODE)
        return false;
    memset(map->owner + first, node, (size_t)(last - first + 1));
    return true;
}

enum sf_status
sf_redis_map_read(struct sf_redis_map *map_out, const struct redisReply *reply, const struct sf_redis_place *asked)
{
    map_out->count = 0;
    memset(map_out->owner, SF_REDIS_NO_NODE, sizeof map_out->owner);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return SF_INVALID;
    for (size_t i = 0; i < reply->elements; i++)
        if (!read_range(map_out, reply->element[i], asked))
            return SF_INVALID;
    return SF_OK;
}

/* ---- redirects ---- */

static bool
begins_with(struct sf_span text, const char *word)
{
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

/* "3999 host:port": the last colon counts, for the host may be an IPv6 number. */
static bool
read_target(struct sf_redis_redirect *redirect, struct sf_span text, const struct sf_redis_place *asked)
{
    int64_t slot, port;
    const unsigned char *blank = text.size == 0 ? NULL : memchr(text.data, ' ', text.size);
    const unsigned char *end = text.data + text.size;
    const unsigned char *colon = blank == NULL ? NULL : memrchr(blank, ':', (size_t)(end - blank));
    if (colon == NULL || sf_int64_parse(sf_span_of(text.data, (size_t)(blank - text.data)), &slot) != SF_OK
        || slot < 0 || slot >= SF_REDIS_SLOTS
        || sf_int64_parse(sf_span_of(colon + 1, (size_t)(end - colon - 1)), &port) != SF_OK)
        return false;
    struct sf_span host = sf_span_of(blank + 1, (size_t)(colon - blank - 1));
    bool is_known = host.size > 0 && !sf_span_equal(host, sf_span_text("?"));
    redirect->slot = (unsigned)slot;
    return sf_redis_place_set(&redirect->place, is_known ? host : sf_span_text(asked->host), port) == SF_OK;
}

bool
sf_redis_redirect_read(struct sf_redis_redirect *redirect_out, struct sf_span error, const struct sf_redis_place *asked)
{
    redirect_out->is_ask = begins_with(error, "ASK ");
    if (!redirect_out->is_ask && !begins_with(error, "MOVED "))
        return false;
    size_t word = strlen(redirect_out->is_ask ? "ASK " : "MOVED ");
    return read_target(redirect_out, sf_span_of(error.data + word, error.size - word), asked);
}
