/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/front.h"

#include <sched.h>
#include <stdlib.h>

#include "common/front/front_private.h"

#define ATTACH_PAUSE 100 /* ms before another attempt, after one that failed */
#define LOOKS_MAX 16     /* at a record that changes under every look */
#define FOLLOWED_MAX 8   /* rotations, from a replaced id to the session */
#define CHECK_PAUSE SF_SECOND /* before the daemon is asked again about what is stale, after it gave no answer */

static struct sf_l1 *attach_now(struct sf_front *front);

/* ---- life ---- */

enum sf_status
sf_front_open(struct sf_front **front_out, const struct sf_instance *instance, const struct sf_log *log,
              struct sf_error *error)
{
    *front_out = NULL;
    struct sf_front *front = aligned_alloc(_Alignof(struct sf_front), sizeof *front);
    if (front == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    *front = (struct sf_front){.instance = *instance};
    if (log != NULL)
        front->log = *log;
    pthread_mutex_init(&front->attaching, NULL);
    enum sf_status status = sf_secrets_load(&front->secrets, instance->secret_path, error);
    if (status != SF_OK)
        goto fail;
    status = sf_daemon_link_new(&front->link, instance->socket_path);
    if (status != SF_OK) {
        sf_error_set(error, status, "%s: %s", instance->socket_path, sf_status_text(status));
        goto fail;
    }
    (void)attach_now(front); /* nobody else knows `front` yet */
    *front_out = front;
    return SF_OK;

fail:
    sf_front_close(front);
    return status;
}

void
sf_front_close(struct sf_front *front)
{
    if (front == NULL)
        return;
    sf_l1_close(atomic_load(&front->l1));
    while (front->old_handles != NULL) {
        struct old_handle *old = front->old_handles;
        front->old_handles = old->next;
        sf_l1_close(old->l1);
        free(old);
    }
    sf_daemon_link_free(front->link);
    sf_secrets_wipe(&front->secrets);
    pthread_mutex_destroy(&front->attaching);
    free(front);
}

const struct sf_secrets *
sf_front_secrets(const struct sf_front *front)
{
    return &front->secrets;
}

struct sf_counters *
sf_front_counters(struct sf_front *front)
{
    struct sf_l1 *l1 = atomic_load_explicit(&front->l1, memory_order_acquire);
    return l1 == NULL ? &front->counters : sf_l1_counters(l1);
}

void
sf_front_attach(struct sf_front *front)
{
    (void)sf_front_l1(front);
}

bool
sf_front_daemon_is_up(const struct sf_front *front)
{
    return sf_daemon_link_is_up(front->link);
}

void
sf_loaded_init(struct sf_loaded *loaded)
{
    *loaded = (struct sf_loaded){.source = SF_FROM_CACHE};
    sf_buffer_init(&loaded->record, SF_RECORD_BYTES_MAX);
    sf_session_init(&loaded->session);
}

void
sf_loaded_fini(struct sf_loaded *loaded)
{
    sf_session_fini(&loaded->session);
    sf_buffer_fini(&loaded->record);
}

/* ---- L1, attached and attached again ---- */

/* Puts the current handle, if there is one, where it stays until the end. */
static bool
set_aside(struct sf_front *front, struct sf_l1 *l1)
{
    if (l1 == NULL)
        return true;
    struct old_handle *old = malloc(sizeof *old);
    if (old == NULL)
        return false;
    *old = (struct old_handle){.l1 = l1, .next = front->old_handles};
    front->old_handles = old;
    return true;
}

static void
log_cache_state(struct sf_front *front, const struct sf_error *error)
{
    bool is_up = error->status == SF_OK;
    if (!sf_log_state_changed(&front->cache_state, is_up))
        return;
    if (is_up) {
        sf_log_write(&front->log, SF_LOG_NOTICE, "SF0402", "shared cache attached");
    } else {
        sf_log_write(&front->log, SF_LOG_WARNING, "SF0401", "no shared cache, every request asks the daemon: %s",
                     error->text);
    }
}

/* What was counted while there was no cache is seen once there is one. */
static void
hand_counters_over(struct sf_front *front, struct sf_l1 *fresh)
{
    for (size_t i = 0; i < SF_COUNTER_COUNT; i++)
        sf_count_add(sf_l1_counters(fresh), (enum sf_counter)i,
                     atomic_exchange_explicit(&front->counters.values[i], 0, memory_order_relaxed));
}

/* With `attaching` held. */
static struct sf_l1 *
attach_now(struct sf_front *front)
{
    struct sf_l1 *current = atomic_load_explicit(&front->l1, memory_order_acquire);
    if (current != NULL && !sf_l1_is_retired(current))
        return current; /* another thread was quicker */
    struct sf_l1 *fresh = NULL;
    struct sf_error error = {.status = SF_OK};
    enum sf_status status = sf_l1_attach(&fresh, &front->instance, SF_L1_READ_WRITE, &error);
    error.status = status;
    if (status == SF_OK && (sf_l1_is_retired(fresh) || !set_aside(front, current))) {
        sf_l1_close(fresh);
        fresh = NULL;
        sf_error_set(&error, SF_UNAVAILABLE, "the segment is being replaced");
    }
    if (fresh != NULL) {
        atomic_store_explicit(&front->l1, fresh, memory_order_release); /* pairs with acquire in sf_front_l1 */
        hand_counters_over(front, fresh);
    }
    log_cache_state(front, &error);
    return fresh;
}

static struct sf_l1 *
attach_again(struct sf_front *front)
{
    sf_time now = sf_clock_steady();
    if (now < atomic_load_explicit(&front->attach_at, memory_order_relaxed)
        || pthread_mutex_trylock(&front->attaching) != 0) {
        return NULL;
    }
    struct sf_l1 *l1 = attach_now(front);
    if (l1 == NULL)
        atomic_store_explicit(&front->attach_at, now + ATTACH_PAUSE, memory_order_relaxed);
    pthread_mutex_unlock(&front->attaching);
    return l1;
}

struct sf_l1 *
sf_front_l1(struct sf_front *front)
{
    /* pairs with release in attach_now */
    struct sf_l1 *l1 = atomic_load_explicit(&front->l1, memory_order_acquire);
    return l1 != NULL && !sf_l1_is_retired(l1) ? l1 : attach_again(front);
}

struct sf_l1 *
sf_front_cache(struct sf_front *front)
{
    struct sf_l1 *l1 = sf_front_l1(front);
    return l1 != NULL && sf_l1_is_bypassed(l1) ? NULL : l1;
}

/* ---- questions ---- */

enum sf_status
sf_front_ask(struct sf_front *front, const struct sf_span *words, size_t count, sf_time deadline,
             struct sf_daemon_reply *reply)
{
    struct sf_counters *counters = sf_front_counters(front);
    sf_count(counters, daemon_asked);
    enum sf_status status = sf_daemon_ask(front->link, words, count, deadline, reply);
    bool answered = status != SF_UNAVAILABLE && status != SF_UNCERTAIN;
    if (!answered)
        sf_count(counters, daemon_failed);
    if (sf_log_state_changed(&front->daemon_state, answered)) {
        if (answered) {
            sf_log_write(&front->log, SF_LOG_NOTICE, "SF0404", "session-fastd answers again");
        } else {
            sf_log_write(&front->log, SF_LOG_ERROR, "SF0403",
                         "session-fastd does not answer in time: sessions that are not in the cache are unavailable");
        }
    }
    return status == SF_OK ? sf_daemon_reply_status(reply) : status;
}

enum sf_status
sf_front_ask_load(struct sf_front *front, const struct sf_key *key, sf_time deadline, struct sf_daemon_reply *reply,
                  struct sf_span *record_out, sf_time *last_access_out)
{
    char key_text[SF_KEY_TEXT + 1];
    sf_key_format(key, key_text);
    const struct sf_span words[] = {sf_span_text("SESSION.LOAD"), sf_span_text(key_text)};
    enum sf_status status = sf_front_ask(front, words, 2, deadline, reply);
    if (status != SF_OK)
        return status == SF_CORRUPT ? SF_NOT_FOUND : status;
    const struct sf_resp_value *values = reply->values;
    if (reply->count == 1 && values[0].type == SF_RESP_NIL)
        return SF_NOT_FOUND;
    if (reply->count != 3 || values[1].type != SF_RESP_BULK || values[2].type != SF_RESP_INTEGER)
        return SF_UNAVAILABLE;
    *record_out = values[1].text;
    *last_access_out = values[2].integer;
    return SF_OK;
}

/* ---- load ---- */

sf_time
sf_front_deadline(struct sf_front_search *search)
{
    if (search->deadline == 0)
        search->deadline = sf_clock_steady() + search->wait;
    return search->deadline;
}

/* Decides what the record is worth at `now`. SF_OK: loaded->session and expires are set. */
static enum sf_status
judge(struct sf_loaded *loaded, sf_time last_access, sf_time now)
{
    struct sf_session *session = &loaded->session;
    enum sf_status status = sf_session_decode(session, sf_buffer_span(&loaded->record));
    if (status != SF_OK)
        return status;
    loaded->is_former = session->head.kind == SF_RECORD_ENDED;
    if (loaded->is_former) {
        loaded->expires = session->head.grace_until;
        return session->head.grace_until > now ? SF_OK : SF_NOT_FOUND;
    }
    if (last_access < session->head.last_access)
        last_access = session->head.last_access;
    loaded->last_access = last_access;
    sf_time expires = sf_record_expires(&session->head, last_access);
    if (expires != 0 && expires <= now)
        return SF_NOT_FOUND;
    session->head.last_access = last_access > now ? last_access : now;
    loaded->expires = sf_record_expires(&session->head, session->head.last_access);
    return SF_OK;
}

/* SF_CONFLICT: it is there, and changes under each look; it stands still soon enough. */
static enum sf_status
get_from_cache(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record,
               struct sf_l1_view *view_out)
{
    enum sf_status status = sf_l1_get(l1, key, record, view_out);
    for (int i = 1; i < LOOKS_MAX && status == SF_CONFLICT; i++) {
        (void)sched_yield();
        status = sf_l1_get(l1, key, record, view_out);
    }
    return status;
}

enum cached { CACHED_NOT, CACHED_STALE, CACHED_FRESH };

static enum sf_status
load_from_cache(struct sf_l1 *l1, const struct sf_key *key, sf_time now, struct sf_loaded *loaded,
                enum cached *cached_out)
{
    struct sf_l1_view view;
    enum sf_status status = get_from_cache(l1, key, &loaded->record, &view);
    *cached_out = CACHED_NOT;
    if (status != SF_OK)
        return status;
    bool is_stale = sf_l1_is_stale(l1, key, &view);
    status = judge(loaded, view.last_access, now);
    if (status == SF_OK || status == SF_NOT_FOUND)
        *cached_out = is_stale ? CACHED_STALE : CACHED_FRESH;
    return status;
}

static enum sf_status
load_from_daemon(struct sf_front_search *search, const struct sf_key *key, struct sf_loaded *loaded)
{
    struct sf_daemon_reply reply;
    struct sf_span record;
    sf_time last_access = 0;
    sf_daemon_reply_init(&reply, SF_FRONT_REPLY_VALUES);
    enum sf_status status = sf_front_ask_load(search->front, key, sf_front_deadline(search), &reply, &record,
                                              &last_access);
    if (status == SF_OK) {
        sf_buffer_clear(&loaded->record);
        status = sf_buffer_append_span(&loaded->record, record);
    }
    sf_daemon_reply_fini(&reply);
    return status == SF_OK ? judge(loaded, last_access, search->now) : status;
}

static void
swap_loaded(struct sf_loaded *a, struct sf_loaded *b)
{
    struct sf_loaded kept = *a;
    *a = *b;
    *b = kept;
}

void
sf_front_pause_checks(struct sf_front *front)
{
    atomic_store_explicit(&front->check_at, sf_clock_steady() + CHECK_PAUSE, memory_order_relaxed);
}

bool
sf_front_may_check(const struct sf_front *front)
{
    return sf_clock_steady() >= atomic_load_explicit(&front->check_at, memory_order_relaxed);
}

/*
 * Only a clear word of the store changes what the cache says: where there is none, the session goes on
 * as if nothing had happened, and for a while nobody in this process waits for the daemon again.
 */
static enum sf_status
check_stale(struct sf_front_search *search, const struct sf_key *key, struct sf_loaded *loaded, enum sf_status cached)
{
    struct sf_front *front = search->front;
    struct sf_loaded checked;
    enum sf_status status = SF_UNAVAILABLE;
    sf_loaded_init(&checked);
    bool may_ask = sf_front_may_check(front);
    if (may_ask)
        status = load_from_daemon(search, key, &checked);
    bool is_clear = status == SF_OK || status == SF_NOT_FOUND;
    if (is_clear) {
        swap_loaded(loaded, &checked);
        loaded->source = SF_FROM_STORE;
    } else {
        sf_count(sf_front_counters(front), l1_stale_served);
    }
    if (may_ask && !is_clear)
        sf_front_pause_checks(front);
    sf_loaded_fini(&checked);
    return is_clear ? status : cached;
}

/* What cache or store have under `key`, unless its user was logged out everywhere since. */
static enum sf_status
look_up(struct sf_front_search *search, const struct sf_key *key, struct sf_loaded *loaded)
{
    struct sf_l1 *l1 = sf_front_cache(search->front);
    enum cached cached = CACHED_NOT;
    enum sf_status status = SF_NOT_FOUND;
    loaded->source = SF_FROM_CACHE;
    loaded->is_revoked = false;
    if (l1 != NULL)
        status = load_from_cache(l1, key, search->now, loaded, &cached);
    if (cached == CACHED_STALE)
        status = check_stale(search, key, loaded, status);
    if (cached == CACHED_NOT) {
        loaded->source = SF_FROM_STORE;
        status = load_from_daemon(search, key, loaded);
    }
    if (status == SF_OK && !loaded->is_former && loaded->session.head.user.size > 0) {
        status = sf_front_check_epoch(search, &loaded->session.head, loaded->source);
        loaded->is_revoked = status == SF_NOT_FOUND;
    }
    return status;
}

static bool
has_successor(const struct sf_loaded *loaded)
{
    static const struct sf_key none;
    return loaded->is_former && !sf_key_equal(&loaded->session.head.successor, &none);
}

/*
 * Whoever logs out means the ids from before as well: an image is shown only while the session that
 * it has become can be read.
 */
static enum sf_status
judge_successor(struct sf_front_search *search, const struct sf_loaded *former)
{
    struct sf_loaded next;
    struct sf_key key = former->session.head.successor;
    enum sf_status status = SF_OK;
    bool leads_on = true;
    sf_loaded_init(&next);
    for (int i = 0; leads_on && status == SF_OK; i++) {
        status = i < FOLLOWED_MAX ? look_up(search, &key, &next) : SF_NOT_FOUND;
        leads_on = status == SF_OK && has_successor(&next);
        if (leads_on)
            key = next.session.head.successor;
    }
    sf_loaded_fini(&next);
    return status;
}

/* Whatever else went wrong, only a clear word from cache or store ends a session. */
static enum sf_status
load_status(enum sf_status status)
{
    bool is_clear = status == SF_OK || status == SF_NOT_FOUND || status == SF_UNCERTAIN || status == SF_NO_MEMORY;
    return is_clear ? status : SF_UNAVAILABLE;
}

enum sf_status
sf_front_load(struct sf_front *front, const struct sf_key *key, const struct sf_config *config, sf_time now,
              struct sf_loaded *loaded)
{
    struct sf_front_search search = {.front = front, .wait = config->deadline, .now = now};
    enum sf_status status = look_up(&search, key, loaded);
    if (status == SF_OK && has_successor(loaded))
        status = judge_successor(&search, loaded);
    /* The cache keeps whole seconds: within one there is nothing to move, and nothing to look up again. */
    bool has_moved = status == SF_OK && !loaded->is_former && loaded->last_access + SF_SECOND <= now;
    struct sf_l1 *l1 = has_moved ? sf_front_cache(front) : NULL;
    if (l1 != NULL)
        sf_l1_touch(l1, key, now);
    return load_status(status);
}
