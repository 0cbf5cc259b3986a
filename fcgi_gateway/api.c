/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/api.h"

#include <jansson.h>
#include <strings.h>

#include "fcgi_gateway/response.h"

#define ANSWER_MAX ((size_t)4 << 20)

/* A refusal. All zero: none. */
struct refusal {
    unsigned status;
    const char *reason, *word, *message;
};

/* One request. */
struct call {
    struct sf_request *request;
    struct sf_response *response;
    const struct sf_config *config;
    struct sf_visit_call visit_call;
    struct refusal refusal;
};

static bool
refuse(struct call *call, unsigned status, const char *reason, const char *word,
       const char *message)
{
    call->refusal = (struct refusal){status, reason, word, message};
    return false;
}

/* ---- what is answered ---- */

static enum sf_status
append_head(struct sf_buffer *answer, unsigned status, const char *reason, const char *more)
{
    return sf_buffer_append_format(answer,
                                   "Status: %u %s\r\nContent-Type: application/json\r\n"
                                   "Cache-Control: no-store\r\n"
                                   "X-Content-Type-Options: nosniff\r\n%s\r\n",
                                   status, reason, more);
}

/* A name that is not UTF-8 has no text in JSON. */
static enum sf_status
append_user(struct sf_buffer *answer, struct sf_span user)
{
    json_t *text = user.size > 0 ? json_stringn((const char *)user.data, user.size) : json_null();
    char *shown = json_dumps(text == NULL ? json_null() : text, JSON_ENCODE_ANY);
    enum sf_status status = shown == NULL ? SF_NO_MEMORY : SF_OK;
    if (status == SF_OK)
        status = sf_buffer_append_format(answer, ",\"user\":%s", shown);
    json_decref(text);
    free(shown);
    return status;
}

static enum sf_status
append_session(struct call *call, struct sf_buffer *answer, const struct sf_session *session)
{
    const struct sf_visit *visit = &call->request->visit;
    sf_time expires = visit->loaded.expires;
    enum sf_status status =
        sf_buffer_append_format(answer, "{\"state\":\"%s\"", visit->is_new ? "new" : "active");
    if (status == SF_OK)
        status = append_user(answer, session->head.user);
    if (status == SF_OK)
        status = sf_buffer_append_format(answer, ",\"created\":%lld",
                                         (long long)(session->head.created / SF_SECOND));
    if (status == SF_OK && expires > 0)
        status =
            sf_buffer_append_format(answer, ",\"expires\":%lld", (long long)(expires / SF_SECOND));
    if (status == SF_OK)
        status = sf_buffer_append_text(answer, ",\"fields\":");
    if (status == SF_OK)
        status = sf_export_json(session, call->config->export, answer);
    return status == SF_OK ? sf_buffer_append_text(answer, "}\n") : status;
}

static enum sf_status
write_state(struct call *call, struct sf_buffer *answer)
{
    const struct sf_session *session = sf_visit_fields(&call->request->visit, &call->visit_call);
    enum sf_status status = append_head(answer, 200, "OK", "");
    if (status != SF_OK)
        return status;
    return session == NULL ? sf_buffer_append_text(answer, "{\"state\":\"none\"}\n")
                           : append_session(call, answer, session);
}

static enum sf_status
write_refusal(struct call *call, struct sf_buffer *answer)
{
    const struct refusal *refusal = &call->refusal;
    const char *more = refusal->status == SF_HTTP_UNAVAILABLE ? "Retry-After: 1\r\n"
                       : refusal->status == 405               ? "Allow: GET, HEAD, POST, DELETE\r\n"
                                                              : "";
    enum sf_status status = append_head(answer, refusal->status, refusal->reason, more);
    return status == SF_OK
               ? sf_buffer_append_format(answer, "{\"error\":\"%s\",\"message\":\"%s\"}\n",
                                         refusal->word, refusal->message)
               : status;
}

/* What went wrong was said in JSON: no page of ours instead. */
static void
answer(struct call *call)
{
    struct sf_buffer text;
    sf_buffer_init(&text, ANSWER_MAX);
    enum sf_status status =
        call->refusal.status != 0 ? write_refusal(call, &text) : write_state(call, &text);
    (void)!sf_visit_take_failure(&call->request->visit);
    if (status == SF_OK)
        sf_response_feed(call->response, sf_buffer_span(&text));
    else
        sf_response_fail(call->response, SF_HTTP_FAILED, "no room for the answer of GatewayApi");
    sf_buffer_fini(&text);
}

