/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_holder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE 10                   /* ms between two looks at a process */
#define AFTER_KILL (2 * SF_SECOND) /* a process inside a hanging disk does not even hear SIGKILL */
#define PROC_PATH 40
#define PARENT 4                   /* fields of /proc/PID/stat */
#define START_TIME 22

/* ---- which process ---- */

pid_t
sf_daemon_holder(const char *lock_path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = open(lock_path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    bool is_held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return is_held && lock.l_pid > 0 ? lock.l_pid : 0;
}

/*
 * The number is looked at again after the handle has been taken: who holds the lock before and after
 * held it in between, and the handle is of that process.
 */
int
sf_daemon_handle(pid_t holder, const char *lock_path)
{
    int handle = (int)syscall(SYS_pidfd_open, holder, 0);
    if (handle < 0)
        return -1;
    if (sf_daemon_holder(lock_path) == holder)
        return handle;
    close(handle);
    return -1;
}

bool
sf_daemon_is_child(pid_t child)
{
    return child > 0 && waitpid(child, NULL, WNOHANG) == 0;
}

/* ---- who started it ---- */

static size_t
read_proc(pid_t pid, const char *file, char *text_out, size_t size)
{
    char path[PROC_PATH];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text_out, size - 1);
    if (fd >= 0)
        close(fd);
    text_out[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

/* What follows the option in its command line; "": it has no such option. */
static void
read_argument(pid_t pid, const char *option, char *value_out, size_t size)
{
    char words[4096];
    size_t used = read_proc(pid, "cmdline", words, sizeof words);
    bool is_next = false;
    *value_out = '\0';
    for (const char *word = words; word < words + used; word += strlen(word) + 1) {
        if (is_next)
            snprintf(value_out, size, "%s", word);
        is_next = strcmp(word, option) == 0;
    }
}

/* "": /proc does not say. The name in the second field may have blanks and parentheses of its own. */
static void
read_stat(pid_t pid, int wanted, char *value_out, size_t size)
{
    char stat[1024];
    char *rest = read_proc(pid, "stat", stat, sizeof stat) > 0 ? strrchr(stat, ')') : NULL;
    const char *field = NULL;
    for (int number = 2; rest != NULL && number < wanted; number++) {
        rest = strchr(rest, ' ');
        field = rest != NULL ? ++rest : NULL;
    }
    snprintf(value_out, size, "%.*s", field != NULL ? (int)strcspn(field, " ") : 0,
             field != NULL ? field : "");
}

bool
sf_daemon_started_by(char text_out[SF_DAEMON_STARTED_BY_TEXT])
{
    read_stat(getpid(), START_TIME, text_out, SF_DAEMON_STARTED_BY_TEXT);
    return *text_out != '\0';
}

/* One whose parent has died belongs to init, or to what stands for it. */
bool
sf_daemon_is_orphan(pid_t holder)
{
    char starter[SF_DAEMON_STARTED_BY_TEXT], parent[SF_DAEMON_STARTED_BY_TEXT];
    char now[SF_DAEMON_STARTED_BY_TEXT];
    read_argument(holder, SF_DAEMON_STARTED_BY, starter, sizeof starter);
    read_stat(holder, PARENT, parent, sizeof parent);
    read_stat((pid_t)strtol(parent, NULL, 10), START_TIME, now, sizeof now);
    return *starter != '\0' && *now != '\0' && strcmp(starter, now) != 0;
}

/* ---- its end ---- */

struct target {
    pid_t pid;
    int handle;            /* -1: a child, or the kernel has no handles */
    const char *lock_path; /* NULL: a child */
};

/* Without a handle this is as near as one can get. */
static bool
is_still_meant(const struct target *target)
{
    siginfo_t ignored;
    if (target->lock_path != NULL)
        return sf_daemon_holder(target->lock_path) == target->pid;
    return waitid(P_PID, (id_t)target->pid, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void
send_signal(const struct target *target, int number)
{
    if (target->handle >= 0)
        syscall(SYS_pidfd_send_signal, target->handle, number, NULL, 0);
    else if (is_still_meant(target))
        kill(target->pid, number);
}

/* A child must be reaped, somebody else's process can only be watched. */
static bool
has_ended(const struct target *target)
{
    struct pollfd end = {.fd = target->handle, .events = POLLIN};
    if (target->lock_path == NULL)
        return waitpid(target->pid, NULL, WNOHANG) != 0;
    return target->handle >= 0 ? poll(&end, 1, 0) > 0 : !is_still_meant(target);
}

static bool
await_end(const struct target *target, sf_time deadline)
{
    while (!has_ended(target)) {
        if (sf_clock_steady() >= deadline)
            return false;
        poll(NULL, 0, PAUSE);
    }
    return true;
}

static enum sf_daemon_end
end_target(const struct target *target, sf_time deadline)
{
    send_signal(target, SIGTERM);
    send_signal(target, SIGCONT);
    if (await_end(target, deadline))
        return SF_DAEMON_ENDED;
    send_signal(target, SIGKILL);
    return await_end(target, sf_clock_steady() + AFTER_KILL) ? SF_DAEMON_KILLED : SF_DAEMON_STAYS;
}

enum sf_daemon_end
sf_daemon_end(pid_t pid, const char *lock_path, sf_time deadline)
{
    struct target target = {.pid = pid, .handle = -1, .lock_path = lock_path};
    if (lock_path != NULL)
        target.handle = sf_daemon_handle(pid, lock_path);
    enum sf_daemon_end end = end_target(&target, deadline);
    if (target.handle >= 0)
        close(target.handle);
    return end;
}
