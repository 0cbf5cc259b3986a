/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side: headers that would pass for ours, and the early answer when nobody knows the
 * session.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>

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
    sf_controls_redirected(r);
    return DECLINED;
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
    return sf_request_session_refuse(session, r);
}

/* The same for subrequests, whose place may have sessions where that of the request has none. */
int
sf_request_headers_fixups(request_rec *r)
{
    struct sf_request_session *session = r->main != NULL ? sf_request_session(r) : NULL;
    return session != NULL ? sf_request_session_refuse(session, r) : DECLINED;
}