/* ---- who may change something ---- */

/*
 * Browsers say where a request was made: the newer ones in Sec-Fetch-Site, all in the Origin of a
 * POST. Who says neither is no browser, and nobody's cookie is sent by mistake.
 */
static bool
check_origin(struct call *call)
{
    const struct sf_params *params = call->request->params;
    const char *site = sf_params_get(params, "HTTP_SEC_FETCH_SITE");
    const char *origin = sf_params_get(params, "HTTP_ORIGIN");
    const char *host = sf_params_get(params, "HTTP_HOST");
    bool is_same = site == NULL || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    if (is_same && site == NULL && origin != NULL) {
        const char *place = strstr(origin, "://");
        is_same = place != NULL && host != NULL && strcasecmp(place + 3, host) == 0;
    }
    return is_same || refuse(call, 403, "Forbidden", "other-origin",
                             "only pages of this host may change the session");
}

static bool
check_type(struct call *call)
{
    static const char json[] = "application/json";
    const char *type = sf_params_get(call->request->params, "CONTENT_TYPE");
    size_t size = sizeof json - 1;
    if (type != NULL && strncasecmp(type, json, size) == 0 && strchr("; \t", type[size]) != NULL)
        return true;
    return refuse(call, 415, "Unsupported Media Type", "no-json",
                  "the Content-Type must be application/json");
}

/* ---- changes ---- */

/* false: refused, or the web server has gone. */
static bool
read_body(struct call *call, struct sf_buffer *body)
{
    struct sf_connection *connection = call->request->connection;
    sf_time deadline = sf_clock_steady() + call->request->settings->routes.top.gateway_idle_timeout;
    while (!sf_connection_is_body_taken(connection)) {
        struct sf_span piece = sf_connection_body(connection);
        if (piece.size == 0 && !sf_connection_await(connection, deadline - sf_clock_steady())) {
            connection->state = SF_CONNECTION_LOST;
            return false;
        }
        if (sf_buffer_append_span(body, piece) != SF_OK)
            return refuse(call, 413, "Content Too Large", "too-large", "the body is too large");
        if (piece.size > 0)
            sf_connection_take(connection, piece.size);
    }
    return true;
}

static bool
refuse_body(struct call *call, const char *message)
{
    return refuse(call, 400, "Bad Request", "bad-request", message);
}

static bool
add_op(struct call *call, struct sf_ops *ops, const struct sf_op *op)
{
    if (!sf_export_allows(call->config->api_fields, op->name))
        return refuse(call, 403, "Forbidden", "field-not-allowed",
                      "GatewayApiFields does not name one of the fields");
    return sf_ops_add(ops, op) == SF_OK ||
           refuse_body(call, "a name that is not allowed, or too many of them");
}

static bool
add_set(struct call *call, struct sf_ops *ops, const char *name, const json_t *value)
{
    struct sf_op op = {.kind = SF_OP_SET, .name = sf_span_text(name)};
    if (json_is_string(value))
        op.value = (struct sf_value){
            .type = SF_VALUE_STRING,
            .bytes = sf_span_of(json_string_value(value), json_string_length(value))};
    else if (json_is_integer(value))
        op.value =
            (struct sf_value){.type = SF_VALUE_INTEGER, .integer = json_integer_value(value)};
    else
        return refuse_body(call, "what is set is neither a text nor an integer");
    return add_op(call, ops, &op);
}

static bool
add_increment(struct call *call, struct sf_ops *ops, const char *name, const json_t *value)
{
    struct sf_op op = {
        .kind = SF_OP_INCREMENT, .name = sf_span_text(name), .delta = json_integer_value(value)};
    return json_is_integer(value) ? add_op(call, ops, &op)
                                  : refuse_body(call, "an increment is an integer");
}

typedef bool add_fn(struct call *call, struct sf_ops *ops, const char *name, const json_t *value);

static bool
add_all(struct call *call, struct sf_ops *ops, json_t *members, add_fn *add)
{
    const char *name;
    json_t *value;
    if (!json_is_object(members))
        return refuse_body(call, "set and increment are objects");
    json_object_foreach(members, name, value)
    {
        if (!add(call, ops, name, value))
            return false;
    }
    return true;
}

