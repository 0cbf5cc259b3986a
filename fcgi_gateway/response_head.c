/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/response_head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/identity/cookie.h"

#define NAME_BYTES 256 /* no header of ours is longer */
#define VALUE_MAX ((size_t)3 << 20)

/* ---- text ---- */

static const char *
reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } rows[] = {
        {200, "OK"},
        {302, "Found"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {431, "Request Header Fields Too Large"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status)
            return rows[i].reason;
    }
    return "Internal Server Error";
}

/* The text behind what the buffer held, with a NUL that is not counted; "" without memory. */
static const char *
as_text(struct sf_buffer *scratch, struct sf_span span)
{
    sf_buffer_clear(scratch);
    if (sf_buffer_append_format(scratch, "%.*s", (int)span.size, (const char *)span.data) != SF_OK)
        return "";
    return (const char *)scratch->data;
}

/* ---- what the visit adds ---- */

static enum sf_status
append_cookie(struct sf_response *response)
{
    const struct sf_request *request = response->request;
    struct sf_visit_call call = sf_request_call(request);
    struct sf_buffer value;
    sf_buffer_init(&value, SF_VISIT_COOKIE_BYTES);
    enum sf_status status = SF_OK;
    if (sf_visit_set_cookie(&request->visit, &call, &value) == SF_OK)
        status = sf_buffer_append_format(&response->head, "Set-Cookie: %.*s\r\n", (int)value.size,
                                         (const char *)value.data);
    sf_buffer_fini(&value);
    return status;
}

/* All lines of one header, joined. An empty buffer: there are none. */
static enum sf_status
join_lines(const struct sf_cgi_header *header, const char *name, struct sf_buffer *joined)
{
    struct sf_cgi_field field;
    size_t at = 0;
    enum sf_status status = SF_OK;
    while (status == SF_OK && sf_cgi_header_next(header, &at, &field)) {
        if (sf_cgi_field_is(&field, name))
            status = sf_buffer_append_format(joined, "%s%.*s", joined->size > 0 ? ", " : "",
                                             (int)field.value.size, (const char *)field.value.data);
    }
    return status;
}

typedef void rewrite_fn(enum sf_cache_rule rule, const char *value, char *value_out);

static void
rewrite_vary(enum sf_cache_rule rule, const char *value, char *value_out)
{
    (void)rule;
    sf_cache_rules_vary(value, value_out);
}

/* `header`: what was said of it before; NULL: nothing. */
static enum sf_status
append_rewritten(struct sf_response *response, const struct sf_cgi_header *header, const char *name,
                 rewrite_fn *rewrite)
{
    struct sf_buffer said;
    sf_buffer_init(&said, VALUE_MAX);
    enum sf_status status = header == NULL ? SF_OK : join_lines(header, name, &said);
    char *value = malloc(SF_CACHE_RULES_BYTES(said.size));
    if (value == NULL)
        status = SF_NO_MEMORY;
    if (status == SF_OK) {
        rewrite(sf_visit_cache_rule(&response->request->visit),
                said.size > 0 ? (const char *)said.data : NULL, value);
        if (*value != '\0')
            status = sf_buffer_append_format(&response->head, "%s: %s\r\n", name, value);
    }
    free(value);
    sf_buffer_fini(&said);
    return status;
}

static bool
rules_caches(const struct sf_request *request)
{
    return request->has_visit && request->visit.config->cache_control;
}

static enum sf_status
append_visit(struct sf_response *response, const struct sf_cgi_header *header)
{
    if (!response->request->has_visit)
        return SF_OK;
    enum sf_status status = append_cookie(response);
    if (status == SF_OK && rules_caches(response->request))
        status = append_rewritten(response, header, "Cache-Control", sf_cache_rules_control);
    if (status == SF_OK && rules_caches(response->request))
        status = append_rewritten(response, header, "Vary", rewrite_vary);
    return status;
}

/* ---- what the application says ---- */

static bool
is_any_of(const struct sf_cgi_field *field, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (sf_cgi_field_is(field, *names))
            return true;
    }
    return false;
}

static bool
is_ours(const struct sf_cgi_field *field, char name[NAME_BYTES])
{
    size_t size = field->name.size < NAME_BYTES ? field->name.size : NAME_BYTES - 1;
    memcpy(name, field->name.data, size);
    name[size] = '\0';
    return sf_exchange_is_control(name);
}

/* Web servers send what these name, each its own: any file, or an inner place. */
static bool
steers_web_server(struct sf_span name)
{
    static const char *const begins[] = {"X-Accel-", "X-Lighttpd-", "X-Sendfile", "X-LiteSpeed-",
                                         "X-Reproxy-"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        size_t size = strlen(begins[i]);
        if (name.size >= size && strncasecmp((const char *)name.data, begins[i], size) == 0)
            return true;
    }
    return false;
}

