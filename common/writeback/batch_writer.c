/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/batch_writer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/writeback/refused.h"
#include "common/writeback/touches.h"

#define BATCH_MAX_DEFAULT 1000
#define POLL_PAUSE ((sf_time)50)
#define LEAD_PAUSE ((sf_time)250)        /* somebody else is the flusher: look again */
#define BACKOFF_FIRST ((sf_time)250)
#define BACKOFF_MAX (10 * SF_SECOND)
#define BACKOFF_PART SF_SECOND           /* at most, while a part of what waits can be written */
#define TOUCH_RIDE (5 * SF_SECOND)       /* since the last look: they go with the next batch */
#define TOUCH_ALONE (10 * SF_SECOND)     /* they go without one */
#define HINT_PAUSE ((sf_time)2)          /* for a hint that was announced; see sf_l1_cursor */
#define MERGE_PAUSE SF_SECOND            /* L1 has no room for what a merge has made */
#define BUFFER_KEPT 16384                /* bytes; larger ones are given back after each batch */

enum progress { MORE, DONE, FAILED, STUCK /* no memory now */ };

/* One pass over what waits: several batches when it is more than batch_max. */
struct flush {
    bool is_on;
    bool with_records, with_touches;
    bool sees_all;     /* began with a fresh cursor */
    bool was_urged;
    sf_time began;
    uint32_t touch_cursor;
    enum sf_status failure; /* of a batch of which the other part was written */
};

struct sf_batch_writer {
    struct sf_l1 *l1;
    struct sf_store *store;
    struct sf_batch_writer_options options;
    const struct sf_log *log;

    struct sf_l1_dirty *items;     /* batch_max of each; writes[i] is of items[i], behind the */
    struct sf_l1_touched *touched; /* records to touched[i - records] */
    struct sf_write *writes;
    struct sf_buffer *merged;      /* what the store has now instead: merged[i] of items[i] */
    struct sf_l1_cursor cursor;

    struct flush flush;
    uint64_t seen_changes;    /* sf_l1_changes() as far as flushes have looked */
    sf_time hint_at;          /* steady; somebody who urged waits for a hint to come; or 0 */
    sf_time noticed;          /* steady; when changes behind seen_changes were seen first; or 0 */
    sf_time merge_at;         /* steady; what L1 could not take is written, and so merged, again; or 0 */
    sf_time touches_seen;     /* steady; last complete look at the touched ones */
    sf_time pause;            /* of the backoff; 0: up */
    sf_time down_since;       /* steady; while the outage was logged as such */
    uint64_t written_since;   /* records since then */
    struct sf_log_state log_state;
    struct sf_refused refused;
    atomic_bool may_retry;    /* the store is back, as others have heard */
    atomic_bool is_urged;     /* release by who urges pairs with acquire where the flush begins */

    pthread_mutex_t lock;     /* guards `state`, which other threads read */
    struct sf_batch_writer_state state;
};

/* ---- life ---- */

enum sf_status
sf_batch_writer_new(struct sf_batch_writer **writer_out, struct sf_l1 *l1, struct sf_store *store,
                    const struct sf_batch_writer_options *options, const struct sf_log *log)
{
    struct sf_batch_writer *writer = calloc(1, sizeof *writer);
    *writer_out = NULL;
    if (writer == NULL)
        return SF_NO_MEMORY;
    pthread_mutex_init(&writer->lock, NULL);
    writer->l1 = l1;
    writer->store = store;
    writer->options = *options;
    writer->log = log;
    if (writer->options.batch_max == 0)
        writer->options.batch_max = BATCH_MAX_DEFAULT;
    writer->items = calloc(writer->options.batch_max, sizeof *writer->items);
    writer->touched = calloc(writer->options.batch_max, sizeof *writer->touched);
    writer->writes = calloc(writer->options.batch_max, sizeof *writer->writes);
    writer->merged = calloc(writer->options.batch_max, sizeof *writer->merged);
    if (writer->items == NULL || writer->touched == NULL || writer->writes == NULL ||
        writer->merged == NULL) {
        sf_batch_writer_free(writer);
        return SF_NO_MEMORY;
    }
    for (size_t i = 0; i < writer->options.batch_max; i++)
        sf_buffer_init(&writer->merged[i], SF_RECORD_BYTES_MAX);
    writer->state.is_up = true;
    atomic_init(&writer->is_urged, true); /* a predecessor may have left something */
    *writer_out = writer;
    return SF_OK;
}

