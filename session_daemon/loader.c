/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/loader.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/user_epochs.h"
#include "session_daemon/daemon.h"

#define LOAD_DEADLINE (5 * SF_SECOND) /* from the question on, the wait for the thread in it */
#define CALL_LEAST 500 /* ms: who has waited for long is given that, or the store could not even be reached */
#define LOADS_MAX 8192                /* under way; more clients than that wait for nothing good */
#define LOADS_AT_ONCE 64 /* asked for in one call of the store */
#define CONFLICTS_MAX 3
#define HANGS_AFTER 100 /* ms in one call to the store */
#define CHECK_PAUSE SF_SECOND

/* One key that is loaded, or held. */
struct load {
    struct task task;                  /* first member */
    struct load *next;                 /* in its bucket */
    struct sf_key key;
    struct connection_list waiters;
    struct connection *first_late;     /* of them: from here on they came too late for what the store says */
    bool is_held;
    bool keeps_out;                    /* of L1: it is to be changed in the store */
    bool needs_truth;                  /* no other cache will do */
    bool is_epochs;                    /* a row of user_epochs.h, which is there even where the store has none */
    bool is_skipped;                   /* nobody waited for it: the store was not asked */
    bool is_news;                      /* another host may have changed it: L1 is to know, whoever waits */
    bool has_later_news;               /* and perhaps once more, since the store was asked */
    bool is_in_cache;                  /* L1 has it now, or a later one */
    unsigned news[LEASE_HALVES];       /* so many pieces of news are dealt with when it is done */
    bool is_outdated;                  /* it has changed since the store was asked, or may have */
    unsigned conflicts;
    sf_time give_up;                   /* steady clock */
    _Atomic bool is_wanted;            /* somebody waits; the loader looks, relaxed: at worst it loads for nobody */
    _Atomic bool is_sent;              /* the store is being asked, or was; seq_cst: who sees false came before that */
    struct sf_l1_question question;    /* what L1 had before the store was asked */
    enum sf_status status;
    sf_time as_of;                     /* as struct sf_load */
    struct sf_stored stored;
    uint64_t of_store;                 /* as it was before it was asked */
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
    load->is_epochs = sf_user_epochs_has_key(key);
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
        writer_retry(&daemon->writer);
        return;
    }
    struct sf_error error = {.text = ""};
    daemon->store->ops->explain(daemon->store, &error);
    sf_log_write(&daemon->log, SF_LOG_ERROR, "SF0113",
                 "the store does not answer: sessions that are not in the cache are unavailable: %s",
                 error.text[0] != '\0' ? error.text : sf_status_name(status));
}

static bool
is_to_be_run(struct load *load, sf_time now)
{
    load->is_skipped = !atomic_load_explicit(&load->is_wanted, memory_order_relaxed);
    return !load->is_skipped && now < load->give_up;
}

/*
 * No row: nobody was logged out everywhere; of which L1 has more than that, it stays. SF_CONFLICT: it has none, and the
 * store has gone back: it may lack what the caches of all hosts are about to put there again.
 */
static void
take_epochs(struct load *load, struct daemon *daemon)
{
    bool is_first = (load->status == SF_OK || load->status == SF_NOT_FOUND) && !load->question.is_here;
    if (is_first && sf_restore_doubts(&daemon->writer.restore, false, sf_clock_steady()))
        load->status = SF_CONFLICT;
    else if (load->status == SF_NOT_FOUND)
        load->status = sf_user_epochs_first(&load->stored.record);
}

static void
take_answer(struct load *load, const struct sf_load *answer, struct daemon *daemon)
{
    load->status = answer->status;
    load->as_of = answer->as_of;
    if (!load->is_epochs)
        count_load(daemon, answer->status);
    if (answer->is_own) {
        sf_l1_distrust(daemon->l1); /* the store has not said it, and news of it has been passed over */
        return;
    }
    log_load(daemon, answer->status);
    if (load->is_epochs) {
        take_epochs(load, daemon);
        return;
    }
    if (answer->status == SF_NOT_FOUND
        && sf_restore_doubts(&daemon->writer.restore, load->question.is_here, sf_clock_steady()))
        load->status = SF_UNAVAILABLE;
}

