/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/restore.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "common/session/user_epochs.h"

#define DEADLINE (10 * SF_SECOND) /* of one batch */
#define PASSES_MAX 3
#define PAUSE_FIRST ((sf_time)250)
#define PAUSE_MAX (10 * SF_SECOND)
#define NEVER INT64_MAX

/*
 * A cache that does not know its store yet takes over what it meets first. Where a migration has exchanged the store in
 * between, what the cache knows is of the new one already.
 */
static bool
is_due(const struct sf_restore *restore)
{
    uint64_t now = sf_store_incarnation(restore->store), known = sf_l1_store(restore->l1);
    if (known == 0 && now != 0)
        sf_l1_set_store(restore->l1, now);
    bool is_other = known != 0 && now != 0 && now != known;
    return is_other && sf_store_incarnation(restore->store) == now;
}

bool
sf_restore_doubts(struct sf_restore *restore, bool is_here, sf_time now)
{
    if (!is_due(restore))
        return now < atomic_load_explicit(&restore->doubts_until, memory_order_relaxed);
    sf_time noticed = atomic_load_explicit(&restore->noticed, memory_order_relaxed);
    return is_here || noticed == 0 || now < noticed + SF_RESTORE_GRACE;
}

/* ---- one batch ---- */

/*
 * What has expired is not worth it; and what another host may have ended long ago must not come back. Of whom was
 * logged out everywhere nothing is too old, but for a row that the store never had.
 */
static bool
is_wanted(const struct sf_restore *restore, const struct sf_l1_dirty *item, const struct sf_write *write,
          const struct sf_record_head *head)
{
    bool has_ended = head->kind == SF_RECORD_ENDED;
    if (sf_user_epochs_are(head))
        return head->version > 1;
    bool is_old = restore->is_shared && !has_ended && item->dirty_since + restore->horizon < restore->now;
    return !is_old && (write->expires == 0 || write->expires > restore->now_wall);
}

/* Returns how many of the items become writes. */
static size_t
prepare(struct sf_restore *restore, size_t taken)
{
    size_t count = 0;
    for (size_t i = 0; i < taken; i++) {
        const struct sf_l1_dirty *item = &restore->items[i];
        struct sf_record_head head;
        struct sf_write *write = &restore->writes[count];
        if (sf_record_head(&head, sf_buffer_span(&item->record)) != SF_OK)
            continue;
        *write = (struct sf_write){.kind = SF_WRITE_PUT, .key = item->key, .is_again = true, .version = head.version};
        write->record = sf_buffer_span(&item->record);
        write->merged = &restore->merged[i];
        write->last_access = item->last_access > head.last_access ? item->last_access : head.last_access;
        write->expires = sf_record_expires(&head, write->last_access);
        count += is_wanted(restore, item, write, &head);
    }
    return count;
}

static bool
is_settled(enum sf_status status)
{
    return status == SF_OK || status == SF_INVALID || status == SF_CONFLICT;
}

/* false: at least one is neither there nor refused. */
static bool
put(struct sf_restore *restore, size_t count)
{
    bool is_well = true;
    if (count == 0)
        return true;
    (void)!restore->store->ops->write(restore->store, restore->writes, count, restore->now + DEADLINE);
    for (size_t i = 0; i < count; i++)
        is_well = is_well && is_settled(restore->writes[i].status);
    for (size_t i = 0; is_well && i < count; i++) {
        restore->put += restore->writes[i].status == SF_OK;
        restore->news += restore->writes[i].status == SF_OK && restore->writes[i].is_news;
    }
    return is_well;
}

/* Where there is no room, L1 has what it had, and is told by the news, or when it asks. */
static void
take_merged(struct sf_restore *restore, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sf_write *write = &restore->writes[i];
        const struct sf_l1_answer answer = {.record = sf_buffer_span(write->merged), .last_access = write->last_access};
        if (write->status == SF_OK && write->merged->size > 0)
            (void)!sf_l1_merge(restore->l1, &write->key, &answer, restore->now);
    }
}

static void
init_merged(struct sf_restore *restore)
{
    for (size_t i = 0; i < SF_RESTORE_BATCH; i++)
        sf_buffer_init(&restore->merged[i], SF_RECORD_BYTES_MAX);
}

