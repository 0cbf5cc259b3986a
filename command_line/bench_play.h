/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_play.h - many users at once, each operation timed and its result looked at.
 */
#include "command_line/bench_door.h"
#include "common/base/histogram.h"

/* Sessions that exist, and how often each is asked for. */
struct bench_audience {
    struct bench_session *sessions;
    uint32_t count;
    uint32_t *sequence; /* drawn in advance, gone through again and again */
    uint32_t sequence_count;
};

#define BENCH_STATUSES (SF_NO_MEMORY + 1)

struct bench_tally {
    uint64_t reads, changes; /* that were right, and acknowledged */
    uint64_t failed[BENCH_STATUSES]; /* by what they answered */
    uint64_t begin_ns, ns;   /* from the first beginning to the last end */
    struct sf_histogram read_times, change_times; /* nanoseconds; with a rate: since each was due */
};

enum bench_whose {
    BENCH_ANYBODYS, /* each worker asks for all sessions */
    BENCH_SHARES,   /* each has its own: worker i of k those with number i, i + k, ... */
};

/* All of tally->failed. */
uint64_t bench_failures(const struct bench_tally *tally);

struct bench_part {
    const struct bench_stage *stage;
    const struct bench_door_ops *door;
    const struct bench_audience *audience;
    enum bench_whose whose;
    uint32_t bytes;
    unsigned workers;      /* processes */
    unsigned read_percent; /* of the steps; the others are changes */
    bool reads_before_change;
    uint64_t steps;        /* of each worker; 0: as many as fit into the time */
    uint64_t duration_ns;  /* with steps 0 */
    uint64_t per_second;   /* steps of all together, kept; 0: each worker as fast as it can */
};

/* false: a worker failed or died; it has been told. */
bool bench_play(const struct bench_part *part, struct bench_tally *tally_out);

/* Makes `count` sessions, each creation timed in tally_out->change_times; zipf 0.99. false: told. */
bool bench_audience_init(struct bench_audience *audience, const struct bench_stage *stage,
                         const struct bench_door_ops *ops, uint32_t count, uint32_t bytes,
                         struct bench_tally *tally_out);
void bench_audience_fini(struct bench_audience *audience);

/* The sum of all counters, as a process sees it that was not there before; -1: a session is not right. */
int64_t bench_audience_sum(const struct bench_audience *audience, const struct bench_stage *stage,
                           const struct bench_door_ops *ops, uint32_t bytes);
