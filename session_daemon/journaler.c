/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/journaler.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "session_daemon/daemon.h"

#define STORE_FIRST ((sf_time)250) /* it may make room, too */
#define BEHIND_AFTER (2 * SF_SECOND) /* over the time that a change may wait */
#define GROUP_MAX 512 /* marks in one transaction; the rest is the next one */

/* What one client waits for. Goes on without him if he cannot wait any longer. */
struct request {
    struct caller_task base; /* first member */
    struct sf_journal_mark marks[CONNECTION_MARKS_MAX];
    size_t count;
    enum sf_status status;
};

/* ---- in the journal's thread ---- */

struct group {
    struct sf_journal_mark marks[GROUP_MAX];
    size_t count;
};

/* Adds requests from `first` on, as many as there is room for. Returns the first that is left. */
static struct task *
gather(struct group *group, struct task *first)
{
    group->count = 0;
    for (; first != NULL; first = first->next) {
        const struct request *request = (const struct request *)first;
        if (group->count + request->count > GROUP_MAX)
            break;
        for (size_t i = 0; i < request->count; i++)
            group->marks[group->count++] = request->marks[i];
    }
    return first;
}

static enum sf_status
answer_of(const struct sf_journal_mark *marks, size_t count, enum sf_status failure)
{
    for (size_t i = 0; i < count; i++)
        if (marks[i].status != SF_OK)
            return failure == SF_OK ? SF_UNCERTAIN : SF_UNAVAILABLE;
    return SF_OK;
}

static void
commit(struct journaler *journaler, struct group *group, struct task *first, const struct task *end)
{
    enum sf_status status = sf_journal_commit(journaler->journal, group->marks, group->count);
    const struct sf_journal_mark *marks = group->marks;
    for (struct task *task = first; task != end; task = task->next) {
        struct request *request = (struct request *)task;
        request->status = answer_of(marks, request->count, status);
        marks += request->count;
    }
}

/* Answers leave when all of them are known: a group is seldom larger than one transaction. */
static void
commit_all(struct journaler *journaler, struct group *group, struct daemon *daemon, struct task *first)
{
    for (struct task *rest = first, *next; rest != NULL; rest = next) {
        next = gather(group, rest);
        commit(journaler, group, rest, next);
    }
    task_queue_push_all(&daemon->server.done, first);
}

/* The store takes nothing, or not what has waited for longer than it should. */
static bool
store_is_behind(struct daemon *daemon)
{
    struct sf_batch_writer_state state;
    sf_batch_writer_state(daemon->writer.batch, &state);
    sf_time last = state.last_flush == 0 ? daemon->started : state.last_flush;
    bool is_late = sf_clock_wall() - last > daemon->config.flush_delay + BEHIND_AFTER;
    return !state.is_up || (is_late && sf_l1_changes(daemon->l1) > state.stored_changes);
}

/* Who needs room that the store has not made. */
static enum sf_want
take_want(struct journaler *journaler, bool is_behind, sf_time now)
{
    int64_t wanted = atomic_load(&journaler->room_wanted);
    if (wanted == 0 || (!is_behind && now < wanted + STORE_FIRST))
        return SF_WANTED_BY_NOBODY;
    atomic_store(&journaler->room_wanted, 0);
    return atomic_exchange(&journaler->is_wanted_by_user, false) ? SF_WANTED_BY_USER : SF_WANTED_BY_VISITOR;
}

static uint64_t
ended_passes(struct sf_spill *spill)
{
    return atomic_load_explicit(&spill->passes, memory_order_relaxed)
         + atomic_load_explicit(&spill->failures, memory_order_relaxed);
}

static sf_time
step_spill(struct journaler *journaler, struct daemon *daemon)
{
    sf_time now = sf_clock_steady();
    if (daemon->is_store_only)
        return now + SF_HOUR; /* nobody needs room there, and what the journal has is used while the store is away */
    if (now < journaler->spill_at)
        return journaler->spill_at;
    bool is_behind = store_is_behind(daemon);
    enum sf_want want = take_want(journaler, is_behind, now);
    if (want != SF_WANTED_BY_NOBODY)
        sf_spill_urge(&journaler->spill, want);
    uint64_t ended = ended_passes(&journaler->spill);
    journaler->spill_at = sf_spill_step(&journaler->spill, now, !is_behind);
    if (ended_passes(&journaler->spill) != ended)
        task_queue_wake(&daemon->server.done);
    return journaler->spill_at;
}

