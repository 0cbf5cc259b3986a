/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/journal_drain.h"

#include <inttypes.h>
#include <stdlib.h>

#define BATCH 500
#define DEADLINE (10 * SF_SECOND)   /* of one batch */
#define LOOK_PAUSE ((sf_time)100)   /* nothing to do, or the store is away */
#define RETRY_PAUSE (SF_SECOND)     /* it has just failed */
#define REFUSED_PAUSE (10 * SF_MINUTE)

struct sf_journal_drain {
    struct sf_journal *journal;
    struct sf_store *store;
    struct sf_counters *counters;
    const struct sf_log *log;
    struct sf_journal_orphan items[BATCH];
    struct sf_write writes[BATCH];
    struct sf_buffer merged[BATCH]; /* what the store has now instead: of items[i] */
    sf_time retry_at;
    sf_time began;           /* steady; when the first of `written` was; 0: none yet */
    uint64_t written;
    uint64_t refused;        /* since that was logged */
    sf_time refused_at;      /* steady; when those are tried again; 0: there are none */
};

enum sf_status
sf_journal_drain_new(struct sf_journal_drain **drain_out, struct sf_journal *journal, struct sf_store *store,
                     struct sf_counters *counters, const struct sf_log *log)
{
    struct sf_journal_drain *drain = calloc(1, sizeof *drain);
    *drain_out = drain;
    if (drain == NULL)
        return SF_NO_MEMORY;
    drain->journal = journal;
    drain->store = store;
    drain->counters = counters;
    drain->log = log;
    for (size_t i = 0; i < BATCH; i++)
        sf_buffer_init(&drain->merged[i], SF_RECORD_BYTES_MAX);
    return SF_OK;
}

void
sf_journal_drain_free(struct sf_journal_drain *drain)
{
    if (drain == NULL)
        return;
    for (size_t i = 0; i < BATCH; i++) {
        sf_buffer_fini(&drain->items[i].record);
        sf_buffer_fini(&drain->merged[i]);
    }
    free(drain);
}

static struct sf_write
write_of(const struct sf_journal_orphan *item, struct sf_buffer *merged)
{
    struct sf_record_head head;
    struct sf_write write = {.kind = SF_WRITE_PUT,
                             .key = item->key,
                             .is_again = true, /* since it was journalled the store may have gone back */
                             .version = item->version,
                             .record = sf_buffer_span(&item->record),
                             .merged = merged};
    if (sf_record_head(&head, write.record) == SF_OK) {
        write.last_access = head.last_access;
        write.expires = sf_record_expires(&head, head.last_access);
    } /* else the store refuses it */
    return write;
}

/* Where L1 has it, but cannot take that, it hears the same when it is asked, or writes a change. */
static void
settle_one(struct sf_journal_drain *drain, const struct sf_write *write, sf_time written)
{
    const struct sf_l1_answer answer = {.record = sf_buffer_span(write->merged), .last_access = write->last_access};
    if (answer.record.size > 0)
        (void)!sf_journal_merge(drain->journal, &write->key, write->version, &answer, written);
    else
        sf_journal_stored(drain->journal, &write->key, write->version, written);
    sf_buffer_fini(write->merged);
    sf_buffer_init(write->merged, SF_RECORD_BYTES_MAX);
    drain->written++;
}

/* Returns how many failed and are to be tried again. */
static size_t
settle(struct sf_journal_drain *drain, size_t count, sf_time written)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sf_write *write = &drain->writes[i];
        if (write->status == SF_OK) {
            settle_one(drain, write, written);
        } else if (write->status == SF_INVALID) {
            sf_journal_refused(drain->journal, &write->key, write->version);
            drain->refused++;
        } else {
            failed++;
        }
    }
    return failed;
}

