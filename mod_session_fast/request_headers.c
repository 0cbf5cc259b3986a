/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side: headers that would pass for ours, and the early answer when nobody knows the
 * session.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>
#include <string.h>

#include "common/session/exchange.h"

APLOG_USE_MODULE(session_fast);

static void
remove_spoofs(request_rec *r)
{
    const apr_array_header_t *array = apr_table_elts(r->headers_in);
    const apr_table_entry_t *row = (const void *)array->elts;
    apr_array_header_t *names = NULL;
    for (int i = 0; i < array->nelts; i++) {
        if (sf_exchange_is_spoof(row[i].key)) {
            names = names != NULL ? names : apr_array_make(r->pool, 2, sizeof(const char *));
            APR_ARRAY_PUSH(names, const char *) = row[i].key;
        }
    }
    for (int i = 0; names != NULL && i < names->nelts; i++)
        apr_table_unset(r->headers_in, APR_ARRAY_IDX(names, i, const char *));
    if (names != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "SF0522: removed %d request headers that look like ours", names->nelts);
    }
}

/*
 * Before anything can act on them: rewriting, SetEnvIf, proxying. At this time the place is not
 * known, only whether the server has sessions anywhere. Called for redirects inside httpd too.
 */
int
sf_request_headers_post_read(request_rec *r)
{
    if (sf_server_of(r->server)->is_enabled)
        remove_spoofs(r);
    if (r->method_number == M_TRACE && sf_server_of(r->server)->process->is_used)
        apr_table_unset(r->headers_in, "Cookie"); /* the answer would show it to scripts */
    sf_controls_redirected(r);
    return DECLINED;
}

static int
refuse(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit_call call = sf_request_session_call(session, r);
    int status = sf_visit_refuse(&session->visit, &call);
    if (status == 0)
        return DECLINED;
    apr_table_setn(r->err_headers_out, "Retry-After", "1");
    return status;
}

/* The place is known, nothing has run that uses the session. Not called for subrequests. */
int
sf_request_headers_parse(request_rec *r)
{
    struct sf_request_session *session = sf_request_session(r);
    if (session == NULL)
        return DECLINED;
    if (!sf_server_of(r->server)->is_enabled)
        remove_spoofs(r); /* switched on by a .htaccess file */
    return refuse(session, r);
}

/* The same for subrequests, whose place may have sessions where that of the request has none. */
int
sf_request_headers_fixups(request_rec *r)
{
    struct sf_request_session *session = r->main != NULL ? sf_request_session(r) : NULL;
    return session != NULL ? refuse(session, r) : DECLINED;
}

/* mod_cgi and mod_cgid hand the answer of such a program to the client as it is. */
static bool
answers_raw(const request_rec *r)
{
    const char *name = r->filename == NULL ? NULL : strrchr(r->filename, '/');
    return name != NULL && strncmp(name, "/nph-", 5) == 0 && r->handler != NULL &&
           strstr(r->handler, "cgi") != NULL;
}

static void
warn_of_raw_answer(request_rec *r)
{
    unsigned times;
    if (answers_raw(r) && sf_log_seldom(&sf_server_of(r->server)->process->raw_answers, &times)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "SF0525: an nph- program writes its own headers: its X-Session-* headers are "
                      "not obeyed and reach the client, and no cookie is sent (%u times in this "
                      "process since the last line)",
                      times);
    }
}

/*
 * Once more when everything has been read that modules read before the handler: with MergeTrailers On
 * the trailers of a form stand among the headers now.
 */
int
sf_request_headers_fixups_last(request_rec *r)
{
    if (sf_request_session(r) == NULL)
        return DECLINED;
    remove_spoofs(r);
    warn_of_raw_answer(r);
    return DECLINED;
}
