/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/actors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 20000u
#define TEXT_HEAD 16u   /* salt and size, eight hexadecimal digits each */
#define SMALL_TEXT 800u /* of sessions in the ledger */
#define OTHERS 64u      /* sessions that a presser remembers */
#define OTHERS_PAUSE 300 /* us between two */
#define OTHERS_LIFE (2 * SF_SECOND)
#define OTHERS_AGE (3 * SF_MINUTE) /* every other one comes when it is long over: something to sweep */
#define PHASE 700 /* ms with one size of others */
#define PATIENCE (30 * SF_SECOND) /* of the verifier */
#define SLACK (3 * SF_SECOND) /* that a loaded machine may be late */

/* One process at work. */
struct work {
    const struct sf_actor *actor;
    struct sf_ledger *ledger;
    struct sf_front *front;
    struct sf_config config;
    struct sf_loaded loaded;
    struct sf_saved saved;
    unsigned random;
    sf_time age; /* of a change when it is made */
    bool has_lost_cache;
    char text[TEXT_MAX];
};

static unsigned
draw(struct work *work)
{
    work->random = work->random * 1664525u + 1013904223u;
    return work->random >> 8;
}

static void
report(struct work *work, const struct sf_key *key, const char *what, uint64_t seen,
       uint64_t expected)
{
    sf_ledger_report(work->ledger, key, what, seen, expected);
}

/* ---- a text that proves itself ---- */

static void
write_text(char *text, unsigned salt, unsigned size)
{
    char head[TEXT_HEAD + 1];

    snprintf(head, sizeof(head), "%08x%08x", salt, size);
    memcpy(text, head, TEXT_HEAD);
    for (unsigned i = TEXT_HEAD; i < size; i++) {
        salt = salt * 1664525u + 1013904223u;
        text[i] = (char)('a' + (salt >> 24) % 26);
    }
}

static bool
is_text_whole(struct sf_span text)
{
    static char expected[TEXT_MAX];
    unsigned salt, size;
    char head[TEXT_HEAD + 1] = "";

    if (text.size < TEXT_HEAD || text.size > TEXT_MAX)
        return false;
    memcpy(head, text.data, TEXT_HEAD);
    if (sscanf(head, "%8x%8x", &salt, &size) != 2 || size != text.size)
        return false;
    write_text(expected, salt, size);
    return memcmp(expected, text.data, size) == 0;
}

/* ---- calls, each within its time ---- */

struct moment {
    unsigned stops;
    sf_time begin;
};

static struct moment
begin_call(const struct work *work)
{
    return (struct moment){atomic_load(work->actor->stops), sf_clock_steady()};
}

/* Whoever waits for the daemon waits until his deadline, and no longer. */
static void
end_call(struct work *work, struct moment call, const struct sf_key *key, sf_time deadline)
{
    sf_time taken = sf_clock_steady() - call.begin;
    bool was_stopped = call.stops % 2 != 0 || atomic_load(work->actor->stops) != call.stops;

    if (!was_stopped && taken > deadline + SLACK)
        report(work, key, "waited for the daemon, in ms", (uint64_t)taken, (uint64_t)deadline);
}

static void
note_answer(struct work *work, enum sf_status status)
{
    if (status == SF_UNAVAILABLE || status == SF_UNCERTAIN)
        atomic_fetch_add(&work->ledger->unanswered, 1);
}

static enum sf_status
load(struct work *work, const struct sf_key *key)
{
    struct moment call = begin_call(work);
    enum sf_status status =
        sf_front_load(work->front, key, &work->config, sf_clock_wall(), &work->loaded);

    end_call(work, call, key, work->config.deadline);
    note_answer(work, status);
    return status;
}

static void
add_change(struct work *work, struct sf_ops *ops, unsigned size)
{
    write_text(work->text, draw(work), size);
    if (sf_ops_add_set(ops, sf_span_text("text"), sf_span_of(work->text, size)) != SF_OK ||
        sf_ops_add_increment(ops, sf_span_text("n"), 1) != SF_OK)
        abort();
}

