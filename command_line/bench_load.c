/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios of load: many clients, a rate that is kept, what reaches the disk. */
#include <stdio.h>

#include "command_line/bench_scenarios.h"
#include "common/base/clock.h"

#define SESSIONS 10000
#define BYTES 512
#define RATE 6000
#define RATE_DURATION SF_MINUTE
#define RATE_WORKERS 4
#define CLIENT_DURATION SF_SECOND
#define CLIENT_READ_PERCENT 90
#define BATCH_CHANGES 2000
#define BATCH_RATE 1000
#define JOURNAL_DURATION (2 * SF_SECOND)
#define NS_PER_MS 1000000u

static uint32_t
or_else(uint64_t asked, uint64_t usual)
{
    return (uint32_t)(asked > 0 ? asked : usual);
}

/* ---- clients ---- */

bool
bench_play_clients(const struct bench_scenario *scenario, const struct bench_request *request,
                   struct bench_report *report)
{
    static const unsigned counts[] = {1, 2, 10, 100, 300, 1000};
    static struct bench_tally tally;
    struct bench_audience audience;
    double best = 0, last = 0;
    int64_t changes = 0;
    uint32_t bytes = or_else(request->bytes, BYTES);
    bool is_well = bench_audience_init(&audience, request->stage, &bench_door_front,
                                       or_else(request->sessions, SESSIONS), bytes, &tally);

    (void)scenario;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && is_well; i++) {
        char name[32];
        const struct bench_part part = {
            .stage = request->stage,
            .door = &bench_door_front,
            .audience = &audience,
            .bytes = bytes,
            .workers = counts[i],
            .read_percent = CLIENT_READ_PERCENT,
            .duration_ns = or_else((uint64_t)request->duration, CLIENT_DURATION) *
                           (uint64_t)NS_PER_MS,
        };
        snprintf(name, sizeof name, "%u clients", counts[i]);
        is_well = bench_play(&part, &tally);
        if (!is_well)
            break;
        bench_report_tally(report, name, &tally);
        changes += (int64_t)tally.changes;
        last = (double)(tally.reads + tally.changes) * 1e9 / (double)tally.ns;
        best = last > best ? last : best;
    }
    if (is_well) {
        bench_report_number(report, "all_clients_against_the_best", last / best);
        bench_report_expect(report, "changes", changes,
                            bench_audience_sum(&audience, request->stage, &bench_door_front, bytes));
    }
    bench_audience_fini(&audience);
    return is_well;
}

/* ---- a rate that is kept, and what it costs the daemon ---- */

struct writes {
    uint64_t records, batches;
    struct bench_usage usage;
};

static bool
count_writes(const struct bench_stage *stage, struct writes *writes_out)
{
    writes_out->usage = bench_stage_usage(stage);
    return bench_stage_number(stage, "writer_records", &writes_out->records) &&
           bench_stage_number(stage, "writer_batches", &writes_out->batches);
}

/* What `changes` have become. */
static void
report_writes(struct bench_report *report, const char *by, uint64_t changes,
              const struct writes *before, const struct writes *after)
{
    char name[80];
    const struct {
        const char *what;
        uint64_t count;
        bool is_known;
    } rows[] = {
        {"records written", after->records - before->records, true},
        {"transactions", after->batches - before->batches, true},
        {"write calls", after->usage.write_calls - before->usage.write_calls, after->usage.is_known},
        {"bytes to the disk", after->usage.written_bytes - before->usage.written_bytes,
         after->usage.is_known},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].is_known)
            continue;
        snprintf(name, sizeof name, "%s: %s", by, rows[i].what);
        bench_report_count(report, name, rows[i].count);
    }
    snprintf(name, sizeof name, "%s: records for a change", by);
    bench_report_number(report, name,
                        (double)(after->records - before->records) / (double)changes);
    snprintf(name, sizeof name, "%s: transactions for a change", by);
    bench_report_number(report, name,
                        (double)(after->batches - before->batches) / (double)changes);
}

/* Plays, then has everything written. */
static bool
play_and_flush(const struct bench_part *part, struct bench_tally *tally, struct writes *before,
               struct writes *after)
{
    if (!bench_stage_flush(part->stage) || !count_writes(part->stage, before) ||
        !bench_play(part, tally))
        return false;
    if (bench_stage_flush(part->stage) && count_writes(part->stage, after))
        return true;
    command_fail(EXIT_NO_ANSWER, "the daemon did not write everything in time");
    return false;
}

static void
report_rate(struct bench_report *report, const struct bench_part *part,
            const struct bench_tally *tally, const struct writes *before,
            const struct writes *after)
{
    double seconds = (double)part->duration_ns / 1e9;

    bench_report_tally(report, "since each was due", tally);
    bench_report_expect(report, "changes", (int64_t)(seconds * (double)part->per_second),
                        (int64_t)tally->changes);
    bench_report_number(report, "achieved_per_second", (double)tally->changes / seconds);
    bench_report_number(report, "success_percent",
                        100.0 * (double)tally->changes / (double)(tally->changes + bench_failures(tally)));
    bench_report_number(report, "mean_ms", sf_histogram_mean(&tally->change_times) / 1e6);
    bench_report_number(report, "p99_ms",
                        (double)sf_histogram_quantile(&tally->change_times, 0.99) / 1e6);
    if (after->usage.is_known)
        bench_report_number(report, "daemon_cpu_percent_of_one_core",
                            (double)(after->usage.cpu_ms - before->usage.cpu_ms) / seconds / 10);
    report_writes(report, "store", tally->changes, before, after);
}

