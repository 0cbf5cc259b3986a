/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.LOAD for the fronts, SESSION.GET for people. */
#include <sched.h>

#include "session_daemon/commands.h"
#include "session_daemon/epochs.h"
#include "session_daemon/touch_through.h"

#define LOOKS_MAX 64 /* at a record that changes under every look */

/* What L1 or the store has, whatever it is worth. */
struct found {
    struct sf_span record;
    sf_time last_access;
    bool is_in_cache;
};

typedef void reply_found_fn(struct call *call, const struct found *found);

static enum sf_status
get_from_cache(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record, struct sf_l1_view *view_out)
{
    enum sf_status status = sf_l1_get(l1, key, record, view_out);
    for (int i = 1; i < LOOKS_MAX && status == SF_CONFLICT; i++) {
        (void)sched_yield();
        status = sf_l1_get(l1, key, record, view_out);
    }
    return status;
}

/* true: it is to be compared with the store first. What does not answer is not asked for each reader. */
static bool
must_be_checked(struct call *call, const struct sf_key *key, const struct sf_l1_view *view)
{
    struct sf_l1_question question;
    struct sf_counters *counters = sf_l1_counters(call->daemon->l1);
    if (!sf_l1_is_stale(call->daemon->l1, key, view))
        return false;
    sf_count(counters, l1_stale);
    if (loader_may_check(call->daemon))
        return true;
    sf_count(counters, l1_stale_served);
    sf_l1_ask(call->daemon->l1, key, &question);
    sf_l1_postpone(call->daemon->l1, key, &question);
    return false;
}

/*
 * SF_OK: replied. SF_NOT_FOUND: L1 does not have it, or has had it for too long. Others: it does, in a version that
 * only it may have.
 */
static enum sf_status
reply_from_cache(struct call *call, const struct sf_key *key, bool is_checked, reply_found_fn *reply_found)
{
    struct sf_buffer record;
    struct sf_l1_view view;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    enum sf_status status = get_from_cache(call->daemon->l1, key, &record, &view);
    if (status == SF_OK && !is_checked && must_be_checked(call, key, &view))
        status = SF_NOT_FOUND;
    if (status == SF_OK)
        reply_found(call, &(struct found){sf_buffer_span(&record), view.last_access, true});
    sf_buffer_fini(&record);
    return status;
}

static void
reply_from_store(struct call *call, const struct answer *answer, reply_found_fn *reply_found)
{
    const struct sf_stored *stored = answer->stored;
    if (answer->status == SF_OK)
        reply_found(call, &(struct found){sf_buffer_span(&stored->record), stored->last_access, false});
    else if (answer->status == SF_NOT_FOUND)
        reply_nil(call);
    else
        reply_error(call, answer->status, "the store cannot say whether there is such a session");
}

/*
 * L1 again before the store's answer, whatever that is: it may have a later version, or have got the session
 * while the store was asked. What it had and has no more may have been changed and stored before it went: then the
 * store is asked once more.
 */
static void
resume_found(struct call *call, const struct answer *answer, reply_found_fn *reply_found, call_resume_fn *resume)
{
    struct sf_key key;
    if (!command_key(call, 1, &key))
        return;
    enum sf_status status =
        call->daemon->is_store_only ? SF_NOT_FOUND : reply_from_cache(call, &key, true, reply_found);
    if (status == SF_NOT_FOUND && answer->status == SF_OK && answer->is_in_cache)
        call_wait_for_load(call, &key, resume);
    else if (status == SF_NOT_FOUND)
        reply_from_store(call, answer, reply_found);
    else if (status != SF_OK)
        reply_error(call, SF_UNAVAILABLE, "the session changes too fast to be read");
}

static void
find(struct call *call, reply_found_fn *reply_found, call_resume_fn *resume)
{
    struct sf_key key;
    if (!command_key(call, 1, &key))
        return;
    if (call->daemon->is_store_only)
        call_wait_for_truth(call, &key, resume);
    else if (reply_from_cache(call, &key, false, reply_found) != SF_OK)
        call_wait_for_load(call, &key, resume);
}

/* ---- SESSION.LOAD ---- */

/*
 * A front that sees L1 touches what it has loaded; but the one that asks may see none, and L1 may have no room
 * for the session.
 */
