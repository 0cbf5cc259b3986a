/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_nodes.h"

#include <string.h>

/* Of a line: id, address, flags, and from SLOTS on its slots. */
enum { ID, ADDRESS, FLAGS, SLOTS = 8 };

static struct sf_span
take_until(struct sf_span *rest, char end)
{
    const unsigned char *at = rest->size == 0 ? NULL : memchr(rest->data, end, rest->size);
    size_t size = at == NULL ? rest->size : (size_t)(at - rest->data);
    struct sf_span word = sf_span_of(rest->data, size);
    *rest = sf_span_of(rest->data + size + (at != NULL), rest->size - size - (at != NULL));
    return word;
}

static bool
has_flag(struct sf_span flags, const char *name)
{
    while (flags.size > 0)
        if (sf_span_equal(take_until(&flags, ','), sf_span_text(name)))
            return true;
    return false;
}

/* host:port@bus,name: the host may be an IPv6 number, or missing, and so may the name. */
static enum sf_status
read_place(struct sf_redis_place *place, struct sf_span address, bool is_tls, const struct sf_redis_place *asked)
{
    int64_t port;
    struct sf_span rest = address, numbers = take_until(&rest, '@');
    (void)take_until(&rest, ',');
    struct sf_span name = take_until(&rest, ',');
    const unsigned char *colon = numbers.size == 0 ? NULL : memrchr(numbers.data, ':', numbers.size);
    if (colon == NULL)
        return SF_INVALID;
    struct sf_span host = sf_span_of(numbers.data, (size_t)(colon - numbers.data));
    if (is_tls && name.size > 0)
        host = name;
    if (host.size == 0)
        host = sf_span_text(asked->host);
    size_t digits = (size_t)(numbers.data + numbers.size - colon) - 1;
    if (sf_int64_parse(sf_span_of(colon + 1, digits), &port) != SF_OK)
        return SF_INVALID;
    return sf_redis_place_set(place, host, port);
}

static bool
is_known(const struct sf_redis_nodes *nodes, struct sf_span id)
{
    for (size_t i = 0; i < nodes->count; i++)
        if (sf_span_equal(id, sf_span_text(nodes->list[i].id)))
            return true;
    return false;
}

static bool
is_master(struct sf_span flags, bool has_slots)
{
    return has_flag(flags, "master") && !has_flag(flags, "handshake") && !has_flag(flags, "noaddr")
           && (has_slots || !has_flag(flags, "fail"));
}

static enum sf_status
read_line(struct sf_redis_nodes *nodes, struct sf_span line, bool is_tls, const struct sf_redis_place *asked)
{
    struct sf_span words[SLOTS];
    for (size_t i = 0; i < SLOTS; i++) {
        words[i] = take_until(&line, ' ');
        if (words[i].size == 0)
            return SF_INVALID;
    }
    if (words[ID].size != SF_REDIS_ID_TEXT - 1)
        return SF_INVALID;
    if (!is_master(words[FLAGS], line.size > 0) || is_known(nodes, words[ID]))
        return SF_OK;
    if (nodes->count == SF_REDIS_NODES_MAX)
        return SF_INVALID;
    memcpy(nodes->list[nodes->count].id, words[ID].data, words[ID].size);
    nodes->list[nodes->count].id[words[ID].size] = '\0';
    return read_place(&nodes->list[nodes->count++].place, words[ADDRESS], is_tls, asked);
}

enum sf_status
sf_redis_nodes_read(struct sf_redis_nodes *nodes, struct sf_span text, bool is_tls, const struct sf_redis_place *asked)
{
    enum sf_status status = text.size == 0 ? SF_INVALID : SF_OK;
    while (status == SF_OK && text.size > 0)
        status = read_line(nodes, take_until(&text, '\n'), is_tls, asked);
    return status;
}
