/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/upstream_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHERS_MAX 4

/* On the stack of the thread that waits; in the list under the lock of the pool. */
struct sf_upstream_waiter {
    struct sf_upstream_waiter *next;
    unsigned limit; /* of connections, where it comes from */
    int event;
    bool is_let_in; /* has a place, and is no longer in the list */
};

/* ---- the kept ones ---- */

/* Nothing may come between two requests: it is the end, or bytes that belong to nobody. */
static bool
is_usable(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Under the lock. -1: there is none. */
static int
take_kept(struct sf_upstream_pool *pool, sf_time now)
{
    while (pool->kept_count > 0) {
        const struct sf_upstream_kept *kept = &pool->kept[--pool->kept_count];
        if (kept->since + SF_UPSTREAM_KEPT_TIME > now && is_usable(kept->socket))
            return kept->socket;
        close(kept->socket);
    }
    return -1;
}

/* Under the lock. */
static void
keep(struct sf_upstream_pool *pool, size_t limit, int socket)
{
    if (pool->kept_count < limit && pool->kept_count == pool->kept_room) {
        size_t room = pool->kept_room + 16;
        struct sf_upstream_kept *kept = realloc(pool->kept, room * sizeof *kept);
        if (kept != NULL) {
            pool->kept = kept;
            pool->kept_room = room;
        }
    }
    if (pool->kept_count < limit && pool->kept_count < pool->kept_room)
        pool->kept[pool->kept_count++] = (struct sf_upstream_kept){socket, sf_clock_steady()};
    else
        close(socket);
}

/* Under the lock. The oldest stand in front. */
static void
drop_old(struct sf_upstream_pool *pool, sf_time now)
{
    size_t old = 0;
    while (old < pool->kept_count && pool->kept[old].since + SF_UPSTREAM_KEPT_TIME <= now)
        close(pool->kept[old++].socket);
    pool->kept_count -= old;
    if (old > 0)
        memmove(pool->kept, pool->kept + old, pool->kept_count * sizeof *pool->kept);
}

/* ---- waiting ---- */

static void
join_queue(struct sf_upstream_pool *pool, struct sf_upstream_waiter *waiter)
{
    if (pool->last == NULL)
        pool->first = waiter;
    else
        pool->last->next = waiter;
    pool->last = waiter;
    pool->waiter_count++;
}

static void
leave_queue(struct sf_upstream_pool *pool, const struct sf_upstream_waiter *waiter)
{
    struct sf_upstream_waiter *before = NULL, *at = pool->first;
    while (at != waiter) {
        before = at;
        at = at->next;
    }
    if (before == NULL)
        pool->first = waiter->next;
    else
        before->next = waiter->next;
    if (pool->last == waiter)
        pool->last = before;
    pool->waiter_count--;
}

/* Under the lock: whoever can go on does. Not past the first one, who may come from where the limit
 * is lower. */
static void
let_in(struct sf_upstream_pool *pool)
{
    struct sf_upstream_waiter *waiter;
    while ((waiter = pool->first) != NULL && pool->used < waiter->limit) {
        leave_queue(pool, waiter);
        pool->used++;
        waiter->is_let_in = true;
        eventfd_write(waiter->event, 1);
    }
}

/* SF_OK: whatever the event says; SF_NOT_FOUND, SF_UNAVAILABLE as sf_upstream_pool_take. */
static enum sf_status
await_event(int event, sf_time deadline, const struct pollfd *others, size_t other_count)
{
    struct pollfd waits[OTHERS_MAX + 1];
    int found = -1;
    for (size_t i = 0; i < other_count; i++)
        waits[i] = others[i];
    waits[other_count] = (struct pollfd){event, POLLIN, 0};
    while (found < 0) {
        sf_time left = deadline - sf_clock_steady();
        found = poll(waits, other_count + 1, left > 0 ? (int)left : 0);
    }
    return found == 0 ? SF_UNAVAILABLE : waits[other_count].revents != 0 ? SF_OK : SF_NOT_FOUND;
}

/* Under the lock, which it leaves meanwhile. */
static enum sf_status
await_place(struct sf_upstream_pool *pool, struct sf_upstream_waiter *waiter, sf_time timeout,
            const struct pollfd *others, size_t other_count)
{
    sf_time deadline = sf_clock_steady() + timeout;
    join_queue(pool, waiter);
    pthread_mutex_unlock(&pool->lock);
    enum sf_status status = await_event(waiter->event, deadline, others, other_count);
    pthread_mutex_lock(&pool->lock);
    if (waiter->is_let_in)
        return SF_OK; /* perhaps in the last moment */
    leave_queue(pool, waiter);
    let_in(pool);
    return status;
}

/* Under the lock, which it leaves meanwhile. */
static enum sf_status
queue_up(struct sf_upstream_pool *pool, const struct sf_config *config, const struct pollfd *others,
         size_t other_count)
{
    struct sf_upstream_waiter waiter = {.limit = (unsigned)config->upstream_connections};
    if (pool->waiter_count >= (unsigned)config->upstream_queue)
        return SF_FULL;
    waiter.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waiter.event < 0)
        return SF_FULL;
    enum sf_status status =
        await_place(pool, &waiter, config->upstream_queue_time, others, other_count);
    close(waiter.event);
    return status;
}

