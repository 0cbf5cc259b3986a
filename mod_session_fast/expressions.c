/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session('name') and %{session:name}; %{SESSION_USER}, %{SESSION_STATE}, %{SESSION_KEY}: in <If>,
 * Require expr, RewriteCond expr, Header ... expr=. The session is read when the expression is
 * evaluated.
 */
#include "mod_session_fast/module.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <string.h>

/*
 * What the expression decides depends on the cookie, and httpd puts that into Vary where it keeps
 * account of it.
 */
static struct sf_request_session *
session_for(const ap_expr_eval_ctx_t *ctx)
{
    if (ctx->vary_this != NULL) {
        *ctx->vary_this = *ctx->vary_this == NULL
                              ? "Cookie"
                              : apr_pstrcat(ctx->p, *ctx->vary_this, ", Cookie", NULL);
    }
    return ctx->r == NULL ? NULL : sf_request_session(ctx->r);
}

/*
 * The text may go into a header of a request or a response, where a line end begins the next one:
 * applications store what visitors type.
 */
static const char *
harmless(const char *text)
{
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "";
    }
    return text == NULL ? "" : text;
}

static const char *
field_value(ap_expr_eval_ctx_t *ctx, const void *data, const char *name)
{
    (void)data;
    struct sf_request_session *session = session_for(ctx);
    return harmless(session == NULL ? NULL : sf_request_session_field(session, ctx->r, name));
}

static const char *
user_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    (void)data;
    struct sf_request_session *session = session_for(ctx);
    const struct sf_session *fields =
        session == NULL ? NULL : sf_request_session_fields(session, ctx->r);
    if (fields == NULL)
        return "";
    return harmless(
        apr_pstrmemdup(ctx->p, (const char *)fields->head.user.data, fields->head.user.size));
}

static const char *
state_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    (void)data;
    struct sf_request_session *session = session_for(ctx);
    if (session == NULL || sf_request_session_read(session, ctx->r) != SF_VISIT_ACTIVE)
        return "none";
    return session->visit.is_new ? "new" : "active";
}

static const char *
key_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    (void)data;
    struct sf_request_session *session = session_for(ctx);
    if (session == NULL || sf_request_session_read(session, ctx->r) != SF_VISIT_ACTIVE)
        return "";
    char label[SF_KEY_LABEL + 1];
    sf_key_label(&session->visit.key, label);
    return apr_pstrdup(ctx->p, label);
}

static const struct {
    const char *name;
    ap_expr_var_func_t *value;
} variables[] = {
    {"SESSION_USER", user_value},
    {"SESSION_STATE", state_value},
    {"SESSION_KEY", key_value},
};

int
sf_expressions_lookup(ap_expr_lookup_parms *parms)
{
    if (parms->type == AP_EXPR_FUNC_STRING && strcasecmp(parms->name, "session") == 0) {
        *parms->func = (const void *)field_value;
        *parms->data = NULL;
        return OK;
    }
    for (size_t i = 0;
         parms->type == AP_EXPR_FUNC_VAR && i < sizeof variables / sizeof variables[0]; i++) {
        if (strcasecmp(parms->name, variables[i].name) == 0) {
            *parms->func = (const void *)variables[i].value;
            *parms->data = NULL;
            return OK;
        }
    }
    return DECLINED;
}
