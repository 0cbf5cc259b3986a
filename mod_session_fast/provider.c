/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider of mod_session: everything that is built on it, mod_auth_form first of all, works on
 * these sessions.
 *
 * mod_session knows tables of text that are written whole. Here the table shows what was read, and
 * when it comes back only the difference is applied: a slow request overwrites nothing that others
 * changed meanwhile.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "common/session/export.h"

APLOG_USE_MODULE(session_fast);

#define EXPIRY_NAME "expiry" /* mod_session writes its own time into the table under this name */

/* ---- load ---- */

/*
 * Names in a table have no case: of "a" and "A" only one is shown, and the other is never touched
 * from here.
 */
static void
show_fields(const struct sf_session *fields, apr_table_t *entries, apr_pool_t *pool)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct sf_field *field = &fields->fields[i];
        const char *name = apr_pstrmemdup(pool, (const char *)field->name.data, field->name.size);
        const char *text = sf_request_session_text(&field->value, pool);
        if (text != NULL && strcmp(name, EXPIRY_NAME) != 0 &&
            apr_table_get(entries, name) == NULL) {
            apr_table_setn(entries, name, text);
        }
    }
}

static void
make_entries(struct sf_request_session *session, request_rec *r)
{
    apr_pool_t *pool = session->top->pool;
    const struct sf_session *fields = sf_request_session_fields(session, r);
    session->rec.entries = apr_table_make(pool, 8);
    if (fields != NULL) {
        show_fields(fields, session->rec.entries, pool);
        session->rec.remote_user =
            apr_pstrmemdup(pool, (const char *)fields->head.user.data, fields->head.user.size);
    }
    session->shown = apr_table_copy(pool, session->rec.entries);
}

/*
 * mod_session asks again and again in one request, and gives the table up when it finds it expired
 * or written. What is over was judged while reading, so the table is always fresh; `encoded` empty
 * keeps mod_session from decoding anything over it.
 */
apr_status_t
sf_provider_load(request_rec *r, session_rec **rec_out)
{
    struct sf_request_session *session = sf_request_session(r);
    if (session == NULL)
        return DECLINED;
    sf_request_session_read(session, r);
    if (session->rec.entries == NULL)
        make_entries(session, r);
    long max_age = sf_mod_session_max_age(session->process, r);
    session->rec.expiry = max_age > 0 ? (sf_clock_wall() + max_age * SF_SECOND) * 1000 : 0;
    session->rec.encoded = NULL;
    session->rec.written = 0;
    *rec_out = &session->rec;
    return OK;
}

/* ---- save ---- */

static bool
is_field(const char *name)
{
    return strcasecmp(name, EXPIRY_NAME) != 0;
}

static bool
names_user(const char *name)
{
    return sf_export_is_user(sf_span_text(name));
}

static bool
differs(const char *a, const char *b)
{
    return a == NULL || b == NULL || strcmp(a, b) != 0;
}

struct rows {
    const apr_table_entry_t *row;
    int count;
};

static struct rows
rows_of(const apr_table_t *table)
{
    const apr_array_header_t *array = apr_table_elts(table);
    return (struct rows){(const void *)array->elts, array->nelts};
}

struct difference {
    const char *login;   /* a user who was not there before */
    const char *user;    /* any user who is there now */
    bool user_left;      /* one who was there is gone */
    bool had_fields, has_fields;
};

static void
compare_users(struct difference *difference, const apr_table_t *before, const apr_table_t *after)
{
    struct rows now = rows_of(after), then = rows_of(before);
    for (int i = 0; i < now.count; i++) {
        const char *name = now.row[i].key, *value = now.row[i].val;
        difference->has_fields |= is_field(name);
        if (names_user(name)) {
            difference->user = value;
            difference->login =
                differs(value, apr_table_get(before, name)) ? value : difference->login;
        }
    }
    for (int i = 0; i < then.count; i++) {
        const char *name = then.row[i].key;
        difference->had_fields |= is_field(name);
        difference->user_left |= names_user(name) && apr_table_get(after, name) == NULL;
    }
}

/* What a save is about: the session, what was shown of it, what came back, and what is made of it. */
struct saving {
    struct sf_request_session *session;
    request_rec *r;
    const apr_table_t *before, *after;
    struct sf_ops *ops;
    const char *login; /* NULL: nobody logs in */
    bool clears;       /* and the session was somebody else's */
};

/* A field of mod_auth_form that belongs to who logs in now. */
static bool
is_of_login(const struct saving *saving, const char *name)
{
    struct sf_span realm = sf_export_realm(sf_span_text(name));
    if (realm.size == 0)
        return false;
    const char *user = apr_pstrcat(
        saving->r->pool, apr_pstrmemdup(saving->r->pool, (const char *)realm.data, realm.size),
        "-" MOD_SESSION_USER, NULL);
    return !differs(apr_table_get(saving->after, user), saving->login);
}