/* SF_OP_SET: a change, or a new session where key is NULL; SF_OP_ROTATE; SF_OP_END. */
static enum sf_status
apply(struct work *work, const struct sf_key *key, enum sf_op_kind kind, unsigned size,
      enum sf_durability durability)
{
    static const struct sf_key none;
    struct sf_ops ops;
    struct sf_op special = {.kind = kind};
    sf_time now = sf_clock_wall() - work->age;

    sf_ops_init(&ops);
    if (kind != SF_OP_END)
        add_change(work, &ops, size);
    if (kind != SF_OP_SET && sf_ops_add(&ops, &special) != SF_OK)
        abort();
    work->config.durability = durability;
    struct moment call = begin_call(work);
    enum sf_status status =
        sf_front_apply(work->front, key, &ops, &work->config, now, &work->saved);
    end_call(work, call, key != NULL ? key : &none,
             3 * work->config.deadline + 2 * work->config.store_deadline);
    note_answer(work, status);
    if (status == SF_OK)
        atomic_fetch_add(&work->ledger->acknowledged[durability], 1);
    sf_ops_fini(&ops);
    return status;
}

static unsigned
small_size(struct work *work)
{
    return TEXT_HEAD + draw(work) % SMALL_TEXT;
}

static enum sf_durability
any_durability(struct work *work)
{
    return draw(work) % 4 == 0 ? SF_DURABILITY_JOURNAL + draw(work) % 2 : SF_DURABILITY_MEMORY;
}

/* Nothing has happened, and nobody is to blame. */
static bool
is_refusal(enum sf_status status)
{
    return status == SF_UNAVAILABLE || status == SF_FULL;
}

/* What was loaded is of one version. */
static void
check_loaded(struct work *work, const struct sf_key *key)
{
    const struct sf_session *session = &work->loaded.session;
    const struct sf_field *n = sf_session_find(session, sf_span_text("n"));
    const struct sf_field *text = sf_session_find(session, sf_span_text("text"));
    uint64_t version = session->head.version - work->loaded.is_former; /* an image is a version of its own */

    if (n == NULL || text == NULL)
        report(work, key, "a field is missing", 0, 1);
    else if (n->value.type != SF_VALUE_INTEGER || (uint64_t)n->value.integer != version)
        report(work, key, "counter and version differ", (uint64_t)n->value.integer, version);
    else if (!is_text_whole(text->value.bytes))
        report(work, key, "a text of two versions, of so many bytes", text->value.bytes.size, 0);
    atomic_fetch_add(&work->ledger->reads, 1);
}

/* ---- sessions that everybody changes ---- */

static void
acknowledge(struct work *work, struct sf_ledger_shared *session, uint64_t floor)
{
    uint64_t version = work->saved.version;

    if (version <= floor)
        report(work, &session->key, "acknowledged again", version, floor);
    sf_ledger_raise(&session->acknowledged, version);
    if (work->saved.is_durable)
        sf_ledger_raise(&session->durable, version);
    atomic_fetch_add(&session->changes, 1);
}

static void
write_with(struct work *work, enum sf_durability durability)
{
    struct sf_ledger_shared *session = &work->ledger->shared[draw(work) % SF_LEDGER_SHARED];
    uint64_t floor = atomic_load(&session->acknowledged);
    enum sf_status status = apply(work, &session->key, SF_OP_SET, small_size(work), durability);

    if (status == SF_OK)
        acknowledge(work, session, floor);
    else if (!is_refusal(status) && status != SF_UNCERTAIN)
        report(work, &session->key, "a change was refused with status", (uint64_t)status, SF_OK);
}

static void
write_memory(struct work *work)
{
    write_with(work, SF_DURABILITY_MEMORY);
}

static void
write_journal(struct work *work)
{
    write_with(work, SF_DURABILITY_JOURNAL);
}

static void
write_store(struct work *work)
{
    write_with(work, SF_DURABILITY_STORE);
}

