/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gateway_case.h - what the test programs of the gateway's answers share: a gateway of a file of
 * options, a request of a web server for /a/x in its first route, and what the web server gets.
 */
#include "fcgi_gateway/response.h"
#include "tests/support/kept_lines.h"
#include "tests/unit/web_server_case.h"

struct gateway_case {
    apr_pool_t *pool;
    struct sf_settings settings;
    struct sf_gateway gateway; /* without a front, unless the test gives it one */
    struct sf_kept_lines log;  /* of the gateway */
    struct sf_connection connection;
    struct sf_params params;
    struct sf_request request; /* of a responder, without a body */
    struct sf_response response;
    struct web_server web;
};
extern struct gateway_case at;

/* `file`: the lines of a configuration, with a route at least. */
void start_gateway(const char *file);
void finish_gateway(void);

/* Another request, over a connection of its own. */
void next_request(void);

struct sf_config *options(void); /* of the first route */
void set_path(const char *path);
void set_param(const char *name, const char *value);
/* Says it; all of it must find room in the socket. */
void send_body(const char *text);

/* To the end of its answer, and of the request. */
void run_application(sf_application_fn *application);

/* What the web server has got of STDOUT and STDERR, since this was asked the last time. */
void assert_output(const char *expected);
void assert_errors(const char *expected);
/* All of it begins so, or has that text in it. */
void assert_begin(const char *expected);
bool has(const char *text);
bool was_told(const char *line_begin); /* by the gateway's log */
