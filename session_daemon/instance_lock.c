/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/instance_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_PAUSE 20 /* ms between two attempts: F_SETLKW has no deadline */

static enum sf_status
check_file(int fd, const char *path, struct sf_error *error)
{
    struct stat found;
    if (fstat(fd, &found) != 0)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_nlink != 1)
        return sf_error_set(error, SF_INVALID, "%s: not a regular file with one name", path);
    if (found.st_uid != geteuid() && found.st_uid != 0)
        return sf_error_set(error, SF_INVALID, "%s: belongs to another user (uid %u)", path, (unsigned)found.st_uid);
    return SF_OK;
}

static enum sf_status
open_file(int *fd_out, const char *path, struct sf_error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0 && errno == ELOOP)
        return sf_error_set(error, SF_INVALID, "%s: is a symbolic link", path);
    if (fd < 0)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: %s", path, strerror(errno));
    enum sf_status status = check_file(fd, path, error);
    if (status != SF_OK) {
        close(fd);
        return status;
    }
    *fd_out = fd;
    return SF_OK;
}

static bool
try_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(fd, F_SETLK, &lock) == 0;
}

static bool
is_held_by_other(int error)
{
    return error == EACCES || error == EAGAIN || error == EINTR;
}

/* For people who look; nothing reads it back. */
static void
write_pid(int fd)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return;
}

enum sf_status
instance_lock_take(int *fd_out, const struct sf_instance *instance, sf_time deadline, struct sf_error *error)
{
    const char *path = instance->daemon_lock_path;
    int fd = -1;
    enum sf_status status = open_file(&fd, path, error);
    if (status != SF_OK)
        return status;
    while (!try_lock(fd)) {
        if (!is_held_by_other(errno)) {
            status = sf_error_set(error, SF_UNAVAILABLE, "%s: cannot lock: %s", path, strerror(errno));
            goto fail;
        }
        if (sf_clock_steady() >= deadline) {
            status = sf_error_set(error, SF_CONFLICT, "another daemon serves %s", instance->run);
            goto fail;
        }
        poll(NULL, 0, LOCK_PAUSE);
    }
    write_pid(fd);
    *fd_out = fd;
    return SF_OK;

fail:
    close(fd);
    return status;
}
