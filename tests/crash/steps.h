/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * steps.h - a child that runs an operation one instruction at a time, and the parent that judges
 * what it would leave.
 */
#include <sys/types.h>

#include "common/cache/l1_private.h"
#include "tests/crash/scenarios.h"
#include "tests/crash/stepper.h"

#define CALLS_MAX 200
#define KILL_BUDGET 60000 /* instructions stepped to be killed in one scenario, at some 20 us each */

/* What a child tells beside the pipe, in memory that both have. */
struct trace {
    long steps;
    bool is_done;
    size_t call_count;
    long calls[CALLS_MAX]; /* the steps that were system calls */
};

void begin_steps(const char *name); /* of the scenario, for what follows */
void fail(const char *where, const char *what);
bool end_steps(bool is_all); /* prints all figures; false: something has failed */
void count_steps(enum operation operation, const struct trace *trace, long states);
void note_call(struct trace *trace, long steps);
void die_at(void *context, long steps, bool was_call); /* for sf_step; context: long, the step */

/* Whoever died has been buried: no slot is in use but that of this handle. */
bool are_slots_free(const struct sf_l1 *l1);

/* ---- the child stands still while the parent looks ---- */

struct parent {
    int to, from;
    struct trace *trace;
};

struct watched {
    pid_t child;
    int from, to;
};

/* `watch_fn` runs in the child. */
typedef void watch_fn(void *context, const struct parent *parent);
struct watched watch_child(watch_fn *be_watched, void *context, struct trace *trace);
void ask_parent(const struct parent *parent, char message);

bool next_message(const struct watched *watched, char *message_out); /* false: it has ended */
void let_go_on(const struct watched *watched);
void end_watched(const struct watched *watched);

/* ---- what makes files: the segment, and who attaches ---- */

struct creation {
    enum operation operation;
    const char *name;
    void (*prepare)(const struct sf_instance *instance);
    bool (*operate)(const struct sf_instance *instance);
    const char *(*judge)(struct sf_l1 *l1); /* once it has been made behind the kill */
};

extern const struct creation creations[];
extern const size_t creation_count;

void run_creation(const struct creation *creation, struct trace *trace);