/* They may hold many megabytes. */
static void
free_batch(struct sf_restore *restore)
{
    sf_l1_dirty_fini(restore->items, SF_RESTORE_BATCH);
    for (size_t i = 0; i < SF_RESTORE_BATCH; i++)
        sf_buffer_fini(&restore->merged[i]);
}

/* false: as put. */
static bool
put_batch(struct sf_restore *restore, uint32_t *cursor)
{
    size_t taken = sf_l1_clean_take(restore->l1, cursor, restore->items, SF_RESTORE_BATCH);
    init_merged(restore);
    size_t count = prepare(restore, taken);
    bool is_well = put(restore, count);
    take_merged(restore, count);
    free_batch(restore);
    return is_well;
}

/* ---- a run ---- */

static uint64_t
count_moves(const struct sf_restore *restore)
{
    uint64_t values[SF_COUNTER_COUNT];
    sf_l1_counters_sum(restore->l1, values);
    return values[SF_COUNTER_l1_slabs_moved];
}

static sf_time
try_again(struct sf_restore *restore)
{
    restore->pause = restore->pause == 0 ? PAUSE_FIRST : 2 * restore->pause;
    if (restore->pause > PAUSE_MAX)
        restore->pause = PAUSE_MAX;
    restore->next = restore->now + restore->pause;
    return restore->next;
}

static void
begin_pass(struct sf_restore *restore)
{
    restore->cursor = 0;
    restore->passes++;
    restore->moves = count_moves(restore);
}

/* On a new connection: the one that there is may still be to the old server. */
static void
begin(struct sf_restore *restore)
{
    if (atomic_load_explicit(&restore->noticed, memory_order_relaxed) == 0)
        atomic_store_explicit(&restore->noticed, restore->now, memory_order_relaxed);
    sf_store_renew(restore->store);
    restore->target = sf_store_incarnation(restore->store);
    restore->put = restore->news = 0;
    restore->passes = 0;
    begin_pass(restore);
}

static sf_time
finish(struct sf_restore *restore)
{
    sf_time noticed = atomic_load_explicit(&restore->noticed, memory_order_relaxed);
    bool has_lost = restore->news > 0;
    atomic_store_explicit(&restore->doubts_until, has_lost && restore->is_shared ? noticed + SF_RESTORE_GRACE : 0,
                          memory_order_relaxed);
    sf_l1_set_store(restore->l1, restore->target);
    restore->target = 0;
    atomic_store_explicit(&restore->noticed, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&restore->runs, 1, memory_order_relaxed);
    sf_log_write(restore->log, has_lost ? SF_LOG_WARNING : SF_LOG_NOTICE, "SF0207",
                 "the store was restarted or replaced: %" PRIu64 " sessions put again, %" PRIu64
                 " of them were missing there or older", restore->put, restore->news);
    return NEVER;
}

static sf_time
step_batch(struct sf_restore *restore)
{
    uint32_t cursor = restore->cursor;
    uint64_t put_before = restore->put, news_before = restore->news;
    if (!put_batch(restore, &cursor))
        return try_again(restore);
    atomic_fetch_add_explicit(&restore->put_ever, restore->put - put_before, memory_order_relaxed);
    atomic_fetch_add_explicit(&restore->news_ever, restore->news - news_before, memory_order_relaxed);
    restore->pause = 0;
    restore->cursor = cursor;
    if (cursor == 0 && (restore->passes == PASSES_MAX || count_moves(restore) == restore->moves))
        return finish(restore);
    if (cursor == 0)
        begin_pass(restore);
    sf_time after = sf_clock_steady();
    restore->next = after + (after - restore->now); /* half of the time is for others */
    return restore->next;
}

sf_time
sf_restore_step(struct sf_restore *restore, sf_time now, sf_time now_wall)
{
    restore->now = now;
    restore->now_wall = now_wall;
    if (!is_due(restore)) {
        restore->target = 0;
        atomic_store_explicit(&restore->noticed, 0, memory_order_relaxed);
        return NEVER;
    }
    if (now < restore->next)
        return restore->next;
    if (restore->target != sf_store_incarnation(restore->store))
        begin(restore);
    return step_batch(restore);
}
