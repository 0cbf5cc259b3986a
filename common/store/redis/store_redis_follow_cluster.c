/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_follow_cluster.h"

#include <hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/redis/store_redis_login.h"

#define PATIENCE SF_SECOND /* with each round of questions */

/* ---- members ---- */

static void
free_member(struct sf_redis_member *member)
{
    sf_redis_follower_fini(&member->follower);
    sf_redis_fini(&member->asks);
    free(member);
}

static struct sf_redis_member *
new_member(struct sf_redis_server *server, const char *id, const struct sf_redis_place *place)
{
    struct sf_redis_member *member = calloc(1, sizeof *member);
    if (member == NULL)
        return NULL;
    memcpy(member->id, id, sizeof member->id);
    sf_redis_follower_init(&member->follower, server);
    sf_redis_init(&member->asks, server);
    if (sf_redis_go_to(&member->follower.link, place) == SF_OK && sf_redis_go_to(&member->asks, place) == SF_OK)
        return member;
    free_member(member);
    return NULL;
}

void
sf_redis_cluster_follower_init(struct sf_redis_cluster_follower *cluster, struct sf_redis_server *server)
{
    *cluster = (struct sf_redis_cluster_follower){.server = server};
}

void
sf_redis_cluster_follower_fini(struct sf_redis_cluster_follower *cluster)
{
    while (cluster->count > 0)
        free_member(cluster->members[--cluster->count]);
}

static bool
is_up(const struct sf_redis_member *member)
{
    return member->follower.link.wire != NULL;
}

/* Index among the nodes; their count: it is none of them, or is somewhere else now. */
static size_t
find_node(const struct sf_redis_nodes *nodes, const struct sf_redis_member *member)
{
    size_t i = 0;
    while (i < nodes->count
           && (strcmp(nodes->list[i].id, member->id) != 0
               || !sf_redis_place_equal(&nodes->list[i].place, &member->follower.link.place)))
        i++;
    return i;
}

/* *is_same_out: nobody has come; those who have gone have nothing more to tell. */
static enum sf_status
adopt(struct sf_redis_cluster_follower *cluster, const struct sf_redis_nodes *nodes, bool *is_same_out)
{
    bool is_there[SF_REDIS_NODES_MAX] = {false};
    size_t kept = 0;
    *is_same_out = true;
    for (size_t i = 0; i < cluster->count; i++) {
        size_t node = find_node(nodes, cluster->members[i]);
        if (node == nodes->count) {
            free_member(cluster->members[i]);
            continue;
        }
        is_there[node] = true;
        cluster->members[kept++] = cluster->members[i];
    }
    cluster->count = kept;
    for (size_t i = 0; i < nodes->count; i++) {
        if (is_there[i])
            continue;
        *is_same_out = false;
        struct sf_redis_member *member = new_member(cluster->server, nodes->list[i].id, &nodes->list[i].place);
        if (member == NULL)
            return SF_NO_MEMORY;
        cluster->members[cluster->count++] = member;
    }
    return SF_OK;
}

/* ---- who is there ---- */

struct asking {
    struct sf_redis_nodes *nodes;
    struct sf_redis_connection *connection;
    struct sf_redis_place place;
    enum sf_status status;
    struct sf_error *error;
};

static void
take_nodes(void *context, size_t index, const struct redisReply *reply)
{
    struct asking *asking = context;
    (void)index;
    if (reply->type == REDIS_REPLY_ERROR)
        asking->status = sf_redis_judge(asking->connection, reply, asking->error);
    else if (reply->type != REDIS_REPLY_STRING
             || sf_redis_nodes_read(asking->nodes, sf_span_of(reply->str, reply->len),
                                    asking->connection->server->is_tls, &asking->place) != SF_OK)
        asking->status =
            sf_redis_fail(asking->connection, SF_UNAVAILABLE, "does not say who is in the Cluster", asking->error);
}

static enum sf_status
send_question(struct sf_redis_connection *connection, sf_time deadline, struct sf_error *error)
{
    enum sf_status status = SF_OK;
    if (connection->wire != NULL && !sf_wire_is_quiet(connection->wire))
        sf_redis_close(connection);
    if (connection->wire == NULL)
        status = sf_redis_login_as_user(connection, deadline, error);
    if (status == SF_OK)
        status = sf_redis_start(connection, true);
    if (status == SF_OK)
        status = sf_redis_words(connection, (const char *const[]){"CLUSTER", "NODES"}, 2);
    if (status == SF_OK)
        status = sf_redis_send(connection, deadline, error);
    if (status != SF_OK)
        sf_redis_close(connection);
    return status;
}

static enum sf_status
take_answer(struct sf_redis_nodes *nodes, struct sf_redis_connection *connection, const struct sf_redis_place *place,
            sf_time deadline, struct sf_error *error)
{
    struct asking asking = {.nodes = nodes, .connection = connection, .place = *place, .error = error};
    enum sf_status status = sf_redis_collect(connection, deadline, take_nodes, &asking, error);
    return status == SF_OK ? asking.status : status;
}

