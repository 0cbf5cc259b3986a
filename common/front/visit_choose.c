/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which session a request belongs to when its cookies hold several ids of ours.
 *
 * A cookie of the same name can come from a sibling domain or another path, ours among them or not.
 * Only our own ids count, and of those only the ones whose session is alive. If two are, one may be
 * an attacker's: neither is used.
 */
#include "common/front/visit_private.h"

#include <string.h>

#include "common/front/front_private.h"
#include "common/identity/cookie.h"
#include "common/identity/imported_id.h"
#include "common/session/user_epochs.h"

/* ---- ids ---- */

struct candidates {
    struct sf_visit *visit;
    const struct sf_secrets *secrets;
    unsigned refused;
};

static bool
is_known(const struct sf_visit *visit, const struct sf_key *key)
{
    for (unsigned i = 0; i < visit->id_count; i++) {
        if (sf_key_equal(&visit->ids[i], key))
            return true;
    }
    return false;
}

/* false: there is no room for one more. */
static bool
add_candidate(struct sf_visit *visit, const struct sf_key *key)
{
    if (is_known(visit, key) || sf_user_epochs_has_key(key)) /* no id has that; should one, it is refused */
        return true;
    if (visit->id_count == SF_VISIT_IDS_MAX)
        return false;
    visit->ids[visit->id_count++] = *key;
    return true;
}

static bool
try_value(void *context, struct sf_span value)
{
    struct candidates *candidates = context;
    struct sf_visit *visit = candidates->visit;
    struct sf_session_id id;
    if (sf_session_id_parse(&id, value, candidates->secrets) != SF_OK) {
        candidates->refused++;
        return true;
    }
    visit->id = id;
    if (!add_candidate(visit, &id.key))
        visit->is_ambiguous = true;
    return true;
}

/*
 * Imported under one of the secrets: which one, only a lookup tells. Anything may look like such an
 * id, so one too many is left out, and no reason to believe none.
 */
static bool
try_imported(void *context, struct sf_span value)
{
    struct candidates *candidates = context;
    char scratch[SF_IMPORTED_ID_MAX];
    struct sf_span id;
    if (sf_imported_id_read(&id, scratch, value) != SF_OK) {
        candidates->refused++;
        return true;
    }
    for (size_t i = 0; i < candidates->secrets->count; i++) {
        struct sf_key key;
        sf_imported_id_key(&key, id, candidates->secrets, i);
        if (!add_candidate(candidates->visit, &key))
            return false;
    }
    return true;
}

static bool
mentions(struct sf_span header, const char *name)
{
    return header.size > 0 && memmem(header.data, header.size, name, strlen(name)) != NULL;
}

void
sf_visit_collect(struct sf_visit *visit, struct sf_span cookie_header)
{
    const char *imported = visit->config->imported_cookie;
    if (visit->front == NULL) {
        if (mentions(cookie_header, visit->cookie_name) ||
            (*imported != '\0' && mentions(cookie_header, imported)))
            visit->state = SF_VISIT_UNKNOWN;
        return;
    }
    struct candidates candidates = {.visit = visit, .secrets = sf_front_secrets(visit->front)};
    sf_cookie_each(cookie_header, visit->cookie_name, try_value, &candidates);
    if (visit->id_count == 0 && *imported != '\0')
        sf_cookie_each(cookie_header, imported, try_imported, &candidates);
    if (candidates.refused > 0) {
        sf_count_add(sf_front_counters(visit->front), SF_COUNTER_ids_refused, candidates.refused);
    }
    if (visit->id_count > 0)
        visit->key = visit->ids[0];
}

/* ---- which of them ---- */

struct tally {
    unsigned alive, former, unknown;
    struct sf_key alive_key, former_key;
};

static void
count(struct tally *tally, struct sf_visit *visit, const struct sf_key *key)
{
    enum sf_status status =
        sf_front_load(visit->front, key, visit->config, sf_clock_wall(), &visit->loaded);
    if (status == SF_OK && visit->loaded.is_former) {
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
tell(const struct sf_visit *visit, const struct sf_visit_call *call)
{
    unsigned times;
    sf_count(sf_front_counters(visit->front), ids_ambiguous);
    if (sf_log_seldom(&visit->front->ambiguous_ids, &times)) {
        sf_log_write(&call->log, SF_LOG_WARNING, "SF0510",
                     "a request has several living session ids of this server in its cookies: none "
                     "is used (%u times in this process since the last line)",
                     times);
    }
}

/* An id that was replaced stands back behind one that was not: it shows an image only. */
bool
sf_visit_choose(struct sf_visit *visit, const struct sf_visit_call *call)
{
    struct tally tally = {.alive = 0};
    for (unsigned i = 0; !visit->is_ambiguous && i < visit->id_count; i++)
        count(&tally, visit, &visit->ids[i]);
    if (tally.alive > 1 || (tally.alive == 0 && tally.former > 1))
        visit->is_ambiguous = true;
    if (visit->is_ambiguous) {
        visit->state = SF_VISIT_NONE;
        tell(visit, call);
    } else if (tally.unknown > 0) {
        visit->state = SF_VISIT_UNKNOWN;
    } else if (tally.alive + tally.former == 0) {
        visit->state = SF_VISIT_NONE;
    } else {
        visit->key = tally.alive == 1 ? tally.alive_key : tally.former_key;
        return true;
    }
    return false;
}
