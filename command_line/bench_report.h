/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_report.h - the result of a scenario: rows of timings, facts, and whether everything was right.
 */
#include <jansson.h>

#include "command_line/bench_play.h"

struct bench_report {
    json_t *rows;
    json_t *facts;
    bool is_right;
};

void bench_report_init(struct bench_report *report);
void bench_report_fini(struct bench_report *report);

/* One row. Nothing when there is nothing in `times`. */
void bench_report_times(struct bench_report *report, const char *what, const char *by,
                        const struct sf_histogram *times, uint64_t ns);

/* Rows for its reads and its changes. Failures make the report wrong. */
void bench_report_tally(struct bench_report *report, const char *by,
                        const struct bench_tally *tally);

void bench_report_number(struct bench_report *report, const char *name, double value);
void bench_report_count(struct bench_report *report, const char *name, uint64_t value);
/* Wrong unless they are equal. */
void bench_report_expect(struct bench_report *report, const char *name, int64_t expected,
                         int64_t found);

void bench_report_print(const struct bench_report *report, const char *scenario, const char *what,
                        bool is_json);
