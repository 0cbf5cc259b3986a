/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/worker.h"

#include "session_daemon/daemon.h"

static void *
worker_main(void *argument)
{
    struct worker *worker = argument;
    struct daemon *daemon = worker->daemon;
    for (;;) {
        sf_time next = worker->step != NULL ? worker->step(daemon) : sf_clock_steady() + SF_HOUR;
        struct task *task = task_queue_pop(&worker->queue, next);
        if (task == NULL && task_queue_is_stopped(&worker->queue))
            break;
        if (task == NULL)
            continue;
        task->run(task, daemon);
        task_queue_push(&daemon->server.done, task);
    }
    task_queue_leave(&worker->queue);
    return NULL;
}

enum sf_status
worker_start(struct worker *worker, struct daemon *daemon)
{
    enum sf_status status = task_queue_init(&worker->queue, false);
    if (status != SF_OK)
        return status;
    worker->daemon = daemon;
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        return SF_UNAVAILABLE;
    worker->is_running = true;
    return SF_OK;
}

bool
worker_stop(struct worker *worker, sf_time deadline)
{
    if (!worker->is_running)
        return true;
    task_queue_stop(&worker->queue);
    if (!task_queue_is_left(&worker->queue, deadline))
        return false;
    worker->is_running = false;
    return pthread_join(worker->thread, NULL) == 0;
}

void
worker_fini(struct worker *worker)
{
    task_queue_fini(&worker->queue);
}
