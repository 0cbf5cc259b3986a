/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * task_queue.h - how the daemon's threads hand work to each other.
 *
 * A task is run by one of the two threads that know the store, then finished by the main thread, which alone
 * knows the connections. Between push and finish it belongs to whoever has popped it: no field needs a lock.
 */
#include <pthread.h>
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/base/status.h"

struct daemon;

struct task {
    struct task *next;
    void (*run)(struct task *task, struct daemon *daemon);    /* in the loader or the writer */
    void (*finish)(struct task *task, struct daemon *daemon); /* in the main thread; frees the task */
};

struct task_queue {
    pthread_mutex_t lock; /* guards the rest; nothing else is ever locked inside */
    pthread_cond_t changed;
    struct task *first, **end; /* *end is NULL, where the next one goes */
    bool is_woken, is_stopped, is_left;
    int event_fd;              /* -1, or readable after each push and wake: for a reader that polls */
};

enum sf_status task_queue_init(struct task_queue *queue, bool has_event_fd) SF_MUST_CHECK;
void task_queue_fini(struct task_queue *queue); /* must be empty */

void task_queue_push(struct task_queue *queue, struct task *task);
void task_queue_push_all(struct task_queue *queue, struct task *first); /* linked by next; NULL is fine */
void task_queue_wake(struct task_queue *queue); /* makes one pop return NULL */
void task_queue_stop(struct task_queue *queue); /* pop returns what is left, then NULL without waiting */
bool task_queue_is_stopped(struct task_queue *queue);

/* The oldest task; waits for one until `until` (steady clock), a wake or the stop. */
struct task *task_queue_pop(struct task_queue *queue, sf_time until);

/* The oldest task that has this `run`, or NULL; never waits. */
struct task *task_queue_pop_same(struct task_queue *queue, void (*run)(struct task *task, struct daemon *daemon));

/* All that is there, oldest first, linked by next; never waits. Empties the event descriptor. */
struct task *task_queue_take_all(struct task_queue *queue);

/* The reader will pop no more: the last thing that its thread does. */
void task_queue_leave(struct task_queue *queue);

/* Waits for that until `deadline` (steady clock); true: a pthread_join does not wait. */
bool task_queue_is_left(struct task_queue *queue, sf_time deadline);
