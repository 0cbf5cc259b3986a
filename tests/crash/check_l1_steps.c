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

#include "common/cache/l1_commit.h"
#include "common/cache/l1_evict.h"
#include "tests/crash/stepper.h"
#include "tests/support/test_cache.h"

#define CACHE_BYTES SF_L1_BYTES_MIN
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

/* ---- what each scenario does ---- */

struct scenario {
    const char *name;
    void (*prepare)(struct sf_l1 *l1);
    bool (*operate)(struct sf_l1 *l1); /* true: done, and acknowledged */
    const char *(*judge)(struct sf_l1 *l1, bool is_done); /* NULL: all is well */
};

static void
must(bool is_true, const char *what)
{
    if (!is_true) {
        fprintf(stderr, "%s: cannot prepare: %s\n", scenario_name, what);
        exit(EXIT_FAILURE);
    }
}

static bool
is_session(const struct sf_test_seen *seen, uint64_t version, const char *text)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_SESSION && seen->version == version &&
           strcmp(seen->text, text) == 0;
}

static bool
is_ended(const struct sf_test_seen *seen, uint64_t version)
{
    return seen->status == SF_OK && seen->kind == SF_RECORD_ENDED && seen->version == version;
}

static void
prepare_others(struct sf_l1 *l1)
{
    for (uint64_t number = 100; number < 110; number++)
        must(sf_test_create(l1, number, "value", "other") == SF_OK, "others");
    must(sf_test_settle_all(l1) > 0, "settle");
}

static void
prepare_one(struct sf_l1 *l1)
{
    prepare_others(l1);
    must(sf_test_create(l1, 1, "value", "old") == SF_OK, "create");
}

static void
prepare_one_stored(struct sf_l1 *l1)
{
    prepare_one(l1);
    must(sf_test_settle_all(l1) == 1, "settle");
}

static bool
operate_create(struct sf_l1 *l1)
{
    return sf_test_create(l1, 1, "value", "new") == SF_OK;
}

static const char *
judge_create(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (seen.status == SF_NOT_FOUND)
        return is_done ? "an acknowledged session is missing" : NULL;
    return is_session(&seen, 1, "new") && !seen.is_clean ? NULL : "neither absent nor new";
}

static bool
operate_update(struct sf_l1 *l1)
{
    return sf_test_set(l1, 1, "value", "new") == SF_OK;
}

static const char *
judge_update(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (is_session(&seen, 2, "new") && !seen.is_clean)
        return NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither old nor new";
}

static bool
operate_end(struct sf_l1 *l1)
{
    return sf_test_end(l1, 1) == SF_OK;
}

static const char *
judge_end(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (is_ended(&seen, 2) && !seen.is_clean)
        return NULL;
    return is_session(&seen, 1, "old") && !is_done ? NULL : "neither alive nor ended";
}

static bool
operate_rotate(struct sf_l1 *l1)
{
    return sf_test_rotate(l1, 1, 2, NULL) == SF_OK;
}

static bool
operate_login(struct sf_l1 *l1)
{
    return sf_test_rotate(l1, 1, 2, "bob") == SF_OK;
}

/* Until the old key has changed, a copy under the new one is allowed: nobody knows that key yet. */
static const char *
judge_rotate(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen old = sf_test_look(l1, 1, "value");
    struct sf_test_seen new = sf_test_look(l1, 2, "value");
    bool has_new = is_session(&new, 2, "old");

    if (is_ended(&old, 2) && strcmp(old.text, "old") == 0)
        return has_new ? NULL : "the old id is replaced, and the new one leads nowhere";
    if (is_done || !is_session(&old, 1, "old"))
        return "the old id is neither as it was nor replaced";
    return new.status == SF_NOT_FOUND || has_new ? NULL : "something else stands under the new id";
}

static bool
operate_fill(struct sf_l1 *l1)
{
    return sf_test_fill(l1, 1, 7, "stored") == SF_OK;
}

static const char *
judge_fill(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (seen.status == SF_NOT_FOUND)
        return is_done ? "the record is missing" : NULL;
    return is_session(&seen, 7, "stored") && seen.is_clean ? NULL : "neither absent nor clean";
}

/* No free block anywhere: whoever comes must evict. */
static void
prepare_full(struct sf_l1 *l1)
{
    struct sf_l1_usage usage;

    must(sf_test_create(l1, 50, "value", "dirty") == SF_OK, "dirty");
    for (uint64_t number = 1000; number < 6000; number++) {
        enum sf_status status = sf_test_fill(l1, number, 3, "stored");
        must(status == SF_OK || status == SF_CONFLICT, "fill");
    }
    sf_l1_usage(l1, &usage);
    must(usage.blocks_free < 20, "still room");
}

static const char *
judge_evict(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen dirty = sf_test_look(l1, 50, "value");

    return is_session(&dirty, 1, "dirty") ? judge_create(l1, is_done) : "a dirty record is gone";
}

static bool
operate_settle(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_found found;

    if (sf_l1_find(l1, &key, NULL, &found) != SF_OK)
        return false;
    sf_l1_settle(l1, &(struct sf_l1_ticket){found.block, found.control});
    return true;
}

static const char *
judge_settle(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    if (!is_session(&seen, 1, "old"))
        return "the record has changed";
    return is_done && !seen.is_clean ? "still dirty" : NULL;
}

static bool
operate_touch(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);

    sf_l1_touch(l1, &key, SF_TEST_NOW + SF_MINUTE);
    return true;
}

