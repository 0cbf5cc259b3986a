/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/leftovers.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "fcgi_gateway/cgi_spawn.h"

void
sf_leftovers_init(struct sf_leftovers *leftovers)
{
    pthread_mutex_init(&leftovers->lock, NULL);
    leftovers->count = 0;
}

static size_t
reap(struct sf_leftovers *leftovers)
{
    size_t left = 0;
    for (size_t i = 0; i < leftovers->count; i++) {
        if (waitpid(leftovers->pids[i], NULL, WNOHANG) == 0)
            leftovers->pids[left++] = leftovers->pids[i];
    }
    leftovers->count = left;
    return left;
}

void
sf_leftovers_add(struct sf_leftovers *leftovers, pid_t pid)
{
    pthread_mutex_lock(&leftovers->lock);
    bool has_room = leftovers->count < SF_LEFTOVERS_MAX || reap(leftovers) < SF_LEFTOVERS_MAX;
    if (has_room)
        leftovers->pids[leftovers->count++] = pid;
    pthread_mutex_unlock(&leftovers->lock);
    if (has_room)
        return;
    sf_cgi_signal(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

size_t
sf_leftovers_reap(struct sf_leftovers *leftovers)
{
    pthread_mutex_lock(&leftovers->lock);
    size_t left = reap(leftovers);
    pthread_mutex_unlock(&leftovers->lock);
    return left;
}
