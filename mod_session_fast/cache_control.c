/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What caches between server and browser may do with a response that depends on a session.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <string.h>

static const char *
joined(request_rec *r, apr_table_t *headers, const char *name)
{
    return apr_table_get(headers, name) != NULL ? apr_table_getm(r->pool, headers, name) : NULL;
}

/* All lines of one header in both tables as one list, and none left in either. */
static const char *
take_header(request_rec *r, const char *name)
{
    const char *sent = joined(r, r->headers_out, name);
    const char *always = joined(r, r->err_headers_out, name);
    apr_table_unset(r->headers_out, name);
    apr_table_unset(r->err_headers_out, name);
    if (sent == NULL || always == NULL)
        return sent != NULL ? sent : always;
    return apr_pstrcat(r->pool, always, ", ", sent, NULL);
}

static bool
is_directive(const char *token, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(token, name, length) == 0 && (token[length] == '\0' || token[length] == '=');
}

static bool
is_for_shared_caches(const char *token)
{
    return is_directive(token, "public") || is_directive(token, "s-maxage") ||
           is_directive(token, "private");
}

/* What else the application said stays: max-age, no-cache, must-revalidate, ... */
static const char *
add_directives(apr_pool_t *pool, const char *ours, const char *theirs)
{
    const char *rest = theirs == NULL ? "" : theirs;
    for (const char *token = ap_get_list_item(pool, &rest); token != NULL;
         token = ap_get_list_item(pool, &rest)) {
        if (!is_for_shared_caches(token) && !ap_find_token(pool, ours, token))
            ours = apr_pstrcat(pool, ours, ", ", token, NULL);
    }
    return ours;
}

static void
vary_by_cookie(request_rec *r)
{
    const char *vary = take_header(r, "Vary");
    if (vary == NULL) {
        vary = "Cookie";
    } else if (strchr(vary, '*') == NULL && !ap_find_token(r->pool, vary, "Cookie")) {
        vary = apr_pstrcat(r->pool, vary, ", Cookie", NULL);
    }
    apr_table_setn(r->headers_out, "Vary", vary);
}

/*
 * A response with a cookie is for one browser, once; one that was made without knowing the session
 * is for nobody else, and not for long. The flag is for mod_cache, which can be told to store in
 * spite of the header.
 */
static void
forbid_storing(request_rec *r)
{
    apr_table_setn(r->headers_out, "Cache-Control",
                   add_directives(r->pool, "private, no-store", take_header(r, "Cache-Control")));
    r->no_cache = 1;
}

void
sf_cache_control_enforce(request_rec *r, const struct sf_request_session *session)
{
    vary_by_cookie(r);
    if (session->cookie != SF_COOKIE_NOTHING || session->state == SF_SESSION_UNKNOWN) {
        forbid_storing(r);
    } else if (session->state == SF_SESSION_ACTIVE) {
        apr_table_setn(r->headers_out, "Cache-Control",
                       add_directives(r->pool, "private", take_header(r, "Cache-Control")));
    }
}

/* ---- cookies of ours that somebody else has set ---- */

struct kept_cookies {
    const char *name;
    size_t length;
    apr_array_header_t *values;
    bool found;
};

/* As browsers read it: blanks around the name do not count. */
static bool
sets(const char *value, const char *name, size_t length)
{
    value += strspn(value, " \t");
    if (strncmp(value, name, length) != 0)
        return false;
    value += length;
    return value[strspn(value, " \t")] == '=';
}

static int
sort_out(void *context, const char *header, const char *value)
{
    struct kept_cookies *kept = context;
    (void)header;
    if (sets(value, kept->name, kept->length))
        kept->found = true;
    else
        APR_ARRAY_PUSH(kept->values, const char *) = value;
    return 1;
}

void
sf_cookies_remove(apr_table_t *headers, const char *cookie_name, apr_pool_t *pool)
{
    struct kept_cookies kept = {
        .name = cookie_name,
        .length = strlen(cookie_name),
        .values = apr_array_make(pool, 2, sizeof(const char *)),
    };
    apr_table_do(sort_out, &kept, headers, "Set-Cookie", NULL);
    if (!kept.found)
        return;
    apr_table_unset(headers, "Set-Cookie");
    for (int i = 0; i < kept.values->nelts; i++)
        apr_table_addn(headers, "Set-Cookie", APR_ARRAY_IDX(kept.values, i, const char *));
}
