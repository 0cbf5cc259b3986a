/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cache/l1_blocks.h"
#include "common/cache/l1_segment.h"

#define LOCK_PATIENCE (2 * SF_SECOND)
#define LOCK_PAUSE_NS 5000000L
#define PATH_BYTES (SF_INSTANCE_PATH_MAX + 8)

struct creation {
    const struct sf_instance *instance;
    uint64_t bytes;
    struct sf_record_locks *locks;
    struct sf_l1_made *made;
    struct sf_error *error;
    struct sf_l1 *predecessor; /* what the new one inherits from; NULL: nothing */
};

static bool
take_creation_lock(struct sf_record_locks *locks)
{
    sf_time deadline = sf_clock_steady() + LOCK_PATIENCE;

    while (!sf_record_locks_try(locks, SF_LOCK_CREATE)) {
        if (sf_clock_steady() >= deadline)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
    }
    return true;
}

/* ---- what is there ---- */

static bool
has_dirty(struct sf_l1 *l1)
{
    struct sf_l1_usage usage;

    sf_l1_usage(l1, &usage);
    return usage.blocks_dirty > 0 || usage.blocks_owned > 0;
}

static void
set_retired(struct sf_l1_header *header, bool is_retired)
{
    atomic_store_explicit(&header->retired, is_retired, memory_order_relaxed);
}

/* Keeps the bytes for whoever wants to know what went wrong. */
static enum sf_status
set_aside(struct creation *work, const char *path)
{
    char bad[PATH_BYTES];

    snprintf(bad, sizeof(bad), "%s.bad", work->instance->cache_path);
    if (rename(path, bad) != 0)
        return sf_error_set(work->error, SF_INVALID, "%s: cannot be renamed: %s", path,
                            strerror(errno));
    work->made->set_aside = true;
    return SF_OK;
}

static bool
is_needed(struct sf_l1 *l1)
{
    return sf_process_slots_alive(&l1->slots) > 0 || has_dirty(l1);
}

/*
 * Another size is wanted: what nobody uses and the store has may go. Said first and looked at again
 * then: whoever has attached since is seen, and whoever comes later is turned away.
 */
static bool
give_up(struct sf_l1 *l1)
{
    if (is_needed(l1) && !sf_l1_is_retired(l1))
        return false;
    set_retired(l1->header, true);
    sf_l1_fence(); /* O8 */
    if (!is_needed(l1))
        return true;
    set_retired(l1->header, false);
    return false;
}

/* One that is retired was left so by somebody who was killed in the middle of this. */
static bool
keep_opened(struct creation *work, struct sf_l1 *l1)
{
    bool is_wanted = l1->mapping.bytes == work->bytes && !sf_l1_is_retired(l1);

    if (!is_wanted && give_up(l1))
        return false;
    work->made->bytes = l1->mapping.bytes;
    work->made->size_differs = l1->mapping.bytes != work->bytes;
    return true;
}

/*
 * When every slot is in use, the dead among their owners keep everybody out, the sweeper who would
 * bury them as well. So it is done for him here, unless there is one: then he comes to it.
 */
static void
bury_if_full(struct sf_l1 *l1)
{
    uint32_t cursor = 0, slot = 0;

    while (slot < l1->plan.slots && (sf_l1_load(&l1->slots.slots[slot].word) & 1) != 0) /* O7 */
        slot++;
    if (slot < l1->plan.slots || !sf_l1_lead(l1, SF_L1_SWEEPER))
        return;
    (void)sf_l1_repair(l1, 0, &cursor, UINT32_MAX); /* at no time: nothing expires, nothing is made */
    sf_record_locks_release(l1->slots.locks, SF_LOCK_DUTY + SF_L1_SWEEPER);
}

static bool
is_from_this_boot(const struct sf_mapping *mapping)
{
    const struct sf_l1_header *header = mapping->base;
    char boot_id[SF_BOOT_ID_BYTES];

    if (header->magic != SF_L1_MAGIC || header->layout_version != SF_L1_LAYOUT_VERSION)
        return true; /* who knows where another layout keeps its boot id */
    sf_boot_id(boot_id);
    return memcmp(boot_id, header->boot_id, sizeof(boot_id)) == 0;
}

/*
 * A sound segment whose lock file was replaced, so that nobody knows who is alive: those who use it
 * are told to leave it, and what the store does not have goes over to the new one.
 */
static void
leave_to_successor(struct creation *work, struct sf_mapping *mapping)
{
    struct sf_l1 *l1 = NULL;

    if (sf_l1_segment_open(&l1, mapping, true, NULL, NULL) != SF_OK)
        return;
    if (sf_l1_segment_check(l1, NULL) == SF_OK)
        work->predecessor = l1;
    else
        sf_l1_segment_close(l1);
}

/* Not ours, or no longer usable. Whoever is attached, of another version too, attaches anew. */
static enum sf_status
judge_foreign(struct creation *work, struct sf_mapping *mapping)
{
    struct sf_l1_header *header = mapping->base;

    if (header->magic == SF_L1_MAGIC)
        set_retired(header, true);
    leave_to_successor(work, mapping);
    sf_shared_memory_unmap(mapping);
    return work->predecessor != NULL ? SF_OK : set_aside(work, work->instance->cache_path);
}

static enum sf_status
judge_own(struct creation *work, struct sf_l1 *l1, bool *kept_out)
{
    if (sf_l1_segment_check(l1, NULL) == SF_OK) {
        *kept_out = keep_opened(work, l1);
        if (*kept_out)
            bury_if_full(l1);
        return SF_OK;
    }
    set_retired(l1->header, true);
    return set_aside(work, work->instance->cache_path);
}

