/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The segment is made, and attached to, one instruction at a time. What a kill leaves are files: they
 * are copied behind every system call, and whenever a byte of one has changed; then the next process
 * comes to the copy.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/steps.h"

#define FILES 4
#define LOCK 0

static const char *const names[FILES] = {"l1.lock", "l1.cache", "l1.cache.new", "l1.cache.bad"};

/* ---- what changes ---- */

struct file {
    char path[128];
    unsigned char *bytes; /* NULL: there is none */
    unsigned char *before;
    size_t size; /* of what is watched */
};

/* The one that is being made may get records; of those that are there nothing changes but the header. */
static const size_t watched_bytes[FILES] = {
    0, sizeof(struct sf_l1_header), CACHE_BYTES / 2, sizeof(struct sf_l1_header)};

struct maker {
    const struct creation *creation;
    const struct sf_instance *instance;
    const struct parent *parent;
    struct trace *trace;
    struct file files[FILES];
};

static void
forget(struct file *file)
{
    if (file->bytes == NULL)
        return;
    munmap(file->bytes, file->size);
    munmap(file->before, file->size);
    file->bytes = NULL;
}

/* Within a signal handler: nothing but system calls. */
static void
look_at(struct file *file, size_t bytes)
{
    struct stat found;
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC);

    forget(file);
    if (descriptor < 0)
        return;
    if (fstat(descriptor, &found) == 0 && found.st_size >= (off_t)bytes) {
        file->size = bytes;
        file->bytes = mmap(NULL, file->size, PROT_READ, MAP_SHARED, descriptor, 0);
        file->before = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                            -1, 0);
        memcpy(file->before, file->bytes, file->size);
    }
    close(descriptor);
}

static bool
has_changed(struct file *file)
{
    if (file->bytes == NULL || memcmp(file->bytes, file->before, file->size) == 0)
        return false;
    memcpy(file->before, file->bytes, file->size);
    return true;
}

/* The lock file is left alone: to close it would drop the locks of this process. */
static void
tell_of_files(void *context, long steps, bool was_call)
{
    struct maker *maker = context;
    bool is_other = was_call;

    if (was_call)
        note_call(maker->trace, steps);
    for (int i = LOCK + 1; i < FILES; i++) {
        if (was_call)
            look_at(&maker->files[i], watched_bytes[i]);
        else
            is_other |= has_changed(&maker->files[i]);
    }
    if (is_other)
        ask_parent(maker->parent, 'c');
}

static void
operate(void *context)
{
    const struct maker *maker = context;

    maker->trace->is_done = maker->creation->operate(maker->instance);
}

static void
be_watched(void *context, const struct parent *parent)
{
    struct maker *maker = context;

    maker->parent = parent;
    for (int i = LOCK + 1; i < FILES; i++) {
        struct file *file = &maker->files[i];

        snprintf(file->path, sizeof(file->path), "%s/%s", maker->instance->run, names[i]);
        look_at(file, watched_bytes[i]);
    }
    maker->trace->steps = sf_step(operate, maker, tell_of_files, maker);
    ask_parent(parent, maker->trace->is_done ? 'd' : 'f');
}

/* ---- a copy of the folder ---- */

/* A segment goes with its lock file, by device and inode. */
static void
correct_lock(unsigned char *bytes, const struct stat *from, const struct stat *to)
{
    struct sf_l1_header *header = (void *)bytes;

    if (header->lock_device != from->st_dev || header->lock_inode != from->st_ino)
        return;
    header->lock_device = to->st_dev;
    header->lock_inode = to->st_ino;
}

