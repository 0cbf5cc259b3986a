/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record_locks.h - POSIX record locks on single bytes of one file: the kernel gives them back when
 * the process ends.
 *
 * They belong to the process, not to a descriptor: closing any descriptor of the file drops all of
 * them, and a process never conflicts with itself. So the process opens each lock file once,
 * however many handles use it, and remembers which bytes its handles hold. This is the only state
 * in common/ that is process-wide; it mirrors state that the kernel keeps for the process. After
 * fork the child has none of the locks, and what it inherited is inert.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

#define SF_RECORD_LOCKS_MAX 8256u

struct sf_record_locks;

enum sf_record_locks_use {
    SF_RECORD_LOCKS_LOOK, /* sf_record_locks_try always fails */
    SF_RECORD_LOCKS_TAKE,
    SF_RECORD_LOCKS_MAKE  /* and makes the file, mode 0600, when it is missing */
};

/* SF_NOT_FOUND: no such file. SF_INVALID: somebody else's, a link. */
enum sf_status sf_record_locks_open(struct sf_record_locks **locks_out, const char *path,
                                    enum sf_record_locks_use use,
                                    struct sf_error *error) SF_MUST_CHECK;
void sf_record_locks_close(struct sf_record_locks *locks);

/* false: somebody has it, another handle of this process too. Never waits. */
bool sf_record_locks_try(struct sf_record_locks *locks, uint32_t byte) SF_MUST_CHECK;
void sf_record_locks_release(struct sf_record_locks *locks, uint32_t byte);

/* By any process or handle. Errs on the side of "held". */
bool sf_record_locks_is_held(struct sf_record_locks *locks, uint32_t byte);

/* Which file this is. */
void sf_record_locks_identity(const struct sf_record_locks *locks, uint64_t *device_out,
                              uint64_t *inode_out);
