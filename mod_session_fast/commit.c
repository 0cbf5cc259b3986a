/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes on their way to the front, and what each answer of it means for the response.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>

APLOG_USE_MODULE(session_fast);

/*
 * Options of the place and of the instance in one, with SessionMaxAge as one more limit for
 * sessions that are made here, and what the response has asked for.
 */
static struct sf_config
effective_config(const struct sf_request_session *session, const request_rec *r)
{
    struct sf_config config = *session->config;
    config.tombstone_lifetime = session->process->config.tombstone_lifetime;
    sf_time max_age = sf_mod_session_max_age(session->process, r) * SF_SECOND;
    if (max_age > 0 && max_age < config.idle_timeout)
        config.idle_timeout = max_age;
    if (config.durability < (int)session->durability)
        config.durability = session->durability;
    return config;
}

/* Without a cookie in the response a new id would be lost, and its session with it. */
static bool
comes_too_late(const struct sf_request_session *session, const request_rec *r,
               const struct sf_ops *ops)
{
    bool needs_cookie = session->state != SF_SESSION_ACTIVE || sf_ops_wants_new_id(ops);
    bool cannot_send = session->is_sent || (r->main != NULL && !session->has_filter);
    return needs_cookie && cannot_send;
}

static void
take_result(struct sf_request_session *session, const struct sf_saved *saved)
{
    session->is_stale = true;
    if (saved->is_new_id) {
        session->new_id = saved->id;
        session->key = saved->id.key;
        session->cookie = SF_COOKIE_SEND;
        session->is_new |= saved->created;
        session->is_ambiguous = false;
        session->state = SF_SESSION_ACTIVE;
    }
    if (saved->ended) {
        session->cookie = SF_COOKIE_CLEAR;
        session->is_new = false;
        session->state = SF_SESSION_NONE;
    }
}

static const char *
explain(enum sf_status status)
{
    switch (status) {
    case SF_INVALID:
        return "an operation does not fit its field: a text is no number, a number overflows, "
               "a name or value is not allowed";
    case SF_FULL:
        return "the session would be larger than SessionFastMaxBytes, or there is no room for it";
    case SF_CONFLICT:
        return "too many others change the session at the same time";
    case SF_UNAVAILABLE:
        return "cache, daemon or store cannot take it now";
    case SF_UNCERTAIN:
        return "it is in the cache, journal or store have not confirmed it in time";
    case SF_OK:
    case SF_NOT_FOUND:
    case SF_CORRUPT:
    case SF_NO_MEMORY:
        break;
    }
    return sf_status_text(status);
}

/*
 * Where store or daemon are away, that was said once, by whoever noticed: not again for each
 * request.
 */
static int
log_level(enum sf_status status)
{
    return status == SF_UNAVAILABLE || status == SF_UNCERTAIN ? APLOG_INFO : APLOG_ERR;
}

static void
refuse(struct sf_request_session *session, request_rec *r, enum sf_status status)
{
    bool goes_on = session->config->on_error == SF_ON_ERROR_ANONYMOUS && status != SF_INVALID;
    if (goes_on) {
        ap_log_rerror(APLOG_MARK, log_level(status), 0, r,
                      "SF0514: a change was not %s, the response goes on: %s",
                      status == SF_UNCERTAIN ? "confirmed" : "made", explain(status));
        return;
    }
    session->failure = status == SF_INVALID ? HTTP_INTERNAL_SERVER_ERROR : HTTP_SERVICE_UNAVAILABLE;
    ap_log_rerror(APLOG_MARK, log_level(status), 0, r,
                  "SF0513: a change was not %s, answered %d: %s",
                  status == SF_UNCERTAIN ? "confirmed" : "made", session->failure, explain(status));
}