static void *
journaler_main(void *argument)
{
    struct daemon *daemon = argument;
    struct journaler *journaler = &daemon->journaler;
    struct group *group = malloc(sizeof *group);
    for (;;) {
        sf_time next = step_spill(journaler, daemon);
        struct task *first = task_queue_pop(&journaler->queue, next);
        if (first == NULL && task_queue_is_stopped(&journaler->queue))
            break;
        if (first == NULL)
            continue;
        first->next = task_queue_take_all(&journaler->queue);
        if (group != NULL)
            commit_all(journaler, group, daemon, first);
        else
            task_queue_push_all(&daemon->server.done, first); /* as unavailable */
    }
    free(group);
    task_queue_leave(&journaler->queue);
    return NULL;
}

/* ---- in the main thread ---- */

void
journaler_make_room(struct journaler *journaler, enum sf_want want)
{
    int64_t none = 0;
    if (want == SF_WANTED_BY_USER)
        atomic_store(&journaler->is_wanted_by_user, true);
    atomic_compare_exchange_strong(&journaler->room_wanted, &none, sf_clock_steady());
}

static void
finish_request(struct task *task, struct daemon *daemon)
{
    struct request *request = (struct request *)task;
    struct connection *caller = request->base.caller;
    if (caller != NULL)
        TAILQ_REMOVE(&daemon->server.journal_waiters, caller, link);
    caller_task_finish(&request->base, &(struct answer){.status = request->status, .task = &request->base});
    free(request);
}

bool
journaler_join(struct daemon *daemon, struct connection *connection)
{
    struct waiting *waiting = &connection->waiting;
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return false;
    request->base.task.finish = finish_request;
    request->base.caller = connection;
    request->count = waiting->mark_count;
    request->status = SF_UNAVAILABLE; /* if nobody runs it any more */
    for (size_t i = 0; i < request->count; i++)
        request->marks[i] =
            (struct sf_journal_mark){.key = waiting->marks[i].key, .version = waiting->marks[i].version};
    waiting->task = &request->base;
    waiting->is_for_journal = true;
    TAILQ_INSERT_TAIL(&daemon->server.journal_waiters, connection, link);
    task_queue_push(&daemon->journaler.queue, &request->base.task);
    return true;
}

void
journaler_leave(struct connection *connection)
{
    connection->waiting.task->caller = NULL;
    TAILQ_REMOVE(&connection->daemon->server.journal_waiters, connection, link);
}

void
journaler_check(struct daemon *daemon)
{
    sf_time now = sf_clock_steady();
    struct connection *next;
    for (struct connection *one = TAILQ_FIRST(&daemon->server.journal_waiters); one != NULL; one = next) {
        next = TAILQ_NEXT(one, link);
        if (now < one->waiting.until)
            continue;
        journaler_leave(one);
        connection_resume(one, &(struct answer){.status = SF_UNCERTAIN});
    }
}

/* ---- life ---- */

enum sf_status
journaler_start(struct journaler *journaler, struct daemon *daemon)
{
    enum sf_status status = task_queue_init(&journaler->queue, false);
    if (status != SF_OK)
        return status;
    sf_spill_init(&journaler->spill, daemon->l1, journaler->journal, &daemon->log, daemon->config.dirty_limit);
    if (pthread_create(&journaler->thread, NULL, journaler_main, daemon) != 0)
        return SF_UNAVAILABLE;
    journaler->is_running = true;
    return SF_OK;
}

bool
journaler_stop(struct journaler *journaler, sf_time deadline)
{
    if (!journaler->is_running)
        return true;
    task_queue_stop(&journaler->queue);
    if (!task_queue_is_left(&journaler->queue, deadline))
        return false;
    journaler->is_running = false;
    return pthread_join(journaler->thread, NULL) == 0;
}

void
journaler_fini(struct journaler *journaler)
{
    task_queue_fini(&journaler->queue);
    sf_spill_fini(&journaler->spill);
    sf_journal_close(journaler->journal);
}
