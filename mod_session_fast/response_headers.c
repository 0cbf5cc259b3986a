/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output filter: the last moment before the response headers leave. It stands behind
 * mod_session's, so everything that modules and applications did to the session is committed here,
 * or the response becomes an error.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <util_filter.h>

#define FILTER_NAME "SESSION_FAST_OUT"
#define PART_NAME "SESSION_FAST_PART"
#define DISCARD_NAME "SESSION_FAST_DISCARD"

static void
commit(request_rec *r)
{
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        sf_provider_save_pending(session, r);
    }
    sf_controls_commit(r);
    struct sf_request_session *here = sf_request_session_seen(r);
    if (here != NULL)
        sf_environment_note_again(here, r);
}

/* ---- what the browser gets ---- */

static void
set_cookie(struct sf_request_session *session, request_rec *r)
{
    struct sf_buffer value;
    if (session->visit.cookie == SF_VISIT_NO_COOKIE)
        return;
    const struct sf_visit_call call = sf_request_session_call(session, r);
    sf_buffer_init(&value, SF_VISIT_COOKIE_BYTES);
    if (sf_visit_set_cookie(&session->visit, &call, &value) == SF_OK) {
        /* Survives error responses, and is the only table that does. */
        apr_table_addn(r->err_headers_out, "Set-Cookie",
                       apr_pstrmemdup(r->pool, (const char *)value.data, value.size));
    }
    sf_buffer_fini(&value);
}

static void
finish_headers(request_rec *r)
{
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        const struct sf_visit *visit = &session->visit;
        sf_cookies_remove(r->headers_out, visit->cookie_name, r->pool);
        sf_cookies_remove(r->err_headers_out, visit->cookie_name, r->pool);
        set_cookie(session, r);
        if (visit->config->cache_control)
            sf_cache_control_enforce(r, sf_visit_cache_rule(visit));
        session->is_sent = true;
    }
}

/* The headers of a subrequest go nowhere, but a cache in its own chain may keep them. */
static void
finish_part(request_rec *r)
{
    const struct sf_request_session *session = sf_request_session_seen(r);
    if (session != NULL && sf_place_of(r)->config.cache_control)
        sf_cache_control_enforce(r, sf_visit_cache_rule(&session->visit));
}

/* ---- the filter ---- */

static int
take_failure(request_rec *r)
{
    int failure = 0;
    for (struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        int its_failure = sf_visit_take_failure(&session->visit);
        failure = its_failure != 0 ? its_failure : failure;
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
    if (failure == SF_HTTP_UNAVAILABLE)
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
    else
        finish_part(r);
    ap_remove_output_filter(filter);
    sf_hidden_cookie_show_to(filter->next, r);
    return ap_pass_brigade(filter->next, brigade);
}

void
sf_response_headers_register(void)
{
    ap_register_output_filter(FILTER_NAME, filter_response, NULL, AP_FTYPE_CONTENT_SET);
    /* mod_cache stores subrequests one step before the place of ours. */
    ap_register_output_filter(PART_NAME, filter_response, NULL, AP_FTYPE_CONTENT_SET - 2);
    ap_register_output_filter(DISCARD_NAME, discard, NULL, AP_FTYPE_RESOURCE);
}

void
sf_response_headers_child_init(struct sf_process *process)
{
    process->filter = ap_get_output_filter_handle(FILTER_NAME);
    process->part_filter = ap_get_output_filter_handle(PART_NAME);
}

void
sf_response_headers_insert_filter(request_rec *r)
{
    const struct sf_process *process = sf_server_of(r->server)->process;
    struct sf_request_session *here = sf_request_session(r);
    struct sf_request_session *all = sf_request_sessions_all(r);
    if (here == NULL && (all == NULL || r->main != NULL))
        return;
    for (struct sf_request_session *session = all; r->main == NULL && session != NULL;
         session = session->next) {
        session->has_filter = true;
    }
    ap_add_output_filter_handle(r->main == NULL ? process->filter : process->part_filter, NULL, r,
                                r->connection);
}

void
sf_response_headers_insert_error_filter(request_rec *r)
{
    sf_controls_keep(r);
    sf_response_headers_insert_filter(r);
}
