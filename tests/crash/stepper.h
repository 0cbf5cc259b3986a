/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * stepper.h - runs a function one machine instruction at a time (x86-64), in a process that may die
 * at any of them.
 *
 * The processor's trap flag gives a signal behind every instruction; system calls count as one. A
 * process that is killed leaves exactly what its finished instructions have stored, so a copy of
 * the memory taken between two instructions is what a kill at that place would leave.
 */
#include <stdbool.h>
#include <stddef.h>

bool sf_stepper_works(void);

typedef void sf_step_fn(void *context);
/* Called behind every instruction. `was_call`: it was a system call, or the one behind it. */
typedef void sf_step_seen_fn(void *context, long steps, bool was_call);

/* Returns the number of instructions of `run`, or of those until `seen` calls sf_step_stop: the rest runs as ever. */
long sf_step(sf_step_fn *run, void *context, sf_step_seen_fn *seen, void *seen_context);
void sf_step_stop(void);