static void
run_loads(struct load *const *loads, size_t count, struct daemon *daemon)
{
    struct load *run[LOADS_AT_ONCE];
    struct sf_load asked[LOADS_AT_ONCE];
    sf_time now = sf_clock_steady();
    sf_time deadline = now + CALL_LEAST;
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_to_be_run(loads[i], now))
            continue;
        if (deadline < loads[i]->give_up)
            deadline = loads[i]->give_up;
        atomic_store(&loads[i]->is_sent, true);
        run[wanted] = loads[i];
        asked[wanted++] = (struct sf_load){.key = loads[i]->key,
                                           .stored = &loads[i]->stored,
                                           .needs_truth = loads[i]->needs_truth};
    }
    if (wanted == 0)
        return;
    atomic_store_explicit(&daemon->loader.busy_since, now, memory_order_relaxed);
    sf_journal_load_both(daemon->journaler.journal, daemon->store, asked, wanted, deadline);
    atomic_store_explicit(&daemon->loader.busy_since, 0, memory_order_relaxed);
    for (size_t i = 0; i < wanted; i++)
        take_answer(run[i], &asked[i], daemon);
}

/* Whatever loads wait behind this one are asked for together with it. */
static void
run_load(struct task *task, struct daemon *daemon)
{
    struct task_queue *queue = &daemon->loader.worker.queue;
    struct load *loads[LOADS_AT_ONCE];
    size_t count = 0;
    while (task != NULL) {
        loads[count++] = (struct load *)task;
        task = count < LOADS_AT_ONCE ? task_queue_pop_same(queue, run_load) : NULL;
    }
    run_loads(loads, count, daemon);
    for (size_t i = 1; i < count; i++) /* the first one is the worker's to hand on */
        task_queue_push(&daemon->server.done, &loads[i]->task);
}

void
loader_run_waiting(struct daemon *daemon)
{
    struct task *task = task_queue_pop_same(&daemon->loader.worker.queue, run_load);
    if (task == NULL)
        return;
    run_load(task, daemon);
    task_queue_push(&daemon->server.done, task);
}

/* ---- in the main thread ---- */

static void finish_load(struct task *task, struct daemon *daemon);
static void hear(struct daemon *daemon, const struct sf_key *key, const unsigned *news);

