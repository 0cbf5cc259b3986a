/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/folder_examine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/base/files.h"

#define PROBE_BYTES 4096
#define ROOM_ERROR (1u << 20)    /* bytes */
#define ROOM_WARNING (64u << 20) /* bytes: an hour of changes of a busy site */

/* ---- whose it is ---- */

static bool
examine_mode(const char *folder, const struct stat *seen, struct sf_findings *findings)
{
    unsigned mode = seen->st_mode & 07777;
    bool is_open = (mode & S_IWOTH) != 0;
    if (is_open)
        sf_found(findings, (mode & S_ISVTX) != 0 ? SF_FINDING_WARNING : SF_FINDING_ERROR, "mode of the folder",
                 "chmod 0750, or use a folder of its own", "%s: mode %04o: everybody may write there", folder, mode);
    if (faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) == 0) {
        if (!is_open)
            sf_found(findings, SF_FINDING_OK, "folder", "", "%s: of user %u, mode %04o", folder,
                     (unsigned)seen->st_uid, mode);
        return true;
    }
    sf_found(findings, SF_FINDING_ERROR, "folder", "give it to the user of the daemon, or mount it writable",
             "%s: of user %u, mode %04o: user %u cannot write there: %s", folder, (unsigned)seen->st_uid, mode,
             (unsigned)geteuid(), strerror(errno));
    return false;
}

/* ---- room ---- */

static bool
is_on_a_network(const char *folder)
{
    struct statfs system;
    if (statfs(folder, &system) != 0)
        return false;
    unsigned long type = (unsigned long)system.f_type & 0xffffffffu;
    return type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC || type == 0xff534d42 || type == 0xfe534d42;
}

static bool
examine_room(const char *folder, struct sf_findings *findings)
{
    struct statvfs room;
    if (statvfs(folder, &room) != 0)
        return true; /* not told is not missing */
    unsigned long long bytes = (unsigned long long)room.f_bavail * room.f_frsize;
    enum sf_finding_level level = bytes < ROOM_ERROR     ? SF_FINDING_ERROR
                                  : bytes < ROOM_WARNING ? SF_FINDING_WARNING
                                                         : SF_FINDING_OK;
    sf_found(findings, level, "room", level == SF_FINDING_OK ? "" : "make room: what is not stored waits in the cache",
             "%s: %llu MiB are free", folder, bytes >> 20);
    if (room.f_files > 0 && room.f_favail == 0)
        sf_found(findings, SF_FINDING_ERROR, "room", "remove files that nobody needs",
                 "%s: no new file can be made: the file system is out of inodes", folder);
    return level != SF_FINDING_ERROR;
}

/* ---- does it stay? ---- */

/* Some file systems know no files without a name. */
static int
open_probe(const char *folder)
{
    char path[4096];
    int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return file;
    int length = snprintf(path, sizeof path, "%s/.session-fast-XXXXXX", folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return -1;
    file = mkostemp(path, O_CLOEXEC);
    if (file >= 0)
        unlink(path);
    return file;
}

static bool
examine_writing(const char *folder, struct sf_findings *findings)
{
    char bytes[PROBE_BYTES];
    memset(bytes, 0, sizeof bytes);
    sf_findings_begin(findings);
    int file = open_probe(folder);
    bool is_kept = file >= 0 && sf_write_all(file, bytes, sizeof bytes) && fsync(file) == 0;
    if (is_kept)
        sf_found(findings, SF_FINDING_OK, "write and fsync", "", "%s: the disk has it", folder);
    else
        sf_found(findings, SF_FINDING_ERROR, "write and fsync", "look at the disk, its quota and the kernel's log",
                 "%s: %s", folder, strerror(errno));
    if (file >= 0)
        close(file);
    return is_kept;
}

bool
sf_folder_examine(const char *folder, struct sf_findings *findings)
{
    struct stat seen;
    int failed = stat(folder, &seen) != 0 ? errno : S_ISDIR(seen.st_mode) ? 0 : ENOTDIR;
    if (failed != 0) {
        sf_found(findings, SF_FINDING_ERROR, "folder", "make it, and give it to the user of the daemon", "%s: %s",
                 folder, strerror(failed));
        return false;
    }
    if (!examine_mode(folder, &seen, findings))
        return false;
    if (is_on_a_network(folder))
        sf_found(findings, SF_FINDING_ERROR, "file system", "use a disk of this machine",
                 "%s is on another machine: locks and mapped memory cannot be relied on there", folder);
    bool has_room = examine_room(folder, findings);
    return examine_writing(folder, findings) && has_room;
}

bool
sf_private_file_examine(const char *path, struct sf_findings *findings)
{
    struct stat seen;
    if (lstat(path, &seen) != 0) {
        bool is_hidden = errno != ENOENT;
        if (is_hidden)
            sf_found(findings, SF_FINDING_ERROR, "file", "let the user of the daemon get there", "%s: %s", path,
                     strerror(errno));
        return is_hidden;
    }
    unsigned mode = seen.st_mode & 07777;
    if (!S_ISREG(seen.st_mode))
        sf_found(findings, SF_FINDING_ERROR, "file", "name the file itself", "%s: no ordinary file", path);
    else if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) != 0)
        sf_found(findings, SF_FINDING_ERROR, "file", "give it to the user of the daemon",
                 "%s: of user %u, mode %04o: user %u cannot use it: %s", path, (unsigned)seen.st_uid, mode,
                 (unsigned)geteuid(), strerror(errno));
    else if ((mode & (S_IRWXO | S_IWGRP)) != 0)
        sf_found(findings, (mode & (S_IWOTH | S_IROTH)) != 0 ? SF_FINDING_ERROR : SF_FINDING_WARNING, "file",
                 "chmod 0600", "%s: mode %04o: others can get at it", path, mode);
    else
        sf_found(findings, SF_FINDING_OK, "file", "", "%s: of user %u, mode %04o", path, (unsigned)seen.st_uid, mode);
    return true;
}