static const char *
judge_touch(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    (void)is_done;
    return is_session(&seen, 1, "old") ? NULL : "the record has changed";
}

/* ---- what dead processes leave, for the repair to be killed over ---- */

static void
leave_unfinished_fill(struct sf_l1 *l1)
{
    static const unsigned char junk[SF_RECORD_HEAD_BYTES];
    struct sf_l1_owned owned;
    struct sf_l1_image image = {
        .key = sf_test_cache_key(10), .length = sizeof(junk), .last_access = SF_TEST_NOW};
    _Atomic uint64_t *word;
    uint64_t value;

    must(sf_l1_room_for(l1, sizeof(junk), true, &owned) == SF_OK, "room");
    sf_l1_block_fill(l1, &owned, &image, sf_span_of(junk, sizeof(junk)));
    must(sf_l1_insert(l1, &image.key, owned.block, &word, &value) == SF_OK, "insert");
}

static void
leave_half_changes(struct sf_l1 *l1)
{
    struct sf_key key = sf_test_cache_key(1);
    struct sf_l1_draft draft;
    struct sf_l1_committed named;
    struct sf_l1_found found;
    struct sf_buffer record;

    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    must(sf_l1_find(l1, &key, &record, &found) == SF_OK, "find");
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK,
         "never published");
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK, "draft");
    must(sf_l1_replace(found.word, found.value, draft.owned.block),
         "published, not confirmed, the old one not retired");
    key = sf_test_cache_key(2);
    must(sf_l1_draft_make(&draft, l1, &key, sf_buffer_span(&record), NULL) == SF_OK, "draft");
    must(sf_l1_draft_name(l1, &draft, &named) == SF_OK, "created, not confirmed");
    key = sf_test_cache_key(100);
    must(sf_l1_find(l1, &key, NULL, &found) == SF_OK, "find");
    must(sf_l1_evict_block(l1, found.block, &found.place, found.control, SF_L1_LOSE_TOUCHES),
         "evicted, not retired");
    leave_unfinished_fill(l1);
}

static bool
operate_repair(struct sf_l1 *l1)
{
    (void)sf_test_repair_all(l1, SF_TEST_NOW);
    return true;
}

static const char *
judge_repair(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen one = sf_test_look(l1, 1, "value");
    struct sf_test_seen two = sf_test_look(l1, 2, "value");

    (void)is_done;
    if (!is_session(&one, 1, "old") || one.is_clean || !is_session(&two, 1, "old") || two.is_clean)
        return "a published record is lost, or taken for stored";
    return sf_test_look(l1, 10, NULL).status == SF_NOT_FOUND
               ? NULL
               : "a fill that was not confirmed can be read";
}

/* ---- what an old id leaves ---- */

static void
prepare_rotated(struct sf_l1 *l1)
{
    prepare_one(l1);
    must(sf_test_rotate(l1, 1, 2, NULL) == SF_OK, "rotate");
    must(sf_test_settle_all(l1) == 2, "settle");
}

static bool
operate_trim(struct sf_l1 *l1)
{
    (void)sf_test_repair_all(l1, SF_TEST_NOW + SF_MINUTE);
    return true;
}

static const char *
judge_trim(struct sf_l1 *l1, bool is_done)
{
    struct sf_test_seen old = sf_test_look(l1, 1, "value");
    struct sf_test_seen new = sf_test_look(l1, 2, "value");

    if (!is_session(&new, 2, "old"))
        return "the session is damaged";
    if (is_ended(&old, 3) && old.text[0] == '\0' && !old.is_clean)
        return NULL;
    return is_ended(&old, 2) && strcmp(old.text, "old") == 0 && !is_done
               ? NULL
               : "neither an image nor a tombstone";
}

/* ---- slots ---- */

static bool
operate_claim(struct sf_l1 *l1)
{
    uint32_t slot;

    if (sf_process_slot_claim(&l1->slots, &slot) != SF_OK)
        return false;
    sf_process_slot_release(&l1->slots, slot);
    return true;
}

static const struct scenario scenarios[] = {
    {"create", prepare_others, operate_create, judge_create},
    {"update", prepare_one, operate_update, judge_update},
    {"update of a stored one", prepare_one_stored, operate_update, judge_update},
    {"end", prepare_one_stored, operate_end, judge_end},
    {"rotate", prepare_one, operate_rotate, judge_rotate},
    {"login", prepare_one_stored, operate_login, judge_rotate},
    {"fill", prepare_others, operate_fill, judge_fill},
    {"create by eviction", prepare_full, operate_create, judge_evict},
    {"settle", prepare_one, operate_settle, judge_settle},
    {"touch", prepare_one_stored, operate_touch, judge_touch},
    {"claim of a slot", prepare_one_stored, operate_claim, judge_touch},
    {"repair", prepare_one, operate_repair, judge_repair},
    {"trim", prepare_rotated, operate_trim, judge_trim},
};

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
    if (scenario->operate != operate_repair) { /* readers come before any sweeper */
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
    if (scenario->operate != operate_repair)
        return;
    pid_t dying = fork();
    if (dying == 0) {
        leave_half_changes(sf_test_cache_attach(cache));
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
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (count < 3 || strcmp(words[2], scenarios[i].name) == 0)
            run(&scenarios[i], seed);
    }
    if (count < 3 || strcmp(words[2], "creation") == 0)
        kill_creation(seed);
    printf("%u failures\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
