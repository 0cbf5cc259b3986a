/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * temp_folder.h - a folder of its own for a test that needs files: in /tmp, or in SF_TEST_FOLDER,
 * whose name is short.
 */
struct sf_temp_folder {
    char path[64];
};

/* Ends the test program when the system gives none. */
void sf_temp_folder_init(struct sf_temp_folder *folder);

/* Removes it with all that is in it. */
void sf_temp_folder_fini(struct sf_temp_folder *folder);

/* "<folder>/<name>" in memory that lives until the next call in this thread. */
const char *sf_temp_folder_path(const struct sf_temp_folder *folder, const char *name);
