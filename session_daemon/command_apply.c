/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SESSION.APPLY and SESSION.END: changes in L1, as a front makes them; here also for sessions that L1 does
 * not know, or has no room for. Each step below is a wait that ends in the next attempt:
 *
 *   begin -> L1 does not know it: loaded -> once more
 *         -> L1 is full: all that waits is written (then it may be evicted) -> once more
 *                        -> still full: past L1
 *
 * Where sessions are in the store only, all go past L1 at once: loaded, changed, and written over what was loaded
 * (write_through.h); once more if somebody was faster.
 */
#include <stdio.h>

#include "common/session/life.h"
#include "session_daemon/commands.h"
#include "session_daemon/epochs.h"
#include "session_daemon/write_through.h"

#define PAST_TRIES_MAX 100 /* lost to other hosts, or following from an id to the next */
#define TIME_MAX (36500 * SF_DAY) /* a hundred years: sums of times cannot overflow */

/* What the words say. */
struct request {
    struct sf_key key, new_key;
    bool has_key;
    bool is_end_command;
    bool is_to_be_stamped; /* it logs somebody in, and does not say by which epoch */
    enum sf_durability durability; /* what the change must have reached before the reply */
    sf_time store_wait; /* so long, if it must */
    struct sf_ops ops;
    struct sf_l1_change change; /* new_key and ops point into this struct */
};

static void after_miss(struct call *call, const struct request *request, const struct sf_l1_applied *applied);
static void after_no_room(struct call *call, const struct request *request, const struct sf_l1_applied *applied);
static void go_past_cache(struct call *call, const struct sf_key *key);
static void write_now(struct call *call, const struct request *request, const struct answer *found);
static call_resume_fn stored, journalled, loaded, written_out, loaded_only, written_through;

/* ---- words ---- */

static void
request_init(struct request *request, const struct call *call)
{
    const struct sf_config *config = &call->daemon->config;
    *request = (struct request){
        .change = {
            .now = call->now,
            .max_bytes = config->max_bytes,
            .idle_timeout = config->idle_timeout,
            .absolute_timeout = config->absolute_timeout,
            .rotate_grace = config->rotate_grace,
            .tombstone_lifetime = config->tombstone_lifetime,
            .end_reason = SF_END_LOGOUT,
        },
        .store_wait = config->store_deadline,
    };
    sf_ops_init(&request->ops);
    request->change.ops = &request->ops;
}

static void
request_fini(struct request *request)
{
    sf_ops_fini(&request->ops);
}

static const struct sf_key *
request_key(const struct request *request)
{
    return request->has_key ? &request->key : NULL;
}

static bool
read_reason(struct call *call, size_t word, struct request *request)
{
    if (word < call->count && word_is(call->words[word], "admin"))
        request->change.end_reason = SF_END_ADMIN;
    else if (word >= call->count || !word_is(call->words[word], "logout")) {
        reply_error(call, SF_INVALID, "a reason is logout or admin");
        return false;
    }
    return true;
}

static bool
read_new_key(struct call *call, size_t word, struct request *request)
{
    request->change.new_key = &request->new_key;
    return command_session(call, word, &request->new_key);
}

/* A word with a number behind it: where the number goes. NULL: it is no such word. */
static sf_time *
find_time(struct sf_span word, struct request *request)
{
    struct sf_l1_change *change = &request->change;
    if (word_is(word, "IDLE"))
        return &change->idle_timeout;
    if (word_is(word, "ABSOLUTE"))
        return &change->absolute_timeout;
    if (word_is(word, "GRACE"))
        return &change->rotate_grace;
    if (word_is(word, "TOMBSTONE"))
        return &change->tombstone_lifetime;
    if (word_is(word, "WAIT"))
        return &request->store_wait;
    return NULL;
}

static bool
read_limit(struct call *call, size_t word, struct request *request)
{
    int64_t bytes;
    if (!command_integer(call, word, 1, SF_RECORD_BYTES_MAX, &bytes))
        return false;
    request->change.max_bytes = (size_t)bytes;
    return true;
}

