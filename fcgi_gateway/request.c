/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/identity/cookie.h"
#include "fcgi_gateway/api.h"
#include "fcgi_gateway/authorizer.h"
#include "fcgi_gateway/cgi_run.h"
#include "fcgi_gateway/response.h"
#include "fcgi_gateway/upstream.h"

#define LOCATION_MAX 65536
#define LENGTH_DIGITS 18 /* fits any int64_t */

struct sf_visit_call
sf_request_call(const struct sf_request *request)
{
    return (struct sf_visit_call){.log = request->gateway->log};
}

sf_time
sf_request_limit(const struct sf_request *request)
{
    sf_time limit = request->route->config.gateway_time_limit;
    return limit == 0 ? INT64_MAX : request->begun + limit;
}

/* ---- the path ---- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* In place. A broken escape stays as it is; %00 ends the text, and what it then names is not found.
 */
static void
decode_path(char *path)
{
    char *to = path;
    for (const char *at = path; *at != '\0'; at++) {
        int high = at[0] == '%' ? hex_digit(at[1]) : -1;
        int low = high >= 0 ? hex_digit(at[2]) : -1;
        *to++ = low >= 0 ? (char)(16 * high + low) : *at;
        at += low >= 0 ? 2 : 0;
    }
    *to = '\0';
}

/*
 * In place: no empty part, no "." and no "..", as web servers look at a path before they ask who
 * may: for another place than theirs another rule might hold. What begins with no '/' stays.
 */
static void
simplify_path(char *path)
{
    char *to = path; /* behind the parts that stay, at their last '/' */
    for (const char *at = path; *at == '/';) {
        size_t size = strcspn(at + 1, "/");
        const char *part = at + 1;
        bool is_last = part[size] == '\0', is_up = size == 2 && memcmp(part, "..", 2) == 0;
        bool is_nothing = size == 0 || is_up || (size == 1 && *part == '.');
        while (is_up && to > path && *--to != '/')
            ;
        if (!is_nothing) {
            memmove(to, at, size + 1);
            to += size + 1;
        } else if (is_last) {
            *to++ = '/';
        }
        at = part + size;
        if (is_last)
            *to = '\0';
    }
}

/* Browsers may say the whole URL, and web servers pass it on as it was said. */
static const char *
skip_host(const char *url)
{
    size_t scheme = strcspn(url, ":/?#");
    if (scheme == 0 || strncmp(url + scheme, "://", 3) != 0)
        return url;
    const char *path = url + scheme + 3 + strcspn(url + scheme + 3, "/?#");
    return *path == '/' ? path : "/";
}

char *
sf_request_path_of(const char *url)
{
    const char *begin = skip_host(url);
    char *path = strndup(begin, strcspn(begin, "?#"));
    if (path == NULL)
        return NULL;
    decode_path(path);
    simplify_path(path);
    return path;
}

/* Authorizers get neither SCRIPT_NAME nor PATH_INFO. */
static char *
find_path(const struct sf_params *params)
{
    const char *script = sf_params_get(params, "SCRIPT_NAME"),
               *info = sf_params_get(params, "PATH_INFO");
    const char *url = sf_params_get(params, "REQUEST_URI");
    char *path;
    if (script == NULL && info == NULL)
        return sf_request_path_of(url == NULL ? "/" : url);
    if (asprintf(&path, "%s%s", script == NULL ? "" : script, info == NULL ? "" : info) < 0)
        return NULL;
    return path;
}

/* ---- the session in ---- */

static bool
is_unwanted(const char *name)
{
    return sf_export_is_ours(name) || strcmp(name, "HTTP_PROXY") == 0;
}

/* Settings of php-fpm, the code that it loads first among them. */
static bool
is_php_value(const char *name)
{
    return strcmp(name, "PHP_VALUE") == 0 || strcmp(name, "PHP_ADMIN_VALUE") == 0;
}

struct export
{
    struct sf_params *params;
    enum sf_status status;
};

static void
set_variable(void *context, const char *name, struct sf_span value)
{
    struct export *export = context;
    if (export->status == SF_OK)
        export->status = sf_params_set(export->params, name, value);
}

