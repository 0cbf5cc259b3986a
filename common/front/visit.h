/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * visit.h - a client's request and its session, from the Cookie header to Set-Cookie: what is the
 * same for every front.
 *
 * The order: init; refuse, before the application is asked; export; add_header and commit, when it
 * has answered; take_failure; then set_cookie and cache_rule for the headers that leave. One thread
 * at a time; longest wait: the deadlines of the place.
 */
#include "common/base/log.h"
#include "common/config/config.h"
#include "common/front/front.h"
#include "common/session/cache_rules.h"
#include "common/session/exchange.h"
#include "common/session/export.h"

#define SF_VISIT_IDS_MAX 4         /* of one cookie name in one request */
#define SF_VISIT_COOKIE_BYTES 4096 /* of one Set-Cookie */

#define SF_HTTP_FAILED 500
#define SF_HTTP_UNAVAILABLE 503 /* send "Retry-After: 1" with it */

enum sf_visit_state {
    SF_VISIT_UNREAD,
    SF_VISIT_NONE,    /* no cookie, or a cookie whose session is over, for certain */
    SF_VISIT_ACTIVE,
    SF_VISIT_UNKNOWN  /* nobody could tell: not "none" */
};

enum sf_visit_cookie { SF_VISIT_NO_COOKIE, SF_VISIT_SEND_COOKIE, SF_VISIT_CLEAR_COOKIE };

/*
 * 1. `key` is valid while state is ACTIVE; `loaded` shows what was read, is_stale says that it was
 *    changed since.
 * 2. At most one id is used: with several that are alive is_ambiguous is set and state is NONE.
 * 3. `id` is the one that the cookie gets while `cookie` is SEND_COOKIE; before, the last that came in.
 */
struct sf_visit {
    /* The owner's. `config` may be exchanged, for one with the same cookie name, when the place does. */
    struct sf_front *front;           /* NULL: it could not be opened, nobody knows any session */
    const struct sf_config *instance; /* INSTANCE options */
    const struct sf_config *config;   /* LOCATION options of where the request is now */

    /* For the owner to look at; `failure` it may set. */
    const char *cookie_name;
    enum sf_visit_state state;
    struct sf_key key;
    struct sf_loaded loaded;
    struct sf_session_id id;
    enum sf_visit_cookie cookie;
    int failure;                      /* HTTP status: a change was not committed; 0: none */
    bool is_new;                      /* made by this request */
    bool is_ambiguous;

    struct sf_key ids[SF_VISIT_IDS_MAX]; /* well-formed ones of ours that came in, all different */
    unsigned id_count;
    bool is_stale;
    bool is_over;                     /* ended by another request while this one was at work */
    bool is_refused;                  /* an error was answered: its page is on the way */
    enum sf_durability durability;    /* that this response wants at least */
    struct sf_exchange *exchange;     /* headers of the application, not yet committed */
    enum sf_status exchange_status;   /* of making it */
};

/* What holds at the moment of a call. All zero is fine. */
struct sf_visit_call {
    struct sf_log log;
    sf_time idle_limit; /* of this place, should the idle timeout be longer; 0: none */
    bool is_bot;        /* a session made now is the first that a full cache gives up */
    bool is_too_late;   /* the headers are gone: no cookie can be sent any more */
};

/*
 * Looks at the cookies, not at L1. All pointers must outlive the visit, cookie_header only the call.
 */
void sf_visit_init(struct sf_visit *visit, struct sf_front *front, const struct sf_config *instance,
                   const struct sf_config *config, struct sf_span cookie_header);
void sf_visit_fini(struct sf_visit *visit);

/* Reads the session unless that was done. Never asks cache or daemon without an id. */
enum sf_visit_state sf_visit_read(struct sf_visit *visit, const struct sf_visit_call *call);

/* Reads it too. false: nobody knows whether there is one, or which. */
bool sf_visit_is_certain(struct sf_visit *visit, const struct sf_visit_call *call);

/* What was read; NULL unless the state is ACTIVE. Reads again what this request has changed. */
const struct sf_session *sf_visit_fields(struct sf_visit *visit, const struct sf_visit_call *call);

/*
 * 503 when nobody knows the session and SessionFastOnError wants that; 0: go on. Once only: the
 * error page of the answer goes on.
 */
int sf_visit_refuse(struct sf_visit *visit, const struct sf_visit_call *call);

/*
 * The environment of an application, by the options of `config`. Remove first what sf_export_is_ours
 * says. SF_NO_MEMORY is logged: it lacks parts then.
 */
void sf_visit_export(struct sf_visit *visit, const struct sf_visit_call *call,
                     const struct sf_config *config, sf_export_variable_fn *variable,
                     void *context);

/* For access logs: new, L1, store, none or unknown. */
const char *sf_visit_source_word(const struct sf_visit *visit);

/*
 * Commits the list at once. What the client and the rest of the request must see of it is in the
 * visit afterwards: key, cookie, failure. Logs what went wrong.
 */
enum sf_status sf_visit_apply(struct sf_visit *visit, const struct sf_visit_call *call,
                              const struct sf_ops *ops);

/* One X-Session-* header of the application (sf_exchange_is_control). Copied. */
void sf_visit_add_header(struct sf_visit *visit, const char *header, const char *value);

/* Commits what was added since the last time as one list; nothing after a failure. */
void sf_visit_commit(struct sf_visit *visit, const struct sf_visit_call *call);

/* The status to answer in place of what the application said; 0: none. Once only. */
int sf_visit_take_failure(struct sf_visit *visit);

/*
 * The value of the Set-Cookie header that must be added. SF_NOT_FOUND: none must. Another status is
 * logged. Cookies of this name that others set (sf_cookie_is_set_by) must not leave, in any case.
 */
enum sf_status sf_visit_set_cookie(const struct sf_visit *visit, const struct sf_visit_call *call,
                                   struct sf_buffer *value_out) SF_MUST_CHECK;

/* What caches may do with the response. */
enum sf_cache_rule sf_visit_cache_rule(const struct sf_visit *visit);
