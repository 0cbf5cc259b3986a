/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * shared_memory.h - a file that processes map together: made whole or not at all, refused when it
 * is not what it should be.
 *
 * Plain open and mmap: apr_file_open cannot say "no symbolic link", and APR's own shared memory is
 * sparse, so that a full file system would be a SIGBUS in the middle of a request.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

struct sf_mapping {
    void *base; /* NULL: nothing is mapped */
    uint64_t bytes;
};

/*
 * Maps the whole file. SF_NOT_FOUND: no such file. SF_INVALID: a link, another owner than the
 * effective user (root may look at anybody's), others may write it, not whole pages; the text says
 * which.
 */
enum sf_status sf_shared_memory_map(struct sf_mapping *mapping_out, const char *path,
                                    bool is_writable, struct sf_error *error) SF_MUST_CHECK;

/*
 * Makes a new file of zeros, mode 0600, every page of it allocated, so that no store into it can
 * fail later. A file that is in the way is removed. SF_FULL: no room.
 */
enum sf_status sf_shared_memory_make(struct sf_mapping *mapping_out, const char *path,
                                     uint64_t bytes, struct sf_error *error) SF_MUST_CHECK;

void sf_shared_memory_unmap(struct sf_mapping *mapping);
