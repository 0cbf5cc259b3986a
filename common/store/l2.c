/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/l2.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/random.h"

#define TIMEOUT 50 /* ms */
#define TIMEOUT_MAX 10000
#define PIPELINE_BYTES (1u << 20) /* one value more at most */

static const struct sf_l2_ops *const backends[] = {
#ifdef SF_WITH_MEMCACHED
    &sf_l2_memcached,
#endif
#ifdef SF_WITH_REDIS
    &sf_l2_redis,
    &sf_l2_rediss,
#endif
    NULL,
};

/* ---- life ---- */

enum sf_status
sf_l2_open(struct sf_l2 **l2_out, const char *url, struct sf_error *error)
{
    size_t scheme = strcspn(url, ":");
    char known[64] = "";
    size_t used = 0;
    *l2_out = NULL;
    for (const struct sf_l2_ops *const *ops = backends; *ops != NULL; ops++) {
        if (strlen((*ops)->scheme) == scheme && strncmp(url, (*ops)->scheme, scheme) == 0)
            return (*ops)->open(l2_out, url, error);
        used += (size_t)snprintf(known + used, sizeof known - used, " %s:", (*ops)->scheme);
    }
    if (used == 0)
        return sf_error_set(error, SF_INVALID, "URL: this build has no cache that hosts share: see ./configure --help");
    return sf_error_set(error, SF_INVALID, "URL: unknown scheme \"%.*s\"; known are%s (no Sentinels and no Cluster: "
                        "each host is a server by itself)",
                        (int)strcspn(url, ":/"), url, known);
}

void
sf_l2_close(struct sf_l2 *l2)
{
    if (l2 != NULL)
        l2->ops->close(l2);
}

static void
name_server(struct sf_l2_server *server, const struct sf_store_host *host)
{
    if (*host->name == '/')
        snprintf(server->name, sizeof server->name, "%s", host->name);
    else
        snprintf(server->name, sizeof server->name, "%s:%u", host->name, host->port);
}

/* "names=a,b": hosts that reach the servers by other addresses call them the same. */
static enum sf_status
take_names(struct sf_l2 *l2, const char *names, struct sf_error *error)
{
    size_t i = 0;
    for (const char *at = names; at != NULL && i < l2->server_count; i++) {
        size_t length = strcspn(at, ",");
        if (length == 0 || length >= SF_L2_NAME)
            break;
        snprintf(l2->servers[i].name, SF_L2_NAME, "%.*s", (int)length, at);
        sf_text_clean(l2->servers[i].name);
        at = at[length] == ',' ? at + length + 1 : NULL;
        names = at;
    }
    if (names == NULL && i == l2->server_count)
        return SF_OK;
    return sf_error_set(error, SF_INVALID, "URL: option names: is not one name for each host, separated by commas");
}

enum sf_status
sf_l2_init(struct sf_l2 *l2, const struct sf_l2_ops *ops, const struct sf_store_url *url, struct sf_error *error)
{
    int64_t timeout;
    l2->ops = ops;
    pthread_mutex_init(&l2->lock, NULL);
    snprintf(l2->label, sizeof l2->label, "%s", url->label);
    l2->server_count = url->host_count;
    for (size_t i = 0; i < url->host_count; i++)
        name_server(&l2->servers[i], &url->hosts[i]);
    enum sf_status status = sf_store_url_number(&timeout, url, "timeout", TIMEOUT, 1, TIMEOUT_MAX, error);
    l2->timeout = timeout;
    const char *names = sf_store_url_option(url, "names");
    return status == SF_OK && names != NULL ? take_names(l2, names, error) : status;
}

void
sf_l2_fini(struct sf_l2 *l2)
{
    pthread_mutex_destroy(&l2->lock);
}

/* ---- which server ---- */

unsigned
sf_l2_place(const struct sf_l2 *l2, const struct sf_key *key)
{
    unsigned best = 0;
    uint64_t most = 0;
    for (unsigned i = 0; i < l2->server_count; i++) {
        const char *name = l2->servers[i].name;
        uint64_t weight = XXH3_64bits_withSeed(key->bytes, SF_KEY_BYTES, XXH3_64bits(name, strlen(name)));
        if (i == 0 || weight > most) {
            best = i;
            most = weight;
        }
    }
    return best;
}

/* ---- calls ---- */

static void
remember(struct sf_l2 *l2, const struct sf_error *error)
{
    pthread_mutex_lock(&l2->lock);
    l2->last = *error;
    pthread_mutex_unlock(&l2->lock);
}

void
sf_l2_explain(struct sf_l2 *l2, struct sf_error *error_out)
{
    pthread_mutex_lock(&l2->lock);
    *error_out = l2->last;
    pthread_mutex_unlock(&l2->lock);
}

