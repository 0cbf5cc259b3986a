/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which session a request belongs to when its cookies hold several ids of ours.
 *
 * A cookie of the same name can come from a sibling domain or another path, ours among them or not.
 * Only our own ids count, and of those only the ones whose session is alive. If two are, one may be
 * an attacker's: neither is used.
 */
#include "mod_session_fast/module.h"

#include <http_log.h>

#include "common/identity/cookie.h"

APLOG_USE_MODULE(session_fast);

/* ---- ids ---- */

struct candidates {
    struct sf_request_session *session;
    const struct sf_secrets *secrets;
    unsigned refused;
};

static bool
is_known(const struct sf_request_session *session, const struct sf_key *key)
{
    for (unsigned i = 0; i < session->id_count; i++) {
        if (sf_key_equal(&session->ids[i], key))
            return true;
    }
    return false;
}

static bool
try_value(void *context, struct sf_span value)
{
    struct candidates *candidates = context;
    struct sf_request_session *session = candidates->session;
    struct sf_session_id id;
    if (sf_session_id_parse(&id, value, candidates->secrets) != SF_OK)
        candidates->refused++;
    else if (!is_known(session, &id.key) && session->id_count == SF_IDS_MAX)
        session->is_ambiguous = true;
    else if (!is_known(session, &id.key))
        session->ids[session->id_count++] = id.key;
    return true;
}

void
sf_choose_id_collect(struct sf_request_session *session, const char *cookie_header)
{
    struct sf_front *front = session->process->front;
    if (front == NULL) {
        session->state = SF_SESSION_UNKNOWN;
        return;
    }
    struct candidates candidates = {.session = session, .secrets = sf_front_secrets(front)};
    sf_cookie_each(sf_span_text(cookie_header), session->cookie_name, try_value, &candidates);
    if (candidates.refused > 0)
        sf_count_add(sf_front_counters(front), SF_COUNTER_ids_refused, candidates.refused);
    if (session->id_count > 0)
        session->key = session->ids[0];
}

/* ---- which of them ---- */

struct tally {
    unsigned alive, former, unknown;
    struct sf_key alive_key, former_key;
};

static void
count(struct tally *tally, struct sf_request_session *session, const struct sf_key *key)
{
    enum sf_status status = sf_front_load(session->process->front, key, session->config,
                                          sf_clock_wall(), &session->loaded);
    if (status == SF_OK && session->loaded.is_former) {
        tally->former++;
        tally->former_key = *key;
    } else if (status == SF_OK) {
        tally->alive++;
        tally->alive_key = *key;
    } else if (status != SF_NOT_FOUND && status != SF_CORRUPT) {
        tally->unknown++;
    }
}

static void
tell(struct sf_request_session *session, request_rec *r)
{
    struct sf_process *process = session->process;
    unsigned times;
    sf_count(sf_front_counters(process->front), ids_ambiguous);
    if (sf_seldom(&process->ambiguous_ids, &times)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "SF0510: a request has several living session ids of this server in its "
                      "cookies: none is used (%u times in this process since the last line)",
                      times);
    }
}

/* An id that was replaced stands back behind one that was not: it shows an image only. */
bool
sf_choose_id(struct sf_request_session *session, request_rec *r)
{
    struct tally tally = {.alive = 0};
    for (unsigned i = 0; !session->is_ambiguous && i < session->id_count; i++)
        count(&tally, session, &session->ids[i]);
    if (tally.alive > 1 || (tally.alive == 0 && tally.former > 1))
        session->is_ambiguous = true;
    if (session->is_ambiguous) {
        session->state = SF_SESSION_NONE;
        tell(session, r);
    } else if (tally.unknown > 0) {
        session->state = SF_SESSION_UNKNOWN;
    } else if (tally.alive + tally.former == 0) {
        session->state = SF_SESSION_NONE;
    } else {
        session->key = tally.alive == 1 ? tally.alive_key : tally.former_key;
        return true;
    }
    return false;
}
