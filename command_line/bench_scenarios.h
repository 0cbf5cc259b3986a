/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_scenarios.h - the named scenarios of "session-fast bench".
 */
#include "command_line/bench_report.h"

/* 0: the scenario's own. */
struct bench_request {
    const struct bench_stage *stage;
    uint32_t sessions, bytes;
    unsigned workers;
    uint64_t per_second;
    sf_time duration;
};

struct bench_scenario {
    const char *name;
    const char *help;
    /* false: it could not be played to its end; that has been told. */
    bool (*play)(const struct bench_scenario *scenario, const struct bench_request *request,
                 struct bench_report *report);
    unsigned read_percent; /* of the mixes */
    bool reads_before_change;
    unsigned workers;      /* if not 2 */
    const char *lines;     /* more options of the private instance; NULL: none */
    bool needs_no_daemon;
};

extern const struct bench_scenario bench_scenarios[]; /* up to one without a name */

/* Of the .play above, by the file that has it. */
bool bench_play_mix(const struct bench_scenario *scenario, const struct bench_request *request,
                    struct bench_report *report);
bool bench_play_lifecycle(const struct bench_scenario *scenario,
                          const struct bench_request *request, struct bench_report *report);
bool bench_play_pages(const struct bench_scenario *scenario, const struct bench_request *request,
                      struct bench_report *report);
bool bench_play_concurrent(const struct bench_scenario *scenario,
                           const struct bench_request *request, struct bench_report *report);
bool bench_play_one_session(const struct bench_scenario *scenario,
                            const struct bench_request *request, struct bench_report *report);
bool bench_play_clients(const struct bench_scenario *scenario, const struct bench_request *request,
                        struct bench_report *report);
bool bench_play_rate(const struct bench_scenario *scenario, const struct bench_request *request,
                     struct bench_report *report);
bool bench_play_outage(const struct bench_scenario *scenario, const struct bench_request *request,
                       struct bench_report *report);
bool bench_play_batch(const struct bench_scenario *scenario, const struct bench_request *request,
                      struct bench_report *report);
bool bench_play_journal(const struct bench_scenario *scenario, const struct bench_request *request,
                        struct bench_report *report);
bool bench_play_memory(const struct bench_scenario *scenario, const struct bench_request *request,
                       struct bench_report *report);
