/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/front.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/front/front_private.h"

/* One call of sf_front_apply on its way. */
struct change {
    struct sf_front *front;
    const struct sf_key *key;      /* NULL: no session yet */
    const struct sf_ops *ops;
    struct sf_ops stamped;         /* what `ops` points to, where they log somebody in; borrows the caller's items */
    const struct sf_config *config;
    sf_time now;                   /* wall clock */
    sf_time deadline;              /* of the change itself; steady clock */
    enum sf_durability durability; /* what must have it before the call returns */
    bool has_new_id;               /* saved->id was made for it */
    struct sf_saved *saved;
    struct sf_key where;           /* the session's key after the change */
    struct sf_daemon_reply reply;
};

/* ---- in L1 ---- */

static void
take_result(struct change *change, const struct sf_l1_applied *applied)
{
    struct sf_saved *saved = change->saved;
    change->where = applied->key;
    saved->created = applied->created;
    saved->rotated = applied->rotated;
    saved->ended = applied->ended;
    saved->changed = applied->changed;
    saved->version = applied->version;
    saved->is_new_id = (applied->created || applied->rotated) && !applied->ended;
}

/* SF_OK; `missed`, or SF_FULL for want of room: the daemon must help; anything else is final. */
static enum sf_status
apply_in_cache(struct change *change, bool must_be_fresh, struct sf_l1_applied *applied_out)
{
    *applied_out = (struct sf_l1_applied){.missed = true};
    if (change->key != NULL)
        applied_out->key = *change->key;
    struct sf_l1 *l1 = sf_front_cache(change->front);
    if (l1 == NULL)
        return SF_NOT_FOUND;
    const struct sf_config *config = change->config;
    const struct sf_l1_change l1_change = {
        .ops = change->ops,
        .now = change->now,
        .max_bytes = config->max_bytes,
        .idle_timeout = config->idle_timeout,
        .absolute_timeout = config->absolute_timeout,
        .rotate_grace = config->rotate_grace,
        .tombstone_lifetime = config->tombstone_lifetime,
        .end_reason = SF_END_LOGOUT,
        .new_key = change->has_new_id ? &change->saved->id.key : NULL,
        .may_create = change->key == NULL,
        .must_be_fresh = must_be_fresh,
    };
    enum sf_status status = sf_l1_apply(l1, change->key, &l1_change, NULL, applied_out);
    change->saved->pressure = applied_out->pressure;
    if (status == SF_OK)
        take_result(change, applied_out);
    return status;
}

static bool
needs_daemon(enum sf_status status, const struct sf_l1_applied *applied)
{
    bool has_no_room = status == SF_FULL && applied->version == 0 && applied->pressure == SF_L1_PRESSURE_NONE;
    return (status == SF_NOT_FOUND && applied->missed) || has_no_room;
}

/* ---- through the daemon ---- */

/* The words of one SESSION.APPLY: their bytes one behind the other, and where each ends. */
struct words {
    struct sf_buffer bytes;
    size_t ends[SF_RESP_WORDS_MAX];
    struct sf_span spans[SF_RESP_WORDS_MAX];
    size_t count;
};

static enum sf_status
add_word(void *context, struct sf_span word)
{
    struct words *words = context;
    if (words->count == SF_RESP_WORDS_MAX)
        return SF_FULL;
    enum sf_status status = sf_buffer_append_span(&words->bytes, word);
    if (status == SF_OK)
        words->ends[words->count++] = words->bytes.size;
    return status;
}

static enum sf_status
add_text(struct words *words, const char *text)
{
    return add_word(words, sf_span_text(text));
}

static enum sf_status
add_option(struct words *words, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    enum sf_status status = add_text(words, name);
    return status == SF_OK ? add_text(words, text) : status;
}

