/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes on their way to the front, and what each answer of it means for the response.
 */
#include "common/front/visit_private.h"

/*
 * Options of the place and of the instance in one, with one more limit for sessions that are made
 * here, and what the response has asked for.
 */
static struct sf_config
effective_config(const struct sf_visit *visit, const struct sf_visit_call *call)
{
    struct sf_config config = *visit->config;
    config.tombstone_lifetime = visit->instance->tombstone_lifetime;
    if (call->idle_limit > 0 && call->idle_limit < config.idle_timeout)
        config.idle_timeout = call->idle_limit;
    if (config.durability < (int)visit->durability)
        config.durability = (int)visit->durability;
    return config;
}

/* Without a cookie in the response a new id would be lost, and its session with it. */
static bool
comes_too_late(const struct sf_visit *visit, const struct sf_visit_call *call,
               const struct sf_ops *ops)
{
    bool needs_cookie = visit->state != SF_VISIT_ACTIVE || sf_ops_wants_new_id(ops);
    return needs_cookie && call->is_too_late;
}

static void
take_result(struct sf_visit *visit, const struct sf_saved *saved)
{
    visit->is_stale = true;
    if (saved->is_new_id) {
        visit->id = saved->id;
        visit->key = saved->id.key;
        visit->cookie = SF_VISIT_SEND_COOKIE;
        visit->is_new |= saved->created;
        visit->is_ambiguous = false;
        visit->state = SF_VISIT_ACTIVE;
    }
    if (saved->ended) {
        visit->cookie = SF_VISIT_CLEAR_COOKIE;
        visit->is_new = false;
        visit->state = SF_VISIT_NONE;
    }
}