bool
sf_l2_is_up(const struct sf_l2 *l2, unsigned server)
{
    const struct sf_l2_server *one = &l2->servers[server];
    return !atomic_load_explicit(&one->is_down[SF_STORE_READS], memory_order_relaxed)
           && !atomic_load_explicit(&one->is_down[SF_STORE_WRITES], memory_order_relaxed);
}

static void
note_result(struct sf_l2_server *server, enum sf_store_lane lane, bool is_well, uint64_t link)
{
    struct sf_breaker *breaker = &server->breakers[lane];
    uint32_t chance = 0;
    if (!is_well)
        (void)!sf_random_bytes(&chance, sizeof chance); /* without it all pauses are as long */
    sf_breaker_tell(breaker, is_well, sf_clock_steady(), chance);
    atomic_store_explicit(&server->is_down[lane], breaker->state != SF_BREAKER_CLOSED, memory_order_relaxed);
    bool is_other = link != 0 && link != server->links[lane];
    if (lane == SF_STORE_WRITES && (!is_well || (is_other && server->links[lane] != 0)))
        server->losses++;
    if (link != 0)
        server->links[lane] = link;
}

struct pipeline {
    struct sf_l2 *l2;
    unsigned server;
    enum sf_store_lane lane;
    enum sf_l2_call call;
    struct sf_l2_item *items[SF_L2_PIPELINE_MAX];
    size_t count, bytes;
};

/* false: the server does not answer; nothing in it is done. */
static bool
run(struct pipeline *pipeline)
{
    struct sf_l2 *l2 = pipeline->l2;
    struct sf_l2_server *server = &l2->servers[pipeline->server];
    struct sf_error error = {.text = ""};
    uint64_t link = 0;
    if (pipeline->count == 0)
        return true;
    if (!sf_breaker_may_call(&server->breakers[pipeline->lane], sf_clock_steady())) {
        server->losses += pipeline->lane == SF_STORE_WRITES;
        return false;
    }
    enum sf_status status = l2->ops->talk(l2, pipeline->server, pipeline->lane, pipeline->call, pipeline->items,
                                          pipeline->count, sf_clock_steady() + l2->timeout, &link, &error);
    note_result(server, pipeline->lane, status == SF_OK, link);
    for (size_t i = 0; i < pipeline->count && status != SF_OK; i++) {
        pipeline->items[i]->is_done = false;
        pipeline->items[i]->ticket.mark = 0;
        sf_buffer_clear(&pipeline->items[i]->value);
    }
    if (error.text[0] != '\0')
        remember(l2, &error);
    pipeline->count = pipeline->bytes = 0;
    return status == SF_OK;
}

static bool
is_wanted(const struct sf_l2_item *item, enum sf_l2_call call, unsigned server)
{
    bool needs_ticket = call == SF_L2_FILL || call == SF_L2_SHOW;
    return item->server == server && (!needs_ticket || item->ticket.mark != 0);
}

static bool
call_server(struct pipeline *pipeline, struct sf_l2_item *items, size_t count)
{
    bool is_well = true;
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(&items[i], pipeline->call, pipeline->server))
            continue;
        pipeline->items[pipeline->count++] = &items[i];
        pipeline->bytes += pipeline->call == SF_L2_FILL ? items[i].value.size : 0;
        if (pipeline->count == SF_L2_PIPELINE_MAX || pipeline->bytes >= PIPELINE_BYTES)
            is_well &= run(pipeline);
    }
    return run(pipeline) && is_well;
}

bool
sf_l2_call(struct sf_l2 *l2, enum sf_store_lane lane, enum sf_l2_call call, struct sf_l2_item *items, size_t count)
{
    bool is_well = true;
    for (size_t i = 0; i < count; i++)
        items[i].is_done = false;
    for (unsigned server = 0; server < l2->server_count; server++) {
        struct pipeline pipeline = {.l2 = l2, .server = server, .lane = lane, .call = call};
        is_well &= call_server(&pipeline, items, count);
    }
    return is_well;
}

/* ---- looking at it ---- */

enum sf_status
sf_l2_examine(struct sf_l2 *l2, sf_time deadline, struct sf_findings *findings)
{
    size_t usable = 0;
    for (unsigned i = 0; i < l2->server_count; i++) {
        sf_time now = sf_clock_steady();
        sf_time until = now + (deadline - now) / (sf_time)(l2->server_count - i);
        usable += l2->ops->examine(l2, i, until, findings) == SF_OK;
    }
    findings->where[0] = '\0';
    return usable == l2->server_count ? SF_OK : SF_UNAVAILABLE;
}
