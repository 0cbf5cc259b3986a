/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session cookie is taken out of the request for all who answer it, and only for them: a cache
 * must see it.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <string.h>

#include "common/identity/cookie.h"

/* ---- hide ---- */

static void
remove_from(apr_table_t *table, const char *name, const char *cookie_name, apr_pool_t *pool)
{
    const char *header = apr_table_get(table, name);
    if (header == NULL)
        return;
    size_t size = strlen(header);
    char *rest = apr_palloc(pool, size + 1);
    if (sf_cookie_remove(sf_span_of(header, size), cookie_name, rest) == 0)
        return;
    if (*rest == '\0')
        apr_table_unset(table, name);
    else
        apr_table_setn(table, name, rest);
}

/* HTTP_COOKIE, and REDIRECT_HTTP_COOKIE with any number of REDIRECT_. */
static bool
is_cookie_variable(const char *name)
{
    static const char redirect[] = "REDIRECT_";
    while (strncmp(name, redirect, sizeof redirect - 1) == 0)
        name += sizeof redirect - 1;
    return strcmp(name, "HTTP_COOKIE") == 0;
}

/*
 * A subrequest or redirected request from a place without sessions brings the header along in its
 * environment. NULL: this one does not.
 */
static apr_array_header_t *
cookie_variables(request_rec *r)
{
    const apr_array_header_t *array = apr_table_elts(r->subprocess_env);
    const apr_table_entry_t *row = (const void *)array->elts;
    apr_array_header_t *names = NULL;
    for (int i = 0; i < array->nelts; i++) {
        if (is_cookie_variable(row[i].key)) {
            names = names != NULL ? names : apr_array_make(r->pool, 2, sizeof(const char *));
            APR_ARRAY_PUSH(names, const char *) = row[i].key;
        }
    }
    return names;
}

static void
hide(const struct sf_request_session *session, request_rec *r, const apr_array_header_t *variables)
{
    remove_from(r->headers_in, "Cookie", session->visit.cookie_name, r->pool);
    for (int i = 0; variables != NULL && i < variables->nelts; i++) {
        remove_from(r->subprocess_env, APR_ARRAY_IDX(variables, i, const char *),
                    session->visit.cookie_name, r->pool);
    }
}

void
sf_hidden_cookie_hide(request_rec *r)
{
    struct sf_request_session *session = sf_request_sessions_all(r);
    const apr_array_header_t *variables = session != NULL ? cookie_variables(r) : NULL;
    for (; session != NULL; session = session->next) {
        if (session->cookie_header != NULL)
            hide(session, r, variables);
    }
}

/* ---- show ---- */

/* The first that was taken out of it knows the whole header: the last of the list. */
static const char *
whole_header(request_rec *r)
{
    const char *header = NULL;
    for (const struct sf_request_session *session = sf_request_sessions_all(r); session != NULL;
         session = session->next) {
        if (session->cookie_header != NULL)
            header = session->cookie_header;
    }
    return header;
}

static void
show(request_rec *r)
{
    const char *header = whole_header(r);
    if (header != NULL)
        apr_table_setn(r->headers_in, "Cookie", header);
}

int
sf_hidden_cookie_before_cache(request_rec *r)
{
    show(r);
    return DECLINED;
}

int
sf_hidden_cookie_after_cache(request_rec *r)
{
    sf_hidden_cookie_hide(r);
    return DECLINED;
}

int
sf_hidden_cookie_before_quick_cache(request_rec *r, int lookup)
{
    (void)lookup;
    return sf_hidden_cookie_before_cache(r);
}

int
sf_hidden_cookie_after_quick_cache(request_rec *r, int lookup)
{
    (void)lookup;
    return sf_hidden_cookie_after_cache(r);
}

/* Where a cache has answered or stored, the header is still whole. */
int
sf_hidden_cookie_before_log(request_rec *r)
{
    sf_hidden_cookie_hide(r);
    return DECLINED;
}

static bool
is_cache(const ap_filter_t *filter)
{
    static const char cache[] = "CACHE_SAVE"; /* and CACHE_SAVE_SUBREQ */
    const char *name = filter->frec->name;
    return (name[0] == 'c' || name[0] == 'C') && strncasecmp(name, cache, sizeof cache - 1) == 0;
}

/* For the rest of the request: a filter between may hold back what makes the cache look. */
void
sf_hidden_cookie_show_to(const ap_filter_t *filter, request_rec *r)
{
    while (filter != NULL && !is_cache(filter))
        filter = filter->next;
    if (filter != NULL)
        show(r);
}
