/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/record_locks.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Invariants, under `registry_mutex`:
 * 1. One entry for each lock file (device, inode), with one descriptor, while references > 0.
 * 2. A bit of `held` is set exactly while this process holds the lock of that byte.
 * 3. An inherited entry is not in the list and has no descriptor.
 */
struct sf_record_locks {
    struct sf_record_locks *next;
    dev_t device;
    ino_t inode;
    int descriptor;
    bool is_writable;
    bool is_inherited;
    unsigned references;
    uint64_t held[SF_RECORD_LOCKS_MAX / 64];
};

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct sf_record_locks *registry;
static pthread_once_t fork_handlers_once = PTHREAD_ONCE_INIT;

static void
before_fork(void)
{
    pthread_mutex_lock(&registry_mutex);
}

static void
after_fork_in_parent(void)
{
    pthread_mutex_unlock(&registry_mutex);
}

/*
 * The child holds no lock, so closing the descriptors drops none. The entries live on in handles it
 * may still close.
 */
static void
after_fork_in_child(void)
{
    for (struct sf_record_locks *entry = registry; entry != NULL; entry = entry->next) {
        close(entry->descriptor);
        entry->descriptor = -1;
        entry->is_inherited = true;
    }
    registry = NULL;
    pthread_mutex_unlock(&registry_mutex);
}

static void
install_fork_handlers(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static struct sf_record_locks *
find_entry(const struct stat *status)
{
    struct sf_record_locks *entry = registry;

    while (entry != NULL && (entry->device != status->st_dev || entry->inode != status->st_ino))
        entry = entry->next;
    return entry;
}

static const char *
why_refused(const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return "not a regular file";
    if (status->st_uid != geteuid() && geteuid() != 0)
        return "belongs to somebody else";
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others may write it";
    return NULL;
}

static enum sf_status
open_file(int *descriptor_out, const char *path, enum sf_record_locks_use use,
          struct sf_error *error)
{
    static const int flags[] = {
        [SF_RECORD_LOCKS_LOOK] = O_RDONLY,
        [SF_RECORD_LOCKS_TAKE] = O_RDWR,
        [SF_RECORD_LOCKS_MAKE] = O_RDWR | O_CREAT,
    };
    int descriptor = open(path, flags[use] | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);

    if (descriptor >= 0) {
        *descriptor_out = descriptor;
        return SF_OK;
    }
    return sf_error_set(error, errno == ENOENT ? SF_NOT_FOUND : SF_INVALID, "%s: %s", path,
                        errno == ELOOP ? "a symbolic link" : strerror(errno));
}

/*
 * Opens what stat did not find among the open ones. When the name was given to a file that is open
 * already between the two looks, the second descriptor stays open for good: closing it would drop
 * this process's locks.
 */
static enum sf_status
add_entry(struct sf_record_locks **entry_out, const char *path, enum sf_record_locks_use use,
          struct sf_error *error)
{
    int descriptor = -1;
    enum sf_status status = open_file(&descriptor, path, use, error);
    if (status != SF_OK)
        return status;

    struct stat found;
    const char *reason = fstat(descriptor, &found) == 0 ? why_refused(&found) : strerror(errno);
    struct sf_record_locks *entry = reason == NULL ? find_entry(&found) : NULL;
    if (entry != NULL) {
        *entry_out = entry;
        return SF_OK;
    }
    entry = reason == NULL ? calloc(1, sizeof(*entry)) : NULL;
    if (entry == NULL) {
        close(descriptor);
        return reason != NULL ? sf_error_set(error, SF_INVALID, "%s: %s", path, reason)
                              : sf_error_set(error, SF_NO_MEMORY, "no memory");
    }
    entry->device = found.st_dev;
    entry->inode = found.st_ino;
    entry->descriptor = descriptor;
    entry->is_writable = use != SF_RECORD_LOCKS_LOOK;
    entry->next = registry;
    registry = entry;
    *entry_out = entry;
    return SF_OK;
}

/* An entry opened for looking holds no lock, so its descriptor may be replaced. */
static enum sf_status
make_writable(struct sf_record_locks *entry, const char *path, struct sf_error *error)
{
    int descriptor = -1;
    enum sf_status status = open_file(&descriptor, path, SF_RECORD_LOCKS_TAKE, error);

    if (status != SF_OK)
        return status;
    close(entry->descriptor);
    entry->descriptor = descriptor;
    entry->is_writable = true;
    return SF_OK;
}

static enum sf_status
open_registered(struct sf_record_locks **locks_out, const char *path, enum sf_record_locks_use use,
                struct sf_error *error)
{
    struct stat found;
    struct sf_record_locks *entry = stat(path, &found) == 0 ? find_entry(&found) : NULL;
    enum sf_status status = SF_OK;

    if (entry == NULL)
        status = add_entry(&entry, path, use, error);
    if (status != SF_OK || entry == NULL)
        return status;
    if (use != SF_RECORD_LOCKS_LOOK && !entry->is_writable)
        status = make_writable(entry, path, error);
    if (status != SF_OK)
        return status;
    entry->references++;
    *locks_out = entry;
    return SF_OK;
}

enum sf_status
sf_record_locks_open(struct sf_record_locks **locks_out, const char *path,
                     enum sf_record_locks_use use, struct sf_error *error)
{
    pthread_once(&fork_handlers_once, install_fork_handlers);
    pthread_mutex_lock(&registry_mutex);
    enum sf_status status = open_registered(locks_out, path, use, error);
    pthread_mutex_unlock(&registry_mutex);
    return status;
}

static void
remove_entry(struct sf_record_locks *locks)
{
    struct sf_record_locks **link = &registry;

    while (*link != locks)
        link = &(*link)->next;
    *link = locks->next;
    close(locks->descriptor);
}

void
sf_record_locks_close(struct sf_record_locks *locks)
{
    if (locks == NULL)
        return;
    pthread_mutex_lock(&registry_mutex);
    bool is_last = --locks->references == 0;
    if (is_last && !locks->is_inherited)
        remove_entry(locks);
    pthread_mutex_unlock(&registry_mutex);
    if (is_last)
        free(locks);
}

static uint64_t
bit_of(uint32_t byte)
{
    return UINT64_C(1) << (byte % 64);
}

static bool
set_lock(struct sf_record_locks *locks, uint32_t byte, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};

    return fcntl(locks->descriptor, F_SETLK, &lock) == 0;
}

