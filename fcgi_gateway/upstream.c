/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/upstream.h"

#include <poll.h>
#include <stdio.h>

#include "fcgi_gateway/patience.h"
#include "fcgi_gateway/upstream_link.h"

#define COMPLAINT_MAX 200 /* bytes of what the application says, in our log */

enum outcome {
    RUNNING,
    ANSWERED,
    REFUSED,
    BROKEN_OFF,
    UNREACHABLE,
    SLOW_CONNECT,
    OUT_OF_TIME,
    NO_FASTCGI,
    GIVEN_UP
};

struct run {
    struct sf_request *request;
    struct sf_response *response;
    struct sf_connection *connection;
    struct sf_upstream_pool *pool;
    struct sf_endpoint endpoint;
    struct sf_upstream_link link;
    bool is_kept_one; /* the connection is not new */
    sf_time connect_deadline;
    enum outcome outcome;
    struct sf_patience patience;
    enum sf_patience_end patience_end;     /* while OUT_OF_TIME */
    unsigned char end[SF_FCGI_BODY_BYTES]; /* of END_REQUEST, which may come in parts */
    size_t end_size;
};

enum { CONNECTION, UPSTREAM, CUT, WAITS };

/* ---- beginning ---- */

static struct sf_counters *
counters_of(const struct run *run)
{
    return sf_gateway_counters(run->request->gateway);
}

static void
connect_anew(struct run *run)
{
    sf_count(counters_of(run), gateway_upstream_connects);
    run->is_kept_one = false;
    run->connect_deadline =
        sf_clock_steady() + run->request->route->config.upstream_connect_timeout;
    if (sf_upstream_link_connect(&run->link, &run->endpoint) != SF_OK)
        run->outcome = UNREACHABLE;
}

/*
 * What has come of the body goes along with the parameters. Not only because it is one system call:
 * an application that answers without reading takes an end that comes later on a kept connection
 * for a broken request, and closes it (libfcgi).
 */
static enum sf_status
add_what_has_come(struct run *run)
{
    enum sf_status status = SF_OK;
    struct sf_span body;
    while (status == SF_OK && (body = sf_connection_body(run->connection)).size > 0) {
        status = sf_upstream_link_add_body(&run->link, body);
        sf_connection_take(run->connection, body.size);
    }
    if (status == SF_OK && sf_connection_is_body_taken(run->connection))
        status = sf_upstream_link_add_body(&run->link, sf_span_of(NULL, 0));
    return status;
}

static enum sf_status
begin(struct run *run, int kept_socket)
{
    const struct sf_fcgi_begin begin = {
        .role = SF_FCGI_RESPONDER,
        .is_kept = run->request->route->config.upstream_keep_alive > 0,
    };
    enum sf_status status = sf_upstream_link_init(&run->link);
    run->is_kept_one = kept_socket >= 0;
    if (run->is_kept_one) {
        sf_count(counters_of(run), gateway_upstream_reuses);
        sf_upstream_link_use(&run->link, kept_socket);
    }
    if (status == SF_OK)
        status = sf_upstream_link_begin(&run->link, &begin, run->request->params);
    if (status == SF_OK)
        status = add_what_has_come(run);
    if (status == SF_OK && !run->is_kept_one)
        connect_anew(run);
    return status;
}

/* ---- moving ---- */

/* What the application takes no more is not kept for it. */
static void
give_body(struct run *run)
{
    sf_upstream_link_push(&run->link);
    while (run->outcome == RUNNING && sf_upstream_link_wants_body(&run->link)) {
        struct sf_span body = sf_connection_body(run->connection);
        if (body.size == 0 && !sf_connection_is_body_taken(run->connection))
            return;
        if (sf_upstream_link_add_body(&run->link, body) != SF_OK)
            run->outcome = GIVEN_UP;
        if (body.size > 0)
            sf_connection_take(run->connection, body.size);
        sf_upstream_link_push(&run->link);
    }
}

static void
complain(struct run *run, struct sf_span said)
{
    unsigned times;
    sf_response_note(run->response, said);
    if (sf_log_seldom(&run->pool->complaints, &times))
        sf_log_write(&run->request->gateway->log, SF_LOG_WARNING, "SF0731",
                     "%s: %s says (%u times since the last line): %.*s", run->request->path,
                     run->pool->address, times,
                     (int)(said.size < COMPLAINT_MAX ? said.size : COMPLAINT_MAX),
                     (const char *)said.data);
}

static void
take_end(struct run *run, const struct sf_fcgi_piece *piece)
{
    size_t room = sizeof run->end - run->end_size;
    size_t size = piece->content.size < room ? piece->content.size : room;
    if (size > 0)
        memcpy(run->end + run->end_size, piece->content.data, size);
    run->end_size += size;
    if (piece->is_last)
        run->outcome = run->end_size == sizeof run->end ? ANSWERED : NO_FASTCGI;
}