void
sf_batch_writer_free(struct sf_batch_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->items != NULL)
        sf_l1_dirty_fini(writer->items, writer->options.batch_max);
    free(writer->items);
    free(writer->touched);
    free(writer->writes);
    for (size_t i = 0; writer->merged != NULL && i < writer->options.batch_max; i++)
        sf_buffer_fini(&writer->merged[i]);
    free(writer->merged);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

void
sf_batch_writer_urge(struct sf_batch_writer *writer)
{
    atomic_store_explicit(&writer->is_urged, true, memory_order_release);
}

void
sf_batch_writer_retry(struct sf_batch_writer *writer)
{
    atomic_store_explicit(&writer->may_retry, true, memory_order_relaxed);
}

void
sf_batch_writer_state(struct sf_batch_writer *writer, struct sf_batch_writer_state *state_out)
{
    pthread_mutex_lock(&writer->lock);
    *state_out = writer->state;
    pthread_mutex_unlock(&writer->lock);
}

/* ---- one batch ---- */

/* Those that are to wait go behind the others. Returns how many do not. */
static size_t
set_refused_apart(struct sf_batch_writer *writer, size_t count, sf_time now)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (sf_refused_holds(&writer->refused, &writer->items[i], now))
            continue;
        struct sf_l1_dirty item = writer->items[i];
        writer->items[i] = writer->items[kept];
        writer->items[kept++] = item;
    }
    return kept;
}

/*
 * A store that is not, or not any more, the one that the cache knows may have lost what was called stored. What was
 * dirty before all that is clean was put there again (restore.h) grew from what the former one had.
 */
static void
prepare_records(struct sf_batch_writer *writer, size_t count)
{
    uint64_t known = sf_l1_store(writer->l1);
    sf_time since = sf_l1_store_since(writer->l1);
    for (size_t i = 0; i < count; i++) {
        struct sf_l1_dirty *item = &writer->items[i];
        struct sf_write *write = &writer->writes[i];
        struct sf_record_head head;
        *write = (struct sf_write){
            .kind = SF_WRITE_PUT,
            .key = item->key,
            .record = sf_buffer_span(&item->record),
            .of_store = known,
            .is_again = item->dirty_since <= since,
            .merged = &writer->merged[i],
        };
        if (sf_record_head(&head, write->record) != SF_OK)
            continue; /* the store refuses it, and so it is reported */
        write->version = head.version;
        write->last_access =
            item->last_access > head.last_access ? item->last_access : head.last_access;
        write->expires = sf_record_expires(&head, write->last_access);
    }
}

static void
explain(struct sf_batch_writer *writer, enum sf_status status, struct sf_error *error_out)
{
    writer->store->ops->explain(writer->store, error_out);
    if (error_out->text[0] == '\0')
        sf_error_set(error_out, status, "%s: %s", writer->store->ops->scheme,
                     sf_status_text(status));
}

static void
set_apart(struct sf_batch_writer *writer, const struct sf_l1_dirty *item, sf_time now)
{
    if (!sf_refused_add(&writer->refused, item, now))
        return;
    char label[SF_KEY_LABEL + 1];
    sf_key_label(&item->key, label);
    sf_log_write(writer->log, SF_LOG_ERROR, "SF0203",
                 "the store refuses session %s (%zu bytes); it stays in the cache and is tried again",
                 label, item->record.size);
}

struct tally {
    size_t records, touches, failed;
};

/* Where that fails it is merged again, for nothing new, when it is written next: it stays dirty. */
static enum sf_status
take_merged(struct sf_batch_writer *writer, const struct sf_write *write, sf_time written)
{
    const struct sf_l1_answer answer = {.record = sf_buffer_span(write->merged),
                                        .last_access = write->last_access};
    if (writer->options.journal != NULL)
        return sf_journal_merge(writer->options.journal, &write->key, write->version, &answer, written);
    return sf_l1_merge(writer->l1, &write->key, &answer, written);
}

