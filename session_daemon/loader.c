/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/loader.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "session_daemon/daemon.h"

#define LOAD_DEADLINE (5 * SF_SECOND) /* of one call to the store, and of the wait for the thread */
#define LOADS_MAX 8192                /* under way; more clients than that wait for nothing good */
#define CONFLICTS_MAX 3

/* One key that is loaded, or held. */
struct load {
    struct task task;                  /* first member */
    struct load *next;                 /* in its bucket */
    struct sf_key key;
    struct connection_list waiters;
    bool is_held;
    bool keeps_out;                    /* of L1: it is to be changed in the store */
    bool is_skipped;                   /* nobody waited for it: the store was not asked */
    unsigned conflicts;
    sf_time give_up;                   /* steady clock */
    _Atomic bool is_wanted;            /* somebody waits; the loader looks, relaxed: at worst it loads for nobody */
    struct sf_l1_vacancy vacancy;      /* seen before the store was asked */
    enum sf_status status;
    struct sf_stored stored;
};

/* ---- the table ---- */

/* Keys are hashes already. */
static struct load **
bucket_of(struct loader *loader, const struct sf_key *key)
{
    return &loader->buckets[sf_load_u32(key->bytes) & (LOADER_BUCKETS - 1)];
}

static struct load *
find(struct loader *loader, const struct sf_key *key)
{
    struct load *load = *bucket_of(loader, key);
    while (load != NULL && !sf_key_equal(&load->key, key))
        load = load->next;
    return load;
}

static struct load *
add(struct loader *loader, const struct sf_key *key)
{
    struct load *load = loader->loads >= LOADS_MAX ? NULL : calloc(1, sizeof *load);
    if (load == NULL)
        return NULL;
    struct load **bucket = bucket_of(loader, key);
    load->key = *key;
    load->next = *bucket;
    *bucket = load;
    loader->loads++;
    TAILQ_INIT(&load->waiters);
    sf_buffer_init(&load->stored.record, SF_RECORD_BYTES_MAX);
    return load;
}

static void
remove_from_table(struct loader *loader, struct load *load)
{
    struct load **at = bucket_of(loader, &load->key);
    while (*at != load)
        at = &(*at)->next;
    *at = load->next;
    loader->loads--;
}

static void
load_free(struct load *load)
{
    sf_buffer_fini(&load->stored.record);
    free(load);
}

/* ---- in the loader thread ---- */

static void
count_load(struct daemon *daemon, enum sf_status status)
{
    struct sf_counters *counters = sf_l1_counters(daemon->l1);
    if (status == SF_OK)
        sf_count(counters, loads);
    else if (status == SF_NOT_FOUND)
        sf_count(counters, loads_missing);
    else
        sf_count(counters, loads_failed);
}

static void
log_load(struct daemon *daemon, enum sf_status status)
{
    bool is_up = status == SF_OK || status == SF_NOT_FOUND || status == SF_CORRUPT;
    atomic_store_explicit(&daemon->loads_fail, !is_up, memory_order_relaxed);
    if (!sf_log_state_changed(&daemon->load_state, is_up))
        return;
    if (is_up) {
        sf_log_write(&daemon->log, SF_LOG_NOTICE, "SF0114", "the store answers again: sessions are loaded");
        return;
    }
    struct sf_error error = {.text = ""};
    daemon->store->ops->explain(daemon->store, &error);
    sf_log_write(&daemon->log, SF_LOG_ERROR, "SF0113",
                 "the store does not answer: sessions that are not in the cache are unavailable: %s",
                 error.text[0] != '\0' ? error.text : sf_status_name(status));
}

static void
run_load(struct task *task, struct daemon *daemon)
{
    struct load *load = (struct load *)task;
    sf_time now = sf_clock_steady();
    load->is_skipped = !atomic_load_explicit(&load->is_wanted, memory_order_relaxed);
    if (now >= load->give_up || load->is_skipped)
        return;
    load->status = daemon->store->ops->load(daemon->store, &load->key, now + LOAD_DEADLINE, &load->stored);
    count_load(daemon, load->status);
    log_load(daemon, load->status);
}

/* ---- in the main thread ---- */

static void finish_load(struct task *task, struct daemon *daemon);

