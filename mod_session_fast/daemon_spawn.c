/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/daemon_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <http_log.h>
#include <mpm_common.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unixd.h>

#include "common/config/config_file.h"
#include "common/front/ask_daemon.h"

APLOG_USE_MODULE(session_fast);

#define PAUSE 10    /* ms between two looks at a process */
#define PATIENCE 50 /* ms that one PING may take */

uid_t
sf_daemon_uid(void)
{
    return geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
}

gid_t
sf_daemon_gid(void)
{
    return geteuid() == 0 ? ap_unixd_config.group_id : getegid();
}

/* ---- its configuration ---- */

static bool
become(uid_t uid, gid_t gid)
{
    return uid == 0 ? seteuid(uid) == 0 && setegid(gid) == 0
                    : setegid(gid) == 0 && seteuid(uid) == 0;
}

enum sf_status
sf_daemon_write_config(const struct sf_process *process, bool *changed_out, apr_pool_t *pool,
                       struct sf_error *error)
{
    const char *path = process->instance.config_path;
    gid_t own_group = getegid();
    bool is_root = geteuid() == 0;
    if (is_root && !become(sf_daemon_uid(), sf_daemon_gid())) {
        return sf_error_set(error, SF_UNAVAILABLE, "%s: cannot act as User and Group: %s", path,
                            strerror(errno));
    }
    enum sf_status status = sf_config_write(&process->config, path, changed_out, pool, error);
    if (is_root && !become(0, own_group)) {
        return sf_error_set(error, SF_UNAVAILABLE, "%s: cannot be root again: %s", path,
                            strerror(errno));
    }
    return status;
}

/* ---- the process ---- */

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
 * Only standard error stays: that is httpd's error log. With a listening socket of httpd the daemon
 * would keep its port occupied after httpd has gone.
 */
static void
leave_httpd_behind(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    static const int signals[] = {SIGTERM, SIGHUP,  SIGINT,  SIGUSR1,
                                  SIGUSR2, SIGCHLD, SIGPIPE, SIGWINCH};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    setsid(); /* httpd signals its whole process group, at graceful too */
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    close_range(STDERR_FILENO + 1, ~0u, 0);
}

static void
run_daemon(const struct sf_process *process, server_rec *s, apr_pool_t *pconf)
{
    const char *path = *process->config.daemon == '\0' ? SF_DAEMON_PATH : process->config.daemon;
    leave_httpd_behind();
    if (geteuid() == 0 && ap_run_drop_privileges(pconf, s) != OK)
        _exit(1);
    if (chdir("/") == 0)
        execl(path, "session-fastd", "--config", process->instance.config_path, (char *)NULL);
    ap_log_error(APLOG_MARK, APLOG_ERR, errno, s, "SF0530: %s cannot be run", path);
    _exit(127);
}

pid_t
sf_daemon_spawn(const struct sf_process *process, server_rec *s, apr_pool_t *pconf)
{
    pid_t pid = fork();
    if (pid == 0)
        run_daemon(process, s, pconf);
    return pid > 0 ? pid : 0;
}

/* ---- waiting for it ---- */

static enum sf_status
ping(struct sf_daemon_link *link)
{
    const struct sf_span words[] = {sf_span_text("PING")};
    struct sf_daemon_reply reply;
    sf_daemon_reply_init(&reply, 1);
    enum sf_status status = sf_daemon_ask(link, words, 1, sf_clock_steady() + PATIENCE, &reply);
    sf_daemon_reply_fini(&reply);
    return status;
}

static enum sf_status
explain_end(pid_t *pid, int result, struct sf_error *error)
{
    *pid = 0;
    if (WIFSIGNALED(result)) {
        return sf_error_set(error, SF_UNAVAILABLE, "session-fastd was killed by signal %d",
                            WTERMSIG(result));
    }
    return sf_error_set(error, SF_UNAVAILABLE,
                        "session-fastd ended with status %d; its own lines say why",
                        WEXITSTATUS(result));
}

static enum sf_status
await_answer(struct sf_daemon_link *link, pid_t *pid, sf_time deadline, struct sf_error *error)
{
    while (ping(link) != SF_OK) {
        int result;
        if (waitpid(*pid, &result, WNOHANG) == *pid)
            return explain_end(pid, result, error);
        if (sf_clock_steady() >= deadline) {
            return sf_error_set(error, SF_UNAVAILABLE, "session-fastd (process %d) does not answer",
                                (int)*pid);
        }
        poll(NULL, 0, PAUSE);
    }
    return SF_OK;
}

enum sf_status
sf_daemon_await(const struct sf_instance *instance, pid_t *pid, sf_time deadline,
                struct sf_error *error)
{
    struct sf_daemon_link *link;
    enum sf_status status = sf_daemon_link_new(&link, instance->socket_path);
    if (status != SF_OK)
        return sf_error_set(error, status, "%s: %s", instance->socket_path, sf_status_text(status));
    status = await_answer(link, pid, deadline, error);
    sf_daemon_link_free(link);
    return status;
}

/* A child must be reaped, somebody else's process can only be watched. */
static bool
has_ended(pid_t pid)
{
    pid_t reaped = waitpid(pid, NULL, WNOHANG);
    return reaped == pid || (reaped < 0 && errno == ECHILD && kill(pid, 0) != 0 && errno == ESRCH);
}

bool
sf_daemon_end(pid_t pid, sf_time deadline)
{
    kill(pid, SIGTERM);
    while (!has_ended(pid)) {
        if (sf_clock_steady() >= deadline)
            return false;
        poll(NULL, 0, PAUSE);
    }
    return true;
}
