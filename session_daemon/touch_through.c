/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/touch_through.h"

#include <stdlib.h>

#include "session_daemon/daemon.h"

#define TOUCHES_MAX 64             /* under way */
#define DEADLINE SF_SECOND         /* of one write */
#define FAILED_PAUSE (5 * SF_SECOND)
#define AHEAD_MAX SF_MINUTE        /* as L1 counts it */

struct touch {
    struct task task; /* first member */
    LIST_ENTRY(touch) link;
    struct sf_write write;
};

/* ---- in the writer thread ---- */

static void
write_touches(struct touches *touches, struct sf_write *writes, size_t count, struct daemon *daemon)
{
    struct sf_batch_writer_state state;
    sf_time now = sf_clock_steady();
    sf_batch_writer_state(daemon->writer.batch, &state);
    if (!state.is_up || now < touches->pause_until)
        return;
    enum sf_status status = daemon->store->ops->write(daemon->store, writes, count, now + DEADLINE);
    for (size_t i = 0; i < count; i++)
        if (writes[i].status == SF_OK)
            sf_count(sf_l1_counters(daemon->l1), flushed_touches);
    if (status != SF_OK && status != SF_NOT_FOUND)
        touches->pause_until = sf_clock_steady() + FAILED_PAUSE;
}

/* All that wait at the same time share a transaction. */
static void
run_touch(struct task *task, struct daemon *daemon)
{
    struct task *tasks[TOUCHES_MAX];
    struct sf_write writes[TOUCHES_MAX];
    size_t count = 0;
    while (task != NULL) {
        tasks[count] = task;
        writes[count++] = ((struct touch *)task)->write;
        task = count < TOUCHES_MAX ? task_queue_pop_same(&daemon->writer.queue, run_touch) : NULL;
    }
    write_touches(&daemon->writer.touches, writes, count, daemon);
    for (size_t i = 1; i < count; i++) /* the first one is the writer's to hand on */
        task_queue_push(&daemon->server.done, tasks[i]);
}

/* ---- in the main thread ---- */

static void
finish_touch(struct task *task, struct daemon *daemon)
{
    struct touch *touch = (struct touch *)task;
    LIST_REMOVE(touch, link);
    daemon->writer.touches.count--;
    free(touch);
}

bool
touch_is_due(const struct sf_record_head *head, sf_time last_access, sf_time now)
{
    sf_time ahead = now - last_access;
    return ahead >= AHEAD_MAX || (head->idle_timeout > 0 && ahead >= head->idle_timeout / 10);
}

static bool
is_under_way(const struct touches *touches, const struct sf_key *key)
{
    struct touch *one;
    LIST_FOREACH(one, &touches->list, link)
        if (sf_key_equal(&one->write.key, key))
            return true;
    return false;
}

static struct touch *
add_touch(struct touches *touches, const struct sf_key *key)
{
    bool is_refused = touches->count >= TOUCHES_MAX || is_under_way(touches, key);
    struct touch *touch = is_refused ? NULL : calloc(1, sizeof *touch);
    if (touch == NULL)
        return NULL;
    touch->write.key = *key;
    touch->task.run = run_touch;
    touch->task.finish = finish_touch;
    LIST_INSERT_HEAD(&touches->list, touch, link);
    touches->count++;
    return touch;
}

void
touch_through(struct daemon *daemon, const struct sf_key *key, const struct sf_record_head *head,
              sf_time last_access, sf_time now)
{
    if (!touch_is_due(head, last_access, now))
        return;
    struct touch *touch = add_touch(&daemon->writer.touches, key);
    if (touch == NULL)
        return;
    touch->write.kind = SF_WRITE_TOUCH;
    touch->write.last_access = now;
    touch->write.expires = sf_record_expires(head, now);
    task_queue_push(&daemon->writer.queue, &touch->task);
}