static void
hear(struct run *run, const struct sf_fcgi_piece *piece)
{
    bool is_ours = piece->id == SF_UPSTREAM_REQUEST_ID;
    if (piece->id == 0)
        return; /* about the connection: nothing was asked */
    if (is_ours && piece->type == SF_FCGI_STDOUT)
        sf_response_feed(run->response, piece->content);
    else if (is_ours && piece->type == SF_FCGI_STDERR && piece->content.size > 0)
        complain(run, piece->content);
    else if (is_ours && piece->type == SF_FCGI_END_REQUEST)
        take_end(run, piece);
    else if (!is_ours || piece->type != SF_FCGI_STDERR)
        run->outcome = NO_FASTCGI;
    if (run->response->state == SF_RESPONSE_FAILED)
        run->outcome = REFUSED;
    if (run->response->state == SF_RESPONSE_BROKEN)
        run->outcome = GIVEN_UP;
}

static void
hear_all(struct run *run)
{
    struct sf_fcgi_piece piece;
    enum sf_status status = SF_OK;
    while (run->outcome == RUNNING && (status = sf_upstream_link_take(&run->link, &piece)) == SF_OK)
        hear(run, &piece);
    if (run->outcome == RUNNING && status == SF_INVALID)
        run->outcome = NO_FASTCGI;
}

/* An application may close a connection that it has kept at the moment we use it. */
static void
look_at_loss(struct run *run)
{
    bool is_lost = run->link.is_over || run->link.is_deaf;
    if (run->outcome != RUNNING)
        return;
    if (is_lost && run->is_kept_one && run->link.sent == 0 && run->link.got == 0)
        connect_anew(run);
    else if (run->link.is_over)
        run->outcome = run->link.error != 0 ? UNREACHABLE : BROKEN_OFF;
}

/* ---- waiting ---- */

static void
note_progress(struct run *run)
{
    bool wants_body = sf_upstream_link_wants_body(&run->link);
    sf_patience_note(&run->patience, run->link.sent + run->link.got + run->connection->moved,
                     !run->link.is_connecting &&
                         sf_connection_is_awaited(run->connection, wants_body));
}

static sf_time
deadline_of(const struct run *run, enum outcome *outcome_out, enum sf_patience_end *end_out)
{
    sf_time deadline = sf_patience_deadline(&run->patience, run->request, end_out);
    bool is_connect = run->link.is_connecting && run->connect_deadline <= deadline;
    *outcome_out = is_connect ? SLOW_CONNECT : OUT_OF_TIME;
    return is_connect ? run->connect_deadline : deadline;
}

/* A socket that is not to be read is not looked at either: that it was closed would wake us again
 * and again. */
static void
fill_waits(struct run *run, struct pollfd waits[WAITS], size_t room)
{
    short events = sf_upstream_link_events(&run->link, room);
    waits[CONNECTION] =
        (struct pollfd){run->connection->socket, sf_connection_events(run->connection), 0};
    waits[UPSTREAM] = (struct pollfd){events != 0 ? run->link.socket : -1, events, 0};
    waits[CUT] = (struct pollfd){run->request->gateway->cutting, POLLIN, 0};
}

static void
step(struct run *run)
{
    struct pollfd waits[WAITS];
    enum outcome outcome;
    give_body(run);
    sf_connection_push(run->connection);
    if (run->connection->state != SF_CONNECTION_OPEN) { /* behind a piece of the body */
        run->outcome = GIVEN_UP;
        return;
    }
    note_progress(run);
    size_t room = sf_connection_room(run->connection);
    fill_waits(run, waits, room);
    sf_time left = deadline_of(run, &outcome, &run->patience_end) - sf_clock_steady();
    int found = left <= 0 ? 0 : poll(waits, WAITS, left > INT32_MAX ? INT32_MAX : (int)left);
    if (left <= 0 && run->outcome == RUNNING)
        run->outcome = outcome;
    if (found <= 0)
        return;
    sf_connection_step(run->connection, waits[CONNECTION].revents);
    if (run->connection->state != SF_CONNECTION_OPEN || waits[CUT].revents != 0) {
        run->outcome = GIVEN_UP;
        return;
    }
    sf_upstream_link_step(&run->link, waits[UPSTREAM].revents, room);
    hear_all(run);
    look_at_loss(run);
}

/* ---- the end ---- */

