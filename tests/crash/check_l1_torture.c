/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Processes that write, read, flush, sweep and fill one cache, killed and stopped at random moments
 * for some seconds, and replaced. The ledger is in memory that the cache knows nothing of. No call
 * of the cache may wait for those who are dead or stopped. Arguments: seconds, seed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/waits.h"
#include "tests/support/test_cache.h"
#include "tests/support/workload.h"

#define SECONDS 10
#define PAUSE_MAX 3000000L  /* ns between two kills */
#define STOP_MAX 30000000L  /* ns that somebody is stopped */
#define END_MAX (10 * SF_SECOND)

static sf_workload_role_fn *const roles[] = {
    sf_workload_write, sf_workload_write, sf_workload_write, sf_workload_keep,
    sf_workload_keep,  sf_workload_press, sf_workload_read,
};
#define ROLES (sizeof(roles) / sizeof(roles[0]))
#define VICTIMS (ROLES - 1) /* the reader is left alone: it leaves nothing */

/* What all processes share. */
struct torture {
    struct sf_workload work;
    struct sf_waits waits;
    bool is_in_memory;
    _Atomic unsigned stops[ROLES]; /* odd: whoever plays the role may be stopped */
};

static void
play(size_t role, struct torture *torture, const struct sf_test_cache *cache, unsigned seed)
{
    struct sf_l1 *l1;
    struct sf_error error;

    /* Slots of the dead are given back by the sweeper, which may have been killed too. */
    while (sf_l1_attach(&l1, &cache->instance, SF_L1_READ_WRITE, &error) != SF_OK)
        usleep(1000);
    if (torture->is_in_memory)
        sf_waits_watch(&torture->waits, &torture->stops[role]);
    roles[role](&torture->work, l1, seed);
    sf_l1_close(l1);
    _exit(EXIT_SUCCESS);
}

static pid_t
start(size_t role, struct torture *torture, const struct sf_test_cache *cache)
{
    unsigned seed = (unsigned)random();
    pid_t child = fork();

    if (child == 0)
        play(role, torture, cache, seed);
    return child;
}

static void
pause_up_to(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = random() % ns}, NULL);
}

/* Returns true when he lives on. */
static bool
stop_for_a_while(pid_t child, _Atomic unsigned *stops)
{
    bool lives_on = random() % 2 == 0;

    atomic_fetch_add(stops, 1);
    kill(child, SIGSTOP);
    pause_up_to(random() % 8 == 0 ? STOP_MAX : PAUSE_MAX);
    kill(child, lives_on ? SIGCONT : SIGKILL);
    atomic_fetch_add(stops, 1);
    return lives_on;
}

static void
strike(pid_t *children, struct torture *torture, const struct sf_test_cache *cache, long *kills)
{
    size_t victim = (size_t)random() % VICTIMS;

    if (random() % 4 == 0 && stop_for_a_while(children[victim], &torture->stops[victim]))
        return;
    kill(children[victim], SIGKILL);
    children[victim] = start(victim, torture, cache);
    ++*kills;
    while (waitpid(-1, NULL, WNOHANG) >
           0) /* whoever has died by now: a kill takes until the victim's next turn */
        ;
}

static void
judge(struct sf_workload *work, struct sf_test_cache *cache)
{
    struct sf_error error = {.status = SF_OK};

    (void)sf_test_repair_all(cache->l1, SF_TEST_NOW);
    if (sf_l1_check(cache->l1, true, &error) != SF_OK) {
        atomic_fetch_add(&work->findings, 1);
        printf("FAIL %s\n", error.text);
    }
    sf_workload_end(work, cache->l1);
}

/* Who waits for somebody else, for ever, has not come out of his call to say so. */
static void
wait_for_all(const pid_t *children, struct sf_workload *work)
{
    sf_time deadline = sf_clock_steady() + END_MAX;
    pid_t ended;

    while ((ended = waitpid(-1, NULL, WNOHANG)) >= 0 && sf_clock_steady() < deadline) {
        if (ended == 0)
            usleep(1000);
    }
    if (ended < 0)
        return;
    printf("FAIL a call does not end\n");
    atomic_fetch_add(&work->findings, 1);
    for (size_t i = 0; i < ROLES; i++)
        kill(children[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
}

static void
torture_for(long seconds, struct torture *torture, struct sf_test_cache *cache)
{
    struct sf_workload *work = &torture->work;
    pid_t children[ROLES];
    sf_time deadline = sf_clock_steady() + seconds * SF_SECOND;
    long kills = 0;

    for (size_t i = 0; i < ROLES; i++)
        children[i] = start(i, torture, cache);
    while (sf_clock_steady() < deadline && atomic_load(&work->findings) == 0 &&
           atomic_load(&torture->waits.findings) == 0) {
        pause_up_to(random() % 4 == 0 ? PAUSE_MAX : PAUSE_MAX / 20); /* windows are microseconds wide */
        strike(children, torture, cache, &kills);
    }
    atomic_store(&work->must_stop, true);
    wait_for_all(children, work);
    uint64_t counted[SF_COUNTER_COUNT];
    sf_l1_counters_sum(cache->l1, counted);
    if (atomic_load(&torture->waits.findings) == 0) /* or this process might wait, too */
        judge(work, cache);
    printf("%llu evictions, %llu slabs moved, %llu repairs, ",
           (unsigned long long)counted[SF_COUNTER_l1_evictions],
           (unsigned long long)counted[SF_COUNTER_l1_slabs_moved],
           (unsigned long long)counted[SF_COUNTER_l1_repairs]);
    printf("%ld kills, %llu changes, %llu reads, %llu flushed, %llu loaded, %llu others filled\n",
           kills, (unsigned long long)work->writes, (unsigned long long)work->reads,
           (unsigned long long)work->flushes, (unsigned long long)work->loads,
           (unsigned long long)work->fills);
    if (torture->is_in_memory)
        sf_waits_print(&torture->waits);
}

int
main(int count, char **words)
{
    long seconds = count > 1 ? strtol(words[1], NULL, 10) : SECONDS;
    unsigned seed = count > 2 ? (unsigned)strtoul(words[2], NULL, 10) : (unsigned)time(NULL);
    struct torture *torture =
        mmap(NULL, sizeof(*torture), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sf_test_cache cache;

    if (torture == MAP_FAILED)
        return EXIT_FAILURE;
    torture->is_in_memory = sf_temp_folder_want_memory();
    printf("seed %u%s\n", seed,
           torture->is_in_memory ? "" : ", on a disk: whether anybody waits cannot be said");
    fflush(stdout);
    srandom(seed);
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_workload_begin(&torture->work, cache.l1);
    torture_for(seconds, torture, &cache);
    if (torture->work.findings > 0)
        printf("FAIL %u findings, the first: %s\n", torture->work.findings, torture->work.finding);
    if (torture->waits.findings > 0)
        printf("FAIL %u calls have waited, the first: %s\n", torture->waits.findings,
               torture->waits.finding);
    sf_test_cache_fini(&cache);
    return torture->work.findings + torture->waits.findings == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