static bool
add_wishes(struct call *call, struct sf_ops *ops, json_t *wishes)
{
    const char *verb;
    json_t *members;
    if (!json_is_object(wishes))
        return refuse_body(call, "the body is no JSON object");
    json_object_foreach(wishes, verb, members)
    {
        add_fn *add = strcmp(verb, "set") == 0         ? add_set
                      : strcmp(verb, "increment") == 0 ? add_increment
                                                       : NULL;
        if (add == NULL)
            return refuse_body(call, "there is only set and increment");
        if (!add_all(call, ops, members, add))
            return false;
    }
    return ops->count > 0 || refuse_body(call, "nothing to do");
}

static bool
settle(struct call *call, enum sf_status status)
{
    switch (status) {
    case SF_OK:
        return true;
    case SF_NOT_FOUND:
        return refuse(call, 409, "Conflict", "session-ended", "the session was ended meanwhile");
    case SF_INVALID:
        return refuse(call, 409, "Conflict", "does-not-fit",
                      "a field is no number, or a number overflows");
    case SF_FULL:
        return refuse(call, 413, "Content Too Large", "no-room",
                      "the session would be too large, or there is no room for it");
    case SF_CONFLICT:
    case SF_UNAVAILABLE:
    case SF_UNCERTAIN:
    case SF_CORRUPT:
    case SF_NO_MEMORY:
        break;
    }
    return refuse(call, 503, "Service Unavailable", "unavailable",
                  "the change was not confirmed, try again");
}

static bool
apply(struct call *call, const struct sf_ops *ops)
{
    return settle(call, sf_visit_apply(&call->request->visit, &call->visit_call, ops));
}

static bool
apply_wishes(struct call *call, struct sf_span body)
{
    struct sf_ops ops;
    json_t *wishes = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    sf_ops_init(&ops);
    bool is_done = add_wishes(call, &ops, wishes) && apply(call, &ops);
    sf_ops_fini(&ops);
    json_decref(wishes);
    return is_done;
}

/* ---- the calls ---- */

static bool
show(struct call *call)
{
    (void)call;
    return true;
}

static bool
change(struct call *call)
{
    struct sf_buffer body;
    if (!check_type(call))
        return false;
    sf_buffer_init(&body, SF_API_BODY_MAX);
    bool is_done = read_body(call, &body) && apply_wishes(call, sf_buffer_span(&body));
    sf_buffer_fini(&body);
    return is_done;
}

static bool
end(struct call *call)
{
    struct sf_ops ops;
    sf_ops_init(&ops);
    bool is_done =
        sf_ops_add(&ops, &(struct sf_op){.kind = SF_OP_END}) == SF_OK && apply(call, &ops);
    sf_ops_fini(&ops);
    return is_done;
}

static const struct row {
    const char *method, *place;
    bool changes;
    bool (*act)(struct call *call);
} rows[] = {
    {"GET", "", false, show},  {"HEAD", "", false, show},   {"POST", "", true, change},
    {"DELETE", "", true, end}, {"POST", "/end", true, end},
};

static const struct row *
find_row(struct call *call)
{
    const struct sf_request *request = call->request;
    const char *place = request->path + sf_route_prefix_size(request->route);
    const char *method = sf_params_get(request->params, "REQUEST_METHOD");
    bool has_place = false;
    if (strcmp(place, "/") == 0)
        place = "";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].place, place) != 0)
            continue;
        has_place = true;
        if (method != NULL && strcmp(rows[i].method, method) == 0)
            return &rows[i];
    }
    if (has_place)
        refuse(call, 405, "Method Not Allowed", "no-such-method", "there is GET, POST and DELETE");
    else
        refuse(call, 404, "Not Found", "no-such-place", "there is nothing here");
    return NULL;
}

void
sf_api_serve(struct sf_request *request, struct sf_response *response)
{
    struct call call = {
        .request = request,
        .response = response,
        .config = &request->route->config,
        .visit_call = sf_request_call(request),
    };
    if (!request->has_visit) {
        sf_response_fail(response, SF_HTTP_FAILED, "GatewayApi where SessionFast is Off");
        return;
    }
    const struct row *row = find_row(&call);
    if (row != NULL && (!row->changes || check_origin(&call)))
        (void)!row->act(&call);
    if (request->connection->state == SF_CONNECTION_OPEN)
        answer(&call);
    else
        response->state = SF_RESPONSE_BROKEN;
}
