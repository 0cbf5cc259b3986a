/* SPDX-License-Identifier: Apache-2.0 */
#define XXH_INLINE_ALL
#include "common/store/l2/l2.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/random.h"

_Static_assert(SF_STORE_HOSTS_MAX <= SF_L2_CREW_MAX, "each server has its thread");

#define TIMEOUT 50 /* ms */
#define TIMEOUT_MAX 10000
#define PAUSE_MAX (10 * SF_SECOND) /* while one does not answer, between two tries */
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
    for (size_t lane = 0; lane < SF_STORE_LANES; lane++) {
        sf_l2_crew_init(&l2->lanes[lane].crew);
        for (size_t i = 0; i < SF_STORE_HOSTS_MAX; i++)
            l2->servers[i].breakers[lane].pause_max = PAUSE_MAX;
    }
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
    for (size_t i = 0; i < SF_STORE_LANES; i++)
        sf_l2_crew_fini(&l2->lanes[i].crew);
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

/* ---- what has been measured ---- */

static void
note_error(struct sf_l2 *l2, unsigned server, const struct sf_error *error)
{
    pthread_mutex_lock(&l2->lock);
    l2->servers[server].last = *error;
    pthread_mutex_unlock(&l2->lock);
}

void
sf_l2_explain(struct sf_l2 *l2, unsigned server, struct sf_error *error_out)
{
    pthread_mutex_lock(&l2->lock);
    *error_out = l2->servers[server].last;
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
note_refusal(struct sf_l2 *l2, enum sf_store_lane lane)
{
    pthread_mutex_lock(&l2->lock);
    l2->lanes[lane].figures.refused++;
    pthread_mutex_unlock(&l2->lock);
}

static void
measure(struct sf_l2 *l2, enum sf_store_lane which, uint64_t microseconds, size_t rows, bool is_well, bool is_late)
{
    struct sf_l2_lane *lane = &l2->lanes[which];
    pthread_mutex_lock(&l2->lock);
    lane->figures.calls++;
    lane->figures.rows += rows;
    lane->figures.failures += !is_well;
    lane->figures.late += is_late;
    sf_histogram_add(&lane->latency, microseconds);
    pthread_mutex_unlock(&l2->lock);
}

static const char *
state_of(const struct sf_l2 *l2, enum sf_store_lane lane)
{
    for (size_t i = 0; i < l2->server_count; i++)
        if (atomic_load_explicit(&l2->servers[i].is_down[lane], memory_order_relaxed))
            return "down";
    return "up";
}

void
sf_l2_figures(struct sf_l2 *l2, struct sf_store_figures *figures_out)
{
    figures_out->name = "l2";
    pthread_mutex_lock(&l2->lock);
    for (size_t i = 0; i < SF_STORE_LANES; i++) {
        const struct sf_l2_lane *lane = &l2->lanes[i];
        figures_out->lanes[i] = lane->figures;
        figures_out->lanes[i].state = state_of(l2, (enum sf_store_lane)i);
        figures_out->lanes[i].p50 = sf_histogram_quantile(&lane->latency, 0.5);
        figures_out->lanes[i].p99 = sf_histogram_quantile(&lane->latency, 0.99);
        figures_out->lanes[i].longest = lane->latency.max;
    }
    pthread_mutex_unlock(&l2->lock);
}

/* ---- calls ---- */

/* What one server is asked for in a call, a pipeline at a time. */
struct part {
    struct sf_l2 *l2;
    unsigned server;
    enum sf_store_lane lane;
    enum sf_l2_call call;
    sf_time deadline;
    struct sf_l2_item *all; /* of the call, whoever's they are */
    size_t all_count;
    struct sf_l2_item *items[SF_L2_PIPELINE_MAX];
    size_t count, bytes;
    bool is_lost;           /* it has not answered: it is not asked any more */
};

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
    if (lane == SF_STORE_WRITES && is_other && server->links[lane] != 0)
        server->losses++;
    if (link != 0)
        server->links[lane] = link;
}

