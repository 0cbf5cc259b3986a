/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * failing_vfs.h - SQLite's files on a disk that fails when a test says so.
 *
 * Becomes the default for every connection that is opened afterwards. A failed sync leaves what was
 * written where it is: as the kernel does, and so that a second sync would succeed.
 */
#include <stdbool.h>

enum sf_failing_call { SF_FAILING_OPEN = 1, SF_FAILING_WRITE = 2, SF_FAILING_SYNC = 4 };

struct sf_failing_disk {
    unsigned calls;   /* of enum sf_failing_call: which are counted */
    long fail_at;     /* the so manieth of them fails; 0: none */
    bool is_lasting;  /* and all behind it */
    int code;         /* SQLITE_IOERR_FSYNC, SQLITE_FULL, ... */
    long count;       /* so far */
    long failed;
};

extern struct sf_failing_disk sf_failing_disk;

void sf_failing_vfs_register(void); /* once a program */
