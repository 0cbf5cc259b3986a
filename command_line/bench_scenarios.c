/* SPDX-License-Identifier: Apache-2.0 */
/* The table, and the mixes: many users, reads and changes, beside the store alone. */
#include "command_line/bench_scenarios.h"

#include "common/base/clock.h"

#define SESSIONS 10000
#define BYTES 1024
#define WORKERS 2
#define DURATION (5 * SF_SECOND)
#define NS_PER_MS 1000000u

const struct bench_scenario bench_scenarios[] = {
    {.name = "read_heavy", .help = "95 % reads: dashboards, query interfaces",
     .play = bench_play_mix, .read_percent = 95},
    {.name = "stable_data", .help = "99 % reads: profiles, preferences",
     .play = bench_play_mix, .read_percent = 99},
    {.name = "users", .help = "200 users at once, each a process, 90 % reads",
     .play = bench_play_mix, .read_percent = 90, .workers = 200},
    {.name = "balanced", .help = "70 % reads", .play = bench_play_mix, .read_percent = 70},
    {.name = "periodic", .help = "80 % reads: frequent, predictable changes",
     .play = bench_play_mix, .read_percent = 80},
    {.name = "write_heavy", .help = "30 % reads: forms in real time",
     .play = bench_play_mix, .read_percent = 30},
    {.name = "every_request", .help = "every request reads and changes",
     .play = bench_play_mix, .reads_before_change = true},
    {.name = "lifecycle", .help = "1 create, 100 reads, 1 end; 10, 100 and 1,000 users",
     .play = bench_play_lifecycle},
    {.name = "page_views", .help = "1 user, 100 pages, a counter", .play = bench_play_pages},
    {.name = "concurrent", .help = "50 users at once, 30 pages each: 1,500 counted exactly",
     .play = bench_play_concurrent},
    {.name = "one_session", .help = "1,000 changes of one session, by several processes",
     .play = bench_play_one_session},
    {.name = "clients", .help = "1 to 1,000 clients at once: throughput against the best",
     .play = bench_play_clients},
    {.name = "rate", .help = "exactly 6,000 changes a second for 60 s, whatever the answers take",
     .play = bench_play_rate},
    {.name = "outage", .help = "6,000 changes a second, and a store that takes nothing for 3 minutes",
     .play = bench_play_outage, .lines = "SessionFastCacheSize 16M\n"},
    {.name = "batch", .help = "writes to the disk, batched against one for each change",
     .play = bench_play_batch},
    {.name = "journal", .help = "changes that are on disk when acknowledged: 1, 8 and 64 writers",
     .play = bench_play_journal},
    {.name = "memory", .help = "how many sessions fit, and the bytes of each",
     .play = bench_play_memory, .needs_no_daemon = true},
    {.name = NULL},
};

static struct bench_part
part_of(const struct bench_scenario *scenario, const struct bench_request *request,
        const struct bench_door_ops *door, const struct bench_audience *audience)
{
    sf_time duration = request->duration > 0 ? request->duration : DURATION;
    unsigned workers = scenario->workers > 0 ? scenario->workers : WORKERS;

    return (struct bench_part){
        .stage = request->stage,
        .door = door,
        .audience = audience,
        .whose = door == &bench_door_store ? BENCH_SHARES : BENCH_ANYBODYS,
        .bytes = request->bytes > 0 ? request->bytes : BYTES,
        .workers = request->workers > 0 ? request->workers : workers,
        .read_percent = scenario->read_percent,
        .reads_before_change = scenario->reads_before_change,
        .duration_ns = (uint64_t)duration * NS_PER_MS,
        .per_second = request->per_second,
    };
}

/* Steps a second; 0: it could not be played. */
static double
play_mix_with(const struct bench_scenario *scenario, const struct bench_request *request,
              const struct bench_door_ops *door, struct bench_report *report)
{
    static struct bench_tally tally;
    struct bench_audience audience;
    uint32_t sessions = request->sessions > 0 ? request->sessions : SESSIONS;
    struct bench_part part = part_of(scenario, request, door, &audience);
    bool is_well = bench_audience_init(&audience, request->stage, door, sessions, part.bytes, &tally);

    if (is_well) {
        bench_report_times(report, "create", door->name, &tally.change_times, tally.ns);
        is_well = bench_failures(&tally) == 0 && bench_play(&part, &tally);
    }
    if (is_well) {
        bench_report_tally(report, door->name, &tally);
        bench_report_expect(report, door == &bench_door_front ? "changes" : "changes, store alone",
                            (int64_t)tally.changes,
                            bench_audience_sum(&audience, request->stage, door, part.bytes));
    }
    bench_audience_fini(&audience);
    return is_well ? (double)(tally.reads + tally.changes) * 1e9 / (double)tally.ns : 0;
}

bool
bench_play_mix(const struct bench_scenario *scenario, const struct bench_request *request,
               struct bench_report *report)
{
    double ours = play_mix_with(scenario, request, &bench_door_front, report), theirs;

    if (ours <= 0)
        return false;
    bench_report_number(report, "operations_per_second", ours);
    if (!request->stage->is_private)
        return true;
    theirs = play_mix_with(scenario, request, &bench_door_store, report);
    if (theirs <= 0)
        return false;
    bench_report_number(report, "store_alone_operations_per_second", theirs);
    bench_report_number(report, "times_the_store_alone", ours / theirs);
    return true;
}