static enum sf_status
hide_cookie(struct sf_request *request)
{
    struct sf_span header = sf_params_span(request->params, "HTTP_COOKIE");
    enum sf_status status = SF_OK;
    if (header.size == 0 || !request->route->config.cookie_remove)
        return SF_OK;
    char *rest = malloc(header.size + 1);
    if (rest == NULL)
        return SF_NO_MEMORY;
    if (sf_cookie_remove(header, request->route->config.cookie_name, rest) > 0) {
        sf_params_remove(request->params, "HTTP_COOKIE");
        if (*rest != '\0')
            status = sf_params_set_text(request->params, "HTTP_COOKIE", rest);
    }
    free(rest);
    return status;
}

/* 0, or the status to answer at once. */
static unsigned
bring_session(struct sf_request *request)
{
    const struct sf_config *config = &request->route->config;
    struct sf_gateway *gateway = request->gateway;
    struct sf_visit_call call = sf_request_call(request);
    sf_params_filter(request->params, is_unwanted);
    if (!config->php_values)
        sf_params_filter(request->params, is_php_value);
    if (!config->enabled)
        return 0;
    if (!request->has_visit)
        sf_visit_init(&request->visit, gateway->front, &gateway->config, config,
                      sf_params_span(request->params, "HTTP_COOKIE"));
    request->visit.config = config;
    request->has_visit = true;
    int refusal = sf_visit_refuse(&request->visit, &call);
    if (refusal != 0)
        return (unsigned)refusal;
    struct export export = {request->params, hide_cookie(request)};
    if (export.status == SF_OK)
        sf_visit_export(&request->visit, &call, config, set_variable, &export);
    if (export.status == SF_OK)
        return 0;
    sf_log_write(&gateway->log, SF_LOG_ERROR, "SF0721",
                 "%s: the variables of the session find no room", request->path);
    return SF_HTTP_FAILED;
}

/* ---- going on inside ---- */

/* RFC 3875, 6.2.2: as if the client had asked for the new place, with GET and without a body. */
static enum sf_status
rewrite_params(struct sf_request *request, const char *location)
{
    static const char *const of_body[] = {
        "CONTENT_LENGTH", "CONTENT_TYPE",    "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING",
        "PATH_INFO",      "PATH_TRANSLATED", "SCRIPT_FILENAME"};
    struct sf_params *params = request->params;
    const char *method = sf_params_get(params, "REQUEST_METHOD"), *query = strchr(location, '?');
    const char *new_method = method != NULL && strcmp(method, "HEAD") == 0 ? "HEAD" : "GET";
    for (size_t i = 0; i < sizeof of_body / sizeof of_body[0]; i++)
        sf_params_remove(params, of_body[i]);
    enum sf_status status = sf_params_set_text(params, "REQUEST_METHOD", new_method);
    if (status == SF_OK)
        status = sf_params_set_text(params, "REDIRECT_URL", request->path);
    if (status == SF_OK)
        status = sf_params_set_text(params, "REDIRECT_STATUS", "200");
    if (status == SF_OK)
        status = sf_params_set_text(params, "REQUEST_URI", location);
    if (status == SF_OK)
        status = sf_params_set(params, "QUERY_STRING",
                               sf_span_of(query == NULL ? "" : query + 1,
                                          query == NULL ? 0 : strcspn(query + 1, "#")));
    char *path = sf_request_path_of(location);
    if (path == NULL)
        return SF_NO_MEMORY;
    free(request->path);
    request->path = path;
    return status == SF_OK ? sf_params_set_text(params, "SCRIPT_NAME", path) : status;
}

/* Where an application finds its file; php-fpm needs it. */
static enum sf_status
set_file_name(struct sf_request *request)
{
    const char *root = sf_params_get(request->params, "DOCUMENT_ROOT");
    char *name;
    if (root == NULL || asprintf(&name, "%s%s", root, request->path) < 0)
        return SF_OK;
    enum sf_status status = sf_params_set_text(request->params, "SCRIPT_FILENAME", name);
    free(name);
    return status;
}

