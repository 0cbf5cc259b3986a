/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const operation_names[OPERATIONS] = {
    [CREATE] = "create", [UPDATE] = "update", [TOUCH] = "touch",   [END] = "end",
    [ROTATE] = "rotate", [EVICT] = "evict",   [FILL] = "fill",     [CONFIRM] = "confirm",
    [FLUSH] = "flush",   [SWEEP] = "sweep",   [MOVE] = "slab move", [CLAIM] = "slot claim",
    [SEGMENT] = "segment creation", [REPAIR] = "repair",
};

static long stepped[OPERATIONS]; /* instructions */
static unsigned failures;
static const char *scenario_name;

void
begin_steps(const char *name)
{
    scenario_name = name;
}

void
fail(const char *where, const char *what)
{
    failures++;
    if (failures <= 20)
        printf("FAIL %s, %s: %s\n", scenario_name, where, what);
}

void
count_steps(enum operation operation, const struct trace *trace, long states)
{
    printf("%-30s %7ld instructions, %4ld different states\n", scenario_name, trace->steps, states);
    stepped[operation] += trace->steps;
}

void
note_call(struct trace *trace, long steps)
{
    if (trace->call_count < CALLS_MAX)
        trace->calls[trace->call_count++] = steps;
}

void
die_at(void *context, long steps, bool was_call)
{
    const long *instruction = context;

    (void)was_call;
    if (steps == *instruction)
        kill(getpid(), SIGKILL);
}

/* ---- a child that is watched ---- */

struct watched
watch_child(watch_fn *be_watched, void *context, struct trace *trace)
{
    int up[2], down[2];

    *trace = (struct trace){.steps = 0};
    must(pipe(up) == 0 && pipe(down) == 0, "pipes");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(up[0]);
        close(down[1]);
        be_watched(context, &(struct parent){up[1], down[0], trace});
        _exit(EXIT_SUCCESS);
    }
    close(up[1]);
    close(down[0]);
    return (struct watched){child, up[0], down[1]};
}

void
ask_parent(const struct parent *parent, char message)
{
    char answer;

    if (write(parent->to, &message, 1) != 1 || read(parent->from, &answer, 1) != 1)
        _exit(EXIT_FAILURE);
}

bool
next_message(const struct watched *watched, char *message_out)
{
    return read(watched->from, message_out, 1) == 1;
}

void
let_go_on(const struct watched *watched)
{
    if (write(watched->to, "g", 1) != 1)
        fail("watching", "the child is gone");
}

void
end_watched(const struct watched *watched)
{
    must(waitpid(watched->child, NULL, 0) == watched->child, "wait");
    close(watched->from);
    close(watched->to);
}

/* ---- behind the kill, and in the end ---- */

bool
are_slots_free(const struct sf_l1 *l1)
{
    uint32_t in_use = 0;

    for (uint32_t slot = 0; slot < l1->plan.slots; slot++)
        in_use += (uint32_t)(atomic_load(&l1->slots.slots[slot].word) & 1);
    return in_use == 1; /* our own */
}

static void
tell_what_was_stepped(void)
{
    printf("instructions stepped:");
    for (int operation = 0; operation < OPERATIONS; operation++) {
        printf("%s %s %ld", operation == 0 ? "" : ",", operation_names[operation],
               stepped[operation]);
        if (stepped[operation] == 0)
            fail(operation_names[operation], "no scenario");
    }
    printf("\n");
}

bool
end_steps(bool is_all)
{
    if (is_all)
        tell_what_was_stepped();
    printf("%u failures\n", failures);
    return failures == 0;
}