static bool
talk(struct part *part, sf_time now)
{
    struct sf_l2 *l2 = part->l2;
    struct sf_error error = {.text = ""};
    uint64_t link = 0, began = sf_clock_ns();
    size_t rows = 0;
    sf_time until = now + l2->timeout < part->deadline ? now + l2->timeout : part->deadline;
    enum sf_status status = l2->ops->talk(l2, part->server, part->lane, part->call, part->items, part->count, until,
                                          &link, &error);
    bool is_well = status == SF_OK;
    for (size_t i = 0; i < part->count; i++)
        rows += part->items[i]->is_done;
    measure(l2, part->lane, (sf_clock_ns() - began) / 1000, is_well ? rows : 0, is_well,
            !is_well && sf_clock_steady() >= until);
    note_result(&l2->servers[part->server], part->lane, is_well, link);
    if (error.text[0] != '\0')
        note_error(l2, part->server, &error);
    return is_well;
}

static bool
ask(struct part *part)
{
    sf_time now = sf_clock_steady();
    if (part->is_lost || now >= part->deadline)
        return false;
    if (sf_breaker_may_call(&part->l2->servers[part->server].breakers[part->lane], now))
        return talk(part, now);
    note_refusal(part->l2, part->lane);
    return false;
}

/* Nothing in it is done. */
static void
give_up(struct part *part)
{
    part->is_lost = true;
    part->l2->servers[part->server].losses += part->lane == SF_STORE_WRITES;
    for (size_t i = 0; i < part->count; i++) {
        part->items[i]->is_done = false;
        part->items[i]->ticket.mark = 0;
        sf_buffer_clear(&part->items[i]->value);
    }
}

static void
run(struct part *part)
{
    if (part->count > 0 && !ask(part))
        give_up(part);
    part->count = part->bytes = 0;
}

static bool
is_wanted(const struct sf_l2_item *item, enum sf_l2_call call, unsigned server)
{
    bool needs_ticket = call == SF_L2_FILL || call == SF_L2_SHOW;
    return item->server == server && (!needs_ticket || item->ticket.mark != 0);
}

static void
run_part(void *piece)
{
    struct part *part = piece;
    for (size_t i = 0; i < part->all_count; i++) {
        if (!is_wanted(&part->all[i], part->call, part->server))
            continue;
        part->items[part->count++] = &part->all[i];
        part->bytes += part->call == SF_L2_FILL ? part->all[i].value.size : 0;
        if (part->count == SF_L2_PIPELINE_MAX || part->bytes >= PIPELINE_BYTES)
            run(part);
    }
    run(part);
}

static bool
has_wanted(const struct sf_l2_item *items, size_t count, enum sf_l2_call call, unsigned server)
{
    for (size_t i = 0; i < count; i++)
        if (is_wanted(&items[i], call, server))
            return true;
    return false;
}

bool
sf_l2_call(struct sf_l2 *l2, enum sf_store_lane lane, enum sf_l2_call call, struct sf_l2_item *items, size_t count)
{
    sf_time deadline = lane == SF_STORE_READS ? sf_clock_steady() + l2->timeout : INT64_MAX;
    struct part parts[SF_STORE_HOSTS_MAX];
    void *pieces[SF_STORE_HOSTS_MAX] = {NULL};
    size_t needed = 0;
    bool is_well = true;
    for (size_t i = 0; i < count; i++)
        items[i].is_done = false;
    for (unsigned server = 0; server < l2->server_count; server++) {
        if (!has_wanted(items, count, call, server))
            continue;
        parts[needed] = (struct part){.l2 = l2, .server = server, .lane = lane, .call = call, .deadline = deadline,
                                      .all = items, .all_count = count};
        pieces[needed] = &parts[needed];
        needed++;
    }
    sf_l2_crew_run(&l2->lanes[lane].crew, run_part, pieces, needed);
    for (size_t i = 0; i < needed; i++)
        is_well &= !parts[i].is_lost;
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
