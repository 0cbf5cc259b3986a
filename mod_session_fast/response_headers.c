/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output filter: the last moment before the response headers leave. It stands behind
 * mod_session's, so everything that modules and applications did to the session is committed here,
 * or the response becomes an error.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "common/identity/cookie.h"
#include "common/session/exchange.h"

APLOG_USE_MODULE(session_fast);

#define FILTER_NAME "SESSION_FAST_OUT"
#define DISCARD_NAME "SESSION_FAST_DISCARD"
#define COOKIE_BYTES_MAX 4096

/* ---- what the application said ---- */

static int
add_row(void *context, const char *name, const char *value)
{
    if (sf_exchange_is_control(name))
        apr_table_addn(context, name, value);
    return 1;
}

/* Moves the X-Session-* headers; nothing else ever sees them. */
static void
take_controls(apr_table_t *headers, apr_table_t *controls)
{
    apr_table_do(add_row, controls, headers, NULL);
    const apr_array_header_t *array = apr_table_elts(controls);
    const apr_table_entry_t *row = (const void *)array->elts;
    for (int i = 0; i < array->nelts; i++)
        apr_table_unset(headers, row[i].key);
}

static void
fail_application(struct sf_request_session *session, request_rec *r, const struct sf_error *error)
{
    session->failure = HTTP_INTERNAL_SERVER_ERROR;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "SF0519: the application's session headers were refused, answered %d: %s",
                  session->failure, error->text);
}

/*
 * All of them, refused ones too: the exchange remembers those, and a logout behind one still
 * counts.
 */
static void
parse_controls(struct sf_exchange *exchange, const apr_table_t *controls)
{
    const apr_array_header_t *array = apr_table_elts(controls);
    const apr_table_entry_t *row = (const void *)array->elts;
    for (int i = 0; i < array->nelts; i++)
        (void)!sf_exchange_add(exchange, row[i].key, row[i].val, NULL);
}

static enum sf_status
ops_from_controls(struct sf_exchange *exchange, const apr_table_t *controls,
                  const struct sf_session *fields, struct sf_ops *ops, struct sf_error *error)
{
    if (exchange == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    parse_controls(exchange, controls);
    return sf_exchange_ops(exchange, fields, ops, error);
}

static void
apply_controls(struct sf_request_session *session, request_rec *r, const apr_table_t *controls)
{
    struct sf_error error = {.status = SF_OK};
    struct sf_ops ops;
    struct sf_exchange *exchange = sf_exchange_new();
    sf_ops_init(&ops);
    enum sf_status status =
        ops_from_controls(exchange, controls, sf_request_session_fields(session, r), &ops, &error);
    if (status == SF_OK)
        (void)!sf_request_session_apply(session, r, &ops);
    else
        fail_application(session, r, &error);
    sf_ops_fini(&ops);
    sf_exchange_free(exchange);
}

/*
 * A request that an error page or a redirect has replaced counts too, and before it: its
 * application did say so.
 */
static void
commit_controls(request_rec *r)
{
    if (r->prev != NULL)
        commit_controls(r->prev);
    struct sf_request_session *session = sf_request_session_seen(r);
    if (session == NULL)
        return;
    apr_table_t *controls = apr_table_make(r->pool, 2);
    take_controls(r->headers_out, controls);
    take_controls(r->err_headers_out, controls);
    bool is_allowed = sf_place_of(r)->config.response_headers && session->failure == 0;
    if (is_allowed && !apr_is_empty_table(controls))
        apply_controls(session, r, controls);
}

static void
commit(request_rec *r)
{
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        sf_provider_save_pending(session, r);
    }
    commit_controls(r);
    struct sf_request_session *here = sf_request_session_seen(r);
    if (here != NULL)
        sf_environment_note(here, r);
}

/* ---- what the browser gets ---- */

