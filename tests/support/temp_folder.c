/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/temp_folder.h"

#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MEMORY "/dev/shm"

bool
sf_temp_folder_want_memory(void)
{
    struct statfs found;

    return statfs(MEMORY, &found) == 0 && found.f_type == TMPFS_MAGIC &&
           access(MEMORY, W_OK | X_OK) == 0 && setenv("SF_TEST_FOLDER", MEMORY, 1) == 0;
}

void
sf_temp_folder_init(struct sf_temp_folder *folder)
{
    const char *parent = getenv("SF_TEST_FOLDER");

    (void)snprintf(folder->path, sizeof(folder->path), "%s/session-fast-test-XXXXXX",
                   parent != NULL ? parent : "/tmp");
    if (mkdtemp(folder->path) == NULL) {
        perror(folder->path);
        exit(EXIT_FAILURE);
    }
}

static int
remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void
sf_temp_folder_fini(struct sf_temp_folder *folder)
{
    if (folder->path[0] != '\0' && nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        perror(folder->path);
    }
    folder->path[0] = '\0';
}

const char *
sf_temp_folder_path(const struct sf_temp_folder *folder, const char *name)
{
    static _Thread_local char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}
