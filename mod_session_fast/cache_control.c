/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What caches between server and browser may do with a response that depends on a session.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <string.h>

#include "common/identity/cookie.h"

static const char *
joined(request_rec *r, apr_table_t *headers, const char *name)
{
    return apr_table_get(headers, name) != NULL ? apr_table_getm(r->pool, headers, name) : NULL;
}

/* All lines of one header in both tables as one list, and none left in either. NULL: there are none. */
static const char *
take_header(request_rec *r, const char *name)
{
    const char *sent = joined(r, r->headers_out, name);
    const char *always = joined(r, r->err_headers_out, name);
    if (sent != NULL)
        apr_table_unset(r->headers_out, name);
    if (always != NULL)
        apr_table_unset(r->err_headers_out, name);
    if (sent == NULL || always == NULL)
        return sent != NULL ? sent : always;
    return apr_pstrcat(r->pool, always, ", ", sent, NULL);
}

static char *
room_for_rules(request_rec *r, const char *said)
{
    return apr_palloc(r->pool, SF_CACHE_RULES_BYTES(strlen(said)));
}

static void
vary_by_cookie(request_rec *r)
{
    const char *said = take_header(r, "Vary"), *vary = SF_CACHE_RULES_VARY;
    if (said != NULL) {
        char *joined = room_for_rules(r, said);
        sf_cache_rules_vary(said, joined);
        vary = joined;
    }
    apr_table_addn(r->headers_out, "Vary", vary);
}

static void
control_caches(request_rec *r, enum sf_cache_rule rule)
{
    const char *said = take_header(r, "Cache-Control"), *control = sf_cache_rules_alone(rule);
    if (said != NULL) {
        char *joined = room_for_rules(r, said);
        sf_cache_rules_control(rule, said, joined);
        control = joined;
    }
    apr_table_addn(r->headers_out, "Cache-Control", control);
}

/* The flag is for mod_cache, which can be told to store in spite of the header. */
void
sf_cache_control_enforce(request_rec *r, enum sf_cache_rule rule)
{
    vary_by_cookie(r);
    if (rule != SF_CACHE_BY_COOKIE)
        control_caches(r, rule);
    if (rule == SF_CACHE_NO_STORE)
        r->no_cache = 1;
}

/* ---- cookies of ours that somebody else has set ---- */

struct kept_cookies {
    const char *name;
    apr_array_header_t *values;
    bool found;
};

static int
sort_out(void *context, const char *header, const char *value)
{
    struct kept_cookies *kept = context;
    (void)header;
    if (sf_cookie_is_set_by(value, kept->name))
        kept->found = true;
    else
        APR_ARRAY_PUSH(kept->values, const char *) = value;
    return 1;
}

void
sf_cookies_remove(apr_table_t *headers, const char *cookie_name, apr_pool_t *pool)
{
    if (apr_table_get(headers, "Set-Cookie") == NULL)
        return;
    struct kept_cookies kept = {
        .name = cookie_name,
        .values = apr_array_make(pool, 2, sizeof(const char *)),
    };
    apr_table_do(sort_out, &kept, headers, "Set-Cookie", NULL);
    if (!kept.found)
        return;
    apr_table_unset(headers, "Set-Cookie");
    for (int i = 0; i < kept.values->nelts; i++)
        apr_table_addn(headers, "Set-Cookie", APR_ARRAY_IDX(kept.values, i, const char *));
}
