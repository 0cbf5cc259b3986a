/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/visit.h"

#include "common/front/visit_private.h"
#include "common/identity/cookie.h"

#define RENEWALS 10 /* of a cookie with an age, while that lasts */

void
sf_visit_init(struct sf_visit *visit, struct sf_front *front, const struct sf_config *instance,
              const struct sf_config *config, struct sf_span cookie_header)
{
    *visit = (struct sf_visit){
        .front = front,
        .instance = instance,
        .config = config,
        .cookie_name = config->cookie_name,
    };
    sf_loaded_init(&visit->loaded);
    sf_visit_collect(visit, cookie_header);
}

void
sf_visit_fini(struct sf_visit *visit)
{
    sf_exchange_free(visit->exchange);
    sf_loaded_fini(&visit->loaded);
}

/* ---- in ---- */

static enum sf_visit_state
state_of(enum sf_status status)
{
    switch (status) {
    case SF_OK:
        return SF_VISIT_ACTIVE;
    case SF_NOT_FOUND:
    case SF_CORRUPT:
        return SF_VISIT_NONE;
    case SF_CONFLICT:
    case SF_FULL:
    case SF_UNAVAILABLE:
    case SF_UNCERTAIN:
    case SF_INVALID:
    case SF_NO_MEMORY:
        break;
    }
    return SF_VISIT_UNKNOWN;
}

/*
 * A session that was made where the limit did not hold may have a longer idle time than this place
 * allows.
 */
static bool
is_too_old_here(const struct sf_visit *visit, const struct sf_visit_call *call, sf_time now)
{
    return call->idle_limit > 0 && !visit->loaded.is_former &&
           visit->loaded.last_access + call->idle_limit <= now;
}

/*
 * A browser forgets a cookie with an age however busy its user is. So it is sent again with the first
 * request in each tenth of that age, which the last access tells.
 */
static bool
is_cookie_due(const struct sf_visit *visit, sf_time now)
{
    const struct sf_loaded *loaded = &visit->loaded;
    sf_time part = visit->config->cookie_max_age / RENEWALS;
    sf_time created = loaded->session.head.created;
    return part > 0 && !loaded->is_former && sf_key_equal(&visit->id.key, &visit->key) &&
           (now - created) / part > (loaded->last_access - created) / part;
}

static void
read_now(struct sf_visit *visit, const struct sf_visit_call *call)
{
    sf_time now = sf_clock_wall();
    visit->state =
        state_of(sf_front_load(visit->front, &visit->key, visit->config, now, &visit->loaded));
    visit->is_stale = false;
    if (visit->state == SF_VISIT_ACTIVE && !visit->is_new && is_too_old_here(visit, call, now))
        sf_visit_end(visit, call);
    if (visit->state == SF_VISIT_NONE && visit->loaded.is_revoked && !visit->loaded.is_former)
        sf_visit_end_revoked(visit, call);
}

static void
read_first(struct sf_visit *visit, const struct sf_visit_call *call)
{
    read_now(visit, call);
    if (visit->state == SF_VISIT_ACTIVE && is_cookie_due(visit, sf_clock_wall()))
        visit->cookie = SF_VISIT_SEND_COOKIE;
}

enum sf_visit_state
sf_visit_read(struct sf_visit *visit, const struct sf_visit_call *call)
{
    if (visit->state != SF_VISIT_UNREAD)
        return visit->state;
    bool has_one = visit->id_count == 1;
    if (visit->id_count > 1)
        has_one = sf_visit_choose(visit, call);
    if (has_one)
        read_first(visit, call);
    else if (visit->state == SF_VISIT_UNREAD)
        visit->state = SF_VISIT_NONE;
    return visit->state;
}

bool
sf_visit_is_certain(struct sf_visit *visit, const struct sf_visit_call *call)
{
    return sf_visit_read(visit, call) != SF_VISIT_UNKNOWN && !visit->is_ambiguous;
}

const struct sf_session *
sf_visit_fields(struct sf_visit *visit, const struct sf_visit_call *call)
{
    if (sf_visit_read(visit, call) == SF_VISIT_ACTIVE && visit->is_stale)
        read_now(visit, call);
    return visit->state == SF_VISIT_ACTIVE ? &visit->loaded.session : NULL;
}

int
sf_visit_refuse(struct sf_visit *visit, const struct sf_visit_call *call)
{
    if (sf_visit_read(visit, call) != SF_VISIT_UNKNOWN ||
        visit->config->on_error == SF_ON_ERROR_ANONYMOUS || visit->is_refused) {
        return 0;
    }
    visit->is_refused = true;
    sf_log_write(&call->log, SF_LOG_DEBUG, "SF0511",
                 "nobody knows this session now: answered %d", SF_HTTP_UNAVAILABLE);
    return SF_HTTP_UNAVAILABLE;
}

void
sf_visit_export(struct sf_visit *visit, const struct sf_visit_call *call,
                const struct sf_config *config, sf_export_variable_fn *variable, void *context)
{
    const struct sf_export_options options = {
        .fields = config->export,
        .data_format = (enum sf_data_format)config->data_format,
    };
    const struct sf_session *fields = sf_visit_fields(visit, call);
    enum sf_status status = sf_export_environment(fields, &visit->key, visit->is_new,
                                                  visit->loaded.expires, &options, variable, context);
    if (status != SF_OK) {
        sf_log_write(&call->log, SF_LOG_ERROR, "SF0520",
                     "the environment lacks parts of the session: %s", sf_status_text(status));
    }
}

const char *
sf_visit_source_word(const struct sf_visit *visit)
{
    switch (visit->state) {
    case SF_VISIT_ACTIVE:
        return visit->is_new ? "new" : visit->loaded.source == SF_FROM_CACHE ? "L1" : "store";
    case SF_VISIT_UNKNOWN:
        return "unknown";
    case SF_VISIT_NONE:
    case SF_VISIT_UNREAD:
        break;
    }
    return "none";
}

/* ---- out ---- */

int
sf_visit_take_failure(struct sf_visit *visit)
{
    if (visit->failure == 0 || visit->is_refused)
        return 0;
    visit->is_refused = true;
    return visit->failure;
}

enum sf_status
sf_visit_set_cookie(const struct sf_visit *visit, const struct sf_visit_call *call,
                    struct sf_buffer *value_out)
{
    struct sf_cookie_options options;
    if (visit->cookie == SF_VISIT_NO_COOKIE)
        return SF_NOT_FOUND;
    const char *value = visit->cookie == SF_VISIT_SEND_COOKIE ? visit->id.text : NULL;
    sf_cookie_options_from(&options, visit->config);
    enum sf_status status = sf_cookie_format(value_out, &options, value, sf_clock_wall());
    if (status != SF_OK)
        sf_log_write(&call->log, SF_LOG_ERROR, "SF0523", "the cookie could not be written");
    return status;
}

/*
 * A response with a cookie is for one browser, once; one that was made without knowing the session
 * is for nobody else, and not for long.
 */
enum sf_cache_rule
sf_visit_cache_rule(const struct sf_visit *visit)
{
    if (visit->cookie != SF_VISIT_NO_COOKIE || visit->state == SF_VISIT_UNKNOWN)
        return SF_CACHE_NO_STORE;
    return visit->state == SF_VISIT_ACTIVE ? SF_CACHE_PRIVATE : SF_CACHE_BY_COOKIE;
}