/* As SESSION.EPOCH has said. */
static bool
read_epoch(struct call *call, size_t word, struct request *request)
{
    int64_t epoch;
    if (!command_integer(call, word, 0, UINT32_MAX, &epoch))
        return false;
    request->ops.user_epoch = (uint32_t)epoch;
    return request->ops.stamps = true;
}

static bool
raise_durability(struct request *request, enum sf_durability durability)
{
    if (request->durability < durability)
        request->durability = durability;
    return true;
}

/* One option at *word, which moves behind it. */
static bool
read_option(struct call *call, size_t *word, struct request *request)
{
    struct sf_span name = call->words[(*word)++];
    sf_time *time = find_time(name, request);
    if (time != NULL)
        return command_integer(call, (*word)++, 0, TIME_MAX, time);
    if (word_is(name, "NEWKEY"))
        return read_new_key(call, (*word)++, request);
    if (word_is(name, "EPOCH"))
        return read_epoch(call, (*word)++, request);
    if (word_is(name, "MAXBYTES"))
        return read_limit(call, (*word)++, request);
    if (word_is(name, "REASON"))
        return read_reason(call, (*word)++, request);
    if (word_is(name, "CREATE"))
        return request->change.may_create = true;
    if (word_is(name, "JOURNAL"))
        return raise_durability(request, SF_DURABILITY_JOURNAL);
    if (word_is(name, "STORE"))
        return raise_durability(request, SF_DURABILITY_STORE);
    reply_error(call, SF_INVALID, "unknown option; operations stand behind OPS");
    return false;
}

static bool
read_ops(struct call *call, size_t word, struct request *request)
{
    struct sf_error error = {.text = ""};
    enum sf_status status = sf_ops_from_words(&request->ops, call->words + word, call->count - word, &error);
    if (status == SF_OK && request->ops.count == 0)
        status = sf_error_set(&error, SF_INVALID, "OPS and at least one operation are missing");
    bool needs_new_key = request->change.may_create || sf_ops_wants_new_id(&request->ops);
    if (status == SF_OK && needs_new_key && request->change.new_key == NULL)
        status = sf_error_set(&error, SF_INVALID, "CREATE, LOGIN and ROTATE need NEWKEY");
    if (status == SF_OK && !request->has_key && !request->change.may_create)
        status = sf_error_set(&error, SF_INVALID, "without a key there must be CREATE");
    if (status != SF_OK)
        reply_error(call, status, error.text);
    return status == SF_OK;
}

/* Without EPOCH it has been asked for, and is the same for all attempts. */
static void
stamp_login(struct call *call, struct request *request)
{
    if (request->ops.stamps)
        return;
    request->ops.user_epoch = call->connection->user_epoch;
    request->is_to_be_stamped = sf_ops_has(&request->ops, SF_OP_LOGIN);
}

static bool
read_apply(struct call *call, struct request *request)
{
    request->has_key = !word_is(call->words[1], "-");
    if (request->has_key && !command_session(call, 1, &request->key))
        return false;
    size_t word = 2;
    while (word < call->count && !word_is(call->words[word], "OPS"))
        if (!read_option(call, &word, request))
            return false;
    if (!read_ops(call, word < call->count ? word + 1 : word, request))
        return false;
    stamp_login(call, request);
    return true;
}

static bool
read_end(struct call *call, struct request *request)
{
    request->is_end_command = true;
    request->has_key = true;
    request->durability = SF_DURABILITY_JOURNAL;
    if (!command_session(call, 1, &request->key) || (call->count > 2 && !read_reason(call, 2, request)))
        return false;
    enum sf_status status = sf_ops_add(&request->ops, &(struct sf_op){.kind = SF_OP_END});
    if (status != SF_OK)
        reply_error(call, status, sf_status_text(status));
    return status == SF_OK;
}

static bool
read_request(struct call *call, struct request *request)
{
    request_init(request, call);
    bool is_end = word_is(call->words[0], "SESSION.END");
    bool is_good = is_end ? read_end(call, request) : read_apply(call, request);
    if (!is_good)
        request_fini(request);
    return is_good;
}

/* ---- replies ---- */