static void
settle_record(struct sf_batch_writer *writer, const struct sf_l1_dirty *item,
              const struct sf_write *write, sf_time written)
{
    struct sf_journal *journal = writer->options.journal;
    enum sf_status status = SF_OK;
    if (write->merged->size > 0)
        status = take_merged(writer, write, written);
    else if (journal != NULL)
        sf_journal_settle(journal, &item->key, write->version, &item->ticket, written);
    else
        sf_l1_settle(writer->l1, &item->ticket, written);
    /* Gone, or changing: whoever changes it leaves a hint. */
    if (status != SF_OK && status != SF_NOT_FOUND && status != SF_CONFLICT)
        writer->merge_at = written + MERGE_PAUSE;
    sf_refused_remove(&writer->refused, &item->key);
}

static void
settle_records(struct sf_batch_writer *writer, size_t count, sf_time now, struct tally *tally)
{
    for (size_t i = 0; i < count; i++) {
        const struct sf_l1_dirty *item = &writer->items[i];
        if (writer->writes[i].status == SF_OK) {
            settle_record(writer, item, &writer->writes[i], now);
            tally->records++;
        } else if (writer->writes[i].status == SF_INVALID) {
            set_apart(writer, item, now);
        } else {
            tally->failed++;
        }
    }
}

static void
count_batch(struct sf_batch_writer *writer, const struct tally *tally, sf_time duration)
{
    struct sf_counters *counters = sf_l1_counters(writer->l1);
    sf_count(counters, flushes);
    sf_count_add(counters, SF_COUNTER_flushed_records, tally->records);
    sf_count_add(counters, SF_COUNTER_flushed_touches, tally->touches);
    if (tally->failed > 0)
        sf_count(counters, flushes_failed);

    pthread_mutex_lock(&writer->lock);
    struct sf_batch_writer_state *state = &writer->state;
    state->batches++;
    state->records += tally->records;
    state->touches += tally->touches;
    state->failures += tally->failed > 0;
    state->last_duration = duration;
    if (tally->failed == 0)
        state->last_flush = sf_clock_wall();
    state->refused = writer->refused.count;
    pthread_mutex_unlock(&writer->lock);
}

/* The first `records` items and the first `touches` touched ones, as one transaction; *written_out: of both. */
static enum sf_status
write_and_settle(struct sf_batch_writer *writer, size_t records, size_t touches, size_t *written_out,
                 sf_time now, sf_time deadline)
{
    struct sf_write *touch_writes = writer->writes + records;
    prepare_records(writer, records);
    sf_touches_prepare(writer->touched, touch_writes, touches);

    sf_time before = sf_clock_steady();
    enum sf_status worst =
        writer->store->ops->write(writer->store, writer->writes, records + touches, deadline);
    sf_time duration = sf_clock_steady() - before;

    struct tally tally = {
        .touches = sf_touches_settle(writer->l1, writer->touched, touch_writes, touches)};
    tally.failed = touches - tally.touches;
    settle_records(writer, records, now, &tally);
    count_batch(writer, &tally, duration);
    writer->written_since += tally.records;
    *written_out = tally.records + tally.touches;
    return tally.failed > 0 ? worst : SF_OK;
}

static void
give_back_large_buffers(struct sf_batch_writer *writer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (writer->merged[i].capacity > BUFFER_KEPT) {
            sf_buffer_fini(&writer->merged[i]);
            sf_buffer_init(&writer->merged[i], SF_RECORD_BYTES_MAX);
        }
        if (writer->items[i].record.capacity > BUFFER_KEPT) {
            sf_l1_dirty_fini(&writer->items[i], 1);
            writer->items[i] = (struct sf_l1_dirty){.dirty_since = 0};
        }
    }
}

/*
 * A batch of which a part was written does not end the flush: of a store of several servers one may
 * be down, and what waits for it must not keep from the others what is theirs.
 */
static enum progress
write_batch(struct sf_batch_writer *writer, sf_time now, sf_time deadline,
            enum sf_status *failure_out)
{
    struct flush *flush = &writer->flush;
    size_t limit = writer->options.batch_max;
    size_t taken = 0, touches = 0, written = 0;
    if (flush->with_records)
        taken = sf_l1_dirty_take(writer->l1, &writer->cursor, writer->items, limit);
    size_t records = set_refused_apart(writer, taken, now);
    bool is_stuck = flush->with_records && writer->cursor.is_stuck;
    if (flush->with_touches && taken < limit && !is_stuck)
        touches =
            sf_l1_touched_take(writer->l1, &flush->touch_cursor, writer->touched, limit - taken);
    *failure_out = SF_OK;
    if (records + touches > 0)
        *failure_out = write_and_settle(writer, records, touches, &written, now, deadline);
    give_back_large_buffers(writer, taken);
    if (*failure_out != SF_OK && written == 0)
        return FAILED;
    if (*failure_out != SF_OK)
        flush->failure = *failure_out;
    if (is_stuck)
        return STUCK;
    if (taken + touches == limit)
        return MORE;
    *failure_out = flush->failure;
    return flush->failure == SF_OK ? DONE : FAILED;
}