static void
copy_file(const char *name, const char *from, const char *to, const struct stat locks[2])
{
    static unsigned char bytes[2 * CACHE_BYTES];
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", from, name);
    int source = open(path, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return;
    ssize_t size = read(source, bytes, sizeof(bytes));
    close(source);
    snprintf(path, sizeof(path), "%s/%s", to, name);
    int target = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (size >= (ssize_t)sizeof(struct sf_l1_header) && locks != NULL)
        correct_lock(bytes, &locks[0], &locks[1]);
    must(size >= 0 && target >= 0 && write(target, bytes, (size_t)size) == size, path);
    close(target);
}

static void
copy_folder(const struct sf_instance *from, const struct sf_instance *to)
{
    struct stat locks[2];

    copy_file(names[LOCK], from->run, to->run, NULL);
    bool has_lock =
        stat(from->cache_lock_path, &locks[0]) == 0 && stat(to->cache_lock_path, &locks[1]) == 0;
    for (int i = LOCK + 1; i < FILES; i++)
        copy_file(names[i], from->run, to->run, has_lock ? locks : NULL);
}

/* ---- behind the kill ---- */

static const char *
judge_segment(const struct creation *creation, struct sf_l1 *l1)
{
    (void)sf_test_repair_all(l1, SF_TEST_NOW);
    if (sf_test_repair_all(l1, SF_TEST_NOW) != 0)
        return "a second pass of the sweeper still finds something";
    if (!are_slots_free(l1))
        return "a slot is lost";
    const char *fault = creation->judge(l1);
    if (fault == NULL && sf_test_create(l1, 77, "value", "after") != SF_OK)
        return "the cache cannot be used";
    return fault;
}

/* Whatever is left, the next one makes a sound cache of it. */
static void
judge_folder(const struct creation *creation, const struct sf_instance *instance, const char *where)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};
    struct sf_l1 *l1 = NULL;

    if (sf_l1_create(instance, CACHE_BYTES, &made, &error) != SF_OK ||
        sf_l1_attach(&l1, instance, SF_L1_READ_WRITE, &error) != SF_OK) {
        fail(where, error.text);
        return;
    }
    const char *fault = judge_segment(creation, l1);
    if (fault != NULL)
        fail(where, fault);
    if (sf_l1_check(l1, true, &error) != SF_OK)
        fail(where, error.text);
    sf_l1_close(l1);
}

static void
judge_copy(const struct creation *creation, const struct sf_instance *instance, const char *where)
{
    struct sf_temp_folder folder;
    struct sf_instance copy;

    sf_temp_folder_init(&folder);
    sf_test_cache_instance(&copy, folder.path);
    copy_folder(instance, &copy);
    judge_folder(creation, &copy, where);
    sf_temp_folder_fini(&folder);
}

/* ---- both rounds ---- */

static void
watch_every_change(const struct creation *creation, const struct sf_instance *instance,
                   struct trace *trace)
{
    struct maker maker = {.creation = creation, .instance = instance, .trace = trace};
    struct watched watched = watch_child(be_watched, &maker, trace);
    long states = 0;
    char message = '?';

    while (next_message(&watched, &message)) {
        char where[40];

        snprintf(where, sizeof(where), "state %ld", ++states);
        judge_copy(creation, instance, where);
        let_go_on(&watched);
    }
    end_watched(&watched);
    count_steps(creation->operation, trace, states);
    if (message != 'd')
        fail("watching", "the operation was not done");
}