/* true: there was an answer. */
static bool
read_shared(struct work *work, const struct sf_ledger_shared *session)
{
    uint64_t floor =
        atomic_load(work->has_lost_cache ? &session->durable : &session->acknowledged);
    enum sf_status status = load(work, &session->key);

    if (status == SF_UNAVAILABLE || status == SF_UNCERTAIN)
        return false;
    if (status != SF_OK) {
        report(work, &session->key, "an acknowledged session is gone, with status",
               (uint64_t)status, SF_OK);
        return true;
    }
    check_loaded(work, &session->key);
    if (work->loaded.session.head.version < floor)
        report(work, &session->key, "older than acknowledged", work->loaded.session.head.version,
               floor);
    return true;
}

static void
read_any(struct work *work)
{
    (void)read_shared(work, &work->ledger->shared[draw(work) % SF_LEDGER_SHARED]);
}

/* ---- sessions of one owner ---- */

static void
make_own(struct work *work, struct sf_ledger_own *own, struct sf_ledger_state state)
{
    sf_ledger_doubt(own, SF_DOUBT_CREATE);
    enum sf_status status = apply(work, NULL, SF_OP_SET, small_size(work), any_durability(work));
    if (status == SF_OK) {
        state.key = work->saved.id.key;
        state.version = work->saved.version;
        state.durable = work->saved.is_durable ? state.version : 0;
        atomic_fetch_add(&work->ledger->created, 1);
    } else if (!is_refusal(status) && status != SF_UNCERTAIN) {
        report(work, &state.key, "a new session was refused with status", (uint64_t)status, SF_OK);
    }
    sf_ledger_settle(own, &state); /* uncertain: there may be one that nobody knows */
}

/* What the change has made of the session. */
static void
take_change(struct work *work, struct sf_ledger_state *state, enum sf_ledger_doubt doubt)
{
    if (doubt == SF_DOUBT_END) {
        state->ended = state->key;
        state->has_ended = true;
        state->version = state->durable = 0;
        atomic_fetch_add(&work->ledger->ended, 1);
        return;
    }
    if (work->saved.version != state->version + 1)
        report(work, &state->key, "somebody else has changed it", work->saved.version,
               state->version + 1);
    state->version = work->saved.version;
    if (work->saved.is_durable || doubt == SF_DOUBT_ROTATE)
        state->durable = work->saved.is_durable ? state->version : 0;
    if (doubt == SF_DOUBT_ROTATE) {
        state->key = work->saved.id.key;
        atomic_fetch_add(&work->ledger->rotated, 1);
    }
}

static void
change_own(struct work *work, struct sf_ledger_own *own, struct sf_ledger_state state)
{
    static const enum sf_op_kind kinds[] = {
        [SF_DOUBT_CHANGE] = SF_OP_SET, [SF_DOUBT_ROTATE] = SF_OP_ROTATE, [SF_DOUBT_END] = SF_OP_END};
    unsigned what = draw(work) % 8;
    enum sf_ledger_doubt doubt = what == 0   ? SF_DOUBT_END
                                 : what == 1 ? SF_DOUBT_ROTATE
                                             : SF_DOUBT_CHANGE;

    sf_ledger_doubt(own, doubt);
    enum sf_status status =
        apply(work, &state.key, kinds[doubt], small_size(work), any_durability(work));
    if (status == SF_UNCERTAIN)
        return; /* the next look decides */
    if (status == SF_OK)
        take_change(work, &state, doubt);
    else if (!is_refusal(status))
        report(work, &state.key, "a change was refused with status", (uint64_t)status, SF_OK);
    sf_ledger_settle(own, &state);
}

static bool
may_be_gone(const struct work *work, const struct sf_ledger_state *state, enum sf_ledger_doubt doubt)
{
    return doubt == SF_DOUBT_END || (work->has_lost_cache && state->durable == 0);
}

static void
judge_gone(struct work *work, struct sf_ledger_state *state, enum sf_ledger_doubt doubt)
{
    if (!may_be_gone(work, state, doubt))
        report(work, &state->key, "an acknowledged session is gone, in version", 0, state->version);
    state->version = state->durable = 0;
}

