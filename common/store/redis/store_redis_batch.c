/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/redis/store_redis_batch.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/store/redis/store_redis_errors.h"

#define PIPELINE_BYTES (1u << 20)     /* one command more at most */
#define TRIES_SINGLE 2                /* of each call */
#define TRIES_CLUSTER 6
#define TROUBLES_MAX 2                /* then a node is left alone for this batch */
#define NODE_PATIENCE (2 * SF_SECOND) /* with one of several nodes, each time */

enum state { WAITS, SENT, ANSWERED, AGAIN, OVER };

/* What the last command of a pipeline has said about the others. */
enum tail { TAIL_FINE, TAIL_MOVED, TAIL_EMPTIED, TAIL_TOO_FEW };

/* One node's part of a round. */
struct turn {
    struct sf_redis_batch *batch;
    struct sf_redis_node *node;
    uint8_t number;
    size_t next;          /* call that may be the next to be answered */
    bool was_let_in;      /* it is asking, and that was answered */
    bool wants_new;       /* connection */
    unsigned mark;        /* that was asked for */
    struct sf_redis_redirect moved; /* the mark has */
    enum tail tail;
};

static bool
is_cluster(const struct sf_redis_batch *batch)
{
    return batch->lane->server->kind == SF_REDIS_CLUSTER;
}

static void
lose(struct sf_redis_batch *batch, size_t at, enum sf_status status)
{
    struct sf_redis_call *call = &batch->calls[at];
    call->state = OVER;
    if (!call->is_answered)
        batch->lose(batch->context, at, status);
}

/* ---- where to ---- */

/* false: there is nowhere, or it has been tried often enough. */
static bool
find_node(struct sf_redis_batch *batch, struct sf_redis_call *call)
{
    struct sf_redis_lane *lane = batch->lane;
    if (batch->generation != lane->generation)
        call->is_asking = false;
    if (!call->is_asking)
        call->node = sf_redis_lane_owner(lane, call->slot);
    if (call->node == SF_REDIS_NO_NODE) {
        lane->is_stale = true;
        sf_error_set(&batch->error, SF_UNAVAILABLE, "%s: no node of the Cluster has slot %u",
                     lane->server->url.label, call->slot);
        return false;
    }
    return call->tries < (is_cluster(batch) ? TRIES_CLUSTER : TRIES_SINGLE)
           && lane->nodes[call->node]->troubles < TROUBLES_MAX;
}

/* Returns how many wait to be asked. */
static size_t
prepare(struct sf_redis_batch *batch, sf_time deadline)
{
    size_t waiting = 0;
    bool is_late = sf_clock_steady() >= deadline;
    if (!is_late)
        (void)!sf_redis_lane_look(batch->lane, false, deadline, &batch->error); /* else what was known must do */
    for (size_t i = 0; i < batch->count; i++) {
        struct sf_redis_call *call = &batch->calls[i];
        if (call->state != WAITS)
            continue;
        if (is_late || !find_node(batch, call))
            lose(batch, i, SF_UNAVAILABLE);
        else
            waiting++;
    }
    batch->generation = batch->lane->generation;
    return waiting;
}

/* Nodes that have calls in this state. */
static size_t
list_nodes(const struct sf_redis_batch *batch, enum state state, uint8_t nodes_out[SF_REDIS_NODES_MAX])
{
    bool is_listed[SF_REDIS_NODES_MAX] = {false};
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct sf_redis_call *call = &batch->calls[i];
        if (call->state != state || is_listed[call->node])
            continue;
        is_listed[call->node] = true;
        nodes_out[count++] = call->node;
    }
    return count;
}

/* ---- asking ---- */

/* What was sent and not answered: asked again where that is harmless. */
static void
fail_sent(struct sf_redis_batch *batch, uint8_t node, enum sf_status status)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sf_redis_call *call = &batch->calls[i];
        if (call->node != node || call->state == WAITS || call->state == OVER)
            continue;
        call->state = WAITS;
        call->is_answered = false;
        if (status != SF_UNAVAILABLE && !batch->is_read)
            lose(batch, i, SF_UNCERTAIN);
    }
}

static void
fail_waiting(struct sf_redis_batch *batch, uint8_t node, enum sf_status status)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct sf_redis_call *call = &batch->calls[i];
        if (call->node != node || call->state != WAITS)
            continue;
        call->tries++;
        if (!is_cluster(batch))
            lose(batch, i, status == SF_NO_MEMORY ? SF_NO_MEMORY : SF_UNAVAILABLE);
    }
}