/* ---- a flush ---- */

static void
see_everything(struct sf_batch_writer *writer)
{
    writer->cursor = (struct sf_l1_cursor){.is_following = false};
}

static bool
is_merge_due(const struct sf_batch_writer *writer, sf_time now)
{
    return writer->merge_at != 0 && writer->merge_at <= now;
}

static void
begin_flush(struct sf_batch_writer *writer, bool with_records, bool with_touches, sf_time now)
{
    if (with_records && (sf_refused_next(&writer->refused) <= now || is_merge_due(writer, now))) {
        see_everything(writer); /* the hints to them are long used up */
        writer->merge_at = 0;
    }
    writer->flush = (struct flush){
        .is_on = true,
        .with_records = with_records,
        .with_touches = with_touches,
        .sees_all = !writer->cursor.is_following,
        .began = now,
    };
    if (with_records) {
        writer->flush.was_urged =
            atomic_exchange_explicit(&writer->is_urged, false, memory_order_acquire);
        writer->noticed = 0;
    }
}

static void
report_up(struct sf_batch_writer *writer, sf_time now)
{
    if (sf_log_state_changed(&writer->log_state, true))
        sf_log_write(writer->log, SF_LOG_NOTICE, "SF0202",
                     "the store is up again after %.1f s; %" PRIu64 " changed sessions written",
                     (double)(now - writer->down_since) / 1000, writer->written_since);
}

static void
report_down(struct sf_batch_writer *writer, enum sf_status status, sf_time now)
{
    if (!sf_log_state_changed(&writer->log_state, false))
        return;
    struct sf_error error;
    explain(writer, status, &error);
    writer->down_since = now;
    writer->written_since = 0;
    sf_log_write(writer->log, SF_LOG_ERROR, "SF0201",
                 "the store is down, changes wait in the cache: %s", error.text);
}

/*
 * Whose hint is missing may have been stopped; those behind him are not to wait for that. So the
 * urge stays until the hint is there, or all has been scanned instead.
 */
static void
wait_for_hint(struct sf_batch_writer *writer, sf_time now)
{
    bool is_missing = writer->flush.was_urged && writer->cursor.waits > 0;
    writer->hint_at = is_missing ? now + HINT_PAUSE : 0;
    if (is_missing)
        atomic_store_explicit(&writer->is_urged, true, memory_order_release);
}

static void
finish_flush(struct sf_batch_writer *writer, sf_time now)
{
    struct flush *flush = &writer->flush;
    flush->is_on = false;
    writer->pause = 0;
    if (flush->with_touches)
        writer->touches_seen = flush->began;
    if (flush->with_records && flush->sees_all)
        sf_refused_forget_due(&writer->refused, flush->began);
    if (flush->with_records) {
        /* Not the head: a hint that is announced but not there yet must bring the next flush. */
        writer->seen_changes = sf_l1_cursor_changes(&writer->cursor);
        wait_for_hint(writer, now);
        report_up(writer, now);
    }
    pthread_mutex_lock(&writer->lock);
    writer->state.is_up = true;
    writer->state.retry_at = 0;
    writer->state.refused = writer->refused.count;
    writer->state.stored_changes = writer->seen_changes;
    pthread_mutex_unlock(&writer->lock);
}

/* A quarter either way, so that hosts that lost one store together do not come back together. */
static sf_time
jittered(sf_time pause)
{
    uint16_t random;
    if (sf_random_bytes(&random, sizeof random) != SF_OK)
        return pause;
    return pause - pause / 4 + pause * (random % 1024) / 2048;
}

