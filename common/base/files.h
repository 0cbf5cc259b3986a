/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * files.h - what must be said twice to a file system before it is so. false: errno says why.
 */
#include <stdbool.h>
#include <stddef.h>

bool sf_write_all(int fd, const void *bytes, size_t size);

/* A file that was made, renamed or removed is so after a crash only when its folder has been synced. */
bool sf_sync_folder(const char *folder);
bool sf_sync_folder_of(const char *path);
