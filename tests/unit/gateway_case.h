/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gateway_case.h - what the test programs of the gateway's own answers share: a request of a web
 * server with the session of visit_case.h, and what it gets.
 */
#include "fcgi_gateway/response.h"
#include "tests/unit/visit_case.h"

struct gateway_case {
    apr_pool_t *pool;
    struct sf_settings settings;
    struct sf_gateway gateway;
    struct sf_connection connection;
    struct sf_params params;
    struct sf_request request;
    struct sf_response response;
    int server;           /* the web server's end */
    struct sf_buffer got; /* STDOUT, with a NUL that is not counted */
};
extern struct gateway_case at;

/* `route`: the lines of <Route /a>, where SessionFast is On. */
void start_gateway(const char *route);
void finish_gateway(void);

void set_param(const char *name, const char *value);
void send_body(const char *text);
/* With the session of `test.visit`. */
void serve(sf_application_fn *application);

/* What was answered is, or has in it, that text. */
void assert_begin(const char *expected);
bool has(const char *text);