/* Takes over the mapping. *kept_out: the segment stays as it is. */
static enum sf_status
judge(struct creation *work, struct sf_mapping *mapping, bool *kept_out)
{
    struct sf_l1 *l1 = NULL;

    if (!is_from_this_boot(mapping)) {
        sf_shared_memory_unmap(mapping);
        return SF_OK;
    }
    enum sf_status status = sf_l1_segment_open(&l1, mapping, true, work->locks, NULL);
    if (status == SF_NO_MEMORY) {
        sf_shared_memory_unmap(mapping);
        return sf_error_set(work->error, status, "no memory");
    }
    if (status != SF_OK)
        return judge_foreign(work, mapping);
    status = judge_own(work, l1, kept_out);
    sf_l1_segment_close(l1);
    return status;
}

static enum sf_status
look_at_old(struct creation *work, bool *kept_out)
{
    struct sf_mapping mapping;
    struct stat found;
    const char *path = work->instance->cache_path;

    *kept_out = false;
    if (lstat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == geteuid() &&
        (found.st_size < 4096 || found.st_size % 4096 != 0))
        return set_aside(work, work->instance->cache_path);
    enum sf_status status = sf_shared_memory_map(&mapping, path, true, work->error);
    if (status == SF_NOT_FOUND)
        return SF_OK;
    return status == SF_OK ? judge(work, &mapping, kept_out) : status;
}

/* ---- a new one ---- */

/* Takes over the mapping. */
static enum sf_status
inherit(struct creation *work, struct sf_mapping *mapping)
{
    struct sf_l1 *l1 = NULL;
    enum sf_status status = sf_l1_segment_open(&l1, mapping, true, work->locks, work->error);

    if (status != SF_OK)
        return status;
    status = sf_l1_segment_join(l1, work->error);
    if (status == SF_OK) {
        /* A change that was under way when the old one was retired is there by now. */
        (void)nanosleep(&(struct timespec){.tv_nsec = SF_L1_WAIT_MAX * 1000000L}, NULL);
        sf_l1_segment_inherit(l1, work->predecessor, &work->made->inherited, &work->made->lost);
    }
    sf_l1_segment_close(l1);
    return status;
}

/*
 * A predecessor keeps the name until its successor has everything: whoever is killed in between has
 * moved nothing, and the next one begins again.
 */
static enum sf_status
put_in_place(struct creation *work, const char *fresh)
{
    const char *path = work->instance->cache_path;
    bool is_exchanged = work->predecessor != NULL &&
                        renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) == 0;

    if (is_exchanged)
        return set_aside(work, fresh);
    if (work->predecessor != NULL) {
        enum sf_status status = set_aside(work, path); /* a file system that cannot exchange two */
        if (status != SF_OK)
            return status;
    }
    return rename(fresh, path) == 0
               ? SF_OK
               : sf_error_set(work->error, SF_INVALID, "%s: cannot be renamed: %s", fresh,
                              strerror(errno));
}

static enum sf_status
build(struct creation *work)
{
    struct sf_mapping mapping;
    char fresh[PATH_BYTES];

    snprintf(fresh, sizeof(fresh), "%s.new", work->instance->cache_path);
    enum sf_status status = sf_shared_memory_make(&mapping, fresh, work->bytes, work->error);
    if (status != SF_OK)
        return status;
    status = sf_l1_segment_init(&mapping, work->locks, work->error);
    if (status == SF_OK && work->predecessor != NULL)
        status = inherit(work, &mapping);
    sf_shared_memory_unmap(&mapping);
    if (status == SF_OK)
        status = put_in_place(work, fresh);
    if (status != SF_OK) {
        (void)unlink(fresh);
        return status;
    }
    work->made->is_new = true;
    work->made->bytes = work->bytes;
    return SF_OK;
}

static enum sf_status
create_locked(struct creation *work)
{
    bool is_kept;
    enum sf_status status = look_at_old(work, &is_kept);

    if (status == SF_OK && !is_kept)
        status = build(work);
    if (work->predecessor != NULL)
        sf_l1_segment_close(work->predecessor);
    return status;
}

static uint64_t
fits(uint64_t bytes)
{
    struct sf_l1_plan plan;

    return sf_l1_plan_make(&plan, bytes) ? sf_l1_plan_fits(&plan, 1024) : 0;
}

static enum sf_status
refuse_size(uint64_t bytes, struct sf_error *error)
{
    return sf_error_set(error, SF_INVALID,
                        "a cache has between 1 MiB (about %llu sessions of 1 KiB) and 64 GiB (%llu), "
                        "not %llu bytes",
                        (unsigned long long)fits(SF_L1_BYTES_MIN),
                        (unsigned long long)fits(SF_L1_BYTES_MAX), (unsigned long long)bytes);
}

enum sf_status
sf_l1_create(const struct sf_instance *instance, uint64_t bytes, struct sf_l1_made *made_out,
             struct sf_error *error)
{
    struct creation work = {.instance = instance,
                            .bytes = bytes / 4096 * 4096,
                            .made = made_out,
                            .error = error};
    struct sf_l1_plan plan;

    *made_out = (struct sf_l1_made){.is_new = false};
    if (!sf_l1_plan_make(&plan, work.bytes))
        return refuse_size(bytes, error);
    enum sf_status status =
        sf_record_locks_open(&work.locks, instance->cache_lock_path, SF_RECORD_LOCKS_MAKE, error);
    if (status != SF_OK)
        return status;
    if (take_creation_lock(work.locks)) {
        status = create_locked(&work);
        sf_record_locks_release(work.locks, SF_LOCK_CREATE);
    } else {
        status = sf_error_set(error, SF_UNAVAILABLE, "%s: somebody else is making the cache",
                              instance->cache_lock_path);
    }
    sf_record_locks_close(work.locks);
    made_out->fits = fits(made_out->bytes);
    return status;
}
