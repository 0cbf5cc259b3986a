/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/task_queue.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum sf_status
task_queue_init(struct task_queue *queue, bool has_event_fd)
{
    *queue = (struct task_queue){.event_fd = -1};
    queue->end = &queue->first;
    if (has_event_fd) {
        queue->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (queue->event_fd < 0)
            return SF_UNAVAILABLE;
    }
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return SF_OK;
}

void
task_queue_fini(struct task_queue *queue)
{
    assert(queue->first == NULL);
    if (queue->event_fd >= 0)
        close(queue->event_fd);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

/* With the lock held. */
static void
tell(struct task_queue *queue)
{
    pthread_cond_signal(&queue->changed);
    if (queue->event_fd >= 0)
        (void)!eventfd_write(queue->event_fd, 1); /* full means: readable already */
}

void
task_queue_push(struct task_queue *queue, struct task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&queue->lock);
    *queue->end = task;
    queue->end = &task->next;
    tell(queue);
    pthread_mutex_unlock(&queue->lock);
}

void
task_queue_push_all(struct task_queue *queue, struct task *first)
{
    if (first == NULL)
        return;
    struct task *last = first;
    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&queue->lock);
    *queue->end = first;
    queue->end = &last->next;
    tell(queue);
    pthread_mutex_unlock(&queue->lock);
}

void
task_queue_wake(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_woken = true;
    tell(queue);
    pthread_mutex_unlock(&queue->lock);
}

void
task_queue_stop(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopped = true;
    tell(queue);
    pthread_mutex_unlock(&queue->lock);
}

bool
task_queue_is_stopped(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool is_stopped = queue->is_stopped;
    pthread_mutex_unlock(&queue->lock);
    return is_stopped;
}

/* Our steady clock is none that pthreads can wait on, so the rest of the time is carried over to one that is. */
static struct timespec
monotonic(sf_time until)
{
    sf_time left = until - sf_clock_steady();
    left = left < 0 ? 0 : left > SF_HOUR ? SF_HOUR : left;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + (left % SF_SECOND) * 1000000;
    at.tv_sec += left / SF_SECOND + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    return at;
}

/* NULL if there is none. */
static struct task *
unlink_first(struct task_queue *queue)
{
    struct task *task = queue->first;
    if (task == NULL)
        return NULL;
    queue->first = task->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    return task;
}

struct task *
task_queue_pop(struct task_queue *queue, sf_time until)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL && !queue->is_woken && !queue->is_stopped && sf_clock_steady() < until) {
        struct timespec at = monotonic(until);
        pthread_cond_clockwait(&queue->changed, &queue->lock, CLOCK_MONOTONIC, &at);
    }
    queue->is_woken = false;
    struct task *task = unlink_first(queue);
    pthread_mutex_unlock(&queue->lock);
    return task;
}

struct task *
task_queue_pop_same(struct task_queue *queue, void (*run)(struct task *task, struct daemon *daemon))
{
    pthread_mutex_lock(&queue->lock);
    struct task **at = &queue->first;
    while (*at != NULL && (*at)->run != run)
        at = &(*at)->next;
    struct task *task = *at;
    if (task != NULL)
        *at = task->next;
    if (task != NULL && *at == NULL)
        queue->end = at;
    pthread_mutex_unlock(&queue->lock);
    return task;
}

struct task *
task_queue_take_all(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct task *first = queue->first;
    queue->first = NULL;
    queue->end = &queue->first;
    eventfd_t count;
    if (queue->event_fd >= 0)
        (void)!eventfd_read(queue->event_fd, &count);
    pthread_mutex_unlock(&queue->lock);
    return first;
}

void
task_queue_leave(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_left = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool
task_queue_is_left(struct task_queue *queue, sf_time deadline)
{
    pthread_mutex_lock(&queue->lock);
    while (!queue->is_left && sf_clock_steady() < deadline) {
        struct timespec at = monotonic(deadline);
        pthread_cond_clockwait(&queue->changed, &queue->lock, CLOCK_MONOTONIC, &at);
    }
    bool is_left = queue->is_left;
    pthread_mutex_unlock(&queue->lock);
    return is_left;
}
