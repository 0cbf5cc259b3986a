/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * worker.h - a thread that runs tasks in order and hands them to the main thread to be finished.
 *
 * One with a step calls it between tasks, and when it has asked for it.
 */
#include "session_daemon/task_queue.h"

typedef sf_time worker_step_fn(struct daemon *daemon); /* returns when to call again; steady clock */

struct worker {
    struct task_queue queue; /* push here */
    worker_step_fn *step;    /* NULL: only tasks; set before the start */
    struct daemon *daemon;
    pthread_t thread;
    bool is_running;
};

enum sf_status worker_start(struct worker *worker, struct daemon *daemon) SF_MUST_CHECK;
/* false: a task still runs at `deadline` (steady clock); nothing that it uses may be freed. */
bool worker_stop(struct worker *worker, sf_time deadline);
void worker_fini(struct worker *worker);