bool
sf_record_locks_try(struct sf_record_locks *locks, uint32_t byte)
{
    assert(byte < SF_RECORD_LOCKS_MAX);
    pthread_mutex_lock(&registry_mutex);
    bool is_taken = !locks->is_inherited && locks->is_writable &&
                    (locks->held[byte / 64] & bit_of(byte)) == 0 && set_lock(locks, byte, F_WRLCK);
    if (is_taken)
        locks->held[byte / 64] |= bit_of(byte);
    pthread_mutex_unlock(&registry_mutex);
    return is_taken;
}

void
sf_record_locks_release(struct sf_record_locks *locks, uint32_t byte)
{
    assert(byte < SF_RECORD_LOCKS_MAX);
    pthread_mutex_lock(&registry_mutex);
    if (!locks->is_inherited) {
        locks->held[byte / 64] &= ~bit_of(byte);
        (void)set_lock(locks, byte, F_UNLCK);
    }
    pthread_mutex_unlock(&registry_mutex);
}

bool
sf_record_locks_is_held(struct sf_record_locks *locks, uint32_t byte)
{
    assert(byte < SF_RECORD_LOCKS_MAX);
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};

    pthread_mutex_lock(&registry_mutex);
    bool is_ours = locks->is_inherited || (locks->held[byte / 64] & bit_of(byte)) != 0;
    bool is_free =
        !is_ours && fcntl(locks->descriptor, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    pthread_mutex_unlock(&registry_mutex);
    return !is_free;
}

void
sf_record_locks_identity(const struct sf_record_locks *locks, uint64_t *device_out,
                         uint64_t *inode_out)
{
    *device_out = (uint64_t)locks->device;
    *inode_out = (uint64_t)locks->inode;
}