static const char *
explain(enum sf_status status, const struct sf_saved *saved)
{
    if (saved->pressure != SF_L1_PRESSURE_NONE)
        return sf_l1_pressure_text(saved->pressure);
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
static enum sf_log_level
log_level(enum sf_status status, const struct sf_saved *saved)
{
    bool was_said = status == SF_UNAVAILABLE || status == SF_UNCERTAIN ||
                    saved->pressure != SF_L1_PRESSURE_NONE;
    return was_said ? SF_LOG_INFO : SF_LOG_ERROR;
}

/*
 * Under pressure a visitor gets his page without the session that it would have made, unless place
 * or application have said that changes must not be lost.
 */
static bool
is_dispensable(const struct sf_visit *visit, const struct sf_saved *saved)
{
    return saved->pressure != SF_L1_PRESSURE_NONE && visit->state == SF_VISIT_NONE &&
           visit->config->durability == SF_DURABILITY_MEMORY &&
           visit->durability == SF_DURABILITY_MEMORY;
}

static void
refuse(struct sf_visit *visit, const struct sf_visit_call *call, enum sf_status status,
       const struct sf_saved *saved)
{
    const char *done = status == SF_UNCERTAIN ? "confirmed" : "made";
    bool goes_on = visit->config->on_error == SF_ON_ERROR_ANONYMOUS && status != SF_INVALID;
    if (goes_on || is_dispensable(visit, saved)) {
        sf_log_write(&call->log, log_level(status, saved), "SF0514",
                     "a change was not %s, the response goes on: %s", done, explain(status, saved));
        return;
    }
    visit->failure = status == SF_INVALID ? SF_HTTP_FAILED : SF_HTTP_UNAVAILABLE;
    sf_log_write(&call->log, log_level(status, saved), "SF0513",
                 "a change was not %s, answered %d: %s", done, visit->failure,
                 explain(status, saved));
}

static void
settle(struct sf_visit *visit, const struct sf_visit_call *call, enum sf_status status,
       const struct sf_saved *saved)
{
    switch (status) {
    case SF_OK:
        take_result(visit, saved);
        break;
    case SF_UNCERTAIN:
        /* In the cache, and will be written: the browser gets its id, but no promise is kept. */
        take_result(visit, saved);
        refuse(visit, call, status, saved);
        break;
    case SF_NOT_FOUND:
        /*
         * Ended while this request was at work: nothing brings it back, the page is still good. Or
         * nobody could say which session was meant, and a new one would make that worse.
         */
        visit->state = SF_VISIT_NONE;
        visit->is_over = true;
        sf_log_write(&call->log, SF_LOG_INFO, "SF0512", "%s: change dropped",
                     visit->is_ambiguous ? "the request has several sessions"
                                         : "the session was ended meanwhile");
        break;
    case SF_CONFLICT:
    case SF_FULL:
    case SF_UNAVAILABLE:
    case SF_INVALID:
    case SF_CORRUPT:
    case SF_NO_MEMORY:
        refuse(visit, call, status, saved);
        break;
    }
}

/* ---- ops ---- */

/*
 * The session that a bot's request makes is the first that the cache gives up when it is full.
 */
static enum sf_status
apply(const struct sf_visit *visit, const struct sf_key *key, bool is_bot, const struct sf_ops *ops,
      const struct sf_config *config, struct sf_saved *saved_out)
{
    struct sf_ops marked;
    sf_ops_init(&marked);
    marked.others_of = ops->others_of;
    enum sf_status status = key == NULL && is_bot
                                ? sf_ops_add_name(&marked, SF_OP_MARK, sf_span_text("bot"))
                                : SF_NOT_FOUND;
    for (size_t i = 0; i < ops->count && status == SF_OK; i++)
        status = sf_ops_add(&marked, &ops->items[i]);
    status = sf_front_apply(visit->front, key, status == SF_OK ? &marked : ops, config,
                            sf_clock_wall(), saved_out);
    sf_ops_fini(&marked);
    return status;
}

/*
 * A login makes a session where there is none, also when the old one has just ended or was
 * replaced, or when several could be meant: the user has shown a password. Where nobody knows, only
 * a login may: anything else would take the place of a session that may be alive.
 */
static enum sf_status
commit(const struct sf_visit *visit, const struct sf_visit_call *call, const struct sf_ops *ops,
       struct sf_saved *saved_out)
{
    bool is_login = sf_ops_has(ops, SF_OP_LOGIN);
    const struct sf_key *key = visit->state == SF_VISIT_ACTIVE ? &visit->key : NULL;
    if (visit->front == NULL || (visit->state == SF_VISIT_UNKNOWN && !is_login))
        return SF_UNAVAILABLE;
    if ((visit->is_over || visit->is_ambiguous) && !is_login)
        return SF_NOT_FOUND;
    const struct sf_config config = effective_config(visit, call);
    enum sf_status status = apply(visit, key, call->is_bot, ops, &config, saved_out);
    if (status == SF_NOT_FOUND && key != NULL && is_login)
        status = apply(visit, NULL, call->is_bot, ops, &config, saved_out);
    return status;
}

enum sf_status
sf_visit_apply(struct sf_visit *visit, const struct sf_visit_call *call, const struct sf_ops *ops)
{
    bool has_session = sf_visit_read(visit, call) == SF_VISIT_ACTIVE;
    if (ops->count == 0 || (!has_session && !sf_ops_may_create(ops)))
        return SF_OK;
    if (comes_too_late(visit, call, ops)) {
        sf_log_write(&call->log, SF_LOG_WARNING, "SF0515",
                     "the change needs a new cookie and the response headers are already sent: "
                     "change dropped");
        return SF_INVALID;
    }
    struct sf_saved saved = {.version = 0};
    enum sf_status status = commit(visit, call, ops, &saved);
    settle(visit, call, status, &saved);
    return status;
}

static void
end(struct sf_visit *visit, const struct sf_visit_call *call, const char *why)
{
    struct sf_saved saved;
    struct sf_ops ops;
    sf_ops_init(&ops);
    struct sf_config config = effective_config(visit, call);
    config.durability = config.login_durability = SF_DURABILITY_MEMORY;
    enum sf_status status = sf_ops_add(&ops, &(struct sf_op){.kind = SF_OP_END});
    if (status == SF_OK)
        status = apply(visit, &visit->key, false, &ops, &config, &saved);
    if (status != SF_OK && status != SF_NOT_FOUND) {
        sf_log_write(&call->log, SF_LOG_WARNING, "SF0516",
                     "a session %s was not ended: %s", why, sf_status_text(status));
    }
    visit->state = SF_VISIT_NONE;
    sf_ops_fini(&ops);
}

void
sf_visit_end(struct sf_visit *visit, const struct sf_visit_call *call)
{
    end(visit, call, "older than SessionMaxAge");
    visit->cookie = SF_VISIT_CLEAR_COOKIE;
}

void
sf_visit_end_revoked(struct sf_visit *visit, const struct sf_visit_call *call)
{
    sf_log_write(&call->log, SF_LOG_INFO, "SF0526", "a session was refused: its user was logged out everywhere");
    end(visit, call, "whose user was logged out everywhere");
    visit->is_over = true; /* perhaps by a request beside this one, which has given the browser another id */
}

/* ---- what the application said ---- */

/*
 * Refused headers too: the exchange remembers those, and a logout behind one still counts.
 */
void
sf_visit_add_header(struct sf_visit *visit, const char *header, const char *value)
{
    if (visit->exchange == NULL)
        visit->exchange = sf_exchange_new();
    if (visit->exchange == NULL)
        visit->exchange_status = SF_NO_MEMORY;
    else
        (void)!sf_exchange_add(visit->exchange, header, value, NULL);
}

static enum sf_status
apply_headers(struct sf_visit *visit, const struct sf_visit_call *call, struct sf_error *error)
{
    struct sf_ops ops;
    if (visit->exchange_status != SF_OK)
        return sf_error_set(error, visit->exchange_status, "no memory");
    sf_ops_init(&ops);
    enum sf_status status =
        sf_exchange_ops(visit->exchange, sf_visit_fields(visit, call), &ops, error);
    if (status == SF_OK) {
        visit->durability = sf_exchange_durability(visit->exchange);
        (void)!sf_visit_apply(visit, call, &ops);
    }
    sf_ops_fini(&ops);
    return status;
}

static void
forget_headers(struct sf_visit *visit)
{
    sf_exchange_free(visit->exchange);
    visit->exchange = NULL;
    visit->exchange_status = SF_OK;
}

void
sf_visit_commit(struct sf_visit *visit, const struct sf_visit_call *call)
{
    struct sf_error error = {.status = SF_OK};
    bool has_headers = visit->exchange != NULL || visit->exchange_status != SF_OK;
    if (has_headers && visit->failure == 0 && apply_headers(visit, call, &error) != SF_OK) {
        visit->failure = SF_HTTP_FAILED;
        sf_log_write(&call->log, SF_LOG_ERROR, "SF0519",
                     "the application's session headers were refused, answered %d: %s",
                     visit->failure, error.text);
    }
    forget_headers(visit);
}