/* What of it went into the pipeline before it failed is taken out again. */
static enum sf_status
add_call(struct sf_redis_batch *batch, size_t at, struct sf_redis_connection *connection)
{
    size_t size = connection->out.size, commands = connection->commands;
    enum sf_status status = SF_OK;
    if (batch->calls[at].is_asking)
        status = sf_redis_words(connection, (const char *const[]){"ASKING"}, 1);
    if (status == SF_OK)
        status = batch->add(batch->context, at, connection);
    if (status != SF_OK) {
        connection->out.size = size;
        connection->commands = commands;
    }
    return status;
}

/* Returns how many. */
static size_t
add_calls(struct sf_redis_batch *batch, uint8_t node, struct sf_redis_connection *connection)
{
    size_t added = 0;
    for (size_t i = 0; i < batch->count && connection->out.size < PIPELINE_BYTES; i++) {
        struct sf_redis_call *call = &batch->calls[i];
        if (call->node != node || call->state != WAITS)
            continue;
        call->tries++;
        enum sf_status status = add_call(batch, i, connection);
        if (status != SF_OK) {
            lose(batch, i, status);
            call->is_answered = true;
            continue;
        }
        call->state = SENT;
        added++;
    }
    return added;
}

/* Behind all others: what it says is as new as they are. Half of the time is left for what is on its way. */
static enum sf_status
add_tail(struct sf_redis_batch *batch, struct sf_redis_connection *connection, sf_time deadline)
{
    const struct sf_redis_server *server = connection->server;
    char text[SF_REDIS_MARK_TEXT], replicas[24];
    unsigned mark = sf_redis_marks_known(&connection->marks, server);
    if (batch->is_read && mark != SF_REDIS_NO_MARK) {
        sf_redis_mark_format(server, mark, text);
        return sf_redis_words(connection, (const char *const[]){"EXISTS", text}, 2);
    }
    if (batch->is_read || server->replicas == 0)
        return SF_OK;
    sf_time left = (deadline - sf_clock_steady()) / 2;
    snprintf(replicas, sizeof replicas, "%" PRId64, server->replicas);
    snprintf(text, sizeof text, "%" PRId64, left < 1 ? 1 : left);
    return sf_redis_words(connection, (const char *const[]){"WAIT", replicas, text}, 3);
}

static void
ask_node(struct sf_redis_batch *batch, uint8_t number, sf_time deadline)
{
    struct sf_redis_node *node = batch->lane->nodes[number];
    struct sf_redis_connection *connection = &node->connection;
    enum sf_status status = sf_redis_lane_begin(batch->lane, number, deadline, &batch->error);
    if (status != SF_OK) {
        node->troubles = TROUBLES_MAX;
        fail_waiting(batch, number, status);
        return;
    }
    if (add_calls(batch, number, connection) == 0) {
        sf_redis_lane_tell(batch->lane, number, true);
        return;
    }
    status = add_tail(batch, connection, deadline);
    if (status == SF_OK)
        status = sf_redis_send(connection, deadline, &batch->error);
    else
        status = SF_UNAVAILABLE; /* no memory */
    if (status == SF_OK)
        return;
    node->troubles++;
    sf_redis_lane_tell(batch->lane, number, false);
    fail_sent(batch, number, status);
}

/* ---- hearing ---- */

static void
take_tail(struct turn *turn, const struct redisReply *reply)
{
    struct sf_redis_server *server = turn->batch->lane->server;
    struct sf_span said = sf_span_of(reply->str, reply->type == REDIS_REPLY_ERROR ? reply->len : 0);
    bool is_number = reply->type == REDIS_REPLY_INTEGER;
    if (!turn->batch->is_read)
        turn->tail = is_number && reply->integer >= server->replicas ? TAIL_FINE : TAIL_TOO_FEW;
    else if (sf_redis_redirect_read(&turn->moved, said, &turn->node->connection.place))
        turn->tail = turn->moved.is_ask ? TAIL_FINE : TAIL_MOVED; /* on its way: the node is no empty one */
    else
        turn->tail = is_number && reply->integer == 1 ? TAIL_FINE : TAIL_EMPTIED;
}

/* true: this node will not answer the call, but another one, or later. */
static bool
is_sent_on(struct turn *turn, struct sf_redis_call *call, const struct redisReply *reply)
{
    struct sf_redis_redirect redirect;
    struct sf_span said = sf_span_of(reply->str, reply->len);
    struct sf_redis_batch *batch = turn->batch;
    if (reply->type != REDIS_REPLY_ERROR || !is_cluster(batch))
        return false;
    if (sf_redis_fault_is(said, "TRYAGAIN")) {
        call->next = call->node;
        return true;
    }
    if (!sf_redis_redirect_read(&redirect, said, &turn->node->connection.place))
        return false;
    call->is_asking = redirect.is_ask;
    call->next = sf_redis_lane_node_at(batch->lane, &redirect.place);
    return true;
}