/* 0: goes on at another place. */
static unsigned
go_on_inside(struct sf_request *request)
{
    struct sf_connection *connection = request->connection;
    if (++request->redirects > SF_REDIRECTS_MAX) {
        sf_log_write(&request->gateway->log, SF_LOG_ERROR, "SF0722",
                     "%s: more than %d redirects inside one request", request->path,
                     SF_REDIRECTS_MAX);
        return SF_HTTP_FAILED;
    }
    if (!sf_connection_skip_body(connection,
                                 request->settings->routes.top.gateway_idle_timeout)) {
        if (connection->state == SF_CONNECTION_OPEN)
            connection->state = SF_CONNECTION_LOST; /* what is left would be the next one's body */
        sf_buffer_clear(&request->redirect);
        return 0;
    }
    enum sf_status status = rewrite_params(request, (const char *)request->redirect.data);
    if (status == SF_OK)
        status = set_file_name(request);
    sf_buffer_clear(&request->redirect);
    return status == SF_OK ? 0 : SF_HTTP_FAILED;
}

/* ---- one application ---- */

/* Apache puts its own name for us in front of the file's: "proxy:fcgi://127.0.0.1:9000/srv/x". */
static enum sf_status
clean_file_name(struct sf_params *params)
{
    const char *name = sf_params_get(params, "SCRIPT_FILENAME");
    if (name == NULL || strncmp(name, "proxy:", 6) != 0)
        return SF_OK;
    const char *host = strstr(name, "://"), *path = host == NULL ? NULL : strchr(host + 3, '/');
    if (path == NULL)
        return SF_OK;
    return sf_params_set_text(params, "SCRIPT_FILENAME", path);
}

struct application {
    sf_application_fn *serve;
    enum sf_counter counter;
};

static const struct application *
application_of(const struct sf_config *config)
{
    static const struct application cgi = {sf_cgi_serve, SF_COUNTER_gateway_to_cgi},
                                    upstream = {sf_upstream_serve, SF_COUNTER_gateway_to_upstream},
                                    authorizer = {sf_authorizer_serve,
                                                  SF_COUNTER_gateway_to_authorizer},
                                    api = {sf_api_serve, SF_COUNTER_gateway_to_api};
    if (*config->cgi_directory != '\0' || *config->cgi_program != '\0')
        return &cgi;
    if (*config->upstream != '\0')
        return &upstream;
    return config->authorizer ? &authorizer : &api;
}

/* The application at the route's place, or an answer in its stead. */
static void
run_route(struct sf_request *request, struct sf_response *response)
{
    unsigned refusal = bring_session(request);
    if (refusal == 0 && clean_file_name(request->params) != SF_OK)
        refusal = SF_HTTP_FAILED;
    if (refusal != 0) {
        sf_response_refuse(response, refusal);
        return;
    }
    const struct application *application = application_of(&request->route->config);
    sf_count_add(sf_gateway_counters(request->gateway), application->counter, 1);
    application->serve(request, response);
    if (request->connection->state == SF_CONNECTION_OPEN)
        sf_response_finish(response);
}

static const struct sf_route *
find_route(const struct sf_request *request)
{
    const struct sf_routes *routes = &request->settings->routes;
    if (request->path == NULL)
        return NULL;
    return request->is_authorizing ? sf_routes_find_authorizer(routes, request->path)
                                   : sf_routes_find(routes, request->path);
}

static void
run_once(struct sf_request *request, bool *is_whole_out)
{
    struct sf_response response;
    request->route = find_route(request);
    sf_response_init(&response, request);
    if (request->route == NULL)
        sf_response_refuse(&response, 404);
    else
        run_route(request, &response);
    *is_whole_out = response.state != SF_RESPONSE_BROKEN;
    sf_response_fini(&response);
}

static void
refuse(struct sf_request *request, unsigned status)
{
    struct sf_response response;
    sf_response_init(&response, request);
    sf_response_refuse(&response, status);
    sf_response_fini(&response);
}

