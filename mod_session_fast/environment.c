/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications and the access log see of the session.
 */
#include "mod_session_fast/module.h"

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
    apr_array_header_t *names = apr_array_make(r->pool, 4, sizeof(const char *));
    for (int i = 0; i < array->nelts; i++) {
        bool is_own = has_own && strcmp(row[i].key, "HTTP_SESSION") == 0;
        if (sf_export_is_ours(row[i].key) && !is_own)
            APR_ARRAY_PUSH(names, const char *) = row[i].key;
    }
    for (int i = 0; i < names->nelts; i++)
        apr_table_unset(r->subprocess_env, APR_ARRAY_IDX(names, i, const char *));
}

static void
set_variable(void *context, const char *name, const char *value)
{
    request_rec *r = context;
    apr_table_set(r->subprocess_env, name, value);
}

static void
export_session(struct sf_request_session *session, request_rec *r)
{
    const struct sf_config *config = &sf_place_of(r)->config;
    const struct sf_export_options options = {.fields = config->export,
                                              .data_format = config->data_format};
    const struct sf_session *fields = sf_request_session_fields(session, r);
    remove_ours(r);
    enum sf_status status = sf_export_environment(fields, &session->key, session->is_new,
                                                  session->loaded.expires, &options, set_variable, r);
    if (status != SF_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "SF0520: the environment lacks parts of the session: %s",
                      sf_status_text(status));
    }
}

static const char *
cache_word(const struct sf_request_session *session)
{
    switch (session->state) {
    case SF_SESSION_ACTIVE:
        return session->is_new ? "new" : session->loaded.source == SF_FROM_CACHE ? "L1" : "store";
    case SF_SESSION_UNKNOWN:
        return "unknown";
    case SF_SESSION_NONE:
    case SF_SESSION_UNREAD:
        break;
    }
    return "none";
}

/* %{session-id}n and %{session-cache}n of the access log. */
void
sf_environment_note(struct sf_request_session *session, request_rec *r)
{
    apr_table_setn(r->notes, "session-cache", cache_word(session));
    if (session->state == SF_SESSION_ACTIVE) {
        char label[SF_KEY_LABEL + 1];
        sf_key_label(&session->key, label);
        apr_table_set(r->notes, "session-id", label);
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

static int
count_row(void *context, const char *name, const char *value)
{
    (void)name;
    (void)value;
    ++*(int *)context;
    return 1;
}

/*
 * DirectoryIndex and content negotiation lay the environment of a subrequest over ours: each name
 * twice, and by the rules of two places. The rules of the place that answers hold.
 */
void
sf_environment_insert_filter(request_rec *r)
{
    int count = 0;
    apr_table_do(count_row, &count, r->subprocess_env, "SESSION_STATE", NULL);
    struct sf_request_session *session = count > 1 ? sf_request_session(r) : NULL;
    if (session != NULL) {
        export_session(session, r);
    } else if (count > 1) {
        remove_ours(r);
    }
}