/* Looks at L1 first: what the miss saw must be older than what the store will say. */
static void
begin(struct daemon *daemon, struct load *load)
{
    sf_l1_ask(daemon->l1, &load->key, &load->question);
    load->task.run = run_load;
    load->task.finish = finish_load;
    load->status = SF_UNAVAILABLE; /* if nobody runs it any more */
    load->is_skipped = false;
    load->as_of = 0;
    load->of_store = sf_store_incarnation(daemon->store);
    load->first_late = NULL;
    atomic_store(&load->is_sent, false);
    load->is_outdated = load->has_later_news = load->is_in_cache = false;
    load->needs_truth = load->question.is_here || load->keeps_out || load->is_news || load->is_epochs;
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

static struct sf_l1_answer
answer_of(const struct load *load)
{
    return (struct sf_l1_answer){.record = sf_buffer_span(&load->stored.record),
                                 .last_access = load->stored.last_access,
                                 .is_journalled = load->stored.is_journalled};
}

/*
 * L1 hears what the store has said. What the store takes for expired may live by an access that only L1 knows: that
 * is the reader's to judge. false: it has changed meanwhile, and the store must be asked again.
 */
static bool
tell_cache(struct daemon *daemon, struct load *load)
{
    const struct sf_l1_question *question = &load->question;
    const struct sf_l1_answer answer = answer_of(load);
    enum sf_status said = load->status;
    if (said == SF_OK)
        load->status = judge(&load->stored, sf_clock_wall());
    bool is_for_cache = load->status == SF_OK || (load->status == SF_NOT_FOUND && question->is_here);
    if (said == SF_OK && is_for_cache) {
        enum sf_status status = sf_l1_confirm(daemon->l1, &load->key, &answer, question);
        load->is_in_cache = status == SF_OK;
        return status != SF_CONFLICT;
    }
    if (said == SF_NOT_FOUND) {
        (void)!sf_l1_deny(daemon->l1, &load->key, question);
    } else if (question->is_here) {
        sf_l1_postpone(daemon->l1, &load->key, question);
        daemon->loader.check_at = sf_clock_steady() + CHECK_PAUSE;
        sf_count(sf_l1_counters(daemon->l1), l1_stale_served);
    }
    return true;
}

static void
resume_waiters(struct load *load, enum sf_status status)
{
    const struct answer answer = {
        .status = status, .stored = &load->stored, .of_store = load->of_store, .is_in_cache = load->is_in_cache};
    struct connection *one;
    while ((one = TAILQ_FIRST(&load->waiters)) != load->first_late) {
        TAILQ_REMOVE(&load->waiters, one, link);
        one->waiting.load = NULL;
        connection_resume(one, &answer);
    }
}

/*
 * What another host has stored, for what L1 has, changed here or not. Whatever L1 has cannot be trusted where
 * that is not known.
 */
static void
bring_news(struct daemon *daemon, const struct load *load)
{
    const struct sf_l1_answer answer = answer_of(load);
    enum sf_status status = load->status;
    if (status == SF_OK)
        status = sf_journal_merge(daemon->journaler.journal, &load->key, 0, &answer,
                                  load->question.vacancy.seen);
    else if (status == SF_NOT_FOUND)
        (void)!sf_l1_deny(daemon->l1, &load->key, &load->question);
    if (status == SF_OK || status == SF_NOT_FOUND)
        return;
    sf_journal_doubt(daemon->journaler.journal, &load->key);
    loader_hear_of_anything(daemon);
}

static void
settle_news(struct daemon *daemon, const unsigned *news)
{
    for (unsigned half = 0; half < LEASE_HALVES; half++)
        lease_settle(&daemon->follower.lease, half, news[half]);
}

/*
 * Nobody is told what the store has said too long before he came: while this process was stopped others may have been
 * told of later changes.
 */
static bool
comes_late(const struct daemon *daemon, struct load *load)
{
    if (!atomic_load(&load->is_sent))
        return false;
    bool is_over = load->question.vacancy.seen + daemon->config.freshness <= sf_clock_steady();
    return daemon->is_store_only || (is_over && sf_l1_host(daemon->l1) != 0);
}

static void
wait_for(struct daemon *daemon, struct load *load, struct connection *connection, bool keeps_out)
{
    load->is_outdated |= keeps_out && !load->keeps_out; /* who comes now has just dropped what L1 had */
    load->keeps_out |= keeps_out;
    TAILQ_INSERT_TAIL(&load->waiters, connection, link);
    connection->waiting.load = load;
    atomic_store_explicit(&load->is_wanted, true, memory_order_relaxed);
    if (load->first_late == NULL && comes_late(daemon, load))
        load->first_late = connection;
}

/* Who came late: together, behind those who have just been resumed, for one of them may hold the key by now. */
static void
join_anew(struct daemon *daemon, struct load *former)
{
    struct load *load = find(&daemon->loader, &former->key);
    struct connection *one;
    bool is_new = load == NULL && !TAILQ_EMPTY(&former->waiters);
    if (is_new)
        load = add(&daemon->loader, &former->key);
    while ((one = TAILQ_FIRST(&former->waiters)) != NULL) {
        TAILQ_REMOVE(&former->waiters, one, link);
        one->waiting.load = NULL;
        if (load != NULL)
            wait_for(daemon, load, one, former->keeps_out);
        else
            connection_resume(one, &(struct answer){.status = SF_UNAVAILABLE});
    }
    if (is_new && load != NULL)
        begin(daemon, load);
}

/* Without those who have waited for long enough. */
static void
leave_table(struct daemon *daemon, struct load *load, bool goes_on)
{
    remove_from_table(&daemon->loader, load);
    resume_waiters(load, load->status);
    join_anew(daemon, load);
    if (goes_on)
        hear(daemon, &load->key, load->news);
    else
        settle_news(daemon, load->news);
    load_free(load);
}

/* What a cache in between has said is as old in L1 as it was there. */
static void
date_back(struct load *load)
{
    sf_time *asked = &load->question.vacancy.seen;
    if (load->as_of != 0 && load->as_of < *asked)
        *asked = load->as_of;
}

static void
finish_load(struct task *task, struct daemon *daemon)
{
    struct load *load = (struct load *)task;
    bool is_wanted = !TAILQ_EMPTY(&load->waiters);
    load->is_outdated |= load->question.vacancy.seen < sf_l1_store_since(daemon->l1); /* it may be of another store */
    bool is_late = load->is_skipped && is_wanted; /* somebody came too late for the loader to see */
    bool is_old = (load->is_outdated || load->has_later_news) && !daemon->server.is_stopping;
    if (is_late || (is_old && load->conflicts++ < CONFLICTS_MAX)) {
        begin(daemon, load);
        return;
    }
    date_back(load);
    if (load->is_news)
        bring_news(daemon, load);
    if (load->is_outdated && load->keeps_out)
        load->status = SF_UNAVAILABLE; /* nothing is to be made of that */
    bool is_for_cache = is_wanted && !load->keeps_out && !load->is_outdated && !load->has_later_news;
    if (load->status == SF_OK && !is_for_cache)
        load->status = judge(&load->stored, sf_clock_wall());
    if (is_for_cache && !tell_cache(daemon, load)) {
        if (load->conflicts++ < CONFLICTS_MAX) {
            begin(daemon, load);
            return;
        }
        load->status = SF_UNAVAILABLE;
    }
    leave_table(daemon, load, is_old && load->has_later_news);
}

/* The call that hangs, by its beginning; 0: none does. */
static sf_time
hanging_since(const struct loader *loader)
{
    sf_time busy_since = atomic_load_explicit(&loader->busy_since, memory_order_relaxed);
    return busy_since != 0 && busy_since + HANGS_AFTER <= sf_clock_steady() ? busy_since : 0;
}

bool
loader_may_check(const struct daemon *daemon)
{
    const struct loader *loader = &daemon->loader;
    if (hanging_since(loader) != 0)
        return false;
    if (!atomic_load_explicit(&daemon->loads_fail, memory_order_relaxed))
        return true;
    return sf_clock_steady() >= loader->check_at;
}

/* The first whose waiters have something to go on with. */
static struct load *
find_needless(struct load *load)
{
    while (load != NULL
           && (TAILQ_EMPTY(&load->waiters) || !load->question.is_here || load->keeps_out || load->is_held))
        load = load->next;
    return load;
}

/* Whoever is resumed may ask for more, and so change the table: it is looked at anew. */
void
loader_check(struct daemon *daemon)
{
    struct loader *loader = &daemon->loader;
    struct load *load;
    sf_time since = hanging_since(loader);
    if (since == 0 || since == loader->let_go)
        return;
    loader->let_go = since;
    for (size_t i = 0; i < LOADER_BUCKETS; i++) {
        while ((load = find_needless(loader->buckets[i])) != NULL) {
            atomic_store_explicit(&load->is_wanted, load->is_news, memory_order_relaxed);
            sf_l1_postpone(daemon->l1, &load->key, &load->question);
            sf_count(sf_l1_counters(daemon->l1), l1_stale_served);
            resume_waiters(load, SF_UNAVAILABLE);
        }
    }
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
    wait_for(daemon, load, connection, keeps_out);
    if (is_new)
        begin(daemon, load);
    return true;
}

void
loader_leave(struct connection *connection)
{
    struct load *load = connection->waiting.load;
    if (load->first_late == connection)
        load->first_late = TAILQ_NEXT(connection, link);
    TAILQ_REMOVE(&load->waiters, connection, link);
    atomic_store_explicit(&load->is_wanted, !TAILQ_EMPTY(&load->waiters) || load->is_news, memory_order_relaxed);
}

void
loader_hear_of_anything(struct daemon *daemon)
{
    sf_l1_distrust(daemon->l1);
    sf_count(sf_l1_counters(daemon->l1), news_losses);
    writer_urge(&daemon->writer);
}

static bool
is_in_l1(struct daemon *daemon, const struct sf_key *key)
{
    uint64_t version;
    bool is_clean;
    return sf_l1_version(daemon->l1, key, &version, &is_clean) != SF_NOT_FOUND;
}

/* What only the journal has of it is not the last word any more. */
static void
hear(struct daemon *daemon, const struct sf_key *key, const unsigned *news)
{
    struct load *load = find(&daemon->loader, key);
    bool is_new = load == NULL;
    if (is_new && !is_in_l1(daemon, key)) {
        sf_journal_doubt(daemon->journaler.journal, key);
        settle_news(daemon, news);
        return;
    }
    if (is_new)
        load = add(&daemon->loader, key);
    if (load == NULL) {
        loader_hear_of_anything(daemon);
        settle_news(daemon, news);
        return;
    }
    sf_count(sf_l1_counters(daemon->l1), news_loads);
    for (unsigned half = 0; half < LEASE_HALVES; half++)
        load->news[half] += news[half];
    load->is_news = true;
    load->has_later_news = !is_new;
    atomic_store_explicit(&load->is_wanted, true, memory_order_relaxed);
    if (is_new)
        begin(daemon, load);
}

void
loader_hear(struct daemon *daemon, const struct sf_key *key, unsigned half)
{
    const unsigned news[LEASE_HALVES] = {half == 0, half == 1};
    sf_count(sf_l1_counters(daemon->l1), news);
    hear(daemon, key, news);
}

void
loader_outdate(struct daemon *daemon, const struct sf_key *key)
{
    struct load *load = find(&daemon->loader, key);
    if (load != NULL)
        load->is_outdated = true;
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
    if (!TAILQ_EMPTY(&load->waiters) || load->is_news) {
        begin(daemon, load);
        return;
    }
    remove_from_table(&daemon->loader, load);
    load_free(load);
}