static void
reply_applied(struct call *call, const struct sf_l1_applied *applied, enum sf_durability reached)
{
    static const char *const words[] = {
        [SF_DURABILITY_MEMORY] = "", [SF_DURABILITY_JOURNAL] = " journalled", [SF_DURABILITY_STORE] = " stored"};
    char flags[64] = "";
    snprintf(flags, sizeof flags, "%s%s%s%s%s", applied->created ? " created" : "", applied->rotated ? " rotated" : "",
             applied->ended ? " ended" : "", applied->changed ? " changed" : "", words[reached]);
    reply_array(call, 3);
    reply_key(call, &applied->key);
    reply_integer(call, (int64_t)applied->version);
    reply_text(call, flags[0] == ' ' ? flags + 1 : flags);
}

static const char *
refusal(enum sf_status status)
{
    switch (status) {
    case SF_NOT_FOUND: return "no such session, or it is ended";
    case SF_CONFLICT: return "a comparison failed, or others were faster too often";
    case SF_FULL: return "the session would be too large, or there is no room for it";
    case SF_INVALID: return "the operations do not fit this session";
    case SF_CORRUPT: return "the record is damaged";
    case SF_UNAVAILABLE: return "the store cannot say whether there is such a session; nothing was changed";
    case SF_UNCERTAIN: return "changed, but store or journal have not confirmed";
    case SF_OK:
    case SF_NO_MEMORY: break;
    }
    return sf_status_text(status);
}

static void
reply_refusal(struct call *call, const struct request *request, enum sf_status status)
{
    if (request->is_end_command && status == SF_NOT_FOUND)
        reply_integer(call, 0);
    else
        reply_error(call, status, refusal(status));
}

static void
reply_pressure(struct call *call, enum sf_l1_pressure pressure)
{
    char text[160];
    snprintf(text, sizeof text, "changes fill the cache, and neither store nor journal takes them: %s",
             sf_l1_pressure_text(pressure));
    reply_error(call, SF_FULL, text);
}

static void
stored(struct call *call, const struct answer *answer)
{
    if (answer->status == SF_OK)
        reply_applied(call, &call->connection->applied, SF_DURABILITY_STORE);
    else
        reply_error(call, SF_UNCERTAIN, refusal(SF_UNCERTAIN));
}

static void
journalled(struct call *call, const struct answer *answer)
{
    const struct sf_l1_applied *applied = &call->connection->applied;
    if (answer->status != SF_OK)
        reply_error(call, SF_UNCERTAIN, refusal(SF_UNCERTAIN));
    else if (word_is(call->words[0], "SESSION.END"))
        reply_integer(call, applied->ended);
    else
        reply_applied(call, applied, SF_DURABILITY_JOURNAL);
}

/*
 * A rotation has left two records to be stored, and is never forwarded: the old one is under request->key.
 * The version 1 stands for "whatever is there now".
 */
static void
wait_until_durable(struct call *call, const struct request *request, const struct sf_l1_applied *applied)
{
    const struct stored_mark marks[] = {
        {.key = applied->key, .version = applied->version},
        {.key = request->key, .version = 1},
    };
    call->connection->applied = *applied;
    size_t count = applied->rotated && request->has_key ? 2 : 1;
    if (request->durability == SF_DURABILITY_JOURNAL)
        call_wait_for_journal(call, marks, count, request->store_wait, journalled);
    else
        call_wait_for_store(call, marks, count, request->store_wait, stored);
}

/* Also for what is there already and may not be durable yet: somebody asks again. */
static bool
must_wait(const struct call *call, const struct request *request, const struct sf_l1_applied *applied)
{
    if (request->durability == SF_DURABILITY_MEMORY)
        return false;
    bool may_wait = !sf_ops_only_touch(&request->ops) && applied->version > 0;
    return applied->changed || (may_wait && !sf_l1_has_stored(call->daemon->l1, &applied->key, applied->version));
}

static void
reply_done(struct call *call, const struct request *request, const struct sf_l1_applied *applied)
{
    if (request->is_end_command)
        writer_urge(&call->daemon->writer);
    if (must_wait(call, request, applied))
        wait_until_durable(call, request, applied);
    else if (request->is_end_command)
        reply_integer(call, applied->ended);
    else
        reply_applied(call, applied, SF_DURABILITY_MEMORY);
}

