/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.FLUSH: answers when the store has what L1 has, or the journal. */
#include "session_daemon/commands.h"

static void
flushed(struct call *call, const struct answer *answer)
{
    if (answer->status == SF_OK)
        reply_simple(call, "OK");
    else if (answer->status == SF_INVALID)
        reply_error(call, SF_UNAVAILABLE, "the store refuses some of it; the rest is written");
    else if (answer->status == SF_UNAVAILABLE)
        reply_error(call, answer->status, "the store did not take it; it waits in the cache");
    else
        reply_error(call, answer->status, "the store has not confirmed it in time; it waits in the cache");
}

static void
journalled(struct call *call, const struct answer *answer)
{
    if (answer->status == SF_OK)
        reply_simple(call, "OK");
    else if (answer->status == SF_UNAVAILABLE)
        reply_error(call, answer->status, "the journal cannot be written; it waits in the cache");
    else
        reply_error(call, SF_UNCERTAIN, "the journal has not confirmed it in time; it waits in the cache");
}

struct request {
    bool is_for_journal;
    sf_time wait;
    struct stored_mark marks[CONNECTION_MARKS_MAX];
    size_t count;
};

/* *word moves behind the options. */
static bool
read_options(struct call *call, size_t *word, struct request *request)
{
    for (; *word < call->count; (*word)++) {
        if (word_is(call->words[*word], "JOURNAL"))
            request->is_for_journal = true;
        else if (!word_is(call->words[*word], "WAIT"))
            return true;
        else if (!command_integer(call, ++*word, 0, INT64_MAX / 2, &request->wait))
            return false;
    }
    return true;
}

static bool
read_marks(struct call *call, size_t word, struct request *request)
{
    for (; word < call->count && request->count < CONNECTION_MARKS_MAX; word += 2) {
        struct stored_mark *mark = &request->marks[request->count++];
        int64_t version;
        if (!command_key(call, word, &mark->key) || !command_integer(call, word + 1, 0, INT64_MAX, &version))
            return false;
        mark->version = (uint64_t)version;
    }
    if (word < call->count)
        reply_error(call, SF_INVALID, "too many keys");
    else if (request->is_for_journal && request->count == 0)
        reply_error(call, SF_INVALID, "JOURNAL needs keys");
    else
        return true;
    return false;
}

void
command_flush(struct call *call)
{
    struct request request = {.wait = CALL_STORE_WAIT};
    size_t word = 1;
    if (!read_options(call, &word, &request) || !read_marks(call, word, &request))
        return;
    if (request.is_for_journal)
        call_wait_for_journal(call, request.marks, request.count, request.wait, journalled);
    else
        call_wait_for_store(call, request.marks, request.count, request.wait, flushed);
}