bool
bench_play_rate(const struct bench_scenario *scenario, const struct bench_request *request,
                struct bench_report *report)
{
    static struct bench_tally tally;
    struct bench_audience audience;
    struct writes before, after;
    uint32_t bytes = or_else(request->bytes, BYTES);
    bool is_well = bench_audience_init(&audience, request->stage, &bench_door_front,
                                       or_else(request->sessions, SESSIONS), bytes, &tally);
    const struct bench_part part = {
        .stage = request->stage,
        .door = &bench_door_front,
        .audience = &audience,
        .bytes = bytes,
        .workers = or_else(request->workers, RATE_WORKERS),
        .per_second = or_else(request->per_second, RATE),
        .duration_ns = or_else((uint64_t)request->duration, RATE_DURATION) * (uint64_t)NS_PER_MS,
    };

    (void)scenario;
    is_well = is_well && play_and_flush(&part, &tally, &before, &after);
    if (is_well) {
        report_rate(report, &part, &tally, &before, &after);
        bench_report_expect(report, "counted", (int64_t)tally.changes,
                            bench_audience_sum(&audience, request->stage, &bench_door_front, bytes));
    }
    bench_audience_fini(&audience);
    return is_well;
}

/* ---- batches against one write for each change ---- */

static bool
play_durability(const struct bench_request *request, enum sf_durability durability,
                const char *name, struct writes *spent_out, struct bench_report *report)
{
    static struct bench_tally tally;
    struct bench_stage stage = *request->stage;
    struct bench_audience audience;
    struct writes before;
    uint32_t bytes = or_else(request->bytes, BYTES);

    stage.config.durability = (int)durability;
    bool is_well = bench_audience_init(&audience, &stage, &bench_door_front, 100, bytes, &tally);
    const struct bench_part part = {.stage = &stage,
                                    .door = &bench_door_front,
                                    .audience = &audience,
                                    .bytes = bytes,
                                    .workers = 2,
                                    .per_second = or_else(request->per_second, BATCH_RATE),
                                    .steps = BATCH_CHANGES / 2};
    is_well = is_well && play_and_flush(&part, &tally, &before, spent_out);
    if (is_well) {
        bench_report_tally(report, name, &tally);
        report_writes(report, name, tally.changes, &before, spent_out);
        spent_out->batches -= before.batches;
        spent_out->usage.write_calls -= before.usage.write_calls;
    }
    bench_audience_fini(&audience);
    return is_well;
}

bool
bench_play_batch(const struct bench_scenario *scenario, const struct bench_request *request,
                 struct bench_report *report)
{
    struct writes batched, through;

    (void)scenario;
    if (!play_durability(request, SF_DURABILITY_MEMORY, "batched", &batched, report) ||
        !play_durability(request, SF_DURABILITY_STORE, "one by one", &through, report))
        return false;
    bench_report_number(report, "transactions_saved_percent",
                        100 - 100.0 * (double)batched.batches / (double)through.batches);
    if (batched.usage.is_known)
        bench_report_number(report, "write_calls_saved_percent",
                            100 - 100.0 * (double)batched.usage.write_calls /
                                      (double)through.usage.write_calls);
    return true;
}

/* ---- the journal ---- */

/* `writers` at once, each waiting for the disk before its next change. */
static bool
play_journal(const struct bench_request *request, const struct bench_audience *audience,
             const struct bench_stage *stage, unsigned writers, struct bench_report *report)
{
    static struct bench_tally tally;
    uint64_t before = 0, after = 0;
    char name[64];
    const struct bench_part part = {
        .stage = stage,
        .door = &bench_door_front,
        .audience = audience,
        .bytes = or_else(request->bytes, BYTES),
        .workers = writers,
        .duration_ns = or_else((uint64_t)request->duration, JOURNAL_DURATION) * (uint64_t)NS_PER_MS,
    };
    bool is_known = bench_stage_number(stage, "journal_commits", &before);

    if (!bench_play(&part, &tally))
        return false;
    snprintf(name, sizeof name, "%u writers", writers);
    bench_report_tally(report, name, &tally);
    if (is_known && bench_stage_number(stage, "journal_commits", &after) && after > before) {
        snprintf(name, sizeof name, "%u writers: changes in a commit", writers);
        bench_report_number(report, name, (double)tally.changes / (double)(after - before));
    }
    return true;
}

bool
bench_play_journal(const struct bench_scenario *scenario, const struct bench_request *request,
                   struct bench_report *report)
{
    static const unsigned writers[] = {1, 8, 64};
    static struct bench_tally tally;
    struct bench_stage stage = *request->stage;
    struct bench_audience audience;
    bool is_well = bench_audience_init(&audience, &stage, &bench_door_front,
                                       or_else(request->sessions, SESSIONS),
                                       or_else(request->bytes, BYTES), &tally);

    (void)scenario;
    stage.config.durability = SF_DURABILITY_JOURNAL;
    for (size_t i = 0; i < sizeof writers / sizeof writers[0] && is_well; i++)
        is_well = play_journal(request, &audience, &stage, writers[i], report);
    bench_audience_fini(&audience);
    return is_well;
}
