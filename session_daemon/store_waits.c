/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/store_waits.h"

#include <stdatomic.h>

#include "session_daemon/daemon.h"

#define RETRY_SOON 100 /* ms: a writer that tries again so soon is worth waiting for */

/* Clean in L1 may also mean that the journal has taken it over while the store was away. */
static bool
has_marks(struct daemon *daemon, const struct waiting *waiting)
{
    for (size_t i = 0; i < waiting->mark_count; i++)
        if (!sf_l1_is_stored(daemon->l1, &waiting->marks[i].key, waiting->marks[i].version)
            || sf_journal_owes(daemon->journaler.journal, &waiting->marks[i].key))
            return false;
    return waiting->mark_count > 0;
}

/* All changes up to the beginning of the wait, but for what the store refuses. */
static bool
has_all(struct daemon *daemon, const struct sf_batch_writer_state *writer, const struct waiting *waiting)
{
    return writer->stored_changes >= waiting->changes && !sf_journal_owes(daemon->journaler.journal, NULL);
}

/*
 * A session that changes all the time is never clean when one looks; but once all changes up to the beginning
 * of the wait have been written, so has the version that was asked for, or a later one.
 */
static bool
is_stored(struct daemon *daemon, const struct sf_batch_writer_state *writer, const struct waiting *waiting)
{
    struct sf_journal_state journal;
    sf_journal_state(daemon->journaler.journal, &journal);
    bool is_nothing_refused = writer->refused == 0 && journal.refused == 0;
    return (is_nothing_refused && has_all(daemon, writer, waiting)) || has_marks(daemon, waiting);
}

/* The journal has taken over what was dirty. */
static bool
has_room(struct daemon *daemon, const struct waiting *waiting)
{
    return waiting->is_for_room
        && atomic_load_explicit(&daemon->journaler.spill.passes, memory_order_relaxed) != waiting->passes;
}

static bool
has_no_room(struct daemon *daemon, const struct waiting *waiting)
{
    return atomic_load_explicit(&daemon->journaler.spill.failures, memory_order_relaxed) != waiting->spill_failures;
}

/* true: *answer_out says how it ended. */
static bool
is_over(struct daemon *daemon, const struct sf_batch_writer_state *writer, const struct waiting *waiting,
        struct answer *answer_out)
{
    sf_time now = sf_clock_steady();
    *answer_out = (struct answer){.status = SF_OK};
    if (is_stored(daemon, writer, waiting) || has_room(daemon, waiting))
        return true;
    answer_out->status = SF_INVALID;
    if (waiting->mark_count == 0 && has_all(daemon, writer, waiting))
        return true; /* all but what the store refuses */
    answer_out->status = SF_UNAVAILABLE;
    bool is_down = !writer->is_up && writer->retry_at > now + RETRY_SOON;
    bool may_get_room = waiting->is_for_room && !has_no_room(daemon, waiting);
    if ((writer->failures != waiting->failures || is_down) && !may_get_room)
        return true;
    answer_out->status = SF_UNCERTAIN;
    return now >= waiting->until;
}

bool
store_waits_begin(struct daemon *daemon, struct connection *connection, struct answer *answer_out)
{
    struct waiting *waiting = &connection->waiting;
    struct sf_batch_writer_state writer;
    sf_batch_writer_state(daemon->writer.batch, &writer);
    waiting->changes = sf_l1_changes(daemon->l1);
    waiting->failures = writer.failures;
    if (is_over(daemon, &writer, waiting, answer_out))
        return false;
    waiting->is_for_store = true;
    TAILQ_INSERT_TAIL(&daemon->server.store_waiters, connection, link);
    writer_urge(&daemon->writer);
    return true;
}

void
store_waits_check(struct daemon *daemon)
{
    struct connection_list *list = &daemon->server.store_waiters;
    if (TAILQ_EMPTY(list))
        return;
    struct sf_batch_writer_state writer;
    sf_batch_writer_state(daemon->writer.batch, &writer);
    struct connection *next;
    for (struct connection *one = TAILQ_FIRST(list); one != NULL; one = next) {
        next = TAILQ_NEXT(one, link); /* resuming one connection never touches another */
        struct answer answer;
        if (is_over(daemon, &writer, &one->waiting, &answer)) {
            TAILQ_REMOVE(list, one, link);
            one->waiting.is_for_store = false;
            connection_resume(one, &answer);
        }
    }
}