static void
settle(struct sf_request_session *session, request_rec *r, enum sf_status status,
       const struct sf_saved *saved)
{
    switch (status) {
    case SF_OK:
        take_result(session, saved);
        break;
    case SF_UNCERTAIN:
        /* In the cache, and will be written: the browser gets its id, but no promise is kept. */
        take_result(session, saved);
        refuse(session, r, status);
        break;
    case SF_NOT_FOUND:
        /*
         * Ended while this request was at work: nothing brings it back, the page is still good. Or
         * nobody could say which session was meant, and a new one would make that worse.
         */
        session->state = SF_SESSION_NONE;
        session->is_over = true;
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "SF0512: %s: change dropped",
                      session->is_ambiguous ? "the request has several sessions"
                                            : "the session was ended meanwhile");
        break;
    case SF_CONFLICT:
    case SF_FULL:
    case SF_UNAVAILABLE:
    case SF_INVALID:
    case SF_CORRUPT:
    case SF_NO_MEMORY:
        refuse(session, r, status);
        break;
    }
}

/*
 * BrowserMatch and SetEnvIf say who is a bot: the session that its request makes is the first that the
 * cache gives up when it is full.
 */
static enum sf_status
apply(struct sf_front *front, request_rec *r, const struct sf_key *key, const struct sf_ops *ops,
      const struct sf_config *config, struct sf_saved *saved_out)
{
    bool is_bot = key == NULL && apr_table_get(r->subprocess_env, "session-fast-bot") != NULL;
    struct sf_ops marked;
    sf_ops_init(&marked);
    enum sf_status status =
        is_bot ? sf_ops_add_name(&marked, SF_OP_MARK, sf_span_text("bot")) : SF_NOT_FOUND;
    for (size_t i = 0; i < ops->count && status == SF_OK; i++)
        status = sf_ops_add(&marked, &ops->items[i]);
    status = sf_front_apply(front, key, status == SF_OK ? &marked : ops, config, sf_clock_wall(),
                            saved_out);
    sf_ops_fini(&marked);
    return status;
}

/*
 * A login makes a session where there is none, also when the old one has just ended or was
 * replaced, or when several could be meant: the user has shown a password. Where nobody knows, only
 * a login may: anything else would take the place of a session that may be alive.
 */
static enum sf_status
commit(struct sf_request_session *session, request_rec *r, const struct sf_ops *ops,
       struct sf_saved *saved_out)
{
    struct sf_front *front = session->process->front;
    bool is_login = sf_ops_has(ops, SF_OP_LOGIN);
    const struct sf_key *key = session->state == SF_SESSION_ACTIVE ? &session->key : NULL;
    if (front == NULL || (session->state == SF_SESSION_UNKNOWN && !is_login))
        return SF_UNAVAILABLE;
    if ((session->is_over || session->is_ambiguous) && !is_login)
        return SF_NOT_FOUND;
    const struct sf_config config = effective_config(session, r);
    enum sf_status status = apply(front, r, key, ops, &config, saved_out);
    if (status == SF_NOT_FOUND && key != NULL && is_login)
        status = apply(front, r, NULL, ops, &config, saved_out);
    return status;
}

enum sf_status
sf_request_session_apply(struct sf_request_session *session, request_rec *r,
                         const struct sf_ops *ops)
{
    bool has_session = sf_request_session_read(session, r) == SF_SESSION_ACTIVE;
    if (ops->count == 0 || (!has_session && !sf_ops_may_create(ops)))
        return SF_OK;
    if (comes_too_late(session, r, ops)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "SF0515: the change needs a new cookie and the response headers are already sent: "
            "change dropped");
        return SF_INVALID;
    }
    struct sf_saved saved = {.version = 0};
    enum sf_status status = commit(session, r, ops, &saved);
    settle(session, r, status, &saved);
    return status;
}

void
sf_request_session_end(struct sf_request_session *session, request_rec *r)
{
    struct sf_saved saved;
    struct sf_ops ops;
    sf_ops_init(&ops);
    struct sf_config config = effective_config(session, r);
    config.durability = config.login_durability = SF_DURABILITY_MEMORY;
    enum sf_status status = sf_ops_add(&ops, &(struct sf_op){.kind = SF_OP_END});
    if (status == SF_OK) {
        status = sf_front_apply(session->process->front, &session->key, &ops, &config,
                                sf_clock_wall(), &saved);
    }
    if (status != SF_OK && status != SF_NOT_FOUND) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "SF0516: a session older than SessionMaxAge was not ended: %s",
                      sf_status_text(status));
    }
    session->state = SF_SESSION_NONE;
    session->cookie = SF_COOKIE_CLEAR;
    sf_ops_fini(&ops);
}
