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

/*
 * The process ends by SIGKILL behind instruction `kill_at` of `run`; returns the number of
 * instructions if there are fewer.
 */
long sf_step_and_kill(sf_step_fn *run, void *context, long kill_at);

/*
 * Calls `changed` between two instructions whenever some byte of the watched memory differs from
 * the time before. Returns the number of instructions.
 */
long sf_step_and_watch(sf_step_fn *run, void *context, const void *watched, size_t bytes,
                       sf_step_fn *changed, void *changed_context);
