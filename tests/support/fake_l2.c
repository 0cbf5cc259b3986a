/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_l2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MARK "-"

struct fake {
    struct sf_l2 base;
    struct sf_fake_server *servers;
    bool is_cut[SF_STORE_HOSTS_MAX], is_silent[SF_STORE_HOSTS_MAX];
    uint64_t link[SF_STORE_HOSTS_MAX];
    _Atomic unsigned expected, met; /* at the same time */
};

/* ---- a server ---- */

static unsigned char *
copy_of(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size + 1);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

void
sf_fake_server_fini(struct sf_fake_server *server)
{
    for (size_t i = 0; i < server->count; i++)
        free(server->entries[i].bytes);
    server->count = 0;
    server->cas = 0;
    memset(server->calls, 0, sizeof server->calls);
}

void
sf_fake_server_copy(struct sf_fake_server *to, const struct sf_fake_server *from)
{
    *to = *from;
    for (size_t i = 0; i < to->count; i++)
        to->entries[i].bytes = copy_of(from->entries[i].bytes, from->entries[i].size);
}

struct sf_fake_entry *
sf_fake_find(struct sf_fake_server *server, const struct sf_key *key)
{
    for (size_t i = 0; i < server->count; i++)
        if (sf_key_equal(&server->entries[i].key, key))
            return &server->entries[i];
    return NULL;
}

static struct sf_fake_entry *
put(struct sf_fake_server *server, const struct sf_key *key, const void *bytes, size_t size)
{
    struct sf_fake_entry *entry = sf_fake_find(server, key);
    if (entry == NULL) {
        if (server->count == SF_FAKE_ENTRIES)
            abort();
        entry = &server->entries[server->count++];
        *entry = (struct sf_fake_entry){.key = *key};
    }
    free(entry->bytes);
    entry->bytes = copy_of(bytes, size);
    entry->size = size;
    entry->cas = ++server->cas;
    return entry;
}

static void
drop(struct sf_fake_server *server, struct sf_fake_entry *entry)
{
    free(entry->bytes);
    *entry = server->entries[--server->count];
}

/* ---- what is asked of it ---- */

static void
get(struct sf_fake_server *server, struct sf_l2_item *item, uint64_t link)
{
    struct sf_fake_entry *entry = sf_fake_find(server, &item->key);
    bool is_new = entry == NULL;
    if (is_new)
        entry = put(server, &item->key, NULL, 0);
    bool is_mark = entry->size == strlen(MARK);
    item->ticket = (struct sf_l2_ticket){is_mark || (entry->size == 0 && !is_new) ? 0 : entry->cas, link};
    sf_buffer_clear(&item->value);
    if (!is_mark && sf_buffer_append(&item->value, entry->bytes, entry->size) != SF_OK)
        abort();
    item->is_done = true;
}

static void
show(struct sf_fake_server *server, struct sf_l2_item *item)
{
    struct sf_fake_entry *entry = sf_fake_find(server, &item->key);
    item->is_done = entry == NULL || entry->cas == item->ticket.mark;
    if (entry != NULL && item->is_done)
        drop(server, entry);
}

static void
do_one(struct sf_fake_server *server, enum sf_l2_call call, struct sf_l2_item *item, uint64_t link)
{
    struct sf_fake_entry *entry = sf_fake_find(server, &item->key);
    switch (call) {
    case SF_L2_GET: get(server, item, link); break;
    case SF_L2_FILL:
        item->is_done = entry != NULL && item->ticket.link == link && entry->cas == item->ticket.mark;
        if (item->is_done)
            put(server, &item->key, item->value.data, item->value.size);
        break;
    case SF_L2_HIDE:
        item->ticket = (struct sf_l2_ticket){put(server, &item->key, MARK, strlen(MARK))->cas, link};
        item->is_done = true;
        break;
    case SF_L2_SHOW:
        if (item->ticket.link == link)
            show(server, item);
        break;
    }
}

/* false: not in time. */
static bool
meet(struct fake *fake, sf_time deadline)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    atomic_fetch_add(&fake->met, 1);
    while (atomic_load(&fake->met) < atomic_load(&fake->expected)) {
        if (sf_clock_steady() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static void
be_silent(sf_time deadline)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (sf_clock_steady() < deadline)
        nanosleep(&pause, NULL);
}

static enum sf_status
fake_talk(struct sf_l2 *l2, unsigned server, enum sf_store_lane lane, enum sf_l2_call call,
          struct sf_l2_item *const *items, size_t count, sf_time deadline, uint64_t *link_out, struct sf_error *error)
{
    struct fake *fake = (struct fake *)l2;
    (void)lane;
    if (fake->is_silent[server])
        be_silent(deadline);
    if (fake->is_cut[server] || fake->is_silent[server] || !meet(fake, deadline))
        return sf_error_set(error, SF_UNAVAILABLE, "cut off from %s", l2->servers[server].name);
    pthread_mutex_lock(&fake->servers[server].lock);
    fake->servers[server].calls[call]++;
    for (size_t i = 0; i < count; i++)
        do_one(&fake->servers[server], call, items[i], fake->link[server]);
    pthread_mutex_unlock(&fake->servers[server].lock);
    *link_out = fake->link[server];
    return SF_OK;
}

static void
fake_close(struct sf_l2 *l2)
{
    sf_l2_fini(l2);
    free(l2);
}

static const struct sf_l2_ops ops = {.scheme = "fake", .talk = fake_talk, .close = fake_close};

struct sf_l2 *
sf_fake_l2_new(struct sf_fake_server *servers, size_t count)
{
    struct fake *fake = calloc(1, sizeof *fake);
    struct sf_store_url url = {.host_count = count, .label = "fake://"};
    char names[SF_STORE_HOSTS_MAX][32];
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "fake%zu", i);
        url.hosts[i] = (struct sf_store_host){names[i], 1};
    }
    if (fake == NULL || sf_l2_init(&fake->base, &ops, &url, NULL) != SF_OK)
        abort();
    fake->servers = servers;
    fake->base.timeout = SF_MINUTE; /* what is late here is so on purpose */
    for (size_t i = 0; i < count; i++)
        fake->link[i] = 1;
    return &fake->base;
}

void
sf_fake_l2_cut(struct sf_l2 *l2, unsigned server, bool is_cut)
{
    ((struct fake *)l2)->is_cut[server] = is_cut;
}

void
sf_fake_l2_silence(struct sf_l2 *l2, unsigned server)
{
    ((struct fake *)l2)->is_silent[server] = true;
}

void
sf_fake_l2_meet(struct sf_l2 *l2, unsigned count)
{
    struct fake *fake = (struct fake *)l2;
    atomic_store(&fake->met, 0);
    atomic_store(&fake->expected, count);
}

void
sf_fake_l2_relink(struct sf_l2 *l2, unsigned server)
{
    ((struct fake *)l2)->link[server]++;
}