static enum sf_status
add_options(struct words *words, const struct sf_config *config)
{
    const struct {
        const char *name;
        int64_t value;
    } options[] = {
        {"MAXBYTES", (int64_t)config->max_bytes},
        {"IDLE", config->idle_timeout},
        {"ABSOLUTE", config->absolute_timeout},
        {"GRACE", config->rotate_grace},
        {"TOMBSTONE", config->tombstone_lifetime},
        {"WAIT", config->store_deadline},
    };
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < sizeof options / sizeof options[0]; i++)
        status = add_option(words, options[i].name, options[i].value);
    return status;
}

static enum sf_status
add_command(struct words *words, const struct change *change)
{
    char text[SF_KEY_TEXT + 1] = "-";
    if (change->key != NULL)
        sf_key_format(change->key, text);
    enum sf_status status = add_text(words, "SESSION.APPLY");
    if (status == SF_OK)
        status = add_text(words, text);
    if (status == SF_OK && change->has_new_id) {
        sf_key_format(&change->saved->id.key, text);
        status = add_text(words, "NEWKEY");
        if (status == SF_OK)
            status = add_text(words, text);
    }
    if (status == SF_OK)
        status = add_options(words, change->config);
    if (status == SF_OK && change->ops->stamps)
        status = add_option(words, "EPOCH", change->ops->user_epoch);
    if (status == SF_OK && change->key == NULL)
        status = add_text(words, "CREATE");
    if (status == SF_OK && change->durability != SF_DURABILITY_MEMORY)
        status = add_text(words, change->durability == SF_DURABILITY_STORE ? "STORE" : "JOURNAL");
    return status == SF_OK ? add_text(words, "OPS") : status;
}

static enum sf_status
add_all(struct words *words, const struct change *change)
{
    enum sf_status status = add_command(words, change);
    if (status == SF_OK)
        status = sf_ops_to_words(change->ops, add_word, words);
    size_t start = 0;
    for (size_t i = 0; i < words->count; i++) {
        words->spans[i] = sf_span_of(words->bytes.data + start, words->ends[i] - start);
        start = words->ends[i];
    }
    return status;
}

static bool
has_flag(struct sf_span flags, const char *name)
{
    return memmem(flags.data, flags.size, name, strlen(name)) != NULL;
}

static enum sf_status
take_reply(struct change *change)
{
    const struct sf_resp_value *values = change->reply.values;
    struct sf_l1_applied applied = {.missed = false};
    bool is_as_agreed = change->reply.count == 4 && values[1].type == SF_RESP_BULK
                        && values[2].type == SF_RESP_INTEGER && values[3].type == SF_RESP_BULK;
    if (!is_as_agreed || sf_key_parse(&applied.key, values[1].text) != SF_OK)
        return SF_UNCERTAIN;
    struct sf_span flags = values[3].text;
    applied.version = (uint64_t)values[2].integer;
    applied.created = has_flag(flags, "created");
    applied.rotated = has_flag(flags, "rotated");
    applied.ended = has_flag(flags, "ended");
    applied.changed = has_flag(flags, "changed");
    take_result(change, &applied);
    change->saved->is_durable = has_flag(flags, "stored") || has_flag(flags, "journalled");
    return SF_OK;
}

/*
 * The daemon did it, but journal or store have not confirmed. What is in the cache has happened and will be written.
 * What only the store can hold was written twice without an answer and has probably happened: then the old id
 * is replaced, and a browser without the new one would lose the session for certain.
 */
static void
assume_done(struct change *change)
{
    bool ends = sf_ops_has(change->ops, SF_OP_END);
    const struct sf_l1_applied applied = {
        .created = change->key == NULL,
        .rotated = change->key != NULL && sf_ops_wants_new_id(change->ops) && !ends,
        .ended = ends,
        .changed = true,
    };
    take_result(change, &applied);
}