static void
prepare(const struct creation *creation, struct sf_temp_folder *folder,
        struct sf_instance *instance)
{
    sf_temp_folder_init(folder);
    sf_test_cache_instance(instance, folder->path);
    fflush(stdout);
    pid_t child = fork(); /* who prepares is no longer there */
    if (child == 0) {
        creation->prepare(instance);
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    must(waitpid(child, &status, 0) == child && status == 0, creation->name);
}

static void
kill_at(const struct creation *creation, long instruction)
{
    struct sf_temp_folder folder;
    struct sf_instance instance;
    char where[40];

    prepare(creation, &folder, &instance);
    pid_t child = fork();
    if (child == 0) {
        struct trace trace = {.steps = 0};
        struct maker maker = {.creation = creation, .instance = &instance, .trace = &trace};
        (void)sf_step(operate, &maker, die_at, &instruction);
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(child, NULL, 0) == child, "wait");
    snprintf(where, sizeof(where), "instruction %ld", instruction);
    judge_folder(creation, &instance, where);
    sf_temp_folder_fini(&folder);
}

void
run_creation(const struct creation *creation, struct trace *trace)
{
    struct sf_temp_folder folder;
    struct sf_instance instance;
    long budget = KILL_BUDGET;
    size_t calls = 0;

    begin_steps(creation->name);
    prepare(creation, &folder, &instance);
    watch_every_change(creation, &instance, trace);
    sf_temp_folder_fini(&folder);
    for (; calls < trace->call_count && budget > trace->calls[calls]; calls++) {
        kill_at(creation, trace->calls[calls]);
        budget -= trace->calls[calls];
    }
    printf("%-30s killed behind %zu of %zu system calls\n", "", calls, trace->call_count);
}

/* ---- what there is before ---- */

static void
make(const struct sf_instance *instance, uint64_t bytes)
{
    struct sf_l1_made made;
    struct sf_error error = {.text = ""};

    must(sf_l1_create(instance, bytes, &made, &error) == SF_OK, error.text);
}

static void
put_session(const struct sf_instance *instance, bool is_stored)
{
    struct sf_l1 *l1;

    must(sf_l1_attach(&l1, instance, SF_L1_READ_WRITE, NULL) == SF_OK, "attach");
    must(sf_test_create(l1, 1, "value", "old") == SF_OK, "create");
    must(!is_stored || sf_test_settle_all(l1) == 1, "settle");
    sf_l1_close(l1);
}

static void
prepare_nothing(const struct sf_instance *instance)
{
    (void)instance;
}

static void
prepare_good(const struct sf_instance *instance)
{
    make(instance, CACHE_BYTES);
    put_session(instance, false);
}

static void
prepare_large(const struct sf_instance *instance)
{
    make(instance, 2 * CACHE_BYTES);
    put_session(instance, true);
}

static void
prepare_large_dirty(const struct sf_instance *instance)
{
    make(instance, 2 * CACHE_BYTES);
    put_session(instance, false);
}

static void
prepare_damaged(const struct sf_instance *instance)
{
    uint64_t signature = 1;

    prepare_good(instance);
    int descriptor = open(instance->cache_path, O_WRONLY | O_CLOEXEC);
    must(pwrite(descriptor, &signature, sizeof(signature),
                offsetof(struct sf_l1_header, signature)) == sizeof(signature),
         "damage");
    close(descriptor);
}

static void
prepare_lockless(const struct sf_instance *instance)
{
    char moved[128];

    prepare_good(instance);
    snprintf(moved, sizeof(moved), "%s/moved", instance->run);
    must(rename(instance->cache_lock_path, moved) == 0, "another lock file");
}

static bool
operate_create(const struct sf_instance *instance)
{
    struct sf_l1_made made;

    return sf_l1_create(instance, CACHE_BYTES, &made, NULL) == SF_OK;
}

static bool
operate_attach(const struct sf_instance *instance)
{
    struct sf_l1 *l1;

    if (sf_l1_attach(&l1, instance, SF_L1_READ_WRITE, NULL) != SF_OK)
        return false;
    sf_l1_close(l1);
    return true;
}

static const char *
judge_any(struct sf_l1 *l1)
{
    (void)l1;
    return NULL;
}

static const char *
judge_unsaved(struct sf_l1 *l1)
{
    struct sf_test_seen seen = sf_test_look(l1, 1, "value");

    return seen.status == SF_OK && !seen.is_clean && strcmp(seen.text, "old") == 0
               ? NULL
               : "what was not stored is lost";
}

const struct creation creations[] = {
    {SEGMENT, "creation", prepare_nothing, operate_create, judge_any},
    {SEGMENT, "creation, found and kept", prepare_good, operate_create, judge_unsaved},
    {SEGMENT, "creation in another size", prepare_large, operate_create, judge_any},
    {SEGMENT, "the same, not stored", prepare_large_dirty, operate_create, judge_unsaved},
    {SEGMENT, "creation beside a damaged one", prepare_damaged, operate_create, judge_any},
    {SEGMENT, "creation, lock file replaced", prepare_lockless, operate_create, judge_unsaved},
    {CLAIM, "attach and close", prepare_good, operate_attach, judge_unsaved},
};

const size_t creation_count = sizeof(creations) / sizeof(creations[0]);
