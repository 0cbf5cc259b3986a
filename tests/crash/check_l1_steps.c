/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every operation of the cache, killed at every instruction. Arguments: seed, name of one scenario.
 *
 * For each scenario a child runs the operation one instruction at a time. Whenever that has changed
 * a byte of the cache, the parent takes a copy, which is what a kill at this instruction would
 * leave; sweeps the copy; and asks: is it sound, is every session there in its old or its new
 * version, and can it be used. In a second round the child is really killed behind every system call
 * and at every k-th instruction, so that record locks and the rest of the kernel's part are real too.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/steps.h"

#define KILLS_MAX 20 /* real ones for each scenario, without those behind system calls */

/* ---- copies of a cache ---- */

static void *
map_file(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    void *bytes = mmap(NULL, CACHE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

    must(bytes != MAP_FAILED, path);
    close(descriptor);
    return bytes;
}

/*
 * A second cache whose bytes are overwritten with those of the first: in it the child is dead, for
 * it has none of its locks.
 */
struct mirror {
    struct sf_test_cache cache;
    unsigned char *bytes;
    struct sf_l1_header own; /* names the mirror's own lock file */
};

static void
mirror_init(struct mirror *mirror)
{
    sf_test_cache_init(&mirror->cache, CACHE_BYTES);
    sf_l1_close(mirror->cache.l1);
    mirror->cache.l1 = NULL;
    mirror->bytes = map_file(mirror->cache.instance.cache_path);
    memcpy(&mirror->own, mirror->bytes, sizeof(mirror->own));
}

static void
mirror_fini(struct mirror *mirror)
{
    munmap(mirror->bytes, CACHE_BYTES);
    sf_test_cache_fini(&mirror->cache);
}

static void
mirror_take(struct mirror *mirror, const unsigned char *bytes)
{
    struct sf_l1_header *header = (void *)mirror->bytes;

    memcpy(mirror->bytes, bytes, CACHE_BYTES);
    header->lock_device = mirror->own.lock_device;
    header->lock_inode = mirror->own.lock_inode;
}

/* ---- after the kill ---- */

static void
judge(const struct scenario *scenario, const struct sf_test_cache *cache, bool is_done,
      const char *where)
{
    struct sf_l1 *l1 = sf_test_cache_attach(cache);
    struct sf_error error = {.status = SF_OK};

    if (sf_l1_check(l1, false, &error) != SF_OK)
        fail(where, error.text);
    if (scenario->leave == NULL) { /* readers come before any sweeper */
        const char *fault = scenario->judge(l1, is_done);
        if (fault != NULL)
            fail(where, fault);
    }
    (void)sf_test_repair_all(l1, SF_TEST_NOW);
    if (sf_test_repair_all(l1, SF_TEST_NOW) != 0)
        fail(where, "a second pass of the sweeper still finds something");
    if (sf_l1_check(l1, true, &error) != SF_OK)
        fail(where, error.text);
    const char *fault = scenario->judge(l1, is_done);
    if (fault != NULL)
        fail(where, fault);
    if (!are_slots_free(l1))
        fail(where, "a slot is lost");
    if (sf_test_create(l1, 77, "value", "after") != SF_OK ||
        sf_test_set(l1, 77, "value", "more") != SF_OK)
        fail(where, "the cache cannot be used any more");
    sf_l1_close(l1);
}

/* ---- the child ---- */

#define PAGE_BYTES ((size_t)4096)
#define OPEN_MAX 4

struct child {
    const struct scenario *scenario;
    const struct sf_test_cache *cache;
    struct sf_l1 *l1;
    struct trace *trace;
    const struct parent *parent;
    unsigned char *bytes; /* of the cache, and as they were */
    unsigned char *before;
    size_t open[OPEN_MAX]; /* pages that may be written, by their offset */
    size_t open_count;
};

static void
run_operation(void *context)
{
    struct child *child = context;

    child->trace->is_done = child->scenario->operate(child->l1);
}

/*
 * To compare the whole cache behind each instruction would take ten times as long as the instruction.
 * So its pages may only be read; whoever is about to write one comes here first.
 */
static struct child *page_owner; /* for the signal handler */

static void
open_page(int number, siginfo_t *info, void *context)
{
    struct child *child = page_owner;
    size_t at = (size_t)((unsigned char *)info->si_addr - child->bytes) / PAGE_BYTES * PAGE_BYTES;

    (void)context;
    if (at >= child->l1->mapping.bytes || child->open_count == OPEN_MAX ||
        mprotect(child->bytes + at, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0)
        (void)signal(number, SIG_DFL); /* not the cache: it comes again, and is a crash */
    else
        child->open[child->open_count++] = at;
}

static bool
close_page(struct child *child, size_t at)
{
    bool has_changed = memcmp(child->bytes + at, child->before + at, PAGE_BYTES) != 0;

    memcpy(child->before + at, child->bytes + at, PAGE_BYTES);
    (void)mprotect(child->bytes + at, PAGE_BYTES, PROT_READ);
    return has_changed;
}

static void
tell_of_change(void *context, long steps, bool was_call)
{
    struct child *child = context;
    bool has_changed = false;

    if (was_call)
        note_call(child->trace, steps);
    while (child->open_count > 0)
        has_changed |= close_page(child, child->open[--child->open_count]);
    if (has_changed)
        ask_parent(child->parent, 'c');
}

static void
close_all_pages(struct child *child)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};

    child->bytes = child->l1->mapping.base;
    child->before = malloc(CACHE_BYTES);
    must(child->before != NULL, "memory");
    memcpy(child->before, child->bytes, CACHE_BYTES);
    page_owner = child;
    action.sa_sigaction = open_page;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    must(mprotect(child->bytes, CACHE_BYTES, PROT_READ) == 0, "protect");
}