/* Web servers send none, an empty one, or digits. Who reads "+5" otherwise sees another request. */
static bool
has_good_length(const struct sf_params *params)
{
    const char *length = sf_params_get(params, "CONTENT_LENGTH");
    size_t size = length == NULL ? 0 : strlen(length);
    return size == 0 || (size <= LENGTH_DIGITS && strspn(length, "0123456789") == size);
}

static bool
run(struct sf_request *request)
{
    bool is_whole;
    unsigned refusal = 0;
    if (!has_good_length(request->params)) {
        refuse(request, 400);
        return true;
    }
    do {
        run_once(request, &is_whole);
        if (request->redirect.size == 0)
            return is_whole;
        refusal = go_on_inside(request);
    } while (refusal == 0 && request->connection->state == SF_CONNECTION_OPEN);
    sf_buffer_clear(&request->redirect);
    if (refusal != 0)
        refuse(request, refusal);
    return true;
}

static void
count(struct sf_request *request)
{
    struct sf_counters *counters = sf_gateway_counters(request->gateway);
    sf_count(counters, gateway_requests);
    sf_count_add(counters, request->result, 1);
    sf_count_add(counters, SF_COUNTER_gateway_busy_ms,
                 (uint64_t)(sf_clock_steady() - request->begun));
    sf_count_add(counters, SF_COUNTER_gateway_spooled_bytes, request->connection->out.spooled);
    request->connection->out.spooled = 0;
}

/* An answer that was broken off must not look whole: no end of the request, but that of the
 * connection. */
static void
finish(struct sf_request *request, bool is_whole)
{
    struct sf_connection *connection = request->connection;
    sf_time timeout = request->settings->routes.top.gateway_idle_timeout;
    bool is_aborted = connection->state == SF_CONNECTION_ABORTED;
    if (connection->state != SF_CONNECTION_OPEN)
        request->result = SF_COUNTER_gateway_aborted;
    else if (!is_whole)
        request->result = SF_COUNTER_gateway_broken_off;
    if (is_aborted)
        connection->state = SF_CONNECTION_OPEN; /* the end is all that is waited for */
    is_whole |= is_aborted;
    if (!is_whole)
        sf_connection_break_off(connection, timeout);
    bool is_ended = is_whole && connection->state != SF_CONNECTION_LOST &&
                    sf_connection_end(connection, request->application_status,
                                      SF_FCGI_REQUEST_COMPLETE) == SF_OK &&
                    sf_connection_flush(connection, timeout);
    if (is_whole && !is_ended)
        request->result = SF_COUNTER_gateway_aborted;
    /* Even when nothing follows: closed with bytes unread, TCP would take the answer back. */
    if (!is_ended || !sf_connection_skip_body(connection, timeout) || !connection->is_kept)
        connection->state = SF_CONNECTION_LOST;
}

void
sf_request_serve(struct sf_gateway *gateway, struct sf_connection *connection,
                 struct sf_params *params)
{
    struct sf_settings *settings = sf_settings_take(&gateway->settings);
    struct sf_request request = {
        .gateway = gateway,
        .connection = connection,
        .params = params,
        .settings = settings,
        .path = find_path(params),
        .is_authorizing = sf_authorizer_is_asked(connection, params),
        .result = SF_COUNTER_gateway_answered,
        .begun = sf_clock_steady(),
    };
    sf_buffer_init(&request.redirect, LOCATION_MAX);
    finish(&request, run(&request));
    count(&request);
    if (request.has_visit)
        sf_visit_fini(&request.visit);
    sf_buffer_fini(&request.redirect);
    free(request.path);
    sf_settings_release(settings);
}

void
sf_request_refuse(struct sf_gateway *gateway, struct sf_connection *connection, unsigned status)
{
    struct sf_settings *settings = sf_settings_take(&gateway->settings);
    struct sf_request request = {
        .gateway = gateway,
        .connection = connection,
        .settings = settings,
        .begun = sf_clock_steady(),
    };
    refuse(&request, status);
    count(&request);
    if (sf_connection_end(connection, 0, SF_FCGI_REQUEST_COMPLETE) == SF_OK)
        sf_connection_close_after(connection);
    sf_settings_release(settings);
}
