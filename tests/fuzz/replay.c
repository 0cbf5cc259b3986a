/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libFuzzer with any compiler: feeds a fuzz target every file of the folders (or the files) that
 * are named, by default tests/fuzz/corpus/<program>. A corpus without a file is an error: it would test nothing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)

static size_t
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *input = NULL;
    size_t size;

    if (file == NULL || (input = malloc(INPUT_MAX)) == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size = fread(input, 1, INPUT_MAX, file);
    (void)fclose(file);
    /* An allocation of the exact size, so that a sanitizer sees one byte too many. */
    input = realloc(input, size + (size == 0));
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 1;
}

static size_t
replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    struct dirent *entry;
    char name[4096];

    if (folder == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        printf("%s\n", name);
        (void)fflush(stdout); /* the last line names the file of a crash */
        count += replay_file(name);
    }
    (void)closedir(folder);
    return count;
}

static size_t
replay_default(const char *program)
{
    const char *top = getenv("top_srcdir");
    const char *slash = strrchr(program, '/');
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".",
                   slash != NULL ? slash + 1 : program);
    return replay_folder(path);
}

int
main(int argc, char **argv)
{
    size_t count = argc == 1 ? replay_default(argv[0]) : 0;

    for (int i = 1; i < argc; i++) {
        struct stat info;

        count += stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
    }
    printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