/* Nobody is linked: one of the hosts of the URL is asked. */
static enum sf_status
ask_hosts(struct sf_redis_nodes *nodes, struct sf_redis_server *server, struct sf_error *error)
{
    enum sf_status status = SF_UNAVAILABLE;
    for (size_t i = 0; status != SF_OK && i < server->url.host_count; i++) {
        struct sf_redis_connection connection;
        struct sf_redis_place place;
        sf_time deadline = sf_clock_steady() + PATIENCE;
        sf_redis_init(&connection, server);
        connection.host = i;
        nodes->count = 0;
        status = sf_redis_place_set(&place, sf_span_text(server->url.hosts[i].name), server->url.hosts[i].port);
        if (status == SF_OK)
            status = send_question(&connection, deadline, error);
        if (status == SF_OK)
            status = take_answer(nodes, &connection, &place, deadline, error);
        sf_redis_fini(&connection);
    }
    return status == SF_OK || status == SF_NO_MEMORY ? status : SF_UNAVAILABLE;
}

/* All at once. The answers of those that do answer count; SF_UNAVAILABLE: one is missing. */
static enum sf_status
ask_members(struct sf_redis_nodes *nodes, struct sf_redis_cluster_follower *cluster, struct sf_error *error)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;
    enum sf_status worst = SF_OK;
    for (size_t i = 0; i < cluster->count; i++) {
        struct sf_redis_member *member = cluster->members[i];
        member->has_answered = is_up(member) && send_question(&member->asks, deadline, error) == SF_OK;
    }
    for (size_t i = 0; i < cluster->count; i++) {
        struct sf_redis_member *member = cluster->members[i];
        if (member->has_answered)
            member->has_answered =
                take_answer(nodes, &member->asks, &member->asks.place, deadline, error) == SF_OK;
        if (!member->has_answered)
            worst = SF_UNAVAILABLE;
    }
    return worst;
}

static size_t
count_up(const struct sf_redis_cluster_follower *cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < cluster->count; i++)
        count += is_up(cluster->members[i]);
    return count;
}

/* Who has answered: a master that is away says nothing, and perhaps the others say that it is none any more. */
static enum sf_status
look(struct sf_redis_cluster_follower *cluster, struct sf_follow *follow)
{
    struct sf_redis_nodes *nodes = calloc(1, sizeof *nodes);
    sf_time asked = sf_clock_steady();
    bool is_same = false, is_first = count_up(cluster) == 0;
    if (nodes == NULL)
        return sf_error_set(&follow->error, SF_NO_MEMORY, "%s: no memory", cluster->server->url.label);
    enum sf_status status = is_first ? ask_hosts(nodes, cluster->server, &follow->error)
                                     : ask_members(nodes, cluster, &follow->error);
    if (nodes->count > 0 && adopt(cluster, nodes, &is_same) != SF_OK)
        status = SF_UNAVAILABLE;
    free(nodes);
    if (status == SF_OK && is_same && !is_first)
        cluster->agreed = asked;
    cluster->look_at = is_same || status != SF_OK ? asked + follow->beat : 0;
    return status;
}

/* ---- links ---- */

/* One that cannot be had does not keep the others from being heard. */
static enum sf_status
step_all(struct sf_redis_cluster_follower *cluster, struct sf_follow *follow, bool *has_told)
{
    enum sf_status worst = SF_OK;
    for (size_t i = 0; i < cluster->count; i++) {
        struct sf_redis_member *member = cluster->members[i];
        bool was_up = is_up(member);
        if (!was_up && worst != SF_OK)
            continue;
        member->follow.news = follow->news;
        member->follow.context = follow->context;
        member->follow.beat = follow->beat;
        enum sf_status status = sf_redis_follow_step(&member->follower, &member->follow);
        *has_told |= member->follower.has_told;
        if (!was_up)
            cluster->agreed = cluster->look_at = 0;
        if (status == SF_OK || worst != SF_OK)
            continue;
        worst = status;
        follow->error = member->follow.error;
    }
    return worst;
}

/* The store has connected anew since, perhaps to a master of which nobody here has heard. */
static void
doubt_if_connected(struct sf_redis_cluster_follower *cluster)
{
    unsigned connects = atomic_load(&cluster->server->connects);
    if (cluster->connects == connects)
        return;
    cluster->connects = connects;
    cluster->agreed = cluster->look_at = 0;
}

static sf_time
proven_by_all(const struct sf_redis_cluster_follower *cluster)
{
    sf_time proven = cluster->agreed;
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->members[i]->follow.proven < proven)
            proven = cluster->members[i]->follow.proven;
    return proven;
}

static void
wait_for_any(const struct sf_redis_cluster_follower *cluster, sf_time until)
{
    struct sf_wire *wires[SF_REDIS_NODES_MAX];
    for (size_t i = 0; i < cluster->count; i++) {
        sf_time next = sf_redis_follow_next(&cluster->members[i]->follower);
        wires[i] = cluster->members[i]->follower.link.wire;
        until = next < until ? next : until;
    }
    (void)sf_wire_wait_any(wires, cluster->count, cluster->look_at < until ? cluster->look_at : until);
}

enum sf_status
sf_redis_follow_cluster(struct sf_redis_cluster_follower *cluster, sf_time until, struct sf_follow *follow)
{
    bool has_told = false;
    enum sf_status status = cluster->count == 0 ? look(cluster, follow) : SF_OK;
    while (status == SF_OK) {
        doubt_if_connected(cluster);
        status = step_all(cluster, follow, &has_told);
        if (status != SF_OK) {
            struct sf_error reason = follow->error;
            (void)look(cluster, follow); /* somebody else may have its slots by now */
            follow->error = reason;
            break;
        }
        if (sf_clock_steady() >= cluster->look_at)
            status = look(cluster, follow);
        else if (has_told || sf_clock_steady() >= until)
            break;
        else
            wait_for_any(cluster, until);
    }
    follow->proven = proven_by_all(cluster);
    return status;
}
