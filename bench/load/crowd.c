/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers announce themselves by one byte in `ready`; they begin when `go` is closed, which wakes all of
 * them at once and also when the parent is gone.
 */
#include "bench/load/crowd.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

#define STACK_BYTES (256u << 10)
#define IS_READY '.'
#define HAS_FAILED 'x'

struct member {
    struct sf_crowd_worker worker;
    const struct gathering *gathering;
    bool is_well;
    union {
        pid_t process;
        pthread_t thread;
    };
};

struct gathering {
    const struct sf_crowd *crowd;
    int ready[2], go[2];
    unsigned char *results; /* shared */
    _Atomic uint64_t *begin_ns; /* shared: behind the results; set before `go` is closed; 0: go home */
    size_t bytes, mapped;
    struct member *members;
};

static void
close_one(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static bool
wait_for_go(const struct gathering *gathering)
{
    char nothing;
    ssize_t got;

    do
        got = read(gathering->go[0], &nothing, 1);
    while (got < 0 && errno == EINTR);
    return got == 0;
}

static bool
take_part(struct member *member)
{
    const struct gathering *gathering = member->gathering;
    const struct sf_crowd *crowd = gathering->crowd;
    bool is_well = crowd->prepare == NULL || crowd->prepare(&member->worker);
    char word = is_well ? IS_READY : HAS_FAILED;

    if (write(gathering->ready[1], &word, 1) != 1)
        return false;
    /* Whoever dies before writing is missed: nobody else holds the pipe open for long. */
    if (!crowd->is_threads)
        close(gathering->ready[1]);
    bool is_go = wait_for_go(gathering);
    member->worker.begin_ns = atomic_load_explicit(gathering->begin_ns, memory_order_acquire);
    return is_go && is_well && member->worker.begin_ns != 0 && crowd->work(&member->worker);
}

static void *
run_thread(void *context)
{
    struct member *member = context;

    member->is_well = take_part(member);
    return NULL;
}

/* _exit: what the parent has open is not this process's to finish. */
static void
run_process(struct gathering *gathering, struct member *member)
{
    close_one(&gathering->go[1]);
    close_one(&gathering->ready[0]);
    _exit(take_part(member) ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool
start_process(struct gathering *gathering, struct member *member)
{
    member->process = fork();
    if (member->process == 0)
        run_process(gathering, member);
    return member->process > 0;
}

static bool
start_thread(struct member *member)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int failure = pthread_create(&member->thread, &attributes, run_thread, member);
    pthread_attr_destroy(&attributes);
    return failure == 0;
}

/* Returns how many there are. */
static unsigned
start_all(struct gathering *gathering)
{
    const struct sf_crowd *crowd = gathering->crowd;
    unsigned started = 0;

    for (; started < crowd->count; started++) {
        struct member *member = &gathering->members[started];
        member->gathering = gathering;
        member->worker = (struct sf_crowd_worker){
            .context = crowd->context,
            .index = started,
            .count = crowd->count,
            .result = gathering->results + started * crowd->result_bytes,
        };
        if (!(crowd->is_threads ? start_thread(member) : start_process(gathering, member)))
            break;
    }
    return started;
}

/* Processes: when all that live have written, nobody has the writing end, and the wait ends. */
static bool
wait_until_ready(struct gathering *gathering, unsigned started)
{
    bool is_well = started == gathering->crowd->count;
    char word;

    if (!gathering->crowd->is_threads)
        close_one(&gathering->ready[1]);
    for (unsigned i = 0; i < started; i++) {
        ssize_t got = read(gathering->ready[0], &word, 1);
        if (got < 0 && errno == EINTR)
            i--;
        else if (got != 1 || word != IS_READY)
            is_well = false;
        if (got == 0)
            break;
    }
    return is_well;
}

static bool
wait_for_process(pid_t process)
{
    int status;

    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static bool
wait_for_all(struct gathering *gathering, unsigned started)
{
    bool is_well = true;

    for (unsigned i = 0; i < started; i++) {
        struct member *member = &gathering->members[i];
        if (gathering->crowd->is_threads)
            is_well = pthread_join(member->thread, NULL) == 0 && member->is_well && is_well;
        else
            is_well = wait_for_process(member->process) && is_well;
    }
    return is_well;
}

static bool
prepare_gathering(struct gathering *gathering)
{
    const struct sf_crowd *crowd = gathering->crowd;

    gathering->members = calloc(crowd->count, sizeof *gathering->members);
    gathering->mapped = (gathering->bytes + 7) / 8 * 8 + sizeof *gathering->begin_ns;
    gathering->results = mmap(NULL, gathering->mapped, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (gathering->results == MAP_FAILED)
        gathering->results = NULL;
    else
        gathering->begin_ns =
            (_Atomic uint64_t *)(void *)(gathering->results + gathering->mapped - sizeof(uint64_t));
    return gathering->members != NULL && gathering->results != NULL && pipe(gathering->ready) == 0 &&
           pipe(gathering->go) == 0;
}

static void
end_gathering(struct gathering *gathering)
{
    for (int end = 0; end < 2; end++) {
        close_one(&gathering->ready[end]);
        close_one(&gathering->go[end]);
    }
    if (gathering->results != NULL)
        munmap(gathering->results, gathering->mapped);
    free(gathering->members);
}

enum sf_status
sf_crowd_run(const struct sf_crowd *crowd, void *results_out)
{
    struct gathering gathering = {.crowd = crowd,
                                  .ready = {-1, -1},
                                  .go = {-1, -1},
                                  .bytes = (size_t)crowd->count * crowd->result_bytes};

    if (!prepare_gathering(&gathering)) {
        end_gathering(&gathering);
        return SF_UNAVAILABLE;
    }
    unsigned started = start_all(&gathering);
    bool is_well = wait_until_ready(&gathering, started);
    is_well = is_well && (crowd->may_begin == NULL || crowd->may_begin());
    atomic_store_explicit(gathering.begin_ns, is_well ? sf_clock_ns() : 0, memory_order_release);
    close_one(&gathering.go[1]);
    is_well = wait_for_all(&gathering, started) && is_well;
    memcpy(results_out, gathering.results, gathering.bytes);
    end_gathering(&gathering);
    return is_well ? SF_OK : SF_UNAVAILABLE;
}
