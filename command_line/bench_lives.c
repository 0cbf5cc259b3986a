/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios of single users' lives: counted steps, exact counters. */
#include <stdlib.h>

#include "command_line/bench_scenarios.h"

#define BYTES 1024
#define PAGES 100
#define CONCURRENT_USERS 50
#define CONCURRENT_PAGES 30
#define UPDATES 1000
#define UPDATERS 4

static uint32_t
bytes_of(const struct bench_request *request)
{
    return request->bytes > 0 ? request->bytes : BYTES;
}

/* ---- lifecycle ---- */

struct life {
    struct sf_histogram create, first_read, read, end;
    uint64_t ns, failed;
};

static void
count_step(struct life *life, struct sf_histogram *times, uint64_t *before, enum sf_status status)
{
    uint64_t now = sf_clock_ns();

    sf_histogram_add(times, now - *before);
    life->failed += status != SF_OK;
    *before = now;
}

static void
live(struct life *life, const struct bench_door_ops *ops, struct bench_door *door, uint64_t number)
{
    struct bench_session session = {.number = number};
    uint64_t before = sf_clock_ns();
    int64_t n;

    count_step(life, &life->create, &before, ops->create(door, &session));
    for (int page = 0; page < PAGES; page++)
        count_step(life, page == 0 ? &life->first_read : &life->read, &before,
                   ops->read(door, &session, &n));
    count_step(life, &life->end, &before, ops->end(door, &session));
}

/* Milliseconds of all lives; 0: the door does not open. */
static double
live_all(struct life *life, const struct bench_request *request, const struct bench_door_ops *ops,
         uint32_t users, uint64_t first_number)
{
    struct bench_door *door = ops->open(request->stage, bytes_of(request));
    uint64_t begin = sf_clock_ns();

    if (door == NULL) {
        command_fail(EXIT_NO_ANSWER, "%s does not open", ops->name);
        return 0;
    }
    for (uint32_t user = 0; user < users; user++)
        live(life, ops, door, first_number + user);
    uint64_t ns = sf_clock_ns() - begin;
    ops->close(door);
    life->ns += ns;
    return (double)ns / 1e6;
}

static void
report_life(struct bench_report *report, const char *by, const struct life *life)
{
    bench_report_times(report, "create", by, &life->create, life->ns);
    bench_report_times(report, "first read", by, &life->first_read, life->ns);
    bench_report_times(report, "read", by, &life->read, life->ns);
    bench_report_times(report, "end", by, &life->end, life->ns);
    if (life->failed > 0)
        report->is_right = false;
}

bool
bench_play_lifecycle(const struct bench_scenario *scenario, const struct bench_request *request,
                     struct bench_report *report)
{
    static const uint32_t users[] = {10, 100, 1000};
    static const struct bench_door_ops *const doors[] = {&bench_door_front, &bench_door_store};
    static struct life lives[2];
    double last[2] = {0};
    uint64_t number = 0;

    (void)scenario;
    for (int door = 0; door < (request->stage->is_private ? 2 : 1); door++) {
        for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
            char name[64];
            last[door] = live_all(&lives[door], request, doors[door], users[i], number);
            number += users[i];
            if (last[door] <= 0)
                return false;
            snprintf(name, sizeof name, "%s: %u users, ms", doors[door]->name, users[i]);
            bench_report_number(report, name, last[door]);
        }
        report_life(report, doors[door]->name, &lives[door]);
    }
    if (last[1] > 0)
        bench_report_number(report, "times_the_store_alone", last[1] / last[0]);
    return true;
}

/* ---- counters ---- */

/* `workers` processes, each `steps` pages on its own session or on the one; the sum must be exact. */
static bool
count_pages(const struct bench_request *request, struct bench_report *report, const char *name,
            uint32_t sessions, unsigned workers, uint64_t steps)
{
    static struct bench_tally tally;
    struct bench_audience audience;
    bool is_well = bench_audience_init(&audience, request->stage, &bench_door_front, sessions,
                                       bytes_of(request), &tally);
    const struct bench_part part = {.stage = request->stage,
                                    .door = &bench_door_front,
                                    .audience = &audience,
                                    .whose = sessions > 1 ? BENCH_SHARES : BENCH_ANYBODYS,
                                    .bytes = bytes_of(request),
                                    .workers = workers,
                                    .reads_before_change = true,
                                    .steps = steps};

    is_well = is_well && bench_failures(&tally) == 0 && bench_play(&part, &tally);
    if (is_well) {
        bench_report_tally(report, name, &tally);
        bench_report_expect(report, name, (int64_t)(workers * steps),
                            bench_audience_sum(&audience, request->stage, &bench_door_front,
                                               part.bytes));
    }
    bench_audience_fini(&audience);
    return is_well;
}

bool
bench_play_pages(const struct bench_scenario *scenario, const struct bench_request *request,
                 struct bench_report *report)
{
    (void)scenario;
    return count_pages(request, report, "one user's page views", 1, 1, PAGES);
}

bool
bench_play_concurrent(const struct bench_scenario *scenario, const struct bench_request *request,
                      struct bench_report *report)
{
    (void)scenario;
    return count_pages(request, report, "a session each", CONCURRENT_USERS, CONCURRENT_USERS,
                       CONCURRENT_PAGES) &&
           count_pages(request, report, "one session for all", 1, CONCURRENT_USERS,
                       CONCURRENT_PAGES);
}

bool
bench_play_one_session(const struct bench_scenario *scenario, const struct bench_request *request,
                       struct bench_report *report)
{
    unsigned workers = request->workers > 0 ? request->workers : UPDATERS;

    (void)scenario;
    return count_pages(request, report, "changes of one session", 1, workers, UPDATES / workers);
}
