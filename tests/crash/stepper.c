/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/stepper.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define TRAP_FLAG 0x100L

/* What the signal handler needs. */
static struct {
    volatile sig_atomic_t is_on;
    long steps;
    long kill_at; /* 0: never */
    const void *watched;
    void *before;
    size_t bytes;
    sf_step_fn *changed;
    void *changed_context;
} stepper;

bool
sf_stepper_works(void)
{
    return true;
}

static void
look_for_change(void)
{
    if (memcmp(stepper.watched, stepper.before, stepper.bytes) == 0)
        return;
    memcpy(stepper.before, stepper.watched, stepper.bytes);
    stepper.changed(stepper.changed_context);
}

static void
step(int number, siginfo_t *info, void *context)
{
    ucontext_t *machine = context;

    (void)number;
    (void)info;
    if (!stepper.is_on) {
        machine->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    if (++stepper.steps == stepper.kill_at)
        kill(getpid(), SIGKILL);
    if (stepper.watched != NULL)
        look_for_change();
}

/* Not a leaf function, so nothing lies in the red zone that the push would overwrite. */
static long
run_stepped(sf_step_fn *run, void *context)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO}, old;

    action.sa_sigaction = step;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTRAP, &action, &old);
    stepper.steps = 0;
    stepper.is_on = 1;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
    run(context);
    stepper.is_on = 0;
    __asm__ volatile("nop" ::: "memory"); /* the trap that takes the flag away */
    sigaction(SIGTRAP, &old, NULL);
    return stepper.steps;
}

long
sf_step_and_kill(sf_step_fn *run, void *context, long kill_at)
{
    stepper.kill_at = kill_at;
    stepper.watched = NULL;
    return run_stepped(run, context);
}

long
sf_step_and_watch(sf_step_fn *run, void *context, const void *watched, size_t bytes,
                  sf_step_fn *changed, void *changed_context)
{
    stepper.kill_at = 0;
    stepper.watched = watched;
    stepper.before = malloc(bytes);
    stepper.bytes = bytes;
    stepper.changed = changed;
    stepper.changed_context = changed_context;
    memcpy(stepper.before, watched, bytes);
    long steps = run_stepped(run, context);
    free(stepper.before);
    return steps;
}

#else

bool
sf_stepper_works(void)
{
    return false;
}

long
sf_step_and_kill(sf_step_fn *run, void *context, long kill_at)
{
    (void)kill_at;
    run(context);
    return 0;
}

long
sf_step_and_watch(sf_step_fn *run, void *context, const void *watched, size_t bytes,
                  sf_step_fn *changed, void *changed_context)
{
    (void)watched;
    (void)bytes;
    (void)changed;
    (void)changed_context;
    run(context);
    return 0;
}

#endif