static void
judge_version(struct work *work, struct sf_ledger_state *state, enum sf_ledger_doubt doubt)
{
    uint64_t version = work->loaded.session.head.version;
    uint64_t least = work->has_lost_cache ? state->durable : state->version;
    uint64_t most = state->version + (doubt == SF_DOUBT_CHANGE);

    check_loaded(work, &state->key);
    if (version < least || version > most)
        report(work, &state->key, "not in the version that was acknowledged", version, least);
    state->version = version;
}

/* The dead one, or the answer that was lost, had a new id. */
static void
follow_rotation(struct work *work, struct sf_ledger_state *state, enum sf_ledger_doubt doubt)
{
    check_loaded(work, &state->key);
    if (doubt != SF_DOUBT_ROTATE)
        report(work, &state->key, "replaced by another id, in doubt", doubt, SF_DOUBT_ROTATE);
    state->key = work->loaded.session.head.successor;
    state->version++;
    state->durable = 0; /* of the new one nothing was said */
}

/* What is there is what the ledger says; or, in doubt, what it was before or would be. false: no answer. */
static bool
look_at_own(struct work *work, struct sf_ledger_own *own)
{
    enum sf_ledger_doubt doubt;
    struct sf_ledger_state state = sf_ledger_state(own, &doubt);
    enum sf_status status = SF_NOT_FOUND;

    if (doubt == SF_DOUBT_CREATE || state.version == 0) {
        sf_ledger_settle(own, &state);
        return true;
    }
    status = load(work, &state.key);
    if (status == SF_UNAVAILABLE || status == SF_UNCERTAIN)
        return false;
    if (status != SF_OK)
        judge_gone(work, &state, doubt);
    else if (work->loaded.is_former)
        follow_rotation(work, &state, doubt);
    else
        judge_version(work, &state, doubt);
    sf_ledger_settle(own, &state);
    return true;
}

/* true: there was an answer. */
static bool
look_at_ended(struct work *work, const struct sf_ledger_own *own)
{
    enum sf_ledger_doubt doubt;
    struct sf_ledger_state state = sf_ledger_state(own, &doubt);
    enum sf_status status = state.has_ended ? load(work, &state.ended) : SF_NOT_FOUND;

    if (status == SF_OK)
        report(work, &state.ended, "an ended session is back, in version",
               work->loaded.session.head.version, 0);
    return status != SF_UNAVAILABLE && status != SF_UNCERTAIN;
}

static void
keep_own(struct work *work)
{
    enum sf_ledger_doubt doubt;
    struct sf_ledger_own *own =
        &work->ledger->own[work->actor->role % SF_LEDGER_OWNERS][draw(work) % SF_LEDGER_OWN];

    if (draw(work) % 8 == 0)
        (void)look_at_ended(work, own);
    if (!look_at_own(work, own))
        return;
    struct sf_ledger_state state = sf_ledger_state(own, &doubt);
    if (state.version == 0)
        make_own(work, own, state);
    else
        change_own(work, own, state);
}

/* ---- all the others ---- */

static unsigned
size_of_others(void)
{
    static const unsigned sizes[] = {40, 900, 7000, 200, 3000, 14000};

    return sizes[(uint64_t)(sf_clock_steady() / PHASE) % (sizeof(sizes) / sizeof(sizes[0]))];
}

/* They come once, are read once or not at all, and are over soon. */
static void
press(struct work *work)
{
    static struct sf_key keys[OTHERS];
    static size_t made;
    sf_time idle_timeout = work->config.idle_timeout;

    work->config.idle_timeout = OTHERS_LIFE;
    work->age = draw(work) % 2 == 0 ? OTHERS_AGE : 0;
    if (apply(work, NULL, SF_OP_SET, size_of_others(), SF_DURABILITY_MEMORY) == SF_OK) {
        keys[made++ % OTHERS] = work->saved.id.key;
        atomic_fetch_add(&work->ledger->others, 1);
    }
    work->config.idle_timeout = idle_timeout;
    work->age = 0;
    if (made > 0 && draw(work) % 4 == 0) {
        const struct sf_key *key = &keys[draw(work) % (made < OTHERS ? made : OTHERS)];
        if (load(work, key) == SF_OK)
            check_loaded(work, key);
    }
    usleep(OTHERS_PAUSE);
}