static void
give_up_flush(struct sf_batch_writer *writer, enum sf_status status, sf_time now)
{
    report_down(writer, status, now);
    sf_time longest = writer->flush.failure == SF_OK ? BACKOFF_MAX : BACKOFF_PART;
    writer->pause = writer->pause == 0 ? BACKOFF_FIRST : 2 * writer->pause;
    if (writer->pause > longest)
        writer->pause = longest;
    writer->flush.is_on = false;
    see_everything(writer); /* what was taken and not settled must be found again */
    atomic_store_explicit(&writer->is_urged, true, memory_order_release);
    pthread_mutex_lock(&writer->lock);
    writer->state.is_up = false;
    writer->state.retry_at = now + jittered(writer->pause);
    pthread_mutex_unlock(&writer->lock);
}

static enum progress
go_on_flushing(struct sf_batch_writer *writer, sf_time now, sf_time deadline)
{
    enum sf_status failure;
    enum progress progress = write_batch(writer, now, deadline, &failure);
    if (progress == DONE)
        finish_flush(writer, now);
    if (progress == FAILED)
        give_up_flush(writer, failure, now);
    return progress;
}

/* ---- when ---- */

static bool
records_are_due(struct sf_batch_writer *writer, sf_time now)
{
    if (atomic_load_explicit(&writer->is_urged, memory_order_relaxed))
        return true;
    uint64_t changes = sf_l1_changes(writer->l1) - writer->seen_changes;
    if (changes > 0 && writer->noticed == 0)
        writer->noticed = now;
    return changes >= (uint64_t)writer->options.flush_batch
           || (changes > 0 && now - writer->noticed >= writer->options.flush_delay)
           || sf_refused_next(&writer->refused) <= now || is_merge_due(writer, now);
}

static sf_time
next_look(const struct sf_batch_writer *writer, sf_time now)
{
    sf_time next = now + POLL_PAUSE;
    if (writer->noticed != 0 && writer->noticed + writer->options.flush_delay < next)
        next = writer->noticed + writer->options.flush_delay;
    if (writer->options.flush_delay < next - now)
        next = now + writer->options.flush_delay;
    return next;
}

/* true: a flush is on, begun now or earlier. */
static bool
is_flush_time(struct sf_batch_writer *writer, sf_time now)
{
    if (writer->flush.is_on)
        return true;
    sf_time since_touches = now - writer->touches_seen;
    if (records_are_due(writer, now))
        begin_flush(writer, true, since_touches >= TOUCH_RIDE, now);
    else if (since_touches >= TOUCH_ALONE)
        begin_flush(writer, false, true, now);
    return writer->flush.is_on;
}

sf_time
sf_batch_writer_step(struct sf_batch_writer *writer, sf_time now)
{
    bool may_retry = atomic_exchange_explicit(&writer->may_retry, false, memory_order_relaxed);
    if (now < writer->state.retry_at && !may_retry) /* written by this thread only */
        return writer->state.retry_at;
    if (now < writer->hint_at)
        return writer->hint_at;
    if (!is_flush_time(writer, now))
        return next_look(writer, now);
    if (!sf_l1_lead(writer->l1, SF_L1_FLUSHER))
        return now + LEAD_PAUSE;
    switch (go_on_flushing(writer, now, now + writer->options.write_deadline)) {
    case MORE: return now;
    case FAILED: return writer->state.retry_at;
    case STUCK: return now + POLL_PAUSE;
    case DONE: break;
    }
    return writer->hint_at != 0 ? writer->hint_at : next_look(writer, now);
}

static enum progress
flush_until(struct sf_batch_writer *writer, sf_time deadline)
{
    enum progress progress = MORE;
    while (progress == MORE) {
        sf_time now = sf_clock_steady();
        if (now >= deadline)
            return FAILED;
        sf_time batch_deadline = now + writer->options.write_deadline;
        progress =
            go_on_flushing(writer, now, batch_deadline < deadline ? batch_deadline : deadline);
    }
    return progress;
}

enum sf_status
sf_batch_writer_drain(struct sf_batch_writer *writer, sf_time deadline)
{
    if (!sf_l1_lead(writer->l1, SF_L1_FLUSHER))
        return SF_UNAVAILABLE;
    see_everything(writer);
    begin_flush(writer, true, true, sf_clock_steady());
    enum progress progress = flush_until(writer, deadline);
    if (progress == DONE) { /* touches of what has become clean only now */
        begin_flush(writer, false, true, sf_clock_steady());
        progress = flush_until(writer, deadline);
    }
    return progress == DONE && writer->refused.count == 0 ? SF_OK : SF_UNAVAILABLE;
}
