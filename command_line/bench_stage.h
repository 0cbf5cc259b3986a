/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_stage.h - where a benchmark plays: an instance of its own in a temporary folder, with a real
 * daemon and a SQLite store, or one that runs already and was asked for by name.
 */
#include "command_line/command.h"

#define BENCH_PATH_MAX 128

struct bench_stage {
    struct sf_config config;
    struct sf_instance instance;
    bool is_private;
    bool needs_no_daemon;      /* private ones only: the folders are enough */
    const char *daemon;        /* path of session-fastd; private ones only */
    const char *lines;         /* more options of a private instance; may be "" */
    char run[BENCH_PATH_MAX];  /* folders of a private one: in memory, and on disk */
    char state[BENCH_PATH_MAX];
    pid_t process;             /* the daemon; of another's instance: as it says itself; 0: unknown */
    apr_pool_t *pool;
};

/* EXIT_DONE, or the failure has been told. stage->is_private, daemon and lines are set by the caller. */
int bench_stage_open(struct bench_stage *stage, const struct command_context *context);
/* Ends the daemon and removes everything of a private one. */
void bench_stage_close(struct bench_stage *stage);

/* What the daemon's SESSION.STATUS says under `name`; false: nothing. */
bool bench_stage_number(const struct bench_stage *stage, const char *name, uint64_t *number_out);
/* SESSION.FLUSH: the store has everything. */
bool bench_stage_flush(const struct bench_stage *stage);

struct bench_usage {
    bool is_known;          /* what follows was allowed to be read */
    uint64_t cpu_ms;
    uint64_t write_calls;   /* write(), pwrite() and their like */
    uint64_t written_bytes; /* sent to the disk */
    uint64_t memory_kb;     /* its own, without the cache */
};

/* Of the daemon, since it began. */
struct bench_usage bench_stage_usage(const struct bench_stage *stage);