static void
report(struct sf_journal_drain *drain, sf_time now)
{
    if (drain->began == 0)
        return;
    double seconds = (double)(now - drain->began) / 1000;
    if (drain->written > 0)
        sf_log_write(drain->log, SF_LOG_NOTICE, "SF0216",
                     "%" PRIu64 " changed sessions went from the journal to the store in %.1f s", drain->written,
                     seconds);
    drain->began = 0;
    drain->written = 0;
}

/* What is left when nothing more is handed out is refused. */
static void
try_refused_later(struct sf_journal_drain *drain, sf_time now)
{
    sf_log_write(drain->log, SF_LOG_ERROR, "SF0217",
                 "the store refuses %" PRIu64 " sessions of the journal; they stay there and are tried again",
                 drain->refused);
    drain->refused = 0;
    drain->refused_at = now + REFUSED_PAUSE;
}

static bool
has_work(struct sf_journal_drain *drain, sf_time now)
{
    if (drain->refused_at == 0 || now < drain->refused_at)
        return sf_journal_owes(drain->journal, NULL);
    drain->refused_at = 0;
    sf_journal_orphans_again(drain->journal);
    return true;
}

/* SF_OK: *count_out were written; 0: there is nothing to hand out. */
static enum sf_status
write_batch(struct sf_journal_drain *drain, sf_time now, sf_time deadline, size_t *count_out)
{
    enum sf_status status = sf_journal_orphans_take(drain->journal, drain->items, BATCH, count_out);
    if (status != SF_OK || *count_out == 0)
        return status;
    drain->began = drain->began == 0 ? now : drain->began;
    for (size_t i = 0; i < *count_out; i++)
        drain->writes[i] = write_of(&drain->items[i], &drain->merged[i]);
    sf_time written = sf_clock_steady();
    status = drain->store->ops->write(drain->store, drain->writes, *count_out, deadline);
    uint64_t before = drain->written;
    size_t failed = settle(drain, *count_out, written);
    sf_count_add(drain->counters, SF_COUNTER_flushed_records, drain->written - before);
    if (failed == 0)
        return SF_OK;
    sf_journal_orphans_again(drain->journal);
    return status == SF_OK ? SF_UNAVAILABLE : status;
}

/* Nothing to write now: time for the files. */
static sf_time
rest(struct sf_journal_drain *drain, sf_time now)
{
    sf_journal_tidy(drain->journal, false);
    sf_journal_trim(drain->journal);
    return now + LOOK_PAUSE;
}

sf_time
sf_journal_drain_step(struct sf_journal_drain *drain, sf_time now, bool store_is_up)
{
    size_t count;
    if (now < drain->retry_at)
        return drain->retry_at;
    if (!store_is_up)
        return rest(drain, now);
    if (!has_work(drain, now)) {
        report(drain, now);
        if (drain->refused > 0)
            try_refused_later(drain, now);
        return rest(drain, now);
    }
    if (write_batch(drain, now, now + DEADLINE, &count) != SF_OK) {
        drain->retry_at = now + RETRY_PAUSE;
        return drain->retry_at;
    }
    if (count == 0)
        return rest(drain, now);
    sf_journal_trim(drain->journal);
    return now;
}

static enum sf_status
write_all(struct sf_journal_drain *drain, sf_time deadline)
{
    enum sf_status status = SF_OK;
    size_t count = 1;
    sf_journal_orphans_again(drain->journal);
    while (status == SF_OK && count > 0 && sf_clock_steady() < deadline)
        status = write_batch(drain, sf_clock_steady(), deadline, &count);
    return status;
}

enum sf_status
sf_journal_drain_all(struct sf_journal_drain *drain, sf_time deadline)
{
    enum sf_status status = write_all(drain, deadline);
    report(drain, sf_clock_steady());
    if (sf_clock_steady() < deadline)
        sf_journal_tidy(drain->journal, true);
    sf_journal_trim(drain->journal);
    return status == SF_OK && !sf_journal_owes(drain->journal, NULL) ? SF_OK : SF_UNAVAILABLE;
}