static void
take_answer(struct turn *turn, size_t at, const struct redisReply *reply)
{
    struct sf_redis_batch *batch = turn->batch;
    struct sf_redis_call *call = &batch->calls[at];
    call->next = SF_REDIS_NO_NODE;
    call->state = AGAIN;
    if (is_sent_on(turn, call, reply))
        return;
    call->is_asking = false;
    call->is_answered = true;
    if (batch->answer(batch->context, at, &turn->node->connection, reply))
        call->state = ANSWERED;
    else
        turn->wants_new = true;
}

static void
take_reply(void *context, size_t index, const struct redisReply *reply)
{
    struct turn *turn = context;
    struct sf_redis_batch *batch = turn->batch;
    (void)index;
    while (turn->next < batch->count
           && (batch->calls[turn->next].node != turn->number || batch->calls[turn->next].state != SENT))
        turn->next++;
    if (turn->next == batch->count) {
        take_tail(turn, reply);
    } else if (batch->calls[turn->next].is_asking && !turn->was_let_in) {
        turn->was_let_in = true;
    } else {
        turn->was_let_in = false;
        take_answer(turn, turn->next, reply);
    }
}

/* The answers count. */
static void
settle(struct turn *turn)
{
    struct sf_redis_batch *batch = turn->batch;
    for (size_t i = 0; i < batch->count; i++) {
        struct sf_redis_call *call = &batch->calls[i];
        if (call->node != turn->number)
            continue;
        if (call->state == AGAIN && call->next != SF_REDIS_NO_NODE && !call->is_asking)
            sf_redis_lane_move(batch->lane, call->slot, call->next);
        if (call->state == AGAIN && call->is_asking)
            call->node = call->next;
        if (call->state == AGAIN)
            call->state = WAITS;
        else if (call->state == ANSWERED)
            call->state = OVER;
    }
}

/* The answers are worth nothing without the mark, and little with too few replicas. */
static void
settle_tail(struct turn *turn)
{
    struct sf_redis_batch *batch = turn->batch;
    struct sf_redis_connection *connection = &turn->node->connection;
    if (turn->tail == TAIL_MOVED) {
        sf_redis_lane_move(batch->lane, turn->moved.slot, sf_redis_lane_node_at(batch->lane, &turn->moved.place));
    } else {
        turn->node->troubles++;
        sf_redis_fail(connection, SF_UNAVAILABLE,
                      turn->tail == TAIL_EMPTIED ? SF_REDIS_EMPTIED : "too few replicas have it in time",
                      &batch->error);
    }
    if (turn->tail == TAIL_EMPTIED)
        sf_redis_close(connection);
    fail_sent(batch, turn->number, SF_UNCERTAIN);
}

static void
hear_node(struct sf_redis_batch *batch, uint8_t number, sf_time deadline)
{
    struct sf_redis_node *node = batch->lane->nodes[number];
    struct turn turn = {.batch = batch, .node = node, .number = number};
    enum sf_status status = sf_redis_collect(&node->connection, deadline, take_reply, &turn, &batch->error);
    sf_redis_lane_tell(batch->lane, number, status == SF_OK);
    if (status != SF_OK) {
        node->troubles++;
        fail_sent(batch, number, status);
        return;
    }
    if (turn.tail != TAIL_FINE) {
        settle_tail(&turn);
        return;
    }
    if (turn.wants_new) {
        node->troubles++;
        batch->lane->is_stale = true;
        sf_redis_close(&node->connection);
    }
    settle(&turn);
}

/* ---- the whole ---- */

/* So long this one may take, that as many others, the rest of the round, and later batches have their time too. */
static sf_time
share(const struct sf_redis_batch *batch, size_t left, sf_time deadline)
{
    sf_time now = sf_clock_steady(), patience = (deadline - now) / (sf_time)left;
    if (batch->lane->count < 2)
        return deadline;
    return now + (patience > NODE_PATIENCE ? NODE_PATIENCE : patience);
}

static void
run_round(struct sf_redis_batch *batch, sf_time deadline)
{
    uint8_t nodes[SF_REDIS_NODES_MAX];
    size_t count = list_nodes(batch, WAITS, nodes);
    for (size_t i = 0; i < count; i++)
        ask_node(batch, nodes[i], share(batch, count - i + 1, deadline));
    count = list_nodes(batch, SENT, nodes);
    for (size_t i = 0; i < count; i++)
        hear_node(batch, nodes[i], share(batch, count - i, deadline));
}

size_t
sf_redis_batch_run(struct sf_redis_batch *batch, sf_time deadline)
{
    struct sf_redis_lane *lane = batch->lane;
    size_t answered = 0;
    batch->generation = lane->generation;
    for (size_t i = 0; i < lane->count; i++)
        lane->nodes[i]->troubles = 0;
    while (prepare(batch, deadline) > 0)
        run_round(batch, deadline);
    for (size_t i = 0; i < batch->count; i++)
        answered += batch->calls[i].is_answered;
    return answered;
}