/* ---- a process ---- */

typedef void turn_fn(struct work *work);

static turn_fn *const turns[SF_ACTORS] = {
    write_memory, write_memory, write_journal, write_store, keep_own, keep_own, read_any, read_any,
    press,
};

static void
begin_work(struct work *work, const struct sf_actor *actor)
{
    struct sf_error error;

    *work = (struct work){.actor = actor, .ledger = actor->ledger, .config = actor->config,
                          .random = actor->seed};
    sf_loaded_init(&work->loaded);
    /* The secrets are made by the first daemon. */
    while (sf_front_open(&work->front, &actor->instance, NULL, &error) != SF_OK)
        usleep(1000);
}

static void
end_work(struct work *work)
{
    sf_loaded_fini(&work->loaded);
    sf_front_close(work->front);
}

void
sf_actor_play(const struct sf_actor *actor)
{
    static struct work work;

    begin_work(&work, actor);
    while (!atomic_load(&actor->ledger->must_stop))
        turns[actor->role](&work);
    end_work(&work);
}

/* ---- when nobody else is at work ---- */

/* A daemon that is just coming up needs a moment. */
static bool
asks_again(struct work *work, const struct sf_key *key, sf_time deadline)
{
    usleep(10000);
    if (sf_clock_steady() < deadline)
        return true;
    report(work, key, "no answer, in ms", PATIENCE, 0);
    return false;
}

static void
verify_shared(struct work *work, struct sf_ledger_shared *session)
{
    sf_time deadline = sf_clock_steady() + PATIENCE;

    while (!read_shared(work, session) && asks_again(work, &session->key, deadline))
        ;
    uint64_t version = work->loaded.session.head.version;
    uint64_t least = session->base + atomic_load(&session->changes);
    if (!work->has_lost_cache && version < least)
        report(work, &session->key, "two changes were told the same version", version, least);
    session->base = version;
    atomic_store(&session->acknowledged, version);
    atomic_store(&session->changes, 0);
}

static void
verify_own(struct work *work, struct sf_ledger_own *own)
{
    static const struct sf_key none;
    sf_time deadline = sf_clock_steady() + PATIENCE;

    while (!(look_at_own(work, own) && look_at_ended(work, own)) && asks_again(work, &none, deadline))
        ;
}

void
sf_actor_verify(const struct sf_actor *actor, bool has_lost_cache)
{
    static struct work work;
    struct sf_ledger *ledger = actor->ledger;

    begin_work(&work, actor);
    work.has_lost_cache = has_lost_cache;
    for (size_t i = 0; i < SF_LEDGER_SHARED && atomic_load(&ledger->findings) == 0; i++)
        verify_shared(&work, &ledger->shared[i]);
    for (size_t i = 0; i < SF_LEDGER_OWNERS * SF_LEDGER_OWN && atomic_load(&ledger->findings) == 0; i++)
        verify_own(&work, &ledger->own[i / SF_LEDGER_OWN][i % SF_LEDGER_OWN]);
    end_work(&work);
}

void
sf_actor_begin(const struct sf_actor *actor)
{
    static const struct sf_key none;
    static struct work work;
    sf_time deadline = sf_clock_steady() + PATIENCE;

    begin_work(&work, actor);
    for (size_t i = 0; i < SF_LEDGER_SHARED; i++) {
        struct sf_ledger_shared *session = &actor->ledger->shared[i];
        while (apply(&work, NULL, SF_OP_SET, small_size(&work), SF_DURABILITY_STORE) != SF_OK &&
               asks_again(&work, &none, deadline))
            ;
        session->key = work.saved.id.key;
        session->base = work.saved.version;
        atomic_store(&session->acknowledged, work.saved.version);
        atomic_store(&session->durable, work.saved.version);
    }
    end_work(&work);
}
