/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l2_memcached.c - memcached://host[:port][,host...] with its meta commands, on streams that never block.
 *
 * A lease is an empty item that a question has made, a mark the item "-"; the ticket is memcached's own
 * CAS number. Numbers run on over a connection, so a reply too many or too few shows at once; then all of the
 * pipeline is thrown away with the connection.
 */
#include "common/store/l2/l2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/store/l2/memcached_examine.h"
#include "common/store/l2/memcached_meta.h"
#include "common/store/wire.h"

#define PORT 11211
#define OUT_BYTES_MAX (8u << 20)
#define IN_BYTES_MAX (SF_L2_VALUE_MAX + 65536)
#define PIECE 16384
#define LINE_MAX 512
#define MARK "-"

struct connection {
    struct sf_wire *wire;  /* NULL: closed */
    uint64_t link;         /* a new one for each */
    uint32_t number;       /* of the next command */
    struct sf_buffer out, in;
    size_t taken;          /* of `in` */
};

struct memcached {
    struct sf_l2 base;
    struct sf_store_url url;
    struct sf_resolver *resolvers[SF_STORE_HOSTS_MAX];
    struct connection connections[SF_STORE_HOSTS_MAX][SF_STORE_LANES];
};

/* ---- a connection ---- */

static void
disconnect(struct connection *connection)
{
    sf_wire_close(connection->wire);
    connection->wire = NULL;
}

static enum sf_status
connect_anew(struct connection *connection, struct sf_resolver *resolver, sf_time deadline, struct sf_error *error)
{
    struct sf_addresses addresses;
    enum sf_status status = sf_resolver_find(resolver, deadline, &addresses, error);
    if (status == SF_OK)
        status = sf_wire_open(&connection->wire, &addresses, NULL, deadline, error);
    if (status != SF_OK)
        sf_resolver_doubt(resolver);
    else
        status = sf_random_bytes(&connection->number, sizeof connection->number);
    connection->link++;
    return status;
}

/* Unread bytes on a connection between two pipelines are nobody's. */
static enum sf_status
connect_if_needed(struct connection *connection, struct sf_resolver *resolver, sf_time deadline,
                  struct sf_error *error)
{
    if (connection->wire != NULL && !sf_wire_is_quiet(connection->wire))
        disconnect(connection);
    sf_buffer_clear(&connection->out);
    sf_buffer_clear(&connection->in);
    connection->taken = 0;
    return connection->wire != NULL ? SF_OK : connect_anew(connection, resolver, deadline, error);
}

/* ---- reading ---- */

static enum sf_status
receive(struct connection *connection, sf_time deadline, struct sf_error *error)
{
    size_t size;
    if (connection->taken == connection->in.size) {
        sf_buffer_clear(&connection->in);
        connection->taken = 0;
    }
    if (sf_buffer_reserve(&connection->in, PIECE) != SF_OK)
        return sf_error_set(error, SF_UNAVAILABLE, "a reply of more than %u bytes", IN_BYTES_MAX);
    enum sf_status status =
        sf_wire_receive(connection->wire, connection->in.data + connection->in.size, PIECE, &size, deadline, error);
    if (status == SF_OK)
        connection->in.size += size;
    return status;
}

/* What came and is not taken yet. */
static struct sf_span
pending(const struct connection *connection)
{
    return sf_span_of(connection->in.data + connection->taken, connection->in.size - connection->taken);
}

static enum sf_status
read_line(struct connection *connection, struct sf_meta_reply *reply_out, sf_time deadline, struct sf_error *error)
{
    for (;;) {
        struct sf_span rest = pending(connection);
        const unsigned char *end = rest.size == 0 ? NULL : memmem(rest.data, rest.size, "\r\n", 2);
        if (end != NULL) {
            size_t size = (size_t)(end - rest.data);
            connection->taken += size + 2;
            if (sf_meta_parse(reply_out, sf_span_of(rest.data, size)) == SF_OK)
                return SF_OK;
            return sf_error_set(error, SF_UNAVAILABLE, "it does not speak memcached's meta commands (1.6.10 or later)");
        }
        if (rest.size > LINE_MAX)
            return sf_error_set(error, SF_UNAVAILABLE, "what it says is not memcached's protocol");
        enum sf_status status = receive(connection, deadline, error);
        if (status != SF_OK)
            return status;
    }
}

static enum sf_status
read_value(struct connection *connection, size_t size, struct sf_buffer *value_out, sf_time deadline,
           struct sf_error *error)
{
    if (size > SF_L2_VALUE_MAX)
        return sf_error_set(error, SF_UNAVAILABLE, "a value of %zu bytes", size);
    while (pending(connection).size < size + 2) {
        enum sf_status status = receive(connection, deadline, error);
        if (status != SF_OK)
            return status;
    }
    struct sf_span all = pending(connection);
    connection->taken += size + 2;
    if (memcmp(all.data + size, "\r\n", 2) != 0)
        return sf_error_set(error, SF_UNAVAILABLE, "a value that does not end where it should");
    sf_buffer_clear(value_out);
    if (sf_buffer_append(value_out, all.data, size) != SF_OK)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    return SF_OK;
}

