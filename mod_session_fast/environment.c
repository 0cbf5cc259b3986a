/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications and the access log see of the session.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "common/session/export.h"

APLOG_USE_MODULE(session_fast);

/*
 * mod_proxy_fcgi and mod_authnz_fcgi drop larger variables, and say so in the log for each request.
 */
#define HTTP_SESSION_MAX 16000

/*
 * Whatever set them (a header of the client, SetEnvIf, an outer request): these names say what the
 * session says. HTTP_SESSION is mod_session's where that is on.
 */
static void
remove_ours(request_rec *r)
{
    bool has_own = sf_mod_session_is_on(sf_server_of(r->server)->process, r);
    const apr_array_header_t *array = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *row = (const void *)array->elts;
    apr_array_header_t *names = NULL;
    for (int i = 0; i < array->nelts; i++) {
        if (!sf_export_is_ours(row[i].key) || (has_own && strcmp(row[i].key, "HTTP_SESSION") == 0))
            continue;
        names = names != NULL ? names : apr_array_make(r->pool, 16, sizeof(const char *));
        APR_ARRAY_PUSH(names, const char *) = row[i].key;
    }
    for (int i = 0; names != NULL && i < names->nelts; i++)
        apr_table_unset(r->subprocess_env, APR_ARRAY_IDX(names, i, const char *));
}

/* There is none of this name: they are removed before, and each comes once. */
static void
add_variable(void *context, const char *name, struct sf_span value)
{
    request_rec *r = context;
    size_t name_bytes = strlen(name) + 1;
    char *kept_name = apr_palloc(r->pool, name_bytes + value.size + 1);
    char *kept_value = kept_name + name_bytes;
    memcpy(kept_name, name, name_bytes);
    memcpy(kept_value, value.data, value.size);
    kept_value[value.size] = '\0';
    apr_table_addn(r->subprocess_env, kept_name, kept_value);
}

static void
export_session(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit_call call = sf_request_session_call(session, r);
    remove_ours(r);
    sf_visit_export(&session->visit, &call, &sf_place_of(r)->config, add_variable, r);
}

/* %{session-id}n and %{session-cache}n of the access log. */
void
sf_environment_note(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit *visit = &session->visit;
    session->noted = r;
    session->noted_source = sf_visit_source_word(visit);
    session->noted_key = visit->key;
    apr_table_setn(r->notes, "session-cache", session->noted_source);
    if (visit->state == SF_VISIT_ACTIVE) {
        char *label = apr_palloc(r->pool, SF_KEY_LABEL + 1);
        sf_key_label(&visit->key, label);
        apr_table_setn(r->notes, "session-id", label);
    }
}

void
sf_environment_note_again(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit *visit = &session->visit;
    if (session->noted != r || session->noted_source != sf_visit_source_word(visit) ||
        memcmp(&session->noted_key, &visit->key, sizeof visit->key) != 0) {
        sf_environment_note(session, r);
    }
}

static void
drop_if_too_large(request_rec *r)
{
    const char *text = apr_table_get(r->subprocess_env, "HTTP_SESSION");
    if (text != NULL && strlen(text) > HTTP_SESSION_MAX) {
        apr_table_unset(r->subprocess_env, "HTTP_SESSION");
        ap_log_rerror(
            APLOG_MARK, APLOG_INFO, 0, r,
            "SF0521: HTTP_SESSION has more than %d bytes and was left out: use SESSION_FIELD_*",
            HTTP_SESSION_MAX);
    }
}

/*
 * A place without sessions, by a redirect or as a part of a page: it sees nothing of the session of
 * the others, and not their cookie either.
 */
static void
leave_nothing(request_rec *r)
{
    if (sf_request_sessions_all(r) == NULL)
        return;
    remove_ours(r);
    sf_hidden_cookie_hide(r);
}

int
sf_environment_fixups(request_rec *r)
{
    struct sf_request_session *session = sf_request_session(r);
    if (session == NULL) {
        leave_nothing(r);
        return DECLINED;
    }
    sf_request_session_read(session, r);
    export_session(session, r);
    drop_if_too_large(r);
    sf_environment_note(session, r);
    return DECLINED;
}

static bool
is_exported_twice(const request_rec *r)
{
    const apr_array_header_t *array = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *row = (const void *)array->elts;
    int count = 0;
    for (int i = 0; i < array->nelts; i++)
        count += strcmp(row[i].key, "SESSION_STATE") == 0;
    return count > 1;
}

/*
 * DirectoryIndex and content negotiation lay the environment of a subrequest over ours: each name
 * twice, and by the rules of two places. The rules of the place that answers hold.
 */
void
sf_environment_insert_filter(request_rec *r)
{
    if (!is_exported_twice(r))
        return;
    struct sf_request_session *session = sf_request_session(r);
    if (session != NULL)
        export_session(session, r);
    else
        remove_ours(r);
}
