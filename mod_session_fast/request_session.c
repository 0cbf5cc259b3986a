/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <string.h>

/* ---- one for each client request ---- */

/*
 * The request that the client sent: the beginning of the chain of internal redirects and
 * subrequests.
 */
static request_rec *
top_of(request_rec *r)
{
    while (r->prev != NULL || r->main != NULL)
        r = r->prev != NULL ? r->prev : r->main;
    return r;
}

struct sf_request_session *
sf_request_sessions_all(request_rec *r)
{
    return ap_get_module_config(top_of(r)->request_config, &session_fast_module);
}

static apr_status_t
forget(void *context)
{
    struct sf_request_session *session = context;
    sf_visit_fini(&session->visit);
    return APR_SUCCESS;
}

/* A subrequest's configuration dies with it, the session does not. */
static const struct sf_config *
keep_config(const struct sf_config *config, const request_rec *r, apr_pool_t *pool)
{
    if (r->main == NULL)
        return config;
    struct sf_config *kept = apr_pmemdup(pool, config, sizeof *config);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        if (sf_options[i].type == SF_OPTION_TEXT || sf_options[i].type == SF_OPTION_LIST) {
            const char **text = (void *)((char *)kept + sf_options[i].offset);
            *text = apr_pstrdup(pool, *text);
        }
    }
    return kept;
}

static struct sf_request_session *
make_session(request_rec *top, struct sf_process *process, const struct sf_config *config,
             const char *cookie_header)
{
    struct sf_request_session *session = apr_pcalloc(top->pool, sizeof *session);
    session->rec.pool = top->pool;
    session->top = top;
    session->process = process;
    sf_visit_init(&session->visit, process->front, &process->config, config,
                  sf_span_text(cookie_header));
    apr_pool_cleanup_register(top->pool, session, forget, apr_pool_cleanup_null);
    session->next = ap_get_module_config(top->request_config, &session_fast_module);
    ap_set_module_config(top->request_config, &session_fast_module, session);
    return session;
}

/* ---- the cookie ---- */

static bool
header_mentions(const char *header, const char *cookie_name)
{
    return header != NULL && *cookie_name != '\0' && strstr(header, cookie_name) != NULL;
}

static struct sf_request_session *
find_session(struct sf_request_session *session, const char *cookie_name)
{
    while (session != NULL && strcmp(session->visit.cookie_name, cookie_name) != 0)
        session = session->next;
    return session;
}

/* NULL: no sessions here. */
static const struct sf_config *
config_at(const request_rec *r)
{
    const struct sf_place *place = sf_place_of(r);
    if (place == NULL || !place->config.enabled)
        return NULL;
    return sf_mod_session_excludes(sf_server_of(r->server)->process, r) ? NULL : &place->config;
}

struct sf_request_session *
sf_request_session_seen(request_rec *r)
{
    const struct sf_config *config = config_at(r);
    return config == NULL ? NULL : find_session(sf_request_sessions_all(r), config->cookie_name);
}

struct sf_request_session *
sf_request_session(request_rec *r)
{
    const struct sf_config *config = config_at(r);
    if (config == NULL)
        return NULL;
    struct sf_process *process = sf_server_of(r->server)->process;
    request_rec *top = top_of(r);
    const char *header = apr_table_get(r->headers_in, "Cookie");
    bool mentioned = header_mentions(header, config->cookie_name);
    bool has_imported = header_mentions(header, config->imported_cookie);
    struct sf_request_session *session = find_session(
        ap_get_module_config(top->request_config, &session_fast_module), config->cookie_name);
    if (session == NULL)
        session = make_session(top, process, keep_config(config, r, top->pool),
                               mentioned || has_imported ? header : NULL);
    else if (r->main == NULL)
        session->visit.config = config;
    /*
     * Redirected requests and subrequests may see another copy of the header: taken out there too.
     */
    if (mentioned && config->cookie_remove) {
        if (session->cookie_header == NULL)
            session->cookie_header = r->main == NULL ? header : apr_pstrdup(top->pool, header);
        sf_hidden_cookie_hide(r);
    }
    return session;
}

/* ---- reading ---- */

/*
 * The headers of a subrequest go nowhere: a cookie for it leaves with those of the main request.
 */
struct sf_visit_call
sf_request_session_call(const struct sf_request_session *session, const request_rec *r)
{
    return (struct sf_visit_call){
        .log = sf_log_lines_of_request(r),
        .idle_limit = sf_mod_session_max_age(session->process, r) * SF_SECOND,
        .is_too_late = session->is_sent || (r->main != NULL && !session->has_filter),
    };
}

/* BrowserMatch and SetEnvIf say who is a bot. */
struct sf_visit_call
sf_request_session_change(const struct sf_request_session *session, const request_rec *r)
{
    struct sf_visit_call call = sf_request_session_call(session, r);
    call.is_bot = apr_table_get(r->subprocess_env, "session-fast-bot") != NULL;
    return call;
}

enum sf_visit_state
sf_request_session_read(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit_call call = sf_request_session_call(session, r);
    return sf_visit_read(&session->visit, &call);
}

const struct sf_session *
sf_request_session_fields(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit_call call = sf_request_session_call(session, r);
    return sf_visit_fields(&session->visit, &call);
}

const char *
sf_request_session_text(const struct sf_value *value, apr_pool_t *pool)
{
    char number[SF_NUMBER_TEXT];
    struct sf_span text = sf_value_text(value, number);
    if (value->type == SF_VALUE_BYTES || memchr(text.data, '\0', text.size) != NULL)
        return NULL;
    return apr_pstrmemdup(pool, (const char *)text.data, text.size);
}

const char *
sf_request_session_field(struct sf_request_session *session, request_rec *r, const char *name)
{
    const struct sf_session *fields = sf_request_session_fields(session, r);
    const struct sf_field *field =
        fields == NULL ? NULL : sf_session_find(fields, sf_span_text(name));
    return field == NULL ? NULL : sf_request_session_text(&field->value, r->pool);
}
