/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gateway_case.h"

#include <apr_general.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct gateway_case at;

void
start_gateway(const char *route)
{
    char file[1000];
    struct sf_error error = {.text = ""};
    int ends[2];
    set_up();
    at = (struct gateway_case){.pool = NULL};
    snprintf(file, sizeof file,
             "<Route /a>\nSessionFast On\nSessionFastLoginDurability memory\n%s\n</Route>\n",
             route);
    ck_assert_int_eq(apr_pool_create(&at.pool, NULL), APR_SUCCESS);
    ck_assert_msg(sf_routes_read_text(&at.settings.routes, sf_span_text(file), "test", at.pool,
                                      &error) == SF_OK,
                  "%s", error.text);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    at.server = ends[1];
    ck_assert_int_eq(sf_connection_init(&at.connection, ends[0]), SF_OK);
    at.connection.id = 1;
    at.connection.role = SF_FCGI_RESPONDER;
    at.connection.is_body_end = true;
    sf_params_init(&at.params, 4096, 50);
    sf_buffer_init(&at.got, 1 << 20);
    at.request = (struct sf_request){
        .gateway = &at.gateway,
        .connection = &at.connection,
        .params = &at.params,
        .settings = &at.settings,
        .route = &at.settings.routes.items[0],
        .path = strdup("/a"),
    };
    sf_buffer_init(&at.request.redirect, 1000);
    sf_response_init(&at.response, &at.request);
}

void
finish_gateway(void)
{
    sf_response_fini(&at.response);
    sf_buffer_fini(&at.request.redirect);
    free(at.request.path);
    sf_buffer_fini(&at.got);
    sf_params_fini(&at.params);
    sf_connection_fini(&at.connection);
    close(at.server);
    apr_pool_destroy(at.pool);
    tear_down();
}

void
set_param(const char *name, const char *value)
{
    ck_assert_int_eq(sf_params_set_text(&at.params, name, value), SF_OK);
}

void
send_body(const char *text)
{
    struct sf_buffer records;
    sf_buffer_init(&records, 1 << 20);
    at.connection.is_body_end = false;
    ck_assert_int_eq(sf_fcgi_stream_append(&records, SF_FCGI_STDIN, 1, sf_span_text(text)), SF_OK);
    ck_assert_int_eq(write(at.server, records.data, records.size), (ssize_t)records.size);
    sf_buffer_fini(&records);
}

static void
collect(void)
{
    static unsigned char bytes[1 << 18];
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;
    ssize_t size = read(at.server, bytes, sizeof bytes);
    struct sf_span input = sf_span_of(bytes, size > 0 ? (size_t)size : 0);
    sf_buffer_clear(&at.got);
    while (sf_fcgi_reader_take(&reader, &input, &piece) == SF_OK) {
        if (piece.type == SF_FCGI_STDOUT)
            ck_assert_int_eq(sf_buffer_append_span(&at.got, piece.content), SF_OK);
    }
    ck_assert_int_eq(sf_buffer_reserve(&at.got, 1), SF_OK);
    at.got.data[at.got.size] = '\0';
}

static void
set_variable(void *context, const char *name, const char *value)
{
    (void)context;
    set_param(name, value);
}

void
serve(sf_application_fn *application)
{
    at.request.visit = test.visit;
    at.request.visit.config = &at.request.route->config;
    at.request.has_visit = true;
    sf_visit_export(&at.request.visit, &test.call, at.request.visit.config, set_variable, NULL);
    application(&at.request, &at.response);
    if (at.connection.state == SF_CONNECTION_OPEN)
        ck_assert_int_eq(sf_connection_end(&at.connection, 0, SF_FCGI_REQUEST_COMPLETE), SF_OK);
    sf_connection_flush(&at.connection, 20 * SF_SECOND);
    test.visit = at.request.visit; /* which is what tear_down ends */
    collect();
}

void
assert_begin(const char *expected)
{
    ck_assert_msg(strncmp((const char *)at.got.data, expected, strlen(expected)) == 0, "%s",
                  (const char *)at.got.data);
}

bool
has(const char *text)
{
    return strstr((const char *)at.got.data, text) != NULL;
}