static void
be_watched(void *context, const struct parent *parent)
{
    struct child *child = context;

    child->l1 = sf_test_cache_attach(child->cache);
    child->parent = parent;
    close_all_pages(child);
    child->trace->steps = sf_step(run_operation, child, tell_of_change, child);
    ask_parent(parent, child->trace->is_done ? 'd' : 'f');
}

/* ---- both rounds ---- */

static void
prepare(const struct scenario *scenario, struct sf_test_cache *cache)
{
    sf_test_cache_init(cache, CACHE_BYTES);
    scenario->prepare(cache->l1);
    sf_l1_close(cache->l1);
    cache->l1 = NULL;
    if (scenario->leave == NULL)
        return;
    pid_t dying = fork();
    if (dying == 0) {
        scenario->leave(sf_test_cache_attach(cache));
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(dying, NULL, 0) == dying, "wait");
}

static void
watch_every_change(const struct scenario *scenario, const struct sf_test_cache *cache,
                   struct trace *trace)
{
    long states = 0;
    char message = '?';
    struct mirror mirror;

    mirror_init(&mirror);
    unsigned char *bytes = map_file(cache->instance.cache_path);
    struct child child = {.scenario = scenario, .cache = cache, .trace = trace};
    struct watched watched = watch_child(be_watched, &child, trace);
    while (next_message(&watched, &message)) {
        char where[40];

        snprintf(where, sizeof(where), "state %ld", ++states);
        mirror_take(&mirror, bytes);
        judge(scenario, &mirror.cache, message == 'd', where);
        let_go_on(&watched);
    }
    end_watched(&watched);
    munmap(bytes, CACHE_BYTES);
    mirror_fini(&mirror);
    count_steps(scenario->operation, trace, states);
    if (message != 'd')
        fail("watching", "the operation was not done");
}

/*
 * The child lives: whatever the sweeper and the flusher find between any two of its instructions,
 * they must not spoil it.
 */
static void
disturb_every_change(const struct scenario *scenario, const struct sf_test_cache *cache,
                     struct trace *trace)
{
    char message = '?';
    struct sf_error error = {.status = SF_OK};
    struct child child = {.scenario = scenario, .cache = cache, .trace = trace};
    struct watched watched = watch_child(be_watched, &child, trace);
    struct sf_l1 *l1 = sf_test_cache_attach(cache);

