/* SPDX-License-Identifier: Apache-2.0 */
/* A store that takes nothing for minutes, while changes come at a rate that is kept; and what is there afterwards. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "command_line/bench_scenarios.h"
#include "common/base/clock.h"
#include "common/store/store.h"

#define SESSIONS 40000
#define BYTES 512
#define RATE 6000
#define WORKERS 4
#define DURATION (3 * SF_MINUTE)
#define CATCH_UP_MAX (2 * SF_MINUTE)
#define LOAD_WAIT (5 * SF_SECOND)
#define LOOK_NS 200000000
#define AGAIN_NS 20000000
#define NS_PER_MS 1000000u
#define STORE "sessions.db"
#define LOCK_OF_WRITERS 120 /* of SQLite's "-shm" file: see its description of the WAL format */

/* ---- the store, from outside ---- */

/* As by another program that writes and does not end. Returns what close() ends; -1: failed. */
static int
hold_store(const struct bench_stage *stage)
{
    char path[BENCH_PATH_MAX + 32];
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_OF_WRITERS, .l_len = 1};

    snprintf(path, sizeof path, "%s/" STORE "-shm", stage->state);
    int opened = open(path, O_RDWR | O_CLOEXEC);
    if (opened >= 0 && fcntl(opened, F_SETLKW, &lock) == 0)
        return opened;
    command_fail(EXIT_NO_ANSWER, "%s cannot be locked", path);
    if (opened >= 0)
        close(opened);
    return -1;
}

static int64_t
counter_in(struct sf_store *store, const struct bench_session *session)
{
    struct sf_stored stored;
    struct sf_session decoded;
    int64_t n = -1;

    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    sf_session_init(&decoded);
    enum sf_status status =
        sf_store_load_one(store, &session->key, sf_clock_steady() + LOAD_WAIT, &stored);
    if (status == SF_OK)
        status = sf_session_decode(&decoded, sf_buffer_span(&stored.record));
    if (status == SF_OK)
        status = bench_door_verify(&decoded, session->number, &n);
    sf_session_fini(&decoded);
    sf_buffer_fini(&stored.record);
    return status == SF_OK ? n : -1;
}

/* The sum of all counters; -1: a session is not there, or not right. */
static int64_t
sum_in_store(const struct bench_stage *stage, const struct bench_audience *audience)
{
    struct sf_store *store;
    struct sf_error error;
    int64_t sum = -1;

    if (sf_store_open(&store, "sqlite:" STORE, stage->state, &error) != SF_OK)
        return -1;
    if (store->ops->attach(store, sf_clock_steady() + LOAD_WAIT, &error) == SF_OK)
        sum = 0;
    for (uint32_t i = 0; i < audience->count && sum >= 0; i++) {
        int64_t n = counter_in(store, &audience->sessions[i]);
        sum = n >= 0 ? sum + n : -1;
    }
    sf_store_close(store);
    return sum;
}

/* ---- what it costs meanwhile ---- */

struct watch {
    const struct bench_stage *stage;
    pthread_t thread;
    atomic_bool is_over;
    uint64_t memory_kb, dirty_bytes, journal_bytes; /* the most that was seen */
    uint64_t stored; /* records, from the first look to the last */
};

static uint64_t
larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t
number_of(const struct bench_stage *stage, const char *name)
{
    uint64_t number = 0;

    return bench_stage_number(stage, name, &number) ? number : 0;
}

static uint64_t
dirty_bytes(const struct bench_stage *stage)
{
    uint64_t live = number_of(stage, "cache_blocks_live");
    uint64_t bytes = number_of(stage, "cache_record_bytes");

    return live == 0 ? 0 : bytes / live * number_of(stage, "cache_blocks_dirty");
}

