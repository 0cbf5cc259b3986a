/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.FLUSH: answers when the store has what L1 has. */
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

void
command_flush(struct call *call)
{
    struct stored_mark marks[CONNECTION_MARKS_MAX];
    sf_time wait = CALL_STORE_WAIT;
    size_t word = 1, count = 0;
    if (call->count > 1 && word_is(call->words[1], "WAIT")) {
        if (!command_integer(call, 2, 0, INT64_MAX / 2, &wait))
            return;
        word = 3;
    }
    for (; word < call->count && count < CONNECTION_MARKS_MAX; word += 2, count++) {
        int64_t version;
        if (!command_key(call, word, &marks[count].key) || !command_integer(call, word + 1, 0, INT64_MAX, &version))
            return;
        marks[count].version = (uint64_t)version;
    }
    if (word < call->count)
        reply_error(call, SF_INVALID, "too many keys");
    else
        call_wait_for_store(call, marks, count, wait, flushed);
}
