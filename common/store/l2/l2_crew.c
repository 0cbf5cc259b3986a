/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/l2_crew.h"

#include <signal.h>
#include <string.h>

/* ---- in a thread of the crew ---- */

static void *
take_work(void *context)
{
    struct sf_l2_mate *mate = context;
    struct sf_l2_crew *crew = mate->crew;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        while (mate->piece == NULL && !crew->is_over)
            pthread_cond_wait(&mate->called, &crew->lock);
        if (mate->piece == NULL)
            break;
        sf_l2_work_fn *work = crew->work;
        pthread_mutex_unlock(&crew->lock);
        work(mate->piece);
        pthread_mutex_lock(&crew->lock);
        mate->piece = NULL;
        if (--crew->busy == 0)
            pthread_cond_signal(&crew->done);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* ---- in the caller's ---- */

/* Signals are for the program's own threads. */
static bool
is_there(struct sf_l2_mate *mate)
{
    sigset_t all, before;
    if (mate->is_there)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    mate->is_there = pthread_create(&mate->thread, NULL, take_work, mate) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return mate->is_there;
}

static bool
hand_over(struct sf_l2_mate *mate, sf_l2_work_fn *work, void *piece)
{
    struct sf_l2_crew *crew = mate->crew;
    if (!is_there(mate))
        return false;
    pthread_mutex_lock(&crew->lock);
    crew->work = work;
    crew->busy++;
    mate->piece = piece;
    pthread_cond_signal(&mate->called);
    pthread_mutex_unlock(&crew->lock);
    return true;
}

void
sf_l2_crew_run(struct sf_l2_crew *crew, sf_l2_work_fn *work, void *const *pieces, size_t count)
{
    void *own[SF_L2_CREW_MAX];
    size_t own_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !hand_over(&crew->mates[i - 1], work, pieces[i]))
            own[own_count++] = pieces[i];
    for (size_t i = 0; i < own_count; i++)
        work(own[i]);
    pthread_mutex_lock(&crew->lock);
    while (crew->busy > 0)
        pthread_cond_wait(&crew->done, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

/* ---- life ---- */

void
sf_l2_crew_init(struct sf_l2_crew *crew_out)
{
    memset(crew_out, 0, sizeof *crew_out);
    pthread_mutex_init(&crew_out->lock, NULL);
    pthread_cond_init(&crew_out->done, NULL);
    for (size_t i = 0; i < SF_L2_CREW_MAX - 1; i++) {
        crew_out->mates[i].crew = crew_out;
        pthread_cond_init(&crew_out->mates[i].called, NULL);
    }
}

void
sf_l2_crew_fini(struct sf_l2_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_over = true;
    for (size_t i = 0; i < SF_L2_CREW_MAX - 1; i++)
        pthread_cond_signal(&crew->mates[i].called);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < SF_L2_CREW_MAX - 1; i++) {
        if (crew->mates[i].is_there)
            pthread_join(crew->mates[i].thread, NULL);
        pthread_cond_destroy(&crew->mates[i].called);
    }
    pthread_cond_destroy(&crew->done);
    pthread_mutex_destroy(&crew->lock);
}