/* ---- what a reply means ---- */

static void
take_get(struct sf_l2_item *item, const struct sf_meta_reply *reply, uint64_t link)
{
    bool is_mark = sf_span_equal(sf_buffer_span(&item->value), sf_span_text(MARK));
    bool is_others = item->value.size == 0 && !reply->is_ours;
    item->ticket = (struct sf_l2_ticket){is_mark || is_others ? 0 : reply->cas, link};
    item->is_done = true;
    if (is_mark)
        sf_buffer_clear(&item->value);
}

static void
take_reply(struct sf_l2_item *item, enum sf_l2_call call, const struct sf_meta_reply *reply, uint64_t link)
{
    switch (call) {
    case SF_L2_GET: take_get(item, reply, link); break;
    case SF_L2_FILL: item->is_done = reply->code == SF_META_DONE; break;
    case SF_L2_HIDE:
        item->is_done = reply->code == SF_META_DONE && reply->cas != 0;
        item->ticket = (struct sf_l2_ticket){item->is_done ? reply->cas : 0, link};
        break;
    case SF_L2_SHOW: item->is_done = reply->code == SF_META_DONE || reply->code == SF_META_MISSING; break;
    }
}

/* What was refused has no number: the next reply, at the latest the last one, shows whether it was this one's. */
static bool
belongs(const struct sf_meta_reply *reply, uint32_t number)
{
    if (reply->code == SF_META_REFUSED)
        return true;
    return reply->code != SF_META_END && reply->has_number && reply->number == number;
}

static enum sf_status
read_reply(struct connection *connection, struct sf_l2_item *item, enum sf_l2_call call, uint32_t number,
           sf_time deadline, struct sf_error *error)
{
    struct sf_meta_reply reply;
    enum sf_status status = read_line(connection, &reply, deadline, error);
    if (status != SF_OK)
        return status;
    if (!belongs(&reply, number) || (call == SF_L2_GET) != (reply.code == SF_META_VALUE))
        return sf_error_set(error, SF_UNAVAILABLE, "it answers what it was not asked");
    if (reply.code == SF_META_VALUE)
        status = read_value(connection, reply.size, &item->value, deadline, error);
    if (status == SF_OK)
        take_reply(item, call, &reply, connection->link);
    return status;
}

/* What was given by another connection says nothing on this one: the server may have begun to count anew. */
static bool
is_asked(const struct connection *connection, enum sf_l2_call call, const struct sf_l2_item *item)
{
    return call == SF_L2_GET || call == SF_L2_HIDE || item->ticket.link == connection->link;
}

/* `number`: of the first command. */
static enum sf_status
read_replies(struct connection *connection, enum sf_l2_call call, struct sf_l2_item *const *items, size_t count,
             uint32_t number, sf_time deadline, struct sf_error *error)
{
    struct sf_meta_reply reply;
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < count && status == SF_OK; i++)
        if (is_asked(connection, call, items[i]))
            status = read_reply(connection, items[i], call, number++, deadline, error);
    if (status == SF_OK)
        status = read_line(connection, &reply, deadline, error);
    if (status == SF_OK && (reply.code != SF_META_END || pending(connection).size > 0))
        status = sf_error_set(error, SF_UNAVAILABLE, "it says more than it was asked");
    return status;
}

/* ---- asking ---- */

static enum sf_status
add_command(struct sf_buffer *out, enum sf_l2_call call, const struct sf_l2_item *item, uint32_t number)
{
    struct sf_meta_item meta = {.key = &item->key, .number = number};
    switch (call) {
    case SF_L2_GET:
        meta.ttl = SF_L2_LEASE;
        return sf_meta_get(out, &meta);
    case SF_L2_FILL:
        meta.cas = item->ticket.mark;
        meta.ttl = item->ttl;
        meta.value = sf_buffer_span(&item->value);
        return sf_meta_set(out, &meta);
    case SF_L2_HIDE:
        meta.ttl = SF_L2_MARK;
        meta.value = sf_span_text(MARK);
        return sf_meta_set(out, &meta);
    case SF_L2_SHOW:
        meta.cas = item->ticket.mark;
        return sf_meta_delete(out, &meta);
    }
    return SF_INVALID;
}

static enum sf_status
add_commands(struct connection *connection, enum sf_l2_call call, struct sf_l2_item *const *items, size_t count)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; i < count && status == SF_OK; i++)
        if (is_asked(connection, call, items[i]))
            status = add_command(&connection->out, call, items[i], connection->number++);
    return status == SF_OK ? sf_meta_end(&connection->out) : status;
}

