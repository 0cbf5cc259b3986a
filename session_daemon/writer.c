/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/writer.h"

#include <stdatomic.h>

#include "session_daemon/daemon.h"

#define WRITE_DEADLINE (10 * SF_SECOND) /* of one batch */
#define REPAIR_PAUSE 100                /* ms */
#define REPAIR_CALLS 100                /* a pass over the cache takes ten seconds, whatever its size */

static sf_time
earliest(sf_time a, sf_time b)
{
    return a < b ? a : b;
}

/* The main thread looks after those who wait for the store whenever a batch has ended, well or not. */
static void
tell_result(struct writer *writer, struct daemon *daemon)
{
    struct sf_batch_writer_state state;
    sf_batch_writer_state(writer->batch, &state);
    uint64_t results = state.batches + state.failures + state.stored_changes; /* a flush may end without a batch */
    if (results == writer->results)
        return;
    writer->results = results;
    task_queue_wake(&daemon->server.done);
}

/* Sessions that only a wrong clock takes for expired must not be removed from the store. */
static sf_time
step_sweep(struct writer *writer, sf_time now)
{
    sf_time wall = sf_clock_wall();
    if (!clock_watch_trusts(&writer->clock, now, wall, writer->sweep.log))
        return now + SF_SECOND;
    sf_time next = sf_sweep_step(&writer->sweep, now, wall);
    atomic_store_explicit(&writer->swept, writer->sweep.removed, memory_order_relaxed);
    atomic_store_explicit(&writer->last_sweep, writer->sweep.last, memory_order_relaxed);
    return next;
}

static void
step_repair(struct writer *writer, struct sf_l1 *l1, sf_time now)
{
    if (now < writer->repair_at)
        return;
    /* At once after a start: whoever was killed before may have left something. */
    uint32_t budget = writer->repair_at == 0 ? UINT32_MAX : sf_l1_repair_budget(l1, REPAIR_CALLS);
    sf_l1_repair(l1, sf_clock_wall(), &writer->repair_cursor, budget);
    writer->repair_at = now + REPAIR_PAUSE;
}

static sf_time
step_drain(struct writer *writer, struct daemon *daemon, sf_time now)
{
    struct sf_batch_writer_state state;
    sf_batch_writer_state(writer->batch, &state);
    sf_journal_trim(daemon->journaler.journal);
    return sf_journal_drain_step(writer->drain, now, state.is_up);
}

/* Returns when to be here again. */
static sf_time
step(struct writer *writer, struct daemon *daemon)
{
    sf_time now = sf_clock_steady();
    sf_time next = sf_batch_writer_step(writer->batch, now);
    next = earliest(next, step_drain(writer, daemon, now));
    tell_result(writer, daemon);
    next = earliest(next, sf_restore_step(&writer->restore, sf_clock_steady(), sf_clock_wall()));
    next = earliest(next, step_sweep(writer, sf_clock_steady()));
    step_repair(writer, daemon->l1, now);
    return earliest(next, writer->repair_at);
}

static void
run(struct task *task, struct daemon *daemon)
{
    task->run(task, daemon);
    task_queue_push(&daemon->server.done, task);
}

/* What cannot be written stays dirty in L1, where the next daemon finds it. */
static void
finish(struct writer *writer, struct daemon *daemon)
{
    struct task *task;
    while ((task = task_queue_pop(&writer->queue, 0)) != NULL)
        run(task, daemon);
    sf_time deadline = atomic_load_explicit(&writer->stop_deadline, memory_order_relaxed);
    (void)!sf_batch_writer_drain(writer->batch, deadline); /* the main thread counts what is left */
    (void)!sf_journal_drain_all(writer->drain, deadline);
    tell_result(writer, daemon);
}

static void *
writer_main(void *argument)
{
    struct daemon *daemon = argument;
    struct writer *writer = &daemon->writer;
    sf_time next = 0;
    while (!task_queue_is_stopped(&writer->queue)) {
        struct task *task = task_queue_pop(&writer->queue, next);
        if (task != NULL)
            run(task, daemon);
        next = step(writer, daemon);
    }
    finish(writer, daemon);
    task_queue_leave(&writer->queue);
    return NULL;
}

/* Where others use the store, what was changed here must not be older there than what they may read of it. */
static sf_time
flush_delay(const struct daemon *daemon)
{
    const struct sf_config *config = &daemon->config;
    bool is_shared = sf_l1_host(daemon->l1) != 0;
    return is_shared ? earliest(config->flush_delay, config->freshness) : config->flush_delay;
}

enum sf_status
writer_start(struct writer *writer, struct daemon *daemon, struct sf_error *error)
{
    const struct sf_batch_writer_options options = {
        .flush_batch = daemon->config.flush_batch,
        .flush_delay = flush_delay(daemon),
        .write_deadline = WRITE_DEADLINE,
        .journal = daemon->journaler.journal,
    };
    writer->sweep = (struct sf_sweep){
        .l1 = daemon->l1,
        .store = daemon->store,
        .log = &daemon->log,
        .interval = daemon->config.sweep_interval,
    };
    writer->restore = (struct sf_restore){
        .l1 = daemon->l1,
        .store = daemon->store,
        .log = &daemon->log,
        .is_shared = daemon->is_shared,
        .horizon = daemon->config.tombstone_lifetime,
    };
    enum sf_status status = sf_batch_writer_new(&writer->batch, daemon->l1, daemon->store, &options, &daemon->log);
    if (status == SF_OK)
        status = sf_journal_drain_new(&writer->drain, options.journal, daemon->store, sf_l1_counters(daemon->l1),
                                      &daemon->log);
    if (status == SF_OK)
        status = task_queue_init(&writer->queue, false);
    if (status == SF_OK && pthread_create(&writer->thread, NULL, writer_main, daemon) != 0)
        status = SF_UNAVAILABLE;
    if (status != SF_OK)
        return sf_error_set(error, status, "cannot start the writer: %s", sf_status_text(status));
    writer->is_running = true;
    return SF_OK;
}

void
writer_urge(struct writer *writer)
{
    sf_batch_writer_urge(writer->batch);
    task_queue_wake(&writer->queue);
}

void
writer_retry(struct writer *writer)
{
    sf_batch_writer_retry(writer->batch);
    task_queue_wake(&writer->queue);
}

bool
writer_stop(struct writer *writer, sf_time deadline)
{
    if (!writer->is_running)
        return true;
    atomic_store_explicit(&writer->stop_deadline, deadline, memory_order_relaxed);
    task_queue_stop(&writer->queue);
    if (!task_queue_is_left(&writer->queue, deadline + SF_SECOND))
        return false;
    writer->is_running = false;
    return pthread_join(writer->thread, NULL) == 0;
}

void
writer_fini(struct writer *writer)
{
    sf_batch_writer_free(writer->batch);
    sf_journal_drain_free(writer->drain);
    task_queue_fini(&writer->queue);
}
