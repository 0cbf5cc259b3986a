/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * request.h - one request, from its parameters to the end of the answer: which route, the session
 * in, the application, the session out.
 */
#include "common/front/visit.h"
#include "fcgi_gateway/connection.h"
#include "fcgi_gateway/gateway.h"

#define SF_REDIRECTS_MAX 10

struct sf_request {
    struct sf_gateway *gateway;
    struct sf_connection *connection;
    struct sf_params *params;
    const struct sf_settings *settings;
    const struct sf_route *route;
    char *path;            /* decoded, without a query: what routes are found by; malloc'ed */
    struct sf_visit visit; /* while has_visit */
    bool has_visit;
    bool is_authorizing; /* asks whether another request is allowed: no application may answer */
    enum sf_counter result;      /* as long as nobody goes away: whose answer it is */
    uint32_t application_status; /* for the web server: an exit status */
    sf_time begun;               /* steady clock */
    unsigned redirects;
    struct sf_buffer redirect; /* where the application sends it inside; empty: nowhere */
};

/* Serves the request that sf_connection_begin has read. The connection is SF_CONNECTION_LOST when
 * it must be closed. */
void sf_request_serve(struct sf_gateway *gateway, struct sf_connection *connection,
                      struct sf_params *params);

/* Answers one that could not be read: too many or too large parameters. */
void sf_request_refuse(struct sf_gateway *gateway, struct sf_connection *connection,
                       unsigned status);

/* The path of a URL, decoded, without "." and ".." and empty parts; malloc'ed; NULL: no memory. */
char *sf_request_path_of(const char *url);

/* For the calls of visit.h. */
struct sf_visit_call sf_request_call(const struct sf_request *request);

/* Until when the whole request may take; INT64_MAX: no limit. */
sf_time sf_request_limit(const struct sf_request *request);

/* What applications are: they give their answer to a response (response.h), all of it, and return.
 */
struct sf_response;
typedef void sf_application_fn(struct sf_request *request, struct sf_response *response);