static bool
must_set(const struct saving *saving, const char *name, const char *value)
{
    return is_field(name) && (differs(value, apr_table_get(saving->before, name)) ||
                              (saving->clears && is_of_login(saving, name)));
}

static enum sf_status
add_field_ops(const struct saving *saving)
{
    enum sf_status status = SF_OK;
    struct rows now = rows_of(saving->after), then = rows_of(saving->before);
    for (int i = 0; status == SF_OK && i < then.count; i++) {
        const char *name = then.row[i].key;
        if (is_field(name) && apr_table_get(saving->after, name) == NULL)
            status = sf_ops_add_name(saving->ops, SF_OP_UNSET, sf_span_text(name));
    }
    for (int i = 0; status == SF_OK && i < now.count; i++) {
        const char *name = now.row[i].key, *value = now.row[i].val;
        if (must_set(saving, name, value))
            status = sf_ops_add_set(saving->ops, sf_span_text(name), sf_span_text(value));
    }
    return status;
}

/*
 * Who logs in again as the same user writes what was there already, or a new password. mod_auth_form
 * takes a form at its login handler, or in a POST to any page.
 */
static bool
is_login_again(const struct saving *saving)
{
    const char *handler = saving->r->handler;
    bool differs_nowhere = saving->ops->count == 0;
    return (handler != NULL && strcmp(handler, "form-login-handler") == 0) ||
           (saving->r->method_number == M_POST && differs_nowhere);
}

static enum sf_status
add_login(struct saving *saving, const char *user)
{
    const struct sf_session *fields = sf_request_session_fields(saving->session, saving->r);
    struct sf_span name = sf_span_text(user);
    saving->login = user;
    saving->clears = fields != NULL && fields->head.user.size > 0 &&
                     !sf_span_equal(fields->head.user, name);
    return sf_ops_add_name(saving->ops, SF_OP_LOGIN, name);
}

/*
 * mod_session has no word for login and logout. A new user is a login: new id, before anything that
 * belongs to it is written. A session that became empty, or that its last user has left, is over:
 * what remains must not go to the next user of the browser.
 */
static enum sf_status
add_ops(struct saving *saving)
{
    struct difference difference = {.login = NULL};
    compare_users(&difference, saving->before, saving->after);
    bool is_logout = difference.user_left && difference.user == NULL;
    if (is_logout || (difference.had_fields && !difference.has_fields))
        return sf_ops_add(saving->ops, &(struct sf_op){.kind = SF_OP_END});
    const char *login =
        difference.login != NULL || !difference.user_left ? difference.login : difference.user;
    enum sf_status status = login != NULL ? add_login(saving, login) : SF_OK;
    if (status == SF_OK)
        status = add_field_ops(saving);
    if (status != SF_OK || login != NULL || difference.user == NULL || !is_login_again(saving))
        return status;
    saving->ops->count = 0; /* once more, behind the login */
    status = add_login(saving, difference.user);
    return status == SF_OK ? add_field_ops(saving) : status;
}

/* Modules see no field of the user that a login has put out, for the rest of this request too. */
static void
settle_entries(const struct saving *saving)
{
    struct sf_request_session *session = saving->session;
    if (saving->clears)
        make_entries(session, saving->r);
    else
        session->shown = apr_table_copy(session->top->pool, session->rec.entries);
    session->rec.dirty = 0;
}

static void
save(struct sf_request_session *session, request_rec *r)
{
    struct sf_ops ops;
    struct saving saving = {
        .session = session,
        .r = r,
        .before = session->shown,
        .after = session->rec.entries,
        .ops = &ops,
    };
    sf_ops_init(&ops);
    enum sf_status status = add_ops(&saving);
    if (status == SF_OK) {
        const struct sf_visit_call call = sf_request_session_change(session, r);
        (void)!sf_visit_apply(&session->visit, &call, &ops);
    } else {
        session->visit.failure = SF_HTTP_FAILED;
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "SF0517: a module put something into the session that it cannot hold: %s",
                      sf_status_text(status));
    }
    sf_ops_fini(&ops);
    settle_entries(&saving);
}

apr_status_t
sf_provider_save(request_rec *r, session_rec *rec)
{
    struct sf_request_session *session = sf_request_session(r);
    if (session == NULL)
        return DECLINED;
    if (!rec->dirty)
        return OK; /* only the expiry moved: reading the session has done that */
    if (rec != &session->rec) {
        /* An empty one that mod_session made up because another module could not decode ours. */
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "SF0518: mod_session saves a session that was not loaded: dropped");
        return OK;
    }
    save(session, r);
    return OK;
}

void
sf_provider_save_pending(struct sf_request_session *session, request_rec *r)
{
    if (session->rec.entries != NULL && session->rec.dirty)
        save(session, r);
}