enum sf_status
sf_upstream_pool_take(struct sf_upstream_pool *pool, const struct sf_config *config,
                      const struct pollfd *others, size_t other_count,
                      struct sf_upstream_place *place_out)
{
    enum sf_status status = SF_OK;
    pthread_mutex_lock(&pool->lock);
    place_out->has_waited =
        pool->first != NULL || pool->used >= (unsigned)config->upstream_connections;
    if (!place_out->has_waited)
        pool->used++;
    else
        status = queue_up(pool, config, others, other_count);
    if (status == SF_OK)
        place_out->socket = take_kept(pool, sf_clock_steady());
    pthread_mutex_unlock(&pool->lock);
    return status;
}

void
sf_upstream_pool_give(struct sf_upstream_pool *pool, const struct sf_config *config, int socket)
{
    pthread_mutex_lock(&pool->lock);
    pool->used--;
    if (socket >= 0)
        keep(pool, (size_t)config->upstream_keep_alive, socket);
    let_in(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- all of them ---- */

void
sf_upstream_pools_init(struct sf_upstream_pools *pools)
{
    pthread_mutex_init(&pools->lock, NULL);
    pools->first = NULL;
}

static void
free_pool(struct sf_upstream_pool *pool)
{
    drop_old(pool, INT64_MAX);
    pthread_mutex_destroy(&pool->lock);
    free(pool->kept);
    free(pool->address);
    free(pool);
}

void
sf_upstream_pools_fini(struct sf_upstream_pools *pools)
{
    struct sf_upstream_pool *next;
    for (struct sf_upstream_pool *pool = pools->first; pool != NULL; pool = next) {
        next = pool->next;
        free_pool(pool);
    }
    pthread_mutex_destroy(&pools->lock);
}

void
sf_upstream_pools_tidy(struct sf_upstream_pools *pools, sf_time now)
{
    pthread_mutex_lock(&pools->lock);
    struct sf_upstream_pool *pool = pools->first;
    pthread_mutex_unlock(&pools->lock);
    for (; pool != NULL; pool = pool->next) {
        pthread_mutex_lock(&pool->lock);
        drop_old(pool, now);
        pthread_mutex_unlock(&pool->lock);
    }
}

static struct sf_upstream_pool *
make_pool(const char *address)
{
    struct sf_upstream_pool *pool = calloc(1, sizeof *pool);
    char *copy = strdup(address);
    if (pool == NULL || copy == NULL) {
        free(pool);
        free(copy);
        return NULL;
    }
    pool->address = copy;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

struct sf_upstream_pool *
sf_upstream_pools_find(struct sf_upstream_pools *pools, const char *address)
{
    pthread_mutex_lock(&pools->lock);
    struct sf_upstream_pool *pool = pools->first;
    while (pool != NULL && strcmp(pool->address, address) != 0)
        pool = pool->next;
    if (pool == NULL && (pool = make_pool(address)) != NULL) {
        pool->next = pools->first;
        pools->first = pool;
    }
    pthread_mutex_unlock(&pools->lock);
    return pool;
}
