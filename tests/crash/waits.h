/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * waits.h - has a call of the cache waited for another process?
 *
 * Linked in front of the calls that a request makes (--wrap: waits.c names them). The clock on the
 * wall says nothing on a busy machine, where everybody stands in line for a processor; nor does it
 * say much that a thread has left the processor of its own accord, which happens for each page that
 * the kernel is just moving elsewhere. But whoever waits for somebody else either spins, which is
 * processor time of his own, or calls a function that sleeps: in such a call that is a finding,
 * however short it was. Being preempted is neither.
 */
#include <stdatomic.h>
#include <stdint.h>

/* In memory that all share. */
struct sf_waits {
    _Atomic uint64_t calls, slow; /* slow: longer than the limit by the clock on the wall */
    _Atomic uint64_t longest_ns;  /* by that clock: not judged */
    _Atomic uint64_t busiest_ns;  /* processor time of a slow one */
    _Atomic unsigned findings;
    char finding[120]; /* the first */
};

/*
 * This process is watched from now on. `stops` is odd while it may be stopped itself, and changes
 * whenever it was: what such a call takes is not its doing. The cache must lie in a tmpfs: elsewhere
 * whoever stores a byte may wait for the disk.
 */
void sf_waits_watch(struct sf_waits *waits, const _Atomic unsigned *stops);

void sf_waits_print(const struct sf_waits *waits);
