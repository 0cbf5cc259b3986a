/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every operation of the cache, killed at every instruction. Arguments: seed, name of one scenario.
 *
 * For each scenario a child runs the operation one instruction at a time. Whenever that has changed
 * a byte of the cache, the parent takes a copy, which is what a kill at this instruction would
 * leave; sweeps the copy; and asks: is it sound, is every session there in its old or its new
 * version, and can it be used. In a second round the child is really killed at every k-th
 * instruction, so that record locks and the rest of the kernel's part are real too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cache/l1_private.h"
#include "tests/crash/scenarios.h"
#include "tests/crash/stepper.h"

#define KILLS_MAX 20      /* real ones for each scenario */
#define KILL_BUDGET 60000 /* instructions stepped in one scenario, at some 20 us each */

static unsigned failures;
static const char *scenario_name;

static void
fail(const char *where, const char *what)
{
    failures++;
    if (failures <= 20)
        printf("FAIL %s, %s: %s\n", scenario_name, where, what);
}

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
    if (sf_test_create(l1, 77, "value", "after") != SF_OK ||
        sf_test_set(l1, 77, "value", "more") != SF_OK)
        fail(where, "the cache cannot be used any more");
    sf_l1_close(l1);
}

/* ---- the child ---- */

struct child {
    const struct scenario *scenario;
    struct sf_l1 *l1;
    int to_parent, from_parent;
    bool is_done;
};

static void
run_operation(void *context)
{
    struct child *child = context;

    child->is_done = child->scenario->operate(child->l1);
}

static void
tell_parent(void *context)
{
    struct child *child = context;
    char answer;

    if (write(child->to_parent, "c", 1) != 1 || read(child->from_parent, &answer, 1) != 1)
        _exit(EXIT_FAILURE);
}

/* What can change: all but the slabs that nobody needs. */
static size_t
bytes_in_use(const struct sf_l1 *l1)
{
    uint64_t slabs = atomic_load(&l1->header->slabs_taken) + 1;

    return l1->plan.slabs_at +
           ((slabs < l1->plan.slabs ? slabs : l1->plan.slabs) << l1->plan.slab_shift);
}

static void
be_watched(const struct scenario *scenario, const struct sf_test_cache *cache, int to_parent,
           int from_parent)
{
    struct child child = {scenario, sf_test_cache_attach(cache), to_parent, from_parent, false};
    const unsigned char *bytes = map_file(cache->instance.cache_path);

    long steps = sf_step_and_watch(run_operation, &child, bytes, bytes_in_use(child.l1),
                                   tell_parent, &child);
    if (write(to_parent, child.is_done ? "d" : "f", 1) != 1 ||
        write(to_parent, &steps, sizeof(steps)) != sizeof(steps))
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
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

/* Returns the number of instructions. */
static long
watch_every_change(const struct scenario *scenario, const struct sf_test_cache *cache)
{
    int up[2], down[2];
    long steps = 0, states = 0;
    char message, last = '?';
    struct mirror mirror;

    mirror_init(&mirror);
    unsigned char *bytes = map_file(cache->instance.cache_path);
    must(pipe(up) == 0 && pipe(down) == 0, "pipes");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(up[0]);
        be_watched(scenario, cache, up[1], down[0]);
    }
    close(up[1]);
    while (read(up[0], &message, 1) == 1) {
        char where[40];

        last = message;
        snprintf(where, sizeof(where), "state %ld", ++states);
        mirror_take(&mirror, bytes);
        judge(scenario, &mirror.cache, message == 'd', where);
        if (message != 'c' && read(up[0], &steps, sizeof(steps)) != sizeof(steps))
            fail(where, "the child has not finished");
        if (message == 'c' && write(down[1], "g", 1) != 1)
            fail(where, "the child is gone");
    }
    must(waitpid(child, NULL, 0) == child, "wait");
    close(up[0]);
    close(down[0]);
    close(down[1]);
    munmap(bytes, CACHE_BYTES);
    mirror_fini(&mirror);
    printf("%-24s %7ld instructions, %4ld different states\n", scenario->name, steps, states);
    if (steps == 0 || last != 'd')
        fail("watching", "the operation was not done");
    return steps;
}

