/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/response.h"

#include <stdlib.h>

#include "fcgi_gateway/response_head.h"

#define HEAD_MAX ((size_t)3 << 20)

void
sf_response_init(struct sf_response *response, struct sf_request *request)
{
    *response = (struct sf_response){.request = request};
    sf_cgi_header_init(&response->header, request->route == NULL
                                              ? SF_CONNECTION_BYTES
                                              : request->route->config.gateway_header_size);
    sf_buffer_init(&response->head, HEAD_MAX);
}

void
sf_response_fini(struct sf_response *response)
{
    sf_cgi_header_fini(&response->header);
    sf_buffer_fini(&response->head);
}

/* ---- sending ---- */

static void
send_out(struct sf_response *response, enum sf_fcgi_type type, struct sf_span content)
{
    struct sf_connection *connection = response->request->connection;
    if (sf_connection_send(connection, type, content) != SF_OK)
        connection->state = SF_CONNECTION_LOST;
}

static enum sf_counter
result_of(unsigned status)
{
    switch (status) {
    case 502: return SF_COUNTER_gateway_answered_502;
    case 503: return SF_COUNTER_gateway_answered_503;
    case 504: return SF_COUNTER_gateway_answered_504;
    }
    return status < 500 ? SF_COUNTER_gateway_answered_4xx : SF_COUNTER_gateway_answered_500;
}

static void
answer(struct sf_response *response, unsigned status)
{
    response->request->result = result_of(status);
    response->state = SF_RESPONSE_DROPPED; /* what the application has said counts no more */
    if (sf_response_head_refuse(response, status) == SF_OK)
        send_out(response, SF_FCGI_STDOUT, sf_buffer_span(&response->head));
    else
        response->state = SF_RESPONSE_BROKEN;
}

void
sf_response_refuse(struct sf_response *response, unsigned status)
{
    answer(response, status);
}

void
sf_response_fail(struct sf_response *response, unsigned status, const char *why)
{
    const struct sf_request *request = response->request;
    bool is_started = response->state == SF_RESPONSE_BODY;
    if (response->state != SF_RESPONSE_HEADER && !is_started)
        return;
    sf_log_write(&request->gateway->log, SF_LOG_ERROR, "SF0720", "%s: %s%s", request->path, why,
                 is_started ? ": the answer is cut off" : "");
    if (!is_started)
        answer(response, status);
    response->state = is_started || response->state == SF_RESPONSE_BROKEN ? SF_RESPONSE_BROKEN
                                                                          : SF_RESPONSE_FAILED;
}

void
sf_response_note(struct sf_response *response, struct sf_span output)
{
    send_out(response, SF_FCGI_STDERR, output);
}

/* ---- the header block ---- */

/*
 * "Location: /path" and no status: the request goes on inside, in the same route. To another one
 * the browser must go: the web server would not be asked who may.
 */
static bool
follow(struct sf_response *response)
{
    struct sf_request *request = response->request;
    struct sf_span location = sf_cgi_header_find(&response->header, "Location");
    bool is_local = location.size > 0 && location.data[0] == '/' &&
                    (location.size == 1 || location.data[1] != '/');
    if (!is_local || response->header.is_nph ||
        (response->header.status != 0 && response->header.status != 200))
        return false;
    sf_buffer_clear(&request->redirect);
    if (sf_buffer_append_format(&request->redirect, "%.*s", (int)location.size,
                                (const char *)location.data) != SF_OK)
        return false;
    char *path = sf_request_path_of((const char *)request->redirect.data);
    bool is_followed =
        path != NULL && sf_routes_find(&request->settings->routes, path) == request->route;
    free(path);
    if (!is_followed)
        sf_buffer_clear(&request->redirect);
    return is_followed;
}

/* Everything that the application has said so far was read. */
static void
finish_header(struct sf_response *response)
{
    struct sf_request *request = response->request;
    if (sf_cgi_header_find(&response->header, "Transfer-Encoding").size > 0) {
        sf_response_fail(response, 502, "the application's answer has a Transfer-Encoding");
        return;
    }
    if (!sf_cgi_header_has_one_length(&response->header)) {
        sf_response_fail(response, 502, "the application's answer has no good Content-Length");
        return;
    }
    sf_response_head_hear(response);
    int failure = request->has_visit ? sf_visit_take_failure(&request->visit) : 0;
    if (failure != 0) {
        answer(response, (unsigned)failure);
        return;
    }
    if (follow(response)) {
        response->state = SF_RESPONSE_DROPPED;
        return;
    }
    if (sf_response_head_make(response) != SF_OK) {
        sf_response_fail(response, 500, "no room for the response headers");
        return;
    }
    send_out(response, SF_FCGI_STDOUT, sf_buffer_span(&response->head));
    response->state = SF_RESPONSE_BODY;
}

static void
feed_header(struct sf_response *response, struct sf_span *output)
{
    enum sf_status status = sf_cgi_header_feed(&response->header, output);
    if (status == SF_OK)
        finish_header(response);
    else if (status == SF_INVALID)
        sf_response_fail(response, 502, "the application's response headers are malformed");
    else if (status != SF_NOT_FOUND)
        sf_response_fail(response, 502,
                         "the application's response headers are larger than GatewayHeaderSize");
}

void
sf_response_feed(struct sf_response *response, struct sf_span output)
{
    if (response->state == SF_RESPONSE_HEADER)
        feed_header(response, &output);
    if (response->state == SF_RESPONSE_BODY && output.size > 0)
        send_out(response, SF_FCGI_STDOUT, output);
}

void
sf_response_finish(struct sf_response *response)
{
    if (response->state == SF_RESPONSE_HEADER)
        sf_response_fail(response, 502, "the application ended before its response headers did");
}