/* One of the words of `list`, in any case. */
static bool
is_named(struct sf_span name, const char *list)
{
    for (; *list != '\0'; list += strspn(list, " ")) {
        size_t size = strcspn(list, " ");
        if (size == name.size && strncasecmp(list, (const char *)name.data, size) == 0)
            return true;
        list += size;
    }
    return false;
}

static bool
is_kept_from_web_server(struct sf_response *response, const struct sf_cgi_field *field)
{
    const struct sf_request *request = response->request;
    unsigned times;
    if (!steers_web_server(field->name) ||
        is_named(field->name, request->route->config.pass_headers))
        return false;
    if (sf_log_seldom(&request->gateway->steered, &times))
        sf_log_write(&request->gateway->log, SF_LOG_WARNING, "SF0725",
                     "%s: took out %.*s, which GatewayPassHeaders does not name (%u times since "
                     "the last line)",
                     request->path, (int)field->name.size, (const char *)field->name.data, times);
    return true;
}

/* What must not go on: about session, connection or web server, or written anew below. */
static bool
is_left_out(struct sf_response *response, const struct sf_cgi_field *field)
{
    static const char *const of_connection[] = {
        "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE", "Trailer", NULL};
    static const char *const rewritten[] = {"Cache-Control", "Vary", NULL};
    char name[NAME_BYTES];
    if (is_ours(field, name) || is_any_of(field, of_connection) ||
        is_kept_from_web_server(response, field))
        return true;
    const struct sf_request *request = response->request;
    if (rules_caches(request) && is_any_of(field, rewritten))
        return true;
    struct sf_buffer value;
    sf_buffer_init(&value, VALUE_MAX);
    bool is_our_cookie =
        request->has_visit && sf_cgi_field_is(field, "Set-Cookie") &&
        sf_cookie_is_set_by(as_text(&value, field->value), request->visit.cookie_name);
    sf_buffer_fini(&value);
    return is_our_cookie;
}

void
sf_response_head_hear(struct sf_response *response)
{
    struct sf_request *request = response->request;
    struct sf_visit_call call = sf_request_call(request);
    struct sf_cgi_field field;
    struct sf_buffer value;
    char name[NAME_BYTES];
    size_t at = 0;
    if (!request->has_visit || !request->route->config.enabled ||
        !request->route->config.response_headers)
        return;
    sf_buffer_init(&value, VALUE_MAX);
    while (sf_cgi_header_next(&response->header, &at, &field)) {
        if (is_ours(&field, name))
            sf_visit_add_header(&request->visit, name, as_text(&value, field.value));
    }
    sf_buffer_fini(&value);
    sf_visit_commit(&request->visit, &call);
}

/* ---- what goes on ---- */

static enum sf_status
append_status(struct sf_response *response)
{
    const struct sf_cgi_header *header = &response->header;
    bool is_redirect = sf_cgi_header_find(header, "Location").size > 0;
    unsigned status = header->status != 0 ? header->status : is_redirect ? 302 : 200;
    struct sf_span reason = sf_cgi_header_reason(header);
    if (header->status == 0)
        reason = sf_span_text(reason_of(status));
    return sf_buffer_append_format(&response->head, "Status: %u%s%.*s\r\n", status,
                                   reason.size > 0 ? " " : "", (int)reason.size,
                                   (const char *)reason.data);
}

static enum sf_status
append_line(struct sf_buffer *head, const struct sf_cgi_field *field)
{
    const struct sf_span parts[] = {field->name, sf_span_text(": "), field->value,
                                    sf_span_text("\r\n")};
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < sizeof parts / sizeof parts[0]; i++)
        status = sf_buffer_append_span(head, parts[i]);
    return status;
}

enum sf_status
sf_response_head_make(struct sf_response *response)
{
    struct sf_cgi_field field;
    size_t at = 0;
    sf_buffer_clear(&response->head);
    enum sf_status status = append_status(response);
    while (status == SF_OK && sf_cgi_header_next(&response->header, &at, &field)) {
        if (!is_left_out(response, &field))
            status = append_line(&response->head, &field);
    }
    if (status == SF_OK)
        status = append_visit(response, &response->header);
    return status == SF_OK ? sf_buffer_append_text(&response->head, "\r\n") : status;
}

enum sf_status
sf_response_head_refuse(struct sf_response *response, unsigned status)
{
    const char *reason = reason_of(status);
    sf_buffer_clear(&response->head);
    enum sf_status built = sf_buffer_append_format(
        &response->head, "Status: %u %s\r\nContent-Type: text/plain\r\n%s", status, reason,
        status == SF_HTTP_UNAVAILABLE ? "Retry-After: 1\r\n" : "");
    if (built == SF_OK)
        built = append_visit(response, NULL);
    if (built == SF_OK)
        built = sf_buffer_append_format(&response->head, "\r\n%u %s\n", status, reason);
    return built;
}