static enum sf_status
apply_in_daemon(struct change *change)
{
    struct words *words = malloc(sizeof *words);
    if (words == NULL)
        return SF_NO_MEMORY;
    words->count = 0;
    sf_buffer_init(&words->bytes, SF_RESP_BYTES_MAX);
    enum sf_status status = add_all(words, change);
    if (status == SF_OK) {
        bool waits = change->durability != SF_DURABILITY_MEMORY;
        sf_time deadline = change->deadline + (waits ? change->config->store_deadline : 0);
        status = sf_front_ask(change->front, words->spans, words->count, deadline, &change->reply);
        if (status == SF_OK) {
            status = take_reply(change);
        } else if (status == SF_UNCERTAIN && change->reply.count > 0) {
            assume_done(change);
        }
    }
    sf_buffer_fini(&words->bytes);
    free(words);
    return status;
}

/* ---- both ---- */

/* Nobody knows better than the cache; if that has it, the session goes on as if nothing had happened. */
static enum sf_status
apply_unchecked(struct change *change, enum sf_status why, struct sf_l1_applied *applied_out)
{
    sf_front_pause_checks(change->front);
    enum sf_status status = apply_in_cache(change, false, applied_out);
    if (status != SF_NOT_FOUND || !applied_out->missed)
        return status;
    applied_out->missed = false;
    return why == SF_UNCERTAIN ? SF_UNAVAILABLE : why;
}

/*
 * The daemon loads the session into L1, or compares what is there with the store, and the list is applied there.
 * Only a session that L1 cannot take is changed by the daemon: a load that comes too late has changed nothing, a
 * change that comes too late might have.
 */
static enum sf_status
load_and_apply(struct change *change, struct sf_l1_applied *applied_out)
{
    struct sf_key asked_for = applied_out->key; /* the change's own key, or the one that took its place */
    struct sf_span record;
    sf_time last_access;
    enum sf_status status = sf_front_ask_load(change->front, &asked_for, change->deadline, &change->reply, &record,
                                              &last_access);
    if (status == SF_OK)
        return apply_in_cache(change, false, applied_out);
    if (status != SF_NOT_FOUND)
        return apply_unchecked(change, status, applied_out);
    applied_out->missed = false;
    return status;
}

static enum sf_status
apply_somewhere(struct change *change)
{
    struct sf_l1_applied applied;
    enum sf_status status = apply_in_cache(change, sf_front_may_check(change->front), &applied);
    if (status == SF_NOT_FOUND && applied.missed && change->key != NULL && sf_front_cache(change->front) != NULL)
        status = load_and_apply(change, &applied);
    return needs_daemon(status, &applied) ? apply_in_daemon(change) : status;
}

/*
 * A rotation is two records, and never a forwarded one: change->key is the key that was replaced. Its version
 * is not known here; "1 or later, and nothing newer waiting" is what the daemon then asks of whatever stands there.
 */
static enum sf_status
wait_until_durable(struct change *change)
{
    char key_text[SF_KEY_TEXT + 1], old_text[SF_KEY_TEXT + 1] = "", version[24], wait[24];
    sf_time longest = change->config->store_deadline;
    sf_key_format(&change->where, key_text);
    snprintf(version, sizeof version, "%" PRIu64, change->saved->version);
    snprintf(wait, sizeof wait, "%" PRId64, longest);
    struct sf_span words[8] = {sf_span_text("SESSION.FLUSH"), sf_span_text("WAIT"), sf_span_text(wait)};
    size_t count = 3;
    if (change->durability == SF_DURABILITY_JOURNAL)
        words[count++] = sf_span_text("JOURNAL");
    words[count++] = sf_span_text(key_text);
    words[count++] = sf_span_text(version);
    if (change->saved->rotated && change->key != NULL) {
        sf_key_format(change->key, old_text);
        words[count++] = sf_span_text(old_text);
        words[count++] = sf_span_text("1");
    }
    sf_time deadline = sf_clock_steady() + longest + change->config->deadline; /* for the disk, and for the daemon */
    enum sf_status status = sf_front_ask(change->front, words, count, deadline, &change->reply);
    change->saved->is_durable = status == SF_OK;
    return status == SF_OK ? SF_OK : SF_UNCERTAIN;
}

