/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_lane.h"

#include <hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/store/redis/store_redis_login.h"

#define LOOK_PAUSE 250            /* ms, between two looks */
#define LOOK_PATIENCE SF_SECOND   /* with each who is asked for the map */
#define PAUSE_MAX (5 * SF_SECOND) /* in which a node that fails is left alone */

/* ---- nodes ---- */

static struct sf_redis_node *
new_node(struct sf_redis_server *server, const struct sf_redis_place *place)
{
    struct sf_redis_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        return NULL;
    node->breaker.pause_max = PAUSE_MAX;
    sf_redis_init(&node->connection, server);
    if (place == NULL || sf_redis_go_to(&node->connection, place) == SF_OK)
        return node;
    sf_redis_fini(&node->connection);
    free(node);
    return NULL;
}

static void
free_node(struct sf_redis_node *node)
{
    sf_redis_fini(&node->connection);
    free(node);
}

enum sf_status
sf_redis_lane_init(struct sf_redis_lane *lane, struct sf_redis_server *server)
{
    *lane = (struct sf_redis_lane){.server = server, .is_stale = true};
    memset(lane->owner, SF_REDIS_NO_NODE, sizeof lane->owner);
    if (server->kind == SF_REDIS_CLUSTER)
        return SF_OK;
    lane->nodes[0] = new_node(server, NULL);
    lane->count = lane->nodes[0] != NULL;
    return lane->count == 1 ? SF_OK : SF_NO_MEMORY;
}

void
sf_redis_lane_fini(struct sf_redis_lane *lane)
{
    while (lane->count > 0)
        free_node(lane->nodes[--lane->count]);
}

uint8_t
sf_redis_lane_owner(const struct sf_redis_lane *lane, unsigned slot)
{
    return lane->server->kind == SF_REDIS_CLUSTER ? lane->owner[slot] : 0;
}

uint8_t
sf_redis_lane_node_at(struct sf_redis_lane *lane, const struct sf_redis_place *place)
{
    for (size_t i = 0; i < lane->count; i++)
        if (sf_redis_place_equal(&lane->nodes[i]->connection.place, place))
            return (uint8_t)i;
    struct sf_redis_node *node = lane->count < SF_REDIS_NODES_MAX ? new_node(lane->server, place) : NULL;
    if (node == NULL)
        return SF_REDIS_NO_NODE;
    lane->nodes[lane->count] = node;
    return (uint8_t)lane->count++;
}

/* Each node gets the marks that are in its slots. */
static void
share_marks(struct sf_redis_lane *lane)
{
    for (size_t i = 0; i < lane->count; i++)
        lane->nodes[i]->connection.marks = (struct sf_redis_marks){.bits = {0}};
    for (unsigned mark = 0; mark < SF_REDIS_MARKS; mark++) {
        char name[SF_REDIS_MARK_TEXT];
        sf_redis_mark_format(lane->server, mark, name);
        uint8_t node = lane->owner[sf_redis_slot(sf_span_text(name))];
        if (node != SF_REDIS_NO_NODE)
            sf_redis_marks_add(&lane->nodes[node]->connection.marks, mark);
    }
}

void
sf_redis_lane_move(struct sf_redis_lane *lane, unsigned slot, uint8_t node)
{
    lane->owner[slot] = node;
    share_marks(lane);
}

/* ---- the map ---- */

/* Nodes that are still there keep their connections. */
static enum sf_status
adopt(struct sf_redis_lane *lane, const struct sf_redis_map *map)
{
    struct sf_redis_lane old = *lane;
    lane->generation++;
    memset(lane->owner, SF_REDIS_NO_NODE, sizeof lane->owner);
    for (lane->count = 0; lane->count < map->count; lane->count++) {
        const struct sf_redis_place *place = &map->nodes[lane->count];
        struct sf_redis_node **here = &lane->nodes[lane->count];
        *here = NULL;
        for (size_t i = 0; i < old.count && *here == NULL; i++) {
            if (old.nodes[i] == NULL || !sf_redis_place_equal(&old.nodes[i]->connection.place, place))
                continue;
            *here = old.nodes[i];
            old.nodes[i] = NULL;
        }
        if (*here == NULL && (*here = new_node(lane->server, place)) == NULL)
            break;
    }
    for (size_t i = 0; i < old.count; i++)
        if (old.nodes[i] != NULL)
            free_node(old.nodes[i]);
    if (lane->count < map->count)
        return SF_NO_MEMORY;
    memcpy(lane->owner, map->owner, sizeof lane->owner);
    share_marks(lane);
    return SF_OK;
}

struct asking {
    struct sf_redis_connection connection;
    struct sf_redis_place place; /* of who is asked */
    struct sf_redis_map map;
    enum sf_status status;
    struct sf_error error;
};

static void
take_map(void *context, size_t index, const struct redisReply *reply)
{
    struct asking *asking = context;
    (void)index;
    if (reply->type == REDIS_REPLY_ERROR)
        asking->status = sf_redis_judge(&asking->connection, reply, &asking->error);
    else if (sf_redis_map_read(&asking->map, reply, &asking->place) != SF_OK)
        asking->status = sf_redis_fail(&asking->connection, SF_UNAVAILABLE, "gives no map of the Cluster",
                                       &asking->error);
}

