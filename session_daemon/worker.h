/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * worker.h - a thread that runs tasks in order and hands them to the main thread to be finished.
 */
#include "session_daemon/task_queue.h"

struct worker {
    struct task_queue queue; /* push here */
    struct daemon *daemon;
    pthread_t thread;
    bool is_running;
};

enum sf_status worker_start(struct worker *worker, struct daemon *daemon) SF_MUST_CHECK;
/* false: a task still runs at `deadline` (steady clock); nothing that it uses may be freed. */
bool worker_stop(struct worker *worker, sf_time deadline);
void worker_fini(struct worker *worker);
