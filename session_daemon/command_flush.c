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
    size_t count = (call->count - 1) / 2;
    if (call->count % 2 == 0) {
        reply_error(call, SF_INVALID, "a version is missing behind the last key");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t version;
        if (!command_key(call, 1 + 2 * i, &marks[i].key)
            || !command_integer(call, 2 + 2 * i, 0, INT64_MAX, &version))
            return;
        marks[i].version = (uint64_t)version;
    }
    call_wait_for_store(call, marks, count, flushed);
}