static void
take_status(struct run *run)
{
    struct sf_fcgi_end end;
    sf_fcgi_end_decode(run->end, &end);
    run->request->application_status = end.application_status;
    if (end.protocol_status == SF_FCGI_OVERLOADED)
        sf_response_fail(run->response, SF_HTTP_UNAVAILABLE,
                         "the upstream says that it is overloaded");
    else if (end.protocol_status != SF_FCGI_REQUEST_COMPLETE)
        sf_response_fail(run->response, 502, "the upstream refuses such requests");
}

static void
fail_unreachable(struct run *run)
{
    char room[128], why[256];
    snprintf(why, sizeof why, "the upstream %.100s cannot be reached: %s", run->pool->address,
             strerror_r(run->link.error, room, sizeof room));
    sf_response_fail(run->response, SF_HTTP_UNAVAILABLE, why);
}

static void
finish(struct run *run)
{
    switch (run->outcome) {
    case ANSWERED:
        take_status(run);
        return;
    case UNREACHABLE:
        fail_unreachable(run);
        return;
    case SLOW_CONNECT:
        sf_response_fail(run->response, 504,
                         "the upstream takes no connection within GatewayUpstreamConnectTimeout");
        return;
    case OUT_OF_TIME:
        sf_patience_fail(run->patience_end, run->response, "the upstream");
        return;
    case BROKEN_OFF:
        sf_response_fail(run->response, 502,
                         "the upstream closed the connection before the end of its answer");
        return;
    case NO_FASTCGI:
        sf_response_fail(run->response, 502, "what the upstream sent is not FastCGI");
        return;
    case REFUSED:
        return;
    case RUNNING:
    case GIVEN_UP:
        run->response->state = SF_RESPONSE_BROKEN;
        return;
    }
}

/* Before the connection to the application is closed: the web server need not wait for that. */
static void
end_answer(const struct run *run)
{
    const struct sf_request *request = run->request;
    sf_response_finish(run->response);
    if (run->response->state != SF_RESPONSE_BROKEN && request->redirect.size == 0 &&
        sf_connection_end(run->connection, request->application_status,
                          SF_FCGI_REQUEST_COMPLETE) != SF_OK)
        run->connection->state = SF_CONNECTION_LOST;
}

/* With a place in the pool. Returns the connection when it can be used again, -1 otherwise. */
static int
serve(struct run *run, int kept_socket)
{
    enum sf_status status = begin(run, kept_socket);
    if (status != SF_OK)
        sf_response_fail(run->response, SF_HTTP_FAILED,
                         "no room for the parameters of the request");
    while (status == SF_OK && run->outcome == RUNNING)
        step(run);
    if (status == SF_OK)
        finish(run);
    if (run->outcome == ANSWERED)
        end_answer(run);
    bool is_reusable = run->outcome == ANSWERED && sf_upstream_link_is_reusable(&run->link);
    int socket = is_reusable ? sf_upstream_link_release(&run->link) : -1;
    sf_upstream_link_fini(&run->link);
    return socket;
}

static void
refuse_for_now(struct run *run, const char *why)
{
    unsigned times;
    if (sf_log_seldom(&run->pool->refusals, &times))
        sf_log_write(&run->request->gateway->log, SF_LOG_WARNING, "SF0730",
                     "%s: answered 503: %s (%u times since the last line)", run->pool->address, why,
                     times);
    sf_response_refuse(run->response, SF_HTTP_UNAVAILABLE);
}

static void
serve_in_turn(struct run *run)
{
    const struct sf_config *config = &run->request->route->config;
    const struct pollfd others[] = {{run->connection->socket, POLLRDHUP, 0},
                                    {run->request->gateway->cutting, POLLIN, 0}};
    struct sf_upstream_place place;
    enum sf_status status = sf_upstream_pool_take(run->pool, config, others, 2, &place);
    if (place.has_waited && status != SF_FULL)
        sf_count(counters_of(run), gateway_upstream_waits);
    if (status == SF_OK)
        sf_upstream_pool_give(run->pool, config, serve(run, place.socket));
    else if (status == SF_FULL)
        refuse_for_now(run, "as many requests as GatewayUpstreamQueue says wait already");
    else if (status == SF_UNAVAILABLE)
        refuse_for_now(run, "no connection was free within GatewayUpstreamQueueTime");
    else
        run->response->state = SF_RESPONSE_BROKEN; /* the web server has gone, or we must */
}

void
sf_upstream_serve(struct sf_request *request, struct sf_response *response)
{
    const char *address = request->route->config.upstream;
    struct run run = {
        .request = request,
        .response = response,
        .connection = request->connection,
        .pool = sf_upstream_pools_find(&request->gateway->upstreams, address),
    };
    if (run.pool == NULL || sf_endpoint_parse(&run.endpoint, address, NULL) != SF_OK)
        sf_response_fail(response, SF_HTTP_FAILED, "no memory for the upstream");
    else
        serve_in_turn(&run);
}
