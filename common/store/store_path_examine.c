/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_path_examine.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/folder_examine.h"

/* Of SQLite's file format: where the numbers stand in the first page, big-endian. */
#define HEAD_BYTES 100
#define USER_VERSION_AT 60
#define APPLICATION_ID_AT 68

enum sf_status
sf_store_path_examine(const char *path, struct sf_findings *findings)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", length, slash == NULL ? "." : path);
    if (!sf_folder_examine(folder, findings))
        return SF_UNAVAILABLE;
    if (sf_private_file_examine(path, findings))
        return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 ? SF_OK : SF_UNAVAILABLE;
    sf_found(findings, SF_FINDING_OK, "file", "", "%s: is not there yet and will be made", path);
    return SF_OK;
}

/* ---- SQLite ---- */

static uint32_t
number_at(const unsigned char *head, size_t at)
{
    return (uint32_t)head[at] << 24 | (uint32_t)head[at + 1] << 16 | (uint32_t)head[at + 2] << 8 | head[at + 3];
}

/* false: there is none yet. What stands in the log beside it, the head does not know. */
static bool
read_head(const char *path, unsigned char head_out[HEAD_BYTES], bool *is_logged_out)
{
    char log[PATH_MAX];
    struct stat found;
    int length = snprintf(log, sizeof log, "%s-wal", path);
    *is_logged_out = length > 0 && (size_t)length < sizeof log && stat(log, &found) == 0 && found.st_size > 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = file < 0 ? -1 : read(file, head_out, HEAD_BYTES);
    if (file >= 0)
        close(file);
    return size > 0;
}

static void
judge_head(const char *path, int schema_version, struct sf_findings *findings)
{
    unsigned char head[HEAD_BYTES] = {0};
    bool is_logged;
    if (!read_head(path, head, &is_logged))
        return;
    uint32_t application = number_at(head, APPLICATION_ID_AT), version = number_at(head, USER_VERSION_AT);
    if (memcmp(head, "SQLite format 3", sizeof "SQLite format 3") != 0)
        sf_found(findings, SF_FINDING_ERROR, "format", "name another file", "%s: not a database", path);
    else if (application == SF_SQLITE_APPLICATION_ID && version > (uint32_t)schema_version)
        sf_found(findings, SF_FINDING_ERROR, "schema", "use a version of session-fast as late as that",
                 "%s: made by a later version: %u, this program knows %d", path, (unsigned)version, schema_version);
    else if (application != SF_SQLITE_APPLICATION_ID && !is_logged)
        sf_found(findings, SF_FINDING_ERROR, "format", "name another file", "%s: a database of another program", path);
    else
        sf_found(findings, SF_FINDING_OK, "schema", "", "version %d", schema_version);
}

enum sf_status
sf_store_sqlite_path_examine(const char *path, int schema_version, struct sf_findings *findings)
{
    static const char *const beside[] = {"-wal", "-shm"};
    enum sf_status status = sf_store_path_examine(path, findings);
    for (size_t i = 0; status == SF_OK && i < sizeof beside / sizeof beside[0]; i++) {
        char other[PATH_MAX];
        int length = snprintf(other, sizeof other, "%s%s", path, beside[i]);
        if (length > 0 && (size_t)length < sizeof other)
            (void)sf_private_file_examine(other, findings);
    }
    if (status == SF_OK)
        judge_head(path, schema_version, findings);
    return status;
}
