/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Processes that write, read, flush, sweep and fill one cache, killed and stopped at random moments
 * for some seconds, and replaced. The ledger is in memory that the cache knows nothing of.
 * Arguments: seconds, seed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test_cache.h"
#include "tests/support/workload.h"

#define SECONDS 10
#define PAUSE_MAX 3000000L /* ns between two kills */

static sf_workload_role_fn *const roles[] = {
    sf_workload_write, sf_workload_write, sf_workload_write, sf_workload_keep,
    sf_workload_keep,  sf_workload_press, sf_workload_read,
};
#define ROLES (sizeof(roles) / sizeof(roles[0]))
#define VICTIMS (ROLES - 1) /* the reader is left alone: it leaves nothing */

static void
play(size_t role, struct sf_workload *work, const struct sf_test_cache *cache, unsigned seed)
{
    struct sf_l1 *l1;
    struct sf_error error;

    /* Slots of the dead are given back by the sweeper, which may have been killed too. */
    while (sf_l1_attach(&l1, &cache->instance, SF_L1_READ_WRITE, &error) != SF_OK)
        usleep(1000);
    roles[role](work, l1, seed);
    sf_l1_close(l1);
    _exit(EXIT_SUCCESS);
}

static pid_t
start(size_t role, struct sf_workload *work, const struct sf_test_cache *cache)
{
    unsigned seed = (unsigned)random();
    pid_t child = fork();

    if (child == 0)
        play(role, work, cache, seed);
    return child;
}

static void
pause_randomly(void)
{
    /* Mostly short: the windows that matter are microseconds wide. */
    long limit = random() % 4 == 0 ? PAUSE_MAX : PAUSE_MAX / 20;

    nanosleep(&(struct timespec){.tv_nsec = random() % limit}, NULL);
}

static void
strike(pid_t *children, struct sf_workload *work, const struct sf_test_cache *cache, long *kills)
{
    size_t victim = (size_t)random() % VICTIMS;

    if (random() % 4 == 0) {
        kill(children[victim], SIGSTOP);
        pause_randomly();
        if (random() % 2 == 0) {
            kill(children[victim], SIGCONT);
            return;
        }
    }
    kill(children[victim], SIGKILL);
    children[victim] = start(victim, work, cache);
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
        printf("FAIL: %s\n", error.text);
    }
    sf_workload_end(work, cache->l1);
}

static void
torture(struct sf_workload *work, struct sf_test_cache *cache, long seconds)
{
    pid_t children[ROLES];
    sf_time deadline = sf_clock_steady() + seconds * SF_SECOND;
    long kills = 0;

    for (size_t i = 0; i < ROLES; i++)
        children[i] = start(i, work, cache);
    while (sf_clock_steady() < deadline && atomic_load(&work->findings) == 0) {
        pause_randomly();
        strike(children, work, cache, &kills);
    }
    atomic_store(&work->must_stop, true);
    for (size_t i = 0; i < ROLES; i++)
        kill(children[i], SIGCONT);
    while (wait(NULL) > 0)
        ;
    uint64_t counted[SF_COUNTER_COUNT];
    sf_l1_counters_sum(cache->l1, counted);
    judge(work, cache);
    printf("%llu evictions, %llu slabs moved, %llu repairs, ",
           (unsigned long long)counted[SF_COUNTER_l1_evictions],
           (unsigned long long)counted[SF_COUNTER_l1_slabs_moved],
           (unsigned long long)counted[SF_COUNTER_l1_repairs]);
    printf("%ld kills, %llu changes (longest %.1f ms), %llu reads, %llu flushed, %llu loaded, %llu "
           "others filled\n",
           kills, (unsigned long long)work->writes, (double)work->longest_ns / 1e6,
           (unsigned long long)work->reads, (unsigned long long)work->flushes,
           (unsigned long long)work->loads, (unsigned long long)work->fills);
}

int
main(int count, char **words)
{
    long seconds = count > 1 ? strtol(words[1], NULL, 10) : SECONDS;
    unsigned seed = count > 2 ? (unsigned)strtoul(words[2], NULL, 10) : (unsigned)time(NULL);
    struct sf_workload *work =
        mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sf_test_cache cache;

    if (work == MAP_FAILED)
        return EXIT_FAILURE;
    printf("seed %u\n", seed);
    fflush(stdout);
    srandom(seed);
    sf_test_cache_init(&cache, SF_L1_BYTES_MIN);
    sf_workload_begin(work, cache.l1);
    torture(work, &cache, seconds);
    if (work->findings > 0)
        printf("FAIL: %u findings, the first: %s\n", work->findings, work->finding);
    sf_test_cache_fini(&cache);
    return work->findings == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