/* ---- attempts ---- */

static void
conclude(struct call *call, const struct request *request, enum sf_status status, const struct sf_l1_applied *applied)
{
    if (status == SF_OK)
        reply_done(call, request, applied);
    else if (status == SF_NOT_FOUND && applied->missed)
        after_miss(call, request, applied);
    else if (status == SF_FULL && applied->pressure != SF_L1_PRESSURE_NONE)
        reply_pressure(call, applied->pressure);
    else if (status == SF_FULL && applied->version == 0)
        after_no_room(call, request, applied);
    else
        reply_refusal(call, request, status);
}

static enum sf_status
apply(struct call *call, const struct request *request, struct sf_l1_applied *applied_out)
{
    *applied_out = (struct sf_l1_applied){.missed = false};
    return sf_l1_apply(call->daemon->l1, request_key(request), &request->change, NULL, applied_out);
}

static void
attempt(struct call *call, const struct request *request)
{
    struct sf_l1_applied applied;
    enum sf_status status = apply(call, request, &applied);
    conclude(call, request, status, &applied);
}

/* The store has given no answer about what L1 has, if it has it. */
static void
attempt_unchecked(struct call *call, const struct request *request, enum sf_status why)
{
    struct sf_l1_applied applied;
    enum sf_status status = apply(call, request, &applied);
    if (status == SF_NOT_FOUND && applied.missed)
        reply_refusal(call, request, why);
    else
        conclude(call, request, status, &applied);
}

/* Nobody has taken all that waits; but perhaps enough of it. */
static void
attempt_at_last(struct call *call, const struct request *request)
{
    struct sf_l1_applied applied;
    enum sf_status status = apply(call, request, &applied);
    if (status == SF_FULL && applied.version == 0 && applied.pressure == SF_L1_PRESSURE_NONE)
        reply_refusal(call, request, SF_FULL);
    else
        conclude(call, request, status, &applied);
}

/* A miss behind a load means that there was no room to keep what had been loaded. */
static void
after_miss(struct call *call, const struct request *request, const struct sf_l1_applied *applied)
{
    enum apply_phase *phase = &call->connection->phase;
    switch (*phase) {
    case APPLY_BEGUN:
        *phase = APPLY_LOADED;
        call_wait_for_load(call, &applied->key, loaded);
        break;
    case APPLY_MADE_ROOM:
        *phase = APPLY_LOADED_AGAIN;
        call_wait_for_load(call, &applied->key, loaded);
        break;
    case APPLY_LOADED:
    case APPLY_LOADED_AGAIN:
        after_no_room(call, request, applied);
        break;
    }
}

/* What the store has may be evicted: so everything that waits is written, once. */
static void
after_no_room(struct call *call, const struct request *request, const struct sf_l1_applied *applied)
{
    enum apply_phase *phase = &call->connection->phase;
    bool is_users = !applied->missed && !applied->is_visitors;
    if (*phase < APPLY_MADE_ROOM) {
        *phase = APPLY_MADE_ROOM;
        call_wait_for_room(call, is_users ? SF_WANTED_BY_USER : SF_WANTED_BY_VISITOR, CALL_STORE_WAIT, written_out);
    } else if (!request->has_key) {
        write_now(call, request, NULL);
    } else if (sf_l1_drop(call->daemon->l1, &request->key) == SF_CONFLICT) {
        reply_refusal(call, request, SF_FULL);
    } else {
        go_past_cache(call, &request->key);
    }
}

/* ---- after a wait: the words are read anew ---- */

static void
loaded(struct call *call, const struct answer *answer)
{
    struct request request;
    if (!read_request(call, &request))
        return;
    if (answer->status == SF_OK)
        attempt(call, &request);
    else if (answer->status == SF_NOT_FOUND)
        reply_refusal(call, &request, answer->status);
    else
        attempt_unchecked(call, &request, answer->status);
    request_fini(&request);
}

