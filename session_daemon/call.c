/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/call.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "session_daemon/store_waits.h"

/* ---- replies ---- */

static struct sf_buffer *
output(struct call *call)
{
    return &call->connection->output;
}

static void
keep_status(struct call *call, enum sf_status status)
{
    if (call->status == SF_OK)
        call->status = status;
}

void
reply_array(struct call *call, size_t count)
{
    keep_status(call, sf_resp_append_array(output(call), count));
}

void
reply_bulk(struct call *call, struct sf_span bytes)
{
    keep_status(call, sf_resp_append_bulk(output(call), bytes));
}

void
reply_text(struct call *call, const char *text)
{
    reply_bulk(call, sf_span_text(text));
}

void
reply_key(struct call *call, const struct sf_key *key)
{
    char text[SF_KEY_TEXT + 1];
    sf_key_format(key, text);
    reply_text(call, text);
}

void
reply_integer(struct call *call, int64_t value)
{
    keep_status(call, sf_resp_append_integer(output(call), value));
}

void
reply_nil(struct call *call)
{
    keep_status(call, sf_resp_append_nil(output(call)));
}

void
reply_simple(struct call *call, const char *text)
{
    keep_status(call, sf_resp_append_simple(output(call), text));
}

void
reply_error(struct call *call, enum sf_status status, const char *text)
{
    keep_status(call, sf_resp_append_error(output(call), status, text));
}

void
reply_encoded(struct call *call, struct sf_span resp)
{
    keep_status(call, sf_buffer_append_span(output(call), resp));
}

bool
word_is(struct sf_span word, const char *text)
{
    return word.size == strlen(text) && strncasecmp((const char *)word.data, text, word.size) == 0;
}

/* ---- waits ---- */

#define SHARED_STORE_WAIT SF_SECOND /* for a store that hangs, where the journal will do */

static void
begin_wait(struct call *call, call_resume_fn *resume)
{
    call->connection->waiting = (struct waiting){.resume = resume};
}

static void
wait_for_load(struct call *call, const struct sf_key *key, bool keeps_out, call_resume_fn *resume)
{
    begin_wait(call, resume);
    if (loader_join(call->daemon, call->connection, key, keeps_out))
        return;
    begin_wait(call, NULL);
    resume(call, &(struct answer){.status = SF_UNAVAILABLE});
}

void
call_wait_for_load(struct call *call, const struct sf_key *key, call_resume_fn *resume)
{
    wait_for_load(call, key, false, resume);
}

void
call_wait_for_load_only(struct call *call, const struct sf_key *key, call_resume_fn *resume)
{
    wait_for_load(call, key, true, resume);
}

void
call_wait_for_task(struct call *call, struct caller_task *task, call_resume_fn *resume)
{
    begin_wait(call, resume);
    call->connection->waiting.task = task;
    task->caller = call->connection;
}

static void
begin_wait_for_marks(struct call *call, const struct stored_mark *marks, size_t count, sf_time wait,
                     call_resume_fn *resume)
{
    begin_wait(call, resume);
    struct waiting *waiting = &call->connection->waiting;
    for (size_t i = 0; i < count; i++)
        waiting->marks[i] = marks[i];
    waiting->mark_count = count;
    waiting->until = sf_clock_steady() + wait;
}

static void
begin_store_wait(struct call *call, call_resume_fn *resume)
{
    struct answer answer;
    if (store_waits_begin(call->daemon, call->connection, &answer))
        return;
    begin_wait(call, NULL);
    resume(call, &answer);
}

/* Without a store the cache is as durable as anything. */
static void
be_done(struct call *call, call_resume_fn *resume)
{
    begin_wait(call, NULL);
    resume(call, &(struct answer){.status = SF_OK});
}

static void
begin_journal_wait(struct call *call)
{
    call_resume_fn *resume = call->connection->waiting.resume;
    if (journaler_join(call->daemon, call->connection))
        return;
    begin_wait(call, NULL);
    resume(call, &(struct answer){.status = SF_UNAVAILABLE});
}

/* The other hosts do not know it yet; but it is not lost, either. */
static void
shared_store_answered(struct call *call, const struct answer *answer)
{
    const struct waiting *otherwise = &call->connection->otherwise;
    if (answer->status == SF_OK) {
        otherwise->resume(call, answer);
        return;
    }
    call->connection->waiting = *otherwise;
    begin_journal_wait(call);
}

void
call_wait_for_journal(struct call *call, const struct stored_mark *marks, size_t count, sf_time wait,
                      call_resume_fn *resume)
{
    struct connection *connection = call->connection;
    begin_wait_for_marks(call, marks, count, wait, resume);
    if (call->daemon->is_volatile) {
        be_done(call, resume);
        return;
    }
    if (call->daemon->is_store_only) {
        begin_store_wait(call, resume);
        return;
    }
    if (sf_l1_host(call->daemon->l1) == 0) {
        begin_journal_wait(call);
        return;
    }
    connection->otherwise = connection->waiting;
    begin_wait_for_marks(call, marks, count, wait < SHARED_STORE_WAIT ? wait : SHARED_STORE_WAIT,
                         shared_store_answered);
    begin_store_wait(call, shared_store_answered);
}

void
call_wait_for_store(struct call *call, const struct stored_mark *marks, size_t count, sf_time wait,
                    call_resume_fn *resume)
{
    begin_wait_for_marks(call, marks, count, wait, resume);
    if (call->daemon->is_volatile && count > 0)
        be_done(call, resume);
    else
        begin_store_wait(call, resume);
}

/* Nothing but the load is left to be waited for. */
static void
brought_to_store(struct call *call, const struct answer *answer)
{
    const struct waiting otherwise = call->connection->otherwise;
    const struct sf_key *key = &otherwise.marks[0].key;
    if (answer->status == SF_OK && sf_l1_drop(call->daemon->l1, key) != SF_CONFLICT)
        call_wait_for_load_only(call, key, otherwise.resume);
    else
        otherwise.resume(call, &(struct answer){.status = SF_UNAVAILABLE});
}

void
call_wait_for_truth(struct call *call, const struct sf_key *key, call_resume_fn *resume)
{
    const struct stored_mark mark = {.key = *key, .version = 1};
    if (sf_l1_drop(call->daemon->l1, key) != SF_CONFLICT) {
        call_wait_for_load_only(call, key, resume);
        return;
    }
    begin_wait_for_marks(call, &mark, 1, CALL_STORE_WAIT, resume);
    call->connection->otherwise = call->connection->waiting;
    call_wait_for_store(call, &mark, 1, CALL_STORE_WAIT, brought_to_store);
}

void
call_wait_for_room(struct call *call, enum sf_want want, sf_time wait, call_resume_fn *resume)
{
    struct journaler *journaler = &call->daemon->journaler;
    begin_wait_for_marks(call, NULL, 0, wait, resume);
    call->connection->waiting.is_for_room = true;
    call->connection->waiting.passes = atomic_load_explicit(&journaler->spill.passes, memory_order_relaxed);
    call->connection->waiting.spill_failures = atomic_load_explicit(&journaler->spill.failures, memory_order_relaxed);
    journaler_make_room(journaler, want);
    begin_store_wait(call, resume);
}