static enum sf_status
exchange(struct connection *connection, enum sf_l2_call call, struct sf_l2_item *const *items, size_t count,
         sf_time deadline, struct sf_error *error)
{
    uint32_t number = connection->number;
    if (add_commands(connection, call, items, count) != SF_OK)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    enum sf_status status = sf_wire_send(connection->wire, sf_buffer_span(&connection->out), deadline, error);
    return status == SF_OK ? read_replies(connection, call, items, count, number, deadline, error) : status;
}

static enum sf_status
memcached_talk(struct sf_l2 *l2, unsigned server, enum sf_store_lane lane, enum sf_l2_call call,
               struct sf_l2_item *const *items, size_t count, sf_time deadline, uint64_t *link_out,
               struct sf_error *error)
{
    struct memcached *memcached = (struct memcached *)l2;
    struct connection *connection = &memcached->connections[server][lane];
    struct sf_error reason = {.text = ""};
    enum sf_status status = connect_if_needed(connection, memcached->resolvers[server], deadline, &reason);
    *link_out = connection->link;
    if (status == SF_OK)
        status = exchange(connection, call, items, count, deadline, &reason);
    if (status == SF_OK)
        return SF_OK;
    disconnect(connection);
    return sf_error_set(error, SF_UNAVAILABLE, "memcached %s: %s", l2->servers[server].name, reason.text);
}

static enum sf_status
memcached_examine(struct sf_l2 *l2, unsigned server, sf_time deadline, struct sf_findings *findings)
{
    struct memcached *memcached = (struct memcached *)l2;
    return sf_memcached_examine(&memcached->url.hosts[server], memcached->resolvers[server], deadline, findings);
}

/* ---- life ---- */

static void
memcached_close(struct sf_l2 *l2)
{
    struct memcached *memcached = (struct memcached *)l2;
    for (size_t i = 0; i < SF_STORE_HOSTS_MAX; i++) {
        sf_resolver_free(memcached->resolvers[i]);
        for (size_t lane = 0; lane < SF_STORE_LANES; lane++) {
            disconnect(&memcached->connections[i][lane]);
            sf_buffer_fini(&memcached->connections[i][lane].out);
            sf_buffer_fini(&memcached->connections[i][lane].in);
        }
    }
    sf_l2_fini(l2);
    sf_store_url_fini(&memcached->url);
    free(memcached);
}

static enum sf_status
check_url(const struct sf_store_url *url, struct sf_error *error)
{
    if (*url->user != '\0' || url->password != NULL || sf_store_url_option(url, "password-file") != NULL)
        return sf_error_set(error, SF_INVALID, "URL: memcached: takes no user and no password (what is kept there is "
                            "sealed; keep the network away from it)");
    if (*url->name != '\0')
        return sf_error_set(error, SF_INVALID, "URL: memcached: has nothing behind the host");
    return SF_OK;
}

static enum sf_status
make_connections(struct memcached *memcached, struct sf_error *error)
{
    for (size_t i = 0; i < memcached->url.host_count; i++) {
        const struct sf_store_host *host = &memcached->url.hosts[i];
        memcached->resolvers[i] = sf_resolver_new(host->name, host->port, sf_resolver_ask_system);
        if (memcached->resolvers[i] == NULL)
            return sf_error_set(error, SF_NO_MEMORY, "L2: no memory");
        for (size_t lane = 0; lane < SF_STORE_LANES; lane++) {
            sf_buffer_init(&memcached->connections[i][lane].out, OUT_BYTES_MAX);
            sf_buffer_init(&memcached->connections[i][lane].in, IN_BYTES_MAX);
        }
    }
    return SF_OK;
}

static enum sf_status
memcached_open(struct sf_l2 **l2_out, const char *url, struct sf_error *error)
{
    static const char *const options[] = {"timeout", "names", NULL};
    static const struct sf_store_url_rules rules = {.port = PORT, .options = options};
    struct memcached *memcached = calloc(1, sizeof *memcached);
    if (memcached == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "L2: no memory");
    enum sf_status status = sf_store_url_parse(&memcached->url, url, &rules, error);
    if (status != SF_OK) {
        free(memcached);
        return status;
    }
    status = sf_l2_init(&memcached->base, &sf_l2_memcached, &memcached->url, error);
    if (status == SF_OK)
        status = check_url(&memcached->url, error);
    if (status == SF_OK)
        status = make_connections(memcached, error);
    if (status != SF_OK) {
        memcached_close(&memcached->base);
        return status;
    }
    *l2_out = &memcached->base;
    return SF_OK;
}

const struct sf_l2_ops sf_l2_memcached = {
    .scheme = "memcached",
    .open = memcached_open,
    .talk = memcached_talk,
    .examine = memcached_examine,
    .close = memcached_close,
};