/*
 * The child lives: whatever the sweeper and the flusher find between any two of its instructions,
 * they must not spoil it.
 */
static void
disturb_every_change(const struct scenario *scenario, const struct sf_test_cache *cache)
{
    int up[2], down[2];
    long steps;
    char message;
    struct sf_error error = {.status = SF_OK};

    must(pipe(up) == 0 && pipe(down) == 0, "pipes");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(up[0]);
        be_watched(scenario, cache, up[1], down[0]);
    }
    close(up[1]);
    struct sf_l1 *l1 = sf_test_cache_attach(cache);
    while (read(up[0], &message, 1) == 1 && message == 'c') {
        (void)sf_test_repair_all(l1, SF_TEST_NOW);
        if (sf_l1_check(l1, false, &error) != SF_OK)
            fail("disturbed", error.text);
        if (write(down[1], "g", 1) != 1)
            fail("disturbed", "the child is gone");
    }
    if (read(up[0], &steps, sizeof(steps)) != sizeof(steps))
        fail("disturbed", "the child has not finished");
    must(waitpid(child, NULL, 0) == child, "wait");
    sf_l1_close(l1);
    close(up[0]);
    close(down[0]);
    close(down[1]);
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
        struct child self = {scenario, sf_test_cache_attach(&cache), -1, -1, false};
        (void)sf_step_and_kill(run_operation, &self, instruction);
        _exit(self.is_done ? EXIT_SUCCESS : EXIT_FAILURE);
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
run(const struct scenario *scenario, long random)
{
    struct sf_test_cache cache;

    scenario_name = scenario->name;
    prepare(scenario, &cache);
    long steps = watch_every_change(scenario, &cache);
    sf_test_cache_fini(&cache);
    prepare(scenario, &cache);
    disturb_every_change(scenario, &cache);
    sf_test_cache_fini(&cache);
    long stride = steps / kills_for(steps) + 1;
    long first = random % stride + 1;
    printf("%-24s killed at every %ld. instruction from the %ld. on\n", "", stride, first);
    for (long instruction = first; instruction <= steps; instruction += stride)
        kill_at(scenario, instruction);
}

/* ---- the segment itself ---- */

static void
create_segment(void *context)
{
    const struct sf_instance *instance = context;
    struct sf_l1_made made;

    (void)!sf_l1_create(instance, CACHE_BYTES, &made, NULL);
}

static int
run_stepped_creation(struct sf_instance *instance, long instruction)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        long steps = sf_step_and_kill(create_segment, instance, instruction);
        printf("%-24s %7ld instructions\n", scenario_name, steps);
        fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(child, &status, 0) == child, "wait");
    return status;
}

/* Whatever is left behind, the next one makes a sound cache of it. */
static void
kill_creation(long random)
{
    struct sf_temp_folder folder;
    struct sf_instance instance;
    long instruction = random % 97 + 1;
    bool is_finished = false;

    scenario_name = "creation";
    fflush(stdout);
    while (!is_finished) {
        struct sf_l1_made made;
        struct sf_error error = {.status = SF_OK};
        struct sf_l1 *l1 = NULL;

        sf_temp_folder_init(&folder);
        sf_test_cache_instance(&instance, folder.path);
        is_finished = WIFEXITED(run_stepped_creation(&instance, instruction));
        if (sf_l1_create(&instance, CACHE_BYTES, &made, &error) != SF_OK || made.set_aside ||
            sf_l1_attach(&l1, &instance, SF_L1_READ_WRITE, &error) != SF_OK ||
            sf_l1_check(l1, true, &error) != SF_OK)
            fail("killed", error.text);
        sf_l1_close(l1);
        sf_temp_folder_fini(&folder);
        instruction += 97;
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

    printf("seed %ld\n", seed);
    for (size_t i = 0; i < scenario_count; i++) {
        if (count < 3 || strcmp(words[2], scenarios[i].name) == 0)
            run(&scenarios[i], seed);
    }
    if (count < 3 || strcmp(words[2], "creation") == 0)
        kill_creation(seed);
    printf("%u failures\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