/* Looks at L1 first: what the miss saw must be older than what the store will say. */
static void
begin(struct daemon *daemon, struct load *load)
{
    struct sf_buffer record;
    struct sf_l1_view view = {.is_clean = false};
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    (void)!sf_l1_get(daemon->l1, &load->key, &record, &view);
    sf_buffer_fini(&record);
    load->vacancy = view.vacancy;
    load->task.run = run_load;
    load->task.finish = finish_load;
    load->status = SF_UNAVAILABLE; /* if nobody runs it any more */
    load->is_skipped = false;
    load->give_up = sf_clock_steady() + LOAD_DEADLINE;
    task_queue_push(&daemon->loader.worker.queue, &load->task);
}

/* What is over for certain is as good as absent. */
static enum sf_status
judge(const struct sf_stored *stored, sf_time now)
{
    struct sf_record_head head;
    enum sf_status status = sf_record_check(sf_buffer_span(&stored->record));
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&stored->record));
    if (status != SF_OK)
        return status;
    sf_time last_access = stored->last_access > head.last_access ? stored->last_access : head.last_access;
    sf_time expires = sf_record_expires(&head, last_access);
    return expires != 0 && expires <= now ? SF_NOT_FOUND : SF_OK;
}

static bool
fill(struct daemon *daemon, const struct load *load)
{
    return sf_l1_fill(daemon->l1, &load->key, sf_buffer_span(&load->stored.record), load->stored.last_access,
                      &load->vacancy) != SF_CONFLICT;
}

static void
resume_waiters(struct load *load)
{
    const struct answer answer = {.status = load->status, .stored = &load->stored};
    struct connection *one;
    while ((one = TAILQ_FIRST(&load->waiters)) != NULL) {
        TAILQ_REMOVE(&load->waiters, one, link);
        one->waiting.load = NULL;
        connection_resume(one, &answer);
    }
}

static void
finish_load(struct task *task, struct daemon *daemon)
{
    struct load *load = (struct load *)task;
    bool is_wanted = !TAILQ_EMPTY(&load->waiters);
    if (load->is_skipped && is_wanted) { /* by somebody who came too late for the loader to see */
        begin(daemon, load);
        return;
    }
    if (load->status == SF_OK)
        load->status = judge(&load->stored, sf_clock_wall());
    if (load->status == SF_OK && is_wanted && !load->keeps_out && !fill(daemon, load)) {
        if (load->conflicts++ < CONFLICTS_MAX) {
            begin(daemon, load);
            return;
        }
        load->status = SF_UNAVAILABLE;
    }
    remove_from_table(&daemon->loader, load);
    resume_waiters(load);
    load_free(load);
}

bool
loader_join(struct daemon *daemon, struct connection *connection, const struct sf_key *key, bool keeps_out)
{
    struct load *load = find(&daemon->loader, key);
    bool is_new = load == NULL;
    if (is_new)
        load = add(&daemon->loader, key);
    if (load == NULL)
        return false;
    load->keeps_out |= keeps_out;
    atomic_store_explicit(&load->is_wanted, true, memory_order_relaxed);
    TAILQ_INSERT_TAIL(&load->waiters, connection, link);
    connection->waiting.load = load;
    if (is_new)
        begin(daemon, load);
    return true;
}

void
loader_leave(struct connection *connection)
{
    struct load *load = connection->waiting.load;
    TAILQ_REMOVE(&load->waiters, connection, link);
    atomic_store_explicit(&load->is_wanted, !TAILQ_EMPTY(&load->waiters), memory_order_relaxed);
}

bool
loader_hold(struct daemon *daemon, const struct sf_key *key)
{
    struct load *load = find(&daemon->loader, key) != NULL ? NULL : add(&daemon->loader, key);
    if (load == NULL)
        return false;
    load->is_held = true;
    return true;
}

void
loader_release(struct daemon *daemon, const struct sf_key *key)
{
    struct load *load = find(&daemon->loader, key);
    assert(load != NULL && load->is_held);
    load->is_held = false;
    if (!TAILQ_EMPTY(&load->waiters)) {
        begin(daemon, load);
        return;
    }
    remove_from_table(&daemon->loader, load);
    load_free(load);
}
