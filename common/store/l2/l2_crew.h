/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2_crew.h - several pieces of work at once, each of which may wait for a server: one in the caller's thread, each
 * of the others in one that is made when it is needed first, and kept.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define SF_L2_CREW_MAX 8 /* pieces at once */

typedef void sf_l2_work_fn(void *piece);

struct sf_l2_crew;

struct sf_l2_mate {
    struct sf_l2_crew *crew;
    pthread_t thread;
    bool is_there;
    pthread_cond_t called;
    void *piece;           /* NULL: none, or done */
};

/* Of one thread that calls. */
struct sf_l2_crew {
    pthread_mutex_t lock; /* guards what follows, but for is_there and thread */
    pthread_cond_t done;
    sf_l2_work_fn *work;
    size_t busy;
    bool is_over;
    struct sf_l2_mate mates[SF_L2_CREW_MAX - 1];
};

void sf_l2_crew_init(struct sf_l2_crew *crew_out);
void sf_l2_crew_fini(struct sf_l2_crew *crew);

/* All of them, up to SF_L2_CREW_MAX; where no thread can be had, one after another. Returns when all are done. */
void sf_l2_crew_run(struct sf_l2_crew *crew, sf_l2_work_fn *work, void *const *pieces, size_t count);
