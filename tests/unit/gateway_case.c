/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gateway_case.h"

#include <apr_general.h>
#include <check.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct gateway_case at;

static void
start_request(void)
{
    ck_assert_int_eq(sf_connection_init(&at.connection, web_server_init(&at.web)), SF_OK);
    at.connection.id = 1;
    at.connection.role = SF_FCGI_RESPONDER;
    at.connection.is_body_end = true;
    at.request = (struct sf_request){
        .gateway = &at.gateway,
        .connection = &at.connection,
        .params = &at.params,
        .settings = &at.settings,
        .route = &at.settings.routes.items[0],
        .path = strdup("/a/x"),
        .begun = sf_clock_steady(),
    };
    sf_buffer_init(&at.request.redirect, 1000);
    sf_response_init(&at.response, &at.request);
}

static void
finish_request(void)
{
    sf_response_fini(&at.response);
    sf_buffer_fini(&at.request.redirect);
    free(at.request.path);
    sf_connection_fini(&at.connection);
    web_server_fini(&at.web);
}

void
next_request(void)
{
    finish_request();
    start_request();
}

void
start_gateway(const char *file)
{
    struct sf_error error = {.text = ""};
    at = (struct gateway_case){.pool = NULL};
    ck_assert_int_eq(apr_pool_create(&at.pool, NULL), APR_SUCCESS);
    ck_assert_msg(sf_routes_read_text(&at.settings.routes, sf_span_text(file), "test", at.pool,
                                      &error) == SF_OK,
                  "%s", error.text);
    sf_kept_lines_init(&at.log);
    at.gateway.log = at.log.log;
    at.gateway.config = at.settings.routes.top;
    at.gateway.stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    at.gateway.cutting = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    at.settings.users = 2; /* never the last one: it is not on the heap */
    sf_settings_slot_init(&at.gateway.settings, &at.settings);
    sf_leftovers_init(&at.gateway.leftovers);
    sf_upstream_pools_init(&at.gateway.upstreams);
    sf_params_init(&at.params, 4096, 50);
    start_request();
}

void
finish_gateway(void)
{
    finish_request();
    sf_params_fini(&at.params);
    sf_upstream_pools_fini(&at.gateway.upstreams);
    sf_settings_slot_fini(&at.gateway.settings);
    close(at.gateway.stopping);
    close(at.gateway.cutting);
    apr_pool_destroy(at.pool);
}

struct sf_config *
options(void)
{
    return &at.settings.routes.items[0].config;
}

void
set_path(const char *path)
{
    free(at.request.path);
    at.request.path = strdup(path);
}

void
set_param(const char *name, const char *value)
{
    ck_assert_int_eq(sf_params_set_text(&at.params, name, value), SF_OK);
}

void
send_body(const char *text)
{
    at.connection.is_body_end = false;
    add_stream(&at.web, SF_FCGI_STDIN, 1, sf_span_text(text));
    say_all(&at.web);
}

static void
hear_web_server(void)
{
    sf_connection_push(&at.connection);
    hear(&at.web);
}

void
run_application(sf_application_fn *application)
{
    application(&at.request, &at.response);
    if (at.connection.state == SF_CONNECTION_OPEN)
        ck_assert_int_eq(sf_connection_end(&at.connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    sf_connection_flush(&at.connection, SOON);
}

void
assert_output(const char *expected)
{
    hear_web_server();
    ck_assert_str_eq(output_of(&at.web), expected);
    sf_buffer_clear(&at.web.output);
}

void
assert_errors(const char *expected)
{
    hear_web_server();
    ck_assert_str_eq(at.web.errors.size > 0 ? (const char *)at.web.errors.data : "", expected);
    sf_buffer_clear(&at.web.errors);
}

void
assert_begin(const char *expected)
{
    hear_web_server();
    ck_assert_msg(strncmp(output_of(&at.web), expected, strlen(expected)) == 0, "%s",
                  output_of(&at.web));
}

bool
has(const char *text)
{
    hear_web_server();
    return strstr(output_of(&at.web), text) != NULL;
}

bool
was_told(const char *line_begin)
{
    return sf_kept_lines_with(&at.log, line_begin) > 0;
}