/* `place` NULL: the URL's host of this number. On a connection of its own: no pipeline is disturbed. */
static enum sf_status
ask(struct asking *asking, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_connection *connection = &asking->connection;
    enum sf_status status = sf_redis_login_as_user(connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_start(connection, true);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"CLUSTER", "SLOTS"}, 2);
    if (status == SF_OK)
        status = sf_redis_finish(connection, deadline, take_map, asking, error);
    if (status == SF_OK && asking->status != SF_OK) {
        *error = asking->error;
        status = asking->status;
    }
    return status;
}

/* Numbers below `count` are nodes, the others the URL's hosts. */
static enum sf_status
ask_number(struct asking *asking, struct sf_redis_lane *lane, size_t number, sf_time deadline, struct sf_error *error)
{
    const struct sf_store_url *url = &lane->server->url;
    enum sf_status status = SF_OK;
    *asking = (struct asking){.status = SF_OK};
    sf_redis_init(&asking->connection, lane->server);
    if (number < lane->count) {
        asking->place = lane->nodes[number]->connection.place;
        status = sf_redis_go_to(&asking->connection, &asking->place);
    } else {
        const struct sf_store_host *host = &url->hosts[number - lane->count];
        asking->connection.host = number - lane->count;
        status = sf_redis_place_set(&asking->place, sf_span_text(host->name), host->port);
    }
    if (status == SF_OK)
        status = ask(asking, deadline, error);
    sf_redis_fini(&asking->connection);
    return status;
}

static bool
is_well(const struct sf_redis_lane *lane, size_t number)
{
    return number >= lane->count
           || (lane->nodes[number]->troubles == 0 && lane->nodes[number]->breaker.failures == 0
               && lane->nodes[number]->breaker.state == SF_BREAKER_CLOSED);
}

/* Those that work first. */
static enum sf_status
ask_all(struct asking *asking, struct sf_redis_lane *lane, sf_time deadline, struct sf_error *error)
{
    size_t all = lane->count + lane->server->url.host_count, left = all;
    enum sf_status status = SF_UNAVAILABLE;
    for (int well = 1; well >= 0; well--) {
        for (size_t number = 0; number < all && status != SF_OK; number++) {
            sf_time now = sf_clock_steady();
            if (is_well(lane, number) != (well == 1))
                continue;
            sf_time patience = (deadline - now) / (sf_time)left--;
            status = ask_number(asking, lane, number, now + (patience < LOOK_PATIENCE ? patience : LOOK_PATIENCE),
                                error);
        }
    }
    return status == SF_OK || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

enum sf_status
sf_redis_lane_look(struct sf_redis_lane *lane, bool now, sf_time deadline, struct sf_error *error)
{
    if (lane->server->kind != SF_REDIS_CLUSTER)
        return SF_OK;
    bool is_known = lane->count > 0;
    if (!now && is_known && (!lane->is_stale || sf_clock_steady() < lane->look_at))
        return SF_OK;
    struct asking *asking = calloc(1, sizeof *asking);
    if (asking == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "%s: no memory", lane->server->url.label);
    enum sf_status status = ask_all(asking, lane, deadline, error);
    if (status == SF_OK)
        status = adopt(lane, &asking->map);
    free(asking);
    lane->is_stale = status != SF_OK;
    lane->look_at = sf_clock_steady() + LOOK_PAUSE;
    return status;
}

/* ---- pipelines ---- */

void
sf_redis_lane_tell(struct sf_redis_lane *lane, uint8_t node, bool is_well)
{
    uint32_t chance = 0;
    if (lane->server->kind != SF_REDIS_CLUSTER)
        return; /* store_guard.h does it */
    if (!is_well) {
        (void)!sf_random_bytes(&chance, sizeof chance); /* without it all pauses are as long */
        lane->is_stale = true;
    }
    sf_breaker_tell(&lane->nodes[node]->breaker, is_well, sf_clock_steady(), chance);
}

enum sf_status
sf_redis_lane_begin(struct sf_redis_lane *lane, uint8_t node, sf_time deadline, struct sf_error *error)
{
    struct sf_redis_node *one = lane->nodes[node];
    bool is_cluster = lane->server->kind == SF_REDIS_CLUSTER;
    if (is_cluster && !sf_breaker_may_call(&one->breaker, sf_clock_steady())) {
        lane->is_stale = true;
        return sf_redis_fail(&one->connection, SF_UNAVAILABLE, "has failed, and is left alone for a moment", error);
    }
    enum sf_status status = sf_redis_begin(&one->connection, deadline, error);
    if (status != SF_OK)
        sf_redis_lane_tell(lane, node, false);
    return status;
}

enum sf_status
sf_redis_lane_attach(struct sf_redis_lane *lane, sf_time deadline, struct sf_error *error)
{
    enum sf_status worst = sf_redis_lane_look(lane, false, deadline, error);
    for (size_t i = 0; i < lane->count && worst != SF_INVALID; i++) {
        sf_time now = sf_clock_steady();
        struct sf_error reason;
        enum sf_status status =
            sf_redis_begin(&lane->nodes[i]->connection, now + (deadline - now) / (sf_time)(lane->count - i), &reason);
        if (status == SF_OK)
            continue;
        worst = status;
        *error = reason;
    }
    return worst;
}
