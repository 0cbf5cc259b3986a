/* SPDX-License-Identifier: Apache-2.0 */
/* SESSION.EPOCH: what a login is stamped with, and who is logged out everywhere. */
#include "session_daemon/commands.h"
#include "session_daemon/epochs.h"

static void
reply_epoch(struct call *call, const struct answer *answer)
{
    if (answer->status == SF_OK)
        reply_integer(call, epochs_answer(answer->task));
    else if (answer->status == SF_UNCERTAIN)
        reply_error(call, SF_UNCERTAIN, "the store has not confirmed it; repeat it");
    else
        reply_error(call, answer->status, "the store does not take it now, or not from everybody yet: repeat it");
}

static bool
read_user(struct call *call, struct sf_span *user_out)
{
    *user_out = call->count > 2 ? call->words[2] : sf_span_text("");
    if (user_out->size > 0 && sf_user_is_valid(*user_out))
        return true;
    reply_error(call, SF_INVALID, "a user has 1 to 255 bytes");
    return false;
}

static bool
read_change(struct call *call, struct sf_user_epochs_change *change)
{
    int64_t least = 0;
    if (word_is(call->words[1], "MOVE") && call->count == 3)
        change->step = SF_EPOCHS_MOVE;
    else if (word_is(call->words[1], "END") && call->count >= 3)
        change->step = SF_EPOCHS_END_USER;
    else if (word_is(call->words[1], "ENDALL") && call->count == 2)
        change->step = SF_EPOCHS_END_ALL;
    else {
        reply_error(call, SF_INVALID, "LOGIN user, MOVE user, END user [epoch], or ENDALL");
        return false;
    }
    if (call->count == 4 && !command_integer(call, 3, 1, UINT32_MAX, &least))
        return false;
    change->least = (uint32_t)least;
    return true;
}

void
command_epoch(struct call *call)
{
    struct sf_user_epochs_change change = {.now = call->now};
    struct sf_span user = sf_span_text("");
    bool is_login = word_is(call->words[1], "LOGIN") && call->count == 3;
    if (!is_login && !read_change(call, &change))
        return;
    if (change.step != SF_EPOCHS_END_ALL && !read_user(call, &user))
        return;
    if (!epochs_begin(call, user, is_login ? NULL : &change, reply_epoch))
        reply_error(call, SF_NO_MEMORY, "no memory");
}