static void *
look_on(void *argument)
{
    struct watch *watch = argument;
    uint64_t before = number_of(watch->stage, "writer_records");

    while (!atomic_load(&watch->is_over)) {
        const struct bench_stage *stage = watch->stage;
        watch->memory_kb = larger(watch->memory_kb, bench_stage_usage(stage).memory_kb);
        watch->dirty_bytes = larger(watch->dirty_bytes, dirty_bytes(stage));
        watch->journal_bytes = larger(watch->journal_bytes, number_of(stage, "journal_bytes"));
        watch->stored = number_of(stage, "writer_records") - before;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return NULL;
}

/* Played while the store is held. */
static bool
play_without_store(const struct bench_part *part, struct bench_tally *tally, struct watch *watch)
{
    int held = hold_store(part->stage);

    if (held < 0)
        return false;
    atomic_init(&watch->is_over, false);
    bool is_watched = pthread_create(&watch->thread, NULL, look_on, watch) == 0;
    bool is_well = bench_play(part, tally);
    atomic_store(&watch->is_over, true);
    if (is_watched)
        pthread_join(watch->thread, NULL);
    close(held);
    return is_well && is_watched;
}

/* Until the store has everything. */
static bool
catch_up(const struct bench_stage *stage, double *seconds_out)
{
    sf_time began = sf_clock_steady();

    while (!bench_stage_flush(stage)) {
        if (sf_clock_steady() - began > CATCH_UP_MAX) {
            command_fail(EXIT_NO_ANSWER, "the store is back, and does not get everything");
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_NS}, NULL);
    }
    *seconds_out = (double)(sf_clock_steady() - began) / 1000;
    return true;
}

/* ---- all of it ---- */

static void
report_outage(struct bench_report *report, const struct bench_part *part,
              const struct bench_tally *tally, const struct watch *watch)
{
    double seconds = (double)part->duration_ns / 1e9;

    bench_report_tally(report, "since each was due", tally);
    bench_report_expect(report, "changes", (int64_t)(seconds * (double)part->per_second),
                        (int64_t)tally->changes);
    bench_report_expect(report, "sessions that the store took meanwhile", 0, (int64_t)watch->stored);
    bench_report_number(report, "p99_ms",
                        (double)sf_histogram_quantile(&tally->change_times, 0.99) / 1e6);
    bench_report_count(report, "daemon_memory_kb_max", watch->memory_kb);
    bench_report_count(report, "dirty_bytes_max", watch->dirty_bytes);
    bench_report_count(report, "journal_bytes_max", watch->journal_bytes);
    bench_report_count(report, "moved_to_the_journal", number_of(part->stage, "spill_moved"));
}

static bool
play_and_verify(const struct bench_part *part, struct bench_report *report)
{
    static struct bench_tally tally;
    struct watch watch = {.stage = part->stage};
    double seconds = 0;

    if (!bench_stage_flush(part->stage))
        return command_fail(EXIT_NO_ANSWER, "the daemon did not write everything in time"), false;
    uint64_t memory_kb = bench_stage_usage(part->stage).memory_kb;
    if (!play_without_store(part, &tally, &watch))
        return false;
    report_outage(report, part, &tally, &watch);
    bench_report_count(report, "daemon_memory_kb_before", memory_kb);
    if (!catch_up(part->stage, &seconds))
        return false;
    bench_report_number(report, "catch_up_seconds", seconds);
    bench_report_expect(report, "counted in the store", (int64_t)tally.changes,
                        sum_in_store(part->stage, part->audience));
    bench_report_expect(report, "counted through the cache", (int64_t)tally.changes,
                        bench_audience_sum(part->audience, part->stage, part->door, part->bytes));
    return true;
}

bool
bench_play_outage(const struct bench_scenario *scenario, const struct bench_request *request,
                  struct bench_report *report)
{
    static struct bench_tally tally;
    struct bench_audience audience;
    uint64_t duration = (uint64_t)(request->duration > 0 ? request->duration : DURATION);
    const struct bench_part part = {
        .stage = request->stage,
        .door = &bench_door_front,
        .audience = &audience,
        .bytes = request->bytes > 0 ? request->bytes : BYTES,
        .workers = request->workers > 0 ? request->workers : WORKERS,
        .per_second = request->per_second > 0 ? request->per_second : RATE,
        .duration_ns = duration * NS_PER_MS,
    };

    (void)scenario;
    if (!request->stage->is_private)
        return command_fail(EXIT_USAGE, "this takes the store away: not of an instance in use"), false;
    bool is_well = bench_audience_init(&audience, part.stage, part.door,
                                       request->sessions > 0 ? request->sessions : SESSIONS,
                                       part.bytes, &tally) &&
                   play_and_verify(&part, report);
    bench_audience_fini(&audience);
    return is_well;
}