static void
written_out(struct call *call, const struct answer *answer)
{
    struct request request;
    if (!read_request(call, &request))
        return;
    if (answer->status == SF_OK || answer->status == SF_INVALID)
        attempt(call, &request);
    else
        attempt_at_last(call, &request);
    request_fini(&request);
}

static void
begin_stamped(struct call *call, struct request *request)
{
    request->change.must_be_fresh = loader_may_check(call->daemon);
    if (!call->daemon->is_store_only)
        attempt(call, request);
    else if (request->has_key)
        go_past_cache(call, &request->key);
    else
        write_now(call, request, NULL);
}

/* Where the store does not say it now, what the cache knows has to do: too low an epoch is refused sooner. */
static void
stamped(struct call *call, const struct answer *answer)
{
    struct request request;
    if (!read_request(call, &request))
        return;
    struct sf_span user = sf_ops_user(&request.ops);
    bool is_known = answer->status == SF_OK;
    request.ops.user_epoch = is_known ? epochs_answer(answer->task) : epochs_cached(call->daemon, user);
    call->connection->user_epoch = request.ops.user_epoch;
    begin_stamped(call, &request);
    request_fini(&request);
}

static void
begin(struct call *call)
{
    struct request request;
    call->connection->phase = APPLY_BEGUN;
    call->connection->past_tries = 0;
    call->connection->user_epoch = 0;
    if (!read_request(call, &request))
        return;
    if (!request.is_to_be_stamped || !epochs_begin(call, sf_ops_user(&request.ops), NULL, stamped))
        begin_stamped(call, &request);
    request_fini(&request);
}

void
command_apply(struct call *call)
{
    begin(call);
}

void
command_end(struct call *call)
{
    begin(call);
}

/* ---- past L1 ---- */

static void
go_past_cache(struct call *call, const struct sf_key *key)
{
    struct connection *connection = call->connection;
    connection->past = *key;
    if (connection->past_tries++ < PAST_TRIES_MAX)
        call_wait_for_truth(call, key, loaded_only);
    else
        reply_error(call, SF_UNAVAILABLE, "others were faster too often; nothing was changed");
}

static void
write_now(struct call *call, const struct request *request, const struct answer *found)
{
    const struct sf_key *key = request_key(request);
    if (key != NULL && !loader_hold(call->daemon, key)) {
        call_wait_for_load_only(call, key, loaded_only); /* somebody else is at it: what was found is old already */
        return;
    }
    enum sf_status status = write_through_begin(call, key, &request->change, found, written_through);
    if (status == SF_OK)
        return;
    if (key != NULL)
        loader_release(call->daemon, key);
    reply_refusal(call, request, status);
}

/* As L1 follows what ROTATE left behind; not for LOGIN and ROTATE, whose new id goes to whoever asks. */
static bool
leads_on(const struct request *request, const struct sf_stored *found, struct sf_key *successor_out)
{
    struct sf_record_head head;
    if (sf_ops_wants_new_id(&request->ops) || sf_record_head(&head, sf_buffer_span(&found->record)) != SF_OK)
        return false;
    *successor_out = head.successor;
    return head.kind == SF_RECORD_ENDED && sf_session_leads_on(&head, request->change.now);
}

static void
loaded_only(struct call *call, const struct answer *answer)
{
    struct request request;
    if (!read_request(call, &request))
        return;
    struct sf_key successor;
    request.key = call->connection->past;
    if (answer->status != SF_OK)
        reply_refusal(call, &request, answer->status);
    else if (leads_on(&request, answer->stored, &successor))
        go_past_cache(call, &successor);
    else
        write_now(call, &request, answer);
    request_fini(&request);
}

static void
written_through(struct call *call, const struct answer *answer)
{
    struct request request;
    if (!read_request(call, &request))
        return;
    const struct sf_l1_applied *applied = write_through_applied(answer->task);
    if (answer->status == SF_CONFLICT)
        go_past_cache(call, &call->connection->past);
    else if (answer->status != SF_OK)
        reply_refusal(call, &request, answer->status);
    else if (request.is_end_command)
        reply_integer(call, applied->ended);
    else
        reply_applied(call, applied, SF_DURABILITY_STORE);
    request_fini(&request);
}
