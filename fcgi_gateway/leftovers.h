/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * leftovers.h - CGI programs that work on after their answer has ended: nobody waits for them, but
 * they are reaped.
 */
#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

#define SF_LEFTOVERS_MAX 1024

struct sf_leftovers {
    pthread_mutex_t lock;
    pid_t pids[SF_LEFTOVERS_MAX];
    size_t count;
};

void sf_leftovers_init(struct sf_leftovers *leftovers);
/* Of a process group of its own, which is killed when there are too many. */
void sf_leftovers_add(struct sf_leftovers *leftovers, pid_t pid);
/* Reaps those that have ended; waits for none. Returns how many are left. */
size_t sf_leftovers_reap(struct sf_leftovers *leftovers);