static void
touch(struct call *call, const struct sf_key *key, const struct found *found)
{
    struct sf_record_head head;
    if (sf_record_head(&head, found->record) != SF_OK || head.kind != SF_RECORD_SESSION)
        return;
    sf_time last_access = found->last_access > head.last_access ? found->last_access : head.last_access;
    sf_time expires = sf_record_expires(&head, last_access);
    if (expires != 0 && expires <= call->now)
        return; /* nothing brings it back */
    if (found->is_in_cache)
        sf_l1_touch(call->daemon->l1, key, call->now);
    else
        touch_through(call->daemon, key, &head, last_access, call->now);
}

static void
reply_record(struct call *call, const struct found *found)
{
    struct sf_key key;
    reply_array(call, 2);
    reply_bulk(call, found->record);
    reply_integer(call, found->last_access);
    if (sf_key_parse(&key, call->words[1]) == SF_OK && !sf_user_epochs_has_key(&key))
        touch(call, &key, found);
}

static void
load_resumed(struct call *call, const struct answer *answer)
{
    resume_found(call, answer, reply_record, load_resumed);
}

void
command_load(struct call *call)
{
    find(call, reply_record, load_resumed);
}

/* ---- SESSION.GET ---- */

static void
reply_time(struct call *call, const char *name, sf_time time)
{
    reply_text(call, name);
    reply_integer(call, time);
}

static void
reply_value(struct call *call, const struct sf_value *value)
{
    if (value->type == SF_VALUE_INTEGER)
        reply_integer(call, value->integer);
    else
        reply_bulk(call, value->bytes);
}

static bool
has_user(const struct sf_record_head *head)
{
    return head->kind == SF_RECORD_SESSION && head->user.size > 0;
}

static void
reply_session(struct call *call, const struct sf_session *session, sf_time last_access)
{
    const struct sf_record_head *head = &session->head;
    if (last_access < head->last_access)
        last_access = head->last_access;
    char flags[SF_RECORD_FLAGS_TEXT];
    reply_array(call, 2 * (7 + session->count));
    reply_text(call, "@state");
    bool is_over = epochs_refuse(call->daemon, head)
                   || (has_user(head) && head->user_epoch < call->connection->user_epoch);
    reply_text(call, is_over ? "ended" : command_state(head, last_access, call->now));
    reply_text(call, "@user");
    reply_bulk(call, head->user);
    reply_time(call, "@version", (int64_t)head->version);
    reply_time(call, "@created", head->created);
    reply_time(call, "@last_access", last_access);
    reply_time(call, "@expires", sf_record_expires(head, last_access));
    sf_record_flags_format(head->flags, flags);
    reply_text(call, "@flags");
    reply_text(call, flags);
    for (size_t i = 0; i < session->count; i++) {
        reply_bulk(call, session->fields[i].name);
        reply_value(call, &session->fields[i].value);
    }
}

static call_resume_fn get_resumed, get_with_epoch;

/* true: whether its user was logged out everywhere is asked first. */
static bool
waits_for_epoch(struct call *call, const struct sf_record_head *head)
{
    return has_user(head) && !call->connection->knows_epoch && !epochs_are_known(call->daemon, head->user)
           && epochs_begin(call, head->user, NULL, get_with_epoch);
}

static void
reply_known(struct call *call, const struct sf_session *session, sf_time last_access)
{
    if (has_user(&session->head) && call->connection->doubts_epoch)
        reply_error(call, SF_UNAVAILABLE, "the store has gone back, and is being told what it has forgotten");
    else
        reply_session(call, session, last_access);
}

static void
reply_fields(struct call *call, const struct found *found)
{
    struct sf_session session;
    sf_session_init(&session);
    enum sf_status status = sf_session_decode(&session, found->record);
    if (status != SF_OK)
        reply_error(call, status, "the record is damaged");
    else if (!waits_for_epoch(call, &session.head))
        reply_known(call, &session, found->last_access);
    sf_session_fini(&session);
}

static void
get_resumed(struct call *call, const struct answer *answer)
{
    resume_found(call, answer, reply_fields, get_resumed);
}

/* Where nobody can say it, the session is shown as it is. */
static void
get_with_epoch(struct call *call, const struct answer *answer)
{
    struct connection *connection = call->connection;
    connection->knows_epoch = true;
    connection->doubts_epoch = answer->status == SF_CONFLICT;
    connection->user_epoch = answer->status == SF_OK ? epochs_least(answer->task) : 0;
    find(call, reply_fields, get_resumed);
}

void
command_get(struct call *call)
{
    struct sf_key key;
    call->connection->knows_epoch = call->connection->doubts_epoch = false;
    call->connection->user_epoch = 0;
    if (command_session(call, 1, &key))
        find(call, reply_fields, get_resumed);
}