/* Where sessions are in the store only there is nothing less. */
static enum sf_durability
durability_of(struct sf_front *front, const struct sf_ops *ops, const struct sf_config *config)
{
    struct sf_l1 *l1 = sf_front_l1(front);
    if (l1 != NULL && sf_l1_is_bypassed(l1))
        return SF_DURABILITY_STORE;
    bool is_login = sf_ops_wants_new_id(ops) || sf_ops_has(ops, SF_OP_END);
    int durability = config->durability;
    if (is_login && durability < config->login_durability)
        durability = config->login_durability;
    return (enum sf_durability)durability;
}

/*
 * Also for what is there already: whoever asks again, after an answer that promised nothing, must not be told
 * that all is well before it is.
 */
static bool
must_wait(const struct change *change)
{
    const struct sf_saved *saved = change->saved;
    if (change->durability == SF_DURABILITY_MEMORY || saved->is_durable)
        return false;
    struct sf_l1 *l1 = saved->changed || sf_ops_only_touch(change->ops) ? NULL : sf_front_cache(change->front);
    return saved->changed || (l1 != NULL && !sf_l1_has_stored(l1, &change->where, saved->version));
}

/* Whoever ends the others waits for the store, twice. */
static sf_time
store_deadline(const struct change *change)
{
    return sf_clock_steady() + change->config->store_deadline + change->config->deadline;
}

static enum sf_status
stamp(struct change *change)
{
    struct sf_ops *stamped = &change->stamped;
    struct sf_span user = sf_ops_user(change->ops);
    bool ends_others = change->ops->others_of.size > 0;
    if (user.size == 0 && !ends_others)
        return SF_OK;
    *stamped = *change->ops;
    stamped->stamps = true;
    change->ops = stamped;
    if (ends_others)
        return sf_front_move_epoch(change->front, stamped->others_of, store_deadline(change), &stamped->user_epoch);
    sf_time now = sf_clock_steady();
    sf_time half = now + (change->deadline - now) / 2; /* the rest is for the login itself */
    stamped->user_epoch = sf_front_login_epoch(change->front, user, half);
    return SF_OK;
}

/* Where that fails, the others go on, and the login is not acknowledged. */
static enum sf_status
end_others(struct change *change)
{
    enum sf_status status = sf_front_end_others(change->front, change->ops->others_of, change->ops->user_epoch,
                                                store_deadline(change));
    return status == SF_OK ? SF_OK : SF_UNCERTAIN;
}

static enum sf_status
apply(struct change *change)
{
    struct sf_saved *saved = change->saved;
    change->has_new_id = change->key == NULL || sf_ops_wants_new_id(change->ops);
    if (change->has_new_id) {
        enum sf_status status = sf_session_id_new(&saved->id, &change->front->secrets);
        if (status != SF_OK)
            return SF_UNAVAILABLE;
    }
    enum sf_status status = stamp(change);
    if (status != SF_OK)
        return SF_UNAVAILABLE;
    status = apply_somewhere(change);
    if (status == SF_OK && must_wait(change))
        status = wait_until_durable(change);
    if (status == SF_OK && change->ops->others_of.size > 0)
        status = end_others(change);
    if (!saved->is_new_id)
        saved->id = (struct sf_session_id){.text = ""};
    return status;
}

enum sf_status
sf_front_apply(struct sf_front *front, const struct sf_key *key, const struct sf_ops *ops,
               const struct sf_config *config, sf_time now, struct sf_saved *saved_out)
{
    *saved_out = (struct sf_saved){.version = 0};
    if (key == NULL && !sf_ops_may_create(ops))
        return SF_NOT_FOUND;
    struct change change = {
        .front = front,
        .key = key,
        .ops = ops,
        .config = config,
        .now = now,
        .deadline = sf_clock_steady() + config->deadline,
        .durability = durability_of(front, ops, config),
        .saved = saved_out,
    };
    sf_daemon_reply_init(&change.reply, SF_FRONT_REPLY_VALUES);
    enum sf_status status = apply(&change);
    sf_daemon_reply_fini(&change.reply);
    return status;
}