static void
set_cookie(struct sf_request_session *session, request_rec *r)
{
    struct sf_cookie_options options;
    struct sf_buffer header;
    const char *value = session->cookie == SF_COOKIE_SEND ? session->new_id.text : NULL;
    sf_cookie_options_from(&options, session->config);
    sf_buffer_init(&header, COOKIE_BYTES_MAX);
    if (sf_cookie_format(&header, &options, value, sf_clock_wall()) == SF_OK) {
        /* Survives error responses, and is the only table that does. */
        apr_table_addn(r->err_headers_out, "Set-Cookie",
                       apr_pstrmemdup(r->pool, (const char *)header.data, header.size));
    } else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "SF0523: the cookie could not be written");
    }
    sf_buffer_fini(&header);
}

static void
finish_headers(request_rec *r)
{
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        sf_cookies_remove(r->headers_out, session->cookie_name, r->pool);
        sf_cookies_remove(r->err_headers_out, session->cookie_name, r->pool);
        if (session->cookie != SF_COOKIE_NOTHING)
            set_cookie(session, r);
        if (session->config->cache_control) {
            sf_cache_control_enforce(r, session->state == SF_SESSION_ACTIVE,
                                     session->cookie != SF_COOKIE_NOTHING);
        }
        session->is_sent = true;
    }
}

/* ---- the filter ---- */

static int
take_failure(request_rec *r)
{
    int failure = 0;
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        if (session->failure != 0 && !session->refused) {
            failure = session->failure;
            session->refused = true;
        }
    }
    return failure;
}

static apr_status_t
discard(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    (void)filter;
    apr_brigade_cleanup(brigade);
    return APR_SUCCESS;
}

/*
 * The error bucket makes httpd send its error page, or the one that ErrorDocument names, in place
 * of what the application said. The handler goes on writing meanwhile: to this filter or, where it
 * looks anew, to one put in front of the chain that the error page left behind. It is told that all
 * is well, because handlers of proxies answer once more when they are not.
 */
static apr_status_t
answer_failure(ap_filter_t *filter, apr_bucket_brigade *brigade, int failure)
{
    request_rec *r = filter->r;
    apr_bucket_alloc_t *memory = r->connection->bucket_alloc;
    filter->ctx = filter;
    if (failure == HTTP_SERVICE_UNAVAILABLE)
        apr_table_setn(r->err_headers_out, "Retry-After", "1");
    apr_brigade_cleanup(brigade);
    APR_BRIGADE_INSERT_TAIL(brigade, ap_bucket_error_create(failure, NULL, r->pool, memory));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(memory));
    ap_pass_brigade(filter->next, brigade);
    ap_add_output_filter(DISCARD_NAME, NULL, r, r->connection);
    return APR_SUCCESS;
}

static apr_status_t
filter_response(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    if (filter->ctx != NULL)
        return discard(filter, brigade);
    commit(r);
    int failure = r->main == NULL ? take_failure(r) : 0;
    if (failure != 0)
        return answer_failure(filter, brigade, failure);
    if (r->main == NULL)
        finish_headers(r);
    ap_remove_output_filter(filter);
    return ap_pass_brigade(filter->next, brigade);
}

void
sf_response_headers_register(void)
{
    ap_register_output_filter(FILTER_NAME, filter_response, NULL, AP_FTYPE_CONTENT_SET);
    ap_register_output_filter(DISCARD_NAME, discard, NULL, AP_FTYPE_RESOURCE);
}

void
sf_response_headers_insert_filter(request_rec *r)
{
    struct sf_request_session *here = sf_request_session(r);
    struct sf_request_session *all = sf_request_sessions_all(r);
    if (here == NULL && (all == NULL || r->main != NULL))
        return;
    for (struct sf_request_session *session = all; r->main == NULL && session != NULL;
         session = session->next) {
        session->has_filter = true;
    }
    ap_add_output_filter(FILTER_NAME, NULL, r, r->connection);
}

/*
 * httpd is about to drop the ordinary headers for its own error message: what the application said
 * goes to those that stay.
 */
void
sf_response_headers_insert_error_filter(request_rec *r)
{
    if (sf_request_session_seen(r) != NULL) {
        apr_table_t *controls = apr_table_make(r->pool, 2);
        take_controls(r->headers_out, controls);
        apr_table_do(add_row, r->err_headers_out, controls, NULL);
    }
    sf_response_headers_insert_filter(r);
}
