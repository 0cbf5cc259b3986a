/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/follower.h"

#include <stdlib.h>
#include <string.h>

#include "session_daemon/daemon.h"

#define SLICE 100 /* ms: so long a stop may take */
#define BEATS 4   /* signs of life that may be missed while a lease runs, about */
#define BEAT_MAX SF_SECOND
#define PAUSE_MIN 250 /* ms */
#define PAUSE_MAX (2 * SF_SECOND)
#define PAUSE_REFUSED SF_MINUTE
#define NEWS_AT_ONCE 256

/* What was heard, on its way to the main thread. */
struct news {
    struct task task; /* first member */
    size_t count;
    struct {
        struct sf_key key;
        unsigned half; /* of the lease */
    } list[NEWS_AT_ONCE];
};

/* ---- in the follower thread ---- */

static void
finish_news(struct task *task, struct daemon *daemon)
{
    struct news *news = (struct news *)task;
    for (size_t i = 0; i < news->count && !daemon->server.is_stopping; i++)
        loader_hear(daemon, &news->list[i].key, news->list[i].half);
    free(news);
}

static void
hand_on(struct daemon *daemon)
{
    struct news *news = daemon->follower.news;
    daemon->follower.news = NULL;
    if (news != NULL)
        task_queue_push(&daemon->server.done, &news->task);
}

static void
hear(void *context, const struct sf_key *key)
{
    struct daemon *daemon = context;
    struct follower *follower = &daemon->follower;
    if (key != NULL && follower->news == NULL)
        follower->news = calloc(1, sizeof *follower->news);
    if (key == NULL || follower->news == NULL) {
        loader_hear_of_anything(daemon);
        return;
    }
    struct news *news = follower->news;
    news->task.finish = finish_news;
    news->list[news->count].key = *key;
    news->list[news->count++].half = lease_hear(&follower->lease);
    if (news->count == NEWS_AT_ONCE)
        hand_on(daemon);
}

static enum follower_state
state_of(enum sf_status status)
{
    return status == SF_OK ? FOLLOWER_UP : status == SF_INVALID ? FOLLOWER_REFUSED : FOLLOWER_DOWN;
}

/* Who sees the state finds its reason. */
static void
note(struct follower *follower, enum follower_state state, const struct sf_error *error)
{
    pthread_mutex_lock(&follower->lock);
    follower->error = *error;
    pthread_mutex_unlock(&follower->lock);
    if (atomic_exchange(&follower->state, (int)state) != (int)state)
        atomic_store(&follower->since, sf_clock_wall());
}

static void
log_state(struct daemon *daemon, enum follower_state state, const char *why)
{
    bool is_up = state == FOLLOWER_UP;
    if (!sf_log_state_changed(&daemon->follower.log_state, is_up))
        return;
    if (is_up)
        sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0116", "the store tells what other hosts change");
    else
        sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0117",
                     "the store does not tell what other hosts change: what is older than SessionFastFreshness is "
                     "compared with it: %s",
                     why);
}

static enum sf_status
follow_once(struct daemon *daemon, struct sf_follow *follow)
{
    struct sf_store *store = daemon->store;
    sf_time freshness = daemon->config.freshness;
    follow->error = (struct sf_error){.text = ""};
    enum sf_status status = store->ops->follow(store, sf_clock_steady() + SLICE, follow);
    hand_on(daemon);
    sf_time dealt_with = lease_prove(&daemon->follower.lease, follow->proven);
    sf_l1_lease(daemon->l1, daemon->config.cache_ttl, status == SF_OK ? dealt_with + freshness : 0);
    note(&daemon->follower, state_of(status), &follow->error);
    log_state(daemon, state_of(status), follow->error.text);
    return status;
}

static void
pause_after(struct follower *follower, enum sf_status status)
{
    sf_time pause = follower->pause == 0 ? PAUSE_MIN : follower->pause;
    if (status == SF_INVALID)
        pause = PAUSE_REFUSED;
    else if (status != SF_OK)
        follower->pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
    else
        follower->pause = 0;
    if (status != SF_OK)
        (void)task_queue_pop(&follower->queue, sf_clock_steady() + pause);
}

static void *
follower_main(void *argument)
{
    struct daemon *daemon = argument;
    struct follower *follower = &daemon->follower;
    sf_time beat = daemon->config.freshness / BEATS;
    struct sf_follow follow = {.news = hear, .context = daemon, .beat = beat < BEAT_MAX ? beat : BEAT_MAX};
    while (!task_queue_is_stopped(&follower->queue))
        pause_after(follower, follow_once(daemon, &follow));
    sf_l1_lease(daemon->l1, 0, 0);
    task_queue_leave(&follower->queue);
    return NULL;
}

/* ---- life ---- */

/* Who has several hosts should know what holds between them. */
static void
tell_that_nothing_is_told(struct daemon *daemon)
{
    const char *store = daemon->config.store;
    sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0118",
                 "a store of this kind (%.*s:) does not tell what other hosts change: what is older than "
                 "SessionFastFreshness is compared with it",
                 (int)strcspn(store, ":"), store);
}

enum sf_status
follower_start(struct follower *follower, struct daemon *daemon)
{
    pthread_mutex_init(&follower->lock, NULL);
    enum sf_status status = task_queue_init(&follower->queue, false);
    bool is_shared = sf_l1_host(daemon->l1) != 0, has_news = daemon->store->ops->follow != NULL;
    sf_l1_lease(daemon->l1, 0, 0); /* of a daemon that was killed */
    if (daemon->is_store_only)
        return status; /* there is nothing that news could be for */
    if (is_shared && !has_news)
        tell_that_nothing_is_told(daemon);
    if (status != SF_OK || !is_shared || !has_news)
        return status;
    atomic_store(&follower->state, FOLLOWER_DOWN);
    atomic_store(&follower->since, sf_clock_wall());
    if (pthread_create(&follower->thread, NULL, follower_main, daemon) != 0)
        return SF_UNAVAILABLE;
    follower->is_running = true;
    return SF_OK;
}

bool
follower_stop(struct follower *follower, sf_time deadline)
{
    if (!follower->is_running)
        return true;
    task_queue_stop(&follower->queue);
    if (!task_queue_is_left(&follower->queue, deadline))
        return false;
    follower->is_running = false;
    return pthread_join(follower->thread, NULL) == 0;
}

void
follower_fini(struct follower *follower)
{
    task_queue_fini(&follower->queue);
    pthread_mutex_destroy(&follower->lock);
}

/* ---- for status ---- */

const char *
follower_state_name(const struct follower *follower)
{
    static const char *const names[] = {
        [FOLLOWER_NONE] = "none", [FOLLOWER_DOWN] = "down", [FOLLOWER_UP] = "up", [FOLLOWER_REFUSED] = "refused"};
    return names[atomic_load(&follower->state)];
}

void
follower_error(struct follower *follower, struct sf_error *error_out)
{
    pthread_mutex_lock(&follower->lock);
    *error_out = follower->error;
    pthread_mutex_unlock(&follower->lock);
}
