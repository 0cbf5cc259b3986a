/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

/*
 * temp_folder.h - a folder of its own for a test that needs files: in /tmp, or in SF_TEST_FOLDER,
 * whose name is short.
 */
struct sf_temp_folder {
    char path[64];
};

/*
 * From now on they are made in a file system that lies in memory, as the run folder of an instance
 * does: elsewhere whoever stores a byte of a mapped file may wait for the disk. false: there is none
 * here, and they are made where they were.
 */
bool sf_temp_folder_want_memory(void);

/* Ends the test program when the system gives none. */
void sf_temp_folder_init(struct sf_temp_folder *folder);

/* Removes it with all that is in it. */
void sf_temp_folder_fini(struct sf_temp_folder *folder);

/* "<folder>/<name>" in memory that lives until the next call in this thread. */
const char *sf_temp_folder_path(const struct sf_temp_folder *folder, const char *name);
