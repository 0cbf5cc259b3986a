/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define LARGE_PAGE_BYTES ((size_t)2 << 20) /* on x86-64, and on others with pages of 4 KiB */
#if !defined(MADV_COLLAPSE)
#define MADV_COLLAPSE 25 /* Linux 6.1; the C library of Debian 12 does not know it */
#endif

static const char *
why_refused(const struct stat *status, bool is_writable)
{
    uid_t user = geteuid();

    if (!S_ISREG(status->st_mode))
        return "not a regular file";
    if (status->st_uid != user && (user != 0 || is_writable))
        return "belongs to somebody else";
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others may write it";
    if (status->st_nlink > 1)
        return "has a second name";
    if (status->st_size < PAGE_BYTES || status->st_size % PAGE_BYTES != 0)
        return "truncated";
    return NULL;
}

/* Addresses that begin on a large page, as the file does: else none of its pages can be mapped as one. */
static void *
reserve_addresses(size_t bytes)
{
    unsigned char *first = mmap(NULL, bytes + LARGE_PAGE_BYTES, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (first == MAP_FAILED)
        return MAP_FAILED;
    size_t before = -(uintptr_t)first % LARGE_PAGE_BYTES;
    if (before > 0)
        (void)munmap(first, before);
    (void)munmap(first + before + bytes, LARGE_PAGE_BYTES - before);
    return first + before;
}

static enum sf_status
map_descriptor(struct sf_mapping *mapping_out, int descriptor, uint64_t bytes, bool is_writable)
{
    int access = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *place = reserve_addresses((size_t)bytes);

    if (place == MAP_FAILED)
        return SF_NO_MEMORY;
    void *base = mmap(place, (size_t)bytes, access, MAP_SHARED | MAP_FIXED, descriptor, 0);
    if (base == MAP_FAILED) {
        (void)munmap(place, (size_t)bytes);
        return SF_NO_MEMORY;
    }
    (void)madvise(base, (size_t)bytes, MADV_DONTDUMP); /* sessions do not belong into core files */
    (void)madvise(base, (size_t)bytes, MADV_HUGEPAGE); /* where the system offers it for a tmpfs */
    *mapping_out = (struct sf_mapping){base, bytes};
    return SF_OK;
}

static enum sf_status
map_opened(struct sf_mapping *mapping_out, int descriptor, const char *path, bool is_writable,
           struct sf_error *error)
{
    struct stat status;
    const char *reason =
        fstat(descriptor, &status) == 0 ? why_refused(&status, is_writable) : strerror(errno);

    if (reason != NULL)
        return sf_error_set(error, SF_INVALID, "%s: %s", path, reason);
    if (map_descriptor(mapping_out, descriptor, (uint64_t)status.st_size, is_writable) != SF_OK)
        return sf_error_set(error, SF_NO_MEMORY, "%s: cannot map %lld bytes: %s", path,
                            (long long)status.st_size, strerror(errno));
    return SF_OK;
}

enum sf_status
sf_shared_memory_map(struct sf_mapping *mapping_out, const char *path, bool is_writable,
                     struct sf_error *error)
{
    *mapping_out = (struct sf_mapping){NULL, 0};
    int access = is_writable ? O_RDWR : O_RDONLY;
    int descriptor = open(path, access | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0)
        return sf_error_set(error, errno == ENOENT ? SF_NOT_FOUND : SF_INVALID, "%s: %s", path,
                            errno == ELOOP ? "a symbolic link" : strerror(errno));
    enum sf_status status = map_opened(mapping_out, descriptor, path, is_writable, error);
    close(descriptor);
    return status;
}

static int
allocate(int descriptor, uint64_t bytes)
{
    int failed;

    do
        failed = posix_fallocate(descriptor, 0, (off_t)bytes);
    while (failed == EINTR);
    return failed;
}

static enum sf_status
fill_and_map(struct sf_mapping *mapping_out, int descriptor, const char *path, uint64_t bytes,
             struct sf_error *error)
{
    int failed = allocate(descriptor, bytes);

    if (failed != 0)
        return sf_error_set(
            error,
            failed == ENOSPC || failed == EFBIG || failed == EDQUOT ? SF_FULL : SF_UNAVAILABLE,
            "%s: no room for %llu bytes: %s", path, (unsigned long long)bytes, strerror(failed));
    if (map_descriptor(mapping_out, descriptor, bytes, true) != SF_OK)
        return sf_error_set(error, SF_NO_MEMORY, "%s: cannot map %llu bytes: %s", path,
                            (unsigned long long)bytes, strerror(errno));
    /* Large pages, as far as the kernel has them: docs/decisions/0015-large-pages.md. */
    (void)madvise(mapping_out->base, (size_t)bytes, MADV_COLLAPSE);
    return SF_OK;
}

enum sf_status
sf_shared_memory_make(struct sf_mapping *mapping_out, const char *path, uint64_t bytes,
                      struct sf_error *error)
{
    *mapping_out = (struct sf_mapping){NULL, 0};
    (void)unlink(path);
    int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (descriptor < 0)
        return sf_error_set(error, SF_INVALID, "%s: %s", path, strerror(errno));
    enum sf_status status = fill_and_map(mapping_out, descriptor, path, bytes, error);
    close(descriptor);
    if (status != SF_OK)
        (void)unlink(path);
    return status;
}

void
sf_shared_memory_unmap(struct sf_mapping *mapping)
{
    if (mapping->base != NULL)
        munmap(mapping->base, (size_t)mapping->bytes);
    *mapping = (struct sf_mapping){NULL, 0};
}