    while (next_message(&watched, &message)) {
        (void)sf_test_repair_all(l1, SF_TEST_NOW);
        if (sf_l1_check(l1, false, &error) != SF_OK)
            fail("disturbed", error.text);
        let_go_on(&watched);
    }
    end_watched(&watched);
    sf_l1_close(l1);
    judge(scenario, cache, message == 'd', "disturbed");
}

static void
kill_at(const struct scenario *scenario, long instruction)
{
    struct sf_test_cache cache;
    char where[40];
    int status = 0;

    snprintf(where, sizeof(where), "instruction %ld", instruction);
    prepare(scenario, &cache);
    pid_t child = fork();
    if (child == 0) {
        struct trace trace = {.steps = 0};
        struct child self = {.scenario = scenario, .l1 = sf_test_cache_attach(&cache),
                             .trace = &trace};
        (void)sf_step(run_operation, &self, die_at, &instruction);
        _exit(trace.is_done ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    must(waitpid(child, &status, 0) == child, "wait");
    judge(scenario, &cache, WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS, where);
    sf_test_cache_fini(&cache);
}

static long
kills_for(long steps)
{
    long kills = 2 * KILL_BUDGET / steps; /* on average half of them are stepped */

    if (kills > KILLS_MAX)
        return KILLS_MAX;
    return kills > 1 ? kills : 1;
}

static void
kill_for_real(const struct scenario *scenario, const struct trace *trace, long random)
{
    long stride = trace->steps / kills_for(trace->steps) + 1;
    long first = random % stride + 1;
    long budget = KILL_BUDGET;
    size_t calls = 0;

    for (long instruction = first; instruction <= trace->steps; instruction += stride)
        kill_at(scenario, instruction);
    for (; calls < trace->call_count && budget > trace->calls[calls]; calls++) {
        kill_at(scenario, trace->calls[calls]);
        budget -= trace->calls[calls];
    }
    printf("%-30s killed at every %ld. instruction from the %ld. on, and behind %zu of %zu system "
           "calls\n",
           "", stride, first, calls, trace->call_count);
}

static void
run(const struct scenario *scenario, struct trace *trace, long random)
{
    struct sf_test_cache cache;

    begin_steps(scenario->name);
    prepare(scenario, &cache);
    disturb_every_change(scenario, &cache, trace);
    sf_test_cache_fini(&cache);
    prepare(scenario, &cache);
    watch_every_change(scenario, &cache, trace);
    sf_test_cache_fini(&cache);
    kill_for_real(scenario, trace, random);
}

/* ---- all of them ---- */

/* The one of that name; NULL: each. */
static bool
is_chosen(const char *only, const char *name)
{
    return only == NULL || strcmp(only, name) == 0;
}

static void
run_all(const struct scenario *scenarios, size_t count, const char *only, struct trace *trace,
        long random)
{
    for (size_t i = 0; i < count; i++) {
        if (is_chosen(only, scenarios[i].name))
            run(&scenarios[i], trace, random);
    }
}

int
main(int count, char **words)
{
    if (!sf_stepper_works()) {
        printf("needs x86-64, and no sanitizer\n");
        return 77;
    }
    long seed = count > 1 ? strtol(words[1], NULL, 10) : (long)time(NULL) % 1000000;
    const char *only = count > 2 ? words[2] : NULL;
    struct trace *trace =
        mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(trace != MAP_FAILED, "shared memory");
    (void)sf_temp_folder_want_memory(); /* it is quicker there */
    printf("seed %ld\n", seed);
    run_all(session_scenarios, session_scenario_count, only, trace, seed);
    run_all(upkeep_scenarios, upkeep_scenario_count, only, trace, seed);
    for (size_t i = 0; i < creation_count; i++) {
        if (is_chosen(only, creations[i].name))
            run_creation(&creations[i], trace);
    }
    return end_steps(only == NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
