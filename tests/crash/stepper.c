/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/stepper.h"

#include <signal.h>
#include <ucontext.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define TRAP_FLAG 0x100L

/* What the signal handler needs. */
static struct {
    volatile sig_atomic_t is_on;
    bool comes_call; /* the next instruction is a system call */
    long steps;
    sf_step_seen_fn *seen;
    void *seen_context;
} stepper;

bool
sf_stepper_works(void)
{
    return true;
}

static bool
is_system_call(const unsigned char *instruction)
{
    return instruction[0] == 0x0F && instruction[1] == 0x05;
}

static void
step(int number, siginfo_t *info, void *context)
{
    ucontext_t *machine = context;
    bool was_call = stepper.comes_call;

    (void)number;
    (void)info;
    if (!stepper.is_on) {
        machine->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
        return;
    }
    stepper.comes_call = is_system_call((const void *)machine->uc_mcontext.gregs[REG_RIP]);
    stepper.seen(stepper.seen_context, ++stepper.steps, was_call);
}

/* Not a leaf function, so nothing lies in the red zone that the push would overwrite. */
long
sf_step(sf_step_fn *run, void *context, sf_step_seen_fn *seen, void *seen_context)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO}, old;

    action.sa_sigaction = step;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTRAP, &action, &old);
    stepper.steps = 0;
    stepper.comes_call = false;
    stepper.seen = seen;
    stepper.seen_context = seen_context;
    stepper.is_on = 1;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
    run(context);
    stepper.is_on = 0;
    __asm__ volatile("nop" ::: "memory"); /* the trap that takes the flag away */
    sigaction(SIGTRAP, &old, NULL);
    return stepper.steps;
}

void
sf_step_stop(void)
{
    stepper.is_on = 0;
}

#else

bool
sf_stepper_works(void)
{
    return false;
}

long
sf_step(sf_step_fn *run, void *context, sf_step_seen_fn *seen, void *seen_context)
{
    (void)seen;
    (void)seen_context;
    run(context);
    return 0;
}

void
sf_step_stop(void)
{
}

#endif
