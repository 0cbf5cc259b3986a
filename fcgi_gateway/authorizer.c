/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/authorizer.h"

#include "fcgi_gateway/response.h"

#define ANSWER_MAX ((size_t)1 << 20)

bool
sf_authorizer_is_asked(const struct sf_connection *connection, const struct sf_params *params)
{
    return connection->role == SF_FCGI_AUTHORIZER ||
           sf_span_equal(sf_params_span(params, "SESSION_GATEWAY_MODE"), sf_span_text("authorize"));
}

/* ---- GatewayRequire ---- */

/* Words have one blank between them. An empty span: there is none more. */
static struct sf_span
take_word(const char **rest)
{
    size_t size = strcspn(*rest, " ");
    struct sf_span word = sf_span_of(*rest, size);
    *rest += size + ((*rest)[size] == ' ');
    return word;
}

/* Without words: any. */
static bool
is_among(struct sf_span text, const char *words)
{
    bool is_any = *words == '\0', is_found = false;
    for (struct sf_span word; !is_found && (word = take_word(&words)).size > 0;)
        is_found = sf_span_equal(word, text);
    return is_any || is_found;
}

static bool
has_field(const struct sf_session *session, const char *words)
{
    char number[SF_NUMBER_TEXT];
    const struct sf_field *field = sf_session_find(session, take_word(&words));
    return field != NULL && is_among(sf_value_text(&field->value, number), words);
}

static bool
is_allowed(const struct sf_session *session, const char *require)
{
    struct sf_span kind = take_word(&require);
    if (sf_span_equal(kind, sf_span_text("user")))
        return session->head.user.size > 0 && is_among(session->head.user, require);
    if (sf_span_equal(kind, sf_span_text("field")))
        return has_field(session, require);
    return true;
}

/*
 * httpd believes an authenticator about the name that came with a password, which nobody looks at
 * here: whoever has a session could be anybody.
 */
static bool
is_who_he_says(const struct sf_request *request, const struct sf_session *session)
{
    struct sf_span role = sf_params_span(request->params, "FCGI_APACHE_ROLE");
    struct sf_span name = sf_params_span(request->params, "REMOTE_USER");
    return !sf_span_equal(role, sf_span_text("AUTHENTICATOR")) || name.size == 0 ||
           sf_span_equal(name, session->head.user);
}

/* ---- answers ---- */

/* A line end in a value would begin another header: such values have no Variable-. */
static bool
can_be_a_header(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static enum sf_status
append_variables(struct sf_buffer *answer, const struct sf_params *params)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < params->count; i++) {
        const char *text = sf_params_text(params, i);
        size_t name_size = strcspn(text, "=");
        if (strncmp(text, "SESSION_", 8) == 0 && can_be_a_header(text))
            status = sf_buffer_append_format(answer, "Variable-%.*s: %s\r\n", (int)name_size, text,
                                             text + name_size + 1);
    }
    return status;
}

static enum sf_status
allow(const struct sf_request *request, struct sf_buffer *answer)
{
    enum sf_status status = sf_buffer_append_text(answer, "Status: 200 OK\r\n");
    if (status == SF_OK)
        status = append_variables(answer, request->params);
    return status == SF_OK ? sf_buffer_append_text(answer, "\r\n") : status;
}

/* RFC 9110 wants a challenge with each 401; no browser asks for a password because of this one. */
static enum sf_status
ask_for_login(const struct sf_request *request, struct sf_buffer *answer)
{
    return sf_buffer_append_format(answer,
                                   "Status: 401 Unauthorized\r\n"
                                   "WWW-Authenticate: Cookie cookie-name=\"%s\"\r\n"
                                   "Content-Type: text/plain\r\n\r\n401 Unauthorized\n",
                                   request->route->config.cookie_name);
}

/* mod_fcgid says FCGI_APACHE_ROLE without FCGI_ROLE, and takes a Location for a mistake. */
static bool
can_redirect(const struct sf_request *request)
{
    const struct sf_params *params = request->params;
    bool is_mod_fcgid = sf_params_get(params, "FCGI_APACHE_ROLE") != NULL &&
                        sf_params_get(params, "FCGI_ROLE") == NULL;
    return request->connection->role == SF_FCGI_AUTHORIZER && !is_mod_fcgid &&
           *request->route->config.login_page != '\0';
}

static enum sf_status
append_escaped(struct sf_buffer *answer, const char *text)
{
    enum sf_status status = SF_OK;
    for (; status == SF_OK && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~/", c) != NULL;
        status = sf_buffer_append_format(answer, is_plain ? "%c" : "%%%02X", c);
    }
    return status;
}

/* Where to return to is a place of this host, or nothing. */
static enum sf_status
send_to_login(const struct sf_request *request, struct sf_buffer *answer)
{
    const char *url = sf_params_get(request->params, "REQUEST_URI");
    bool is_local = url != NULL && url[0] == '/' && url[1] != '/' && url[1] != '\\';
    enum sf_status status =
        sf_buffer_append_format(answer, "Status: 302 Found\r\nLocation: %s%s",
                                request->route->config.login_page, is_local ? "?return=" : "");
    if (status == SF_OK && is_local)
        status = append_escaped(answer, url);
    return status == SF_OK
               ? sf_buffer_append_text(answer, "\r\nContent-Type: text/plain\r\n\r\n302 Found\n")
               : status;
}

static void
give(struct sf_response *response, const struct sf_session *session, bool is_granted,
     struct sf_buffer *answer)
{
    const struct sf_request *request = response->request;
    bool is_known = session != NULL && session->head.user.size > 0;
    enum sf_status status;
    if (is_granted)
        status = allow(request, answer);
    else if (is_known)
        status = sf_buffer_append_text(answer, "Status: 403 Forbidden\r\n"
                                               "Content-Type: text/plain\r\n\r\n403 Forbidden\n");
    else if (can_redirect(request))
        status = send_to_login(request, answer);
    else
        status = ask_for_login(request, answer);
    if (status == SF_OK)
        sf_response_feed(response, sf_buffer_span(answer));
    else
        sf_response_fail(response, SF_HTTP_FAILED, "no room for the answer of GatewayAuthorizer");
}

void
sf_authorizer_serve(struct sf_request *request, struct sf_response *response)
{
    struct sf_visit_call call = sf_request_call(request);
    struct sf_buffer answer;
    if (!request->has_visit) {
        sf_response_fail(response, SF_HTTP_FAILED, "GatewayAuthorizer where SessionFast is Off");
        return;
    }
    const struct sf_session *session = sf_visit_fields(&request->visit, &call);
    bool is_granted = session != NULL && is_allowed(session, request->route->config.require) &&
                      is_who_he_says(request, session);
    sf_buffer_init(&answer, ANSWER_MAX);
    give(response, session, is_granted, &answer);
    sf_buffer_fini(&answer);
}
