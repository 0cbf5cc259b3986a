/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

APLOG_USE_MODULE(session_fast);

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
    sf_loaded_fini(&session->loaded);
    return APR_SUCCESS;
}

static struct sf_request_session *
make_session(request_rec *top, struct sf_process *process, const char *cookie_name)
{
    struct sf_request_session *session = apr_pcalloc(top->pool, sizeof *session);
    session->rec.pool = top->pool;
    session->top = top;
    session->process = process;
    session->cookie_name = apr_pstrdup(top->pool, cookie_name);
    sf_loaded_init(&session->loaded);
    apr_pool_cleanup_register(top->pool, session, forget, apr_pool_cleanup_null);
    session->next = ap_get_module_config(top->request_config, &session_fast_module);
    ap_set_module_config(top->request_config, &session_fast_module, session);
    return session;
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

/* ---- the cookie ---- */

static bool
header_mentions(const char *header, const char *cookie_name)
{
    return header != NULL && strstr(header, cookie_name) != NULL;
}

static struct sf_request_session *
find_session(struct sf_request_session *session, const char *cookie_name)
{
    while (session != NULL && strcmp(session->cookie_name, cookie_name) != 0)
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
    struct sf_request_session *session = find_session(
        ap_get_module_config(top->request_config, &session_fast_module), config->cookie_name);
    if (session == NULL) {
        session = make_session(top, process, config->cookie_name);
        session->config = keep_config(config, r, top->pool);
        if (mentioned)
            sf_choose_id_collect(session, header);
    } else if (r->main == NULL) {
        session->config = config;
    }
    /*
     * Redirected requests and subrequests may see another copy of the header: taken out there too.
     */
    if (mentioned && config->cookie_remove) {
        if (session->cookie_header == NULL)
            session->cookie_header = apr_pstrdup(top->pool, header);
        sf_hidden_cookie_hide(r);
    }
    return session;
}

/* ---- reading ---- */

static enum sf_session_state
state_of(enum sf_status status)
{
    switch (status) {
    case SF_OK:
        return SF_SESSION_ACTIVE;
    case SF_NOT_FOUND:
    case SF_CORRUPT:
        return SF_SESSION_NONE;
    case SF_CONFLICT:
    case SF_FULL:
    case SF_UNAVAILABLE:
    case SF_UNCERTAIN:
    case SF_INVALID:
    case SF_NO_MEMORY:
        break;
    }
    return SF_SESSION_UNKNOWN;
}

/*
 * A session that was made where SessionMaxAge did not hold may have a longer idle time than this
 * place allows.
 */
static bool
is_too_old_here(const struct sf_request_session *session, const request_rec *r, sf_time now)
{
    long max_age = sf_mod_session_max_age(session->process, r);
    return max_age > 0 && !session->loaded.is_former &&
           session->loaded.last_access + max_age * SF_SECOND <= now;
}

static void
read_now(struct sf_request_session *session, request_rec *r)
{
    sf_time now = sf_clock_wall();
    enum sf_status status = sf_front_load(session->process->front, &session->key, session->config,
                                          now, &session->loaded);
    session->state = state_of(status);
    session->is_stale = false;
    if (session->state == SF_SESSION_ACTIVE && !session->is_new &&
        is_too_old_here(session, r, now)) {
        sf_request_session_end(session, r);
    }
}

enum sf_session_state
sf_request_session_read(struct sf_request_session *session, request_rec *r)
{
    if (session->state != SF_SESSION_UNREAD)
        return session->state;
    bool has_one = session->id_count == 1;
    if (session->id_count > 1)
        has_one = sf_choose_id(session, r);
    if (has_one)
        read_now(session, r);
    else if (session->state == SF_SESSION_UNREAD)
        session->state = SF_SESSION_NONE;
    return session->state;
}

bool
sf_request_session_is_certain(struct sf_request_session *session, request_rec *r)
{
    return sf_request_session_read(session, r) != SF_SESSION_UNKNOWN && !session->is_ambiguous;
}

const struct sf_session *
sf_request_session_fields(struct sf_request_session *session, request_rec *r)
{
    if (sf_request_session_read(session, r) == SF_SESSION_ACTIVE && session->is_stale)
        read_now(session, r);
    return session->state == SF_SESSION_ACTIVE ? &session->loaded.session : NULL;
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

int
sf_request_session_refuse(struct sf_request_session *session, request_rec *r)
{
    if (sf_request_session_read(session, r) != SF_SESSION_UNKNOWN ||
        session->config->on_error == SF_ON_ERROR_ANONYMOUS || session->refused) {
        return DECLINED;
    }
    session->refused = true;
    apr_table_setn(r->err_headers_out, "Retry-After", "1");
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "SF0511: nobody knows this session now: answered 503");
    return HTTP_SERVICE_UNAVAILABLE;
}
