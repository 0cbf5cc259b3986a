/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Require session-valid
 * Require session-user [USER...]           without names: any user
 * Require session-field NAME [VALUE...]    without values: any value
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <ap_provider.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_auth.h>
#include <string.h>

APLOG_USE_MODULE(session_fast);

static const struct sf_session *
fields_of(request_rec *r)
{
    struct sf_request_session *session = sf_request_session(r);
    return session == NULL ? NULL : sf_request_session_fields(session, r);
}

/* One "Require session-...". */
struct requirement {
    apr_array_header_t *words;
    bool is_negated; /* "Require not" or <RequireNone> */
};

/*
 * httpd does not tell a provider, and takes its "no" for a "yes" there. Two of them, one in the
 * other, are taken for one: that is the safe side.
 */
static bool
is_negated(const ap_directive_t *directive)
{
    const char *args = directive->args;
    for (; directive != NULL; directive = directive->parent) {
        if (strcasecmp(directive->directive, "<RequireNone") == 0)
            return true;
    }
    return args != NULL && strncasecmp(args, "not", 3) == 0 && (args[3] == ' ' || args[3] == '\t');
}

static const char *
parse_words(cmd_parms *cmd, const char *line, const void **parsed_out)
{
    struct requirement *requirement = apr_palloc(cmd->pool, sizeof *requirement);
    requirement->is_negated = is_negated(cmd->directive);
    requirement->words = apr_array_make(cmd->pool, 2, sizeof(const char *));
    while (*line != '\0')
        APR_ARRAY_PUSH(requirement->words, const char *) = ap_getword_conf(cmd->pool, &line);
    *parsed_out = requirement;
    return NULL;
}

static const char *
refuse(cmd_parms *cmd, const char *why)
{
    return apr_psprintf(cmd->pool, "SF0502: %s, line %d: Require %s", cmd->directive->filename,
                        cmd->directive->line_num, why);
}

static const char *
parse_valid(cmd_parms *cmd, const char *line, const void **parsed_out)
{
    return *line == '\0' ? parse_words(cmd, line, parsed_out)
                         : refuse(cmd, "session-valid takes no arguments");
}

static const char *
parse_field(cmd_parms *cmd, const char *line, const void **parsed_out)
{
    const char *rest = line;
    return *ap_getword_conf(cmd->temp_pool, &rest) != '\0'
               ? parse_words(cmd, line, parsed_out)
               : refuse(cmd, "session-field needs the name of a field");
}

static bool
is_among(struct sf_span text, const apr_array_header_t *words, int first)
{
    for (int i = first; i < words->nelts; i++) {
        if (sf_span_equal(text, sf_span_text(APR_ARRAY_IDX(words, i, const char *))))
            return true;
    }
    return words->nelts <= first;
}

static bool
is_certain(struct sf_request_session *session, request_rec *r)
{
    const struct sf_visit_call call = sf_request_session_call(session, r);
    return sf_visit_is_certain(&session->visit, &call);
}

/*
 * Where a login can change the answer, httpd asks for one first; elsewhere it is a plain no. Where
 * a no would open the door and nobody knows the session it is an error, which httpd leaves as it is.
 */
static authz_status
deny(request_rec *r, const struct requirement *requirement)
{
    const char *type = ap_auth_type(r);
    bool can_log_in = type != NULL && strcasecmp(type, "none") != 0;
    struct sf_request_session *session = sf_request_session(r);
    if (requirement->is_negated && session != NULL && !is_certain(session, r)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "SF0524: \"Require not\" of a session that nobody knows now: refused");
        return AUTHZ_GENERAL_ERROR;
    }
    return r->user == NULL && can_log_in ? AUTHZ_DENIED_NO_USER : AUTHZ_DENIED;
}

static authz_status
check_valid(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    return fields_of(r) != NULL ? AUTHZ_GRANTED : deny(r, parsed);
}

static authz_status
check_user(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    const struct requirement *requirement = parsed;
    const struct sf_session *fields = fields_of(r);
    bool has_user = fields != NULL && fields->head.user.size > 0;
    return has_user && is_among(fields->head.user, requirement->words, 0)
               ? AUTHZ_GRANTED
               : deny(r, requirement);
}

static authz_status
check_field(request_rec *r, const char *line, const void *parsed)
{
    (void)line;
    const struct requirement *requirement = parsed;
    const apr_array_header_t *words = requirement->words;
    const struct sf_session *fields = fields_of(r);
    const char *name = APR_ARRAY_IDX(words, 0, const char *);
    const struct sf_field *field =
        fields == NULL ? NULL : sf_session_find(fields, sf_span_text(name));
    char number[SF_NUMBER_TEXT];
    bool matches = field != NULL && is_among(sf_value_text(&field->value, number), words, 1);
    return matches ? AUTHZ_GRANTED : deny(r, requirement);
}

static const authz_provider require_valid = {check_valid, parse_valid};
static const authz_provider require_user = {check_user, parse_words};
static const authz_provider require_field = {check_field, parse_field};

void
sf_access_register(apr_pool_t *pool)
{
    const struct {
        const char *name;
        const authz_provider *provider;
    } rows[] = {
        {"session-valid", &require_valid},
        {"session-user", &require_user},
        {"session-field", &require_field},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, rows[i].name, AUTHZ_PROVIDER_VERSION,
                                  rows[i].provider, AP_AUTH_INTERNAL_PER_CONF);
    }
}
