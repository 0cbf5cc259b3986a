/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the application said: its X-Session-* headers, and which request of a chain of internal
 * redirects said it.
 *
 * The requests of a chain share one table of headers that survive errors, and applications behind
 * CGI and FastCGI put theirs there. So what a request has said is put aside when the next one
 * begins, or it would count as said at the place of that one.
 */
#include "mod_session_fast/module.h"

#include "common/session/exchange.h"

static int
add_row(void *context, const char *name, const char *value)
{
    if (sf_exchange_is_control(name))
        apr_table_addn(context, name, value);
    return 1;
}

static bool
has_controls(const apr_table_t *headers)
{
    const apr_array_header_t *array = apr_table_elts(headers);
    const apr_table_entry_t *row = (const void *)array->elts;
    for (int i = 0; i < array->nelts; i++) {
        if (sf_exchange_is_control(row[i].key))
            return true;
    }
    return false;
}

/* Moves the X-Session-* headers; nothing else ever sees them. */
static void
take_controls(apr_table_t *headers, apr_table_t *controls)
{
    if (!has_controls(headers))
        return;
    apr_table_do(add_row, controls, headers, NULL);
    const apr_array_header_t *array = apr_table_elts(controls);
    const apr_table_entry_t *row = (const void *)array->elts;
    for (int i = 0; i < array->nelts; i++)
        apr_table_unset(headers, row[i].key);
}

/* ---- who said it ---- */

static bool
is_heard(request_rec *r)
{
    return sf_request_session_seen(r) != NULL && sf_place_of(r)->config.response_headers;
}

/*
 * Until the response leaves they wait in the ordinary headers, which each request has for itself.
 * Where nobody listens they are gone: they would be taken for those of the next request.
 */
static void
put_aside(request_rec *r)
{
    apr_table_t *controls = apr_table_make(r->pool, 2);
    take_controls(r->headers_out, controls);
    take_controls(r->err_headers_out, controls);
    if (is_heard(r))
        apr_table_do(add_row, r->headers_out, controls, NULL);
}

void
sf_controls_redirected(request_rec *r)
{
    if (r->prev != NULL && sf_server_of(r->server)->process->is_used)
        put_aside(r->prev);
}

static request_rec *
last_of(request_rec *r)
{
    while (r->next != NULL)
        r = r->next;
    return r;
}

void
sf_controls_keep(request_rec *r)
{
    request_rec *last = last_of(r);
    apr_table_t *controls = apr_table_make(r->pool, 2);
    if (last != r && sf_server_of(r->server)->process->is_used)
        put_aside(last);
    if (is_heard(r)) {
        take_controls(r->headers_out, controls);
        apr_table_do(add_row, r->err_headers_out, controls, NULL);
    }
}

/* ---- commit ---- */

static int
add_header(void *context, const char *name, const char *value)
{
    sf_visit_add_header(context, name, value);
    return 1;
}

static void
commit(request_rec *r, bool is_last)
{
    struct sf_request_session *session = sf_request_session_seen(r);
    bool has_said = has_controls(r->headers_out) || (is_last && has_controls(r->err_headers_out));
    if (session == NULL || !has_said)
        return;
    apr_table_t *controls = apr_table_make(r->pool, 2);
    take_controls(r->headers_out, controls);
    if (is_last)
        take_controls(r->err_headers_out, controls);
    if (is_heard(r)) {
        const struct sf_visit_call call = sf_request_session_change(session, r);
        apr_table_do(add_header, &session->visit, controls, NULL);
        sf_visit_commit(&session->visit, &call);
    }
}

void
sf_controls_commit(request_rec *r)
{
    request_rec *one = r;
    while (one->prev != NULL)
        one = one->prev;
    for (; one != NULL; one = one->next)
        commit(one, one == r);
}
