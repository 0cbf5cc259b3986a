/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/daemon_spawn.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <http_log.h>
#include <mpm_common.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unixd.h>

#include "common/config/config_file.h"
#include "common/front/ask_daemon.h"
#include "mod_session_fast/daemon_holder.h"

APLOG_USE_MODULE(session_fast);

#define PAUSE 10                   /* ms between two looks at a process */
#define PATIENCE 50                /* ms that one PING may take */
#define PROOF_TIME (5 * SF_SECOND)
#define HEAD_START 300             /* ms: the httpd whose daemon has died starts the next one */

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

struct self {
    bool is_root;
    gid_t group;
};

static enum sf_status
become_user(struct self *self_out, struct sf_error *error)
{
    *self_out = (struct self){.is_root = geteuid() == 0, .group = getegid()};
    if (!self_out->is_root || become(sf_daemon_uid(), sf_daemon_gid()))
        return SF_OK;
    return sf_error_set(error, SF_UNAVAILABLE, "cannot act as User and Group: %s", strerror(errno));
}

/* Returns `status`, that of what was done as the user. */
static enum sf_status
become_self(const struct self *self, enum sf_status status, struct sf_error *error)
{
    if (!self->is_root || become(0, self->group))
        return status;
    return sf_error_set(error, SF_UNAVAILABLE, "cannot be root again: %s", strerror(errno));
}

const char *
sf_daemon_config_differs(const struct sf_process *process, apr_pool_t *pool)
{
    struct self self;
    struct sf_error error;
    const char *differences = NULL;
    enum sf_status status = become_user(&self, &error);
    if (status == SF_OK) {
        differences = sf_config_differs(&process->config, process->instance.config_path, pool);
        status = become_self(&self, status, &error);
    }
    return status == SF_OK ? differences : apr_pstrdup(pool, error.text);
}

enum sf_status
sf_daemon_read_config(struct sf_config *config_out, const char *path, apr_pool_t *pool,
                      struct sf_error *error)
{
    struct self self;
    enum sf_status status = become_user(&self, error);
    if (status != SF_OK)
        return status;
    status = sf_config_read(config_out, path, pool, error);
    return become_self(&self, status, error);
}

static enum sf_status
write_as_user(const struct sf_process *process, const char *path, apr_pool_t *pool,
              struct sf_error *error)
{
    struct self self;
    enum sf_status status = become_user(&self, error);
    if (status != SF_OK)
        return status;
    status = sf_config_write(&process->config, path, pool, error);
    return become_self(&self, status, error);
}

enum sf_status
sf_daemon_write_config(const struct sf_process *process, apr_pool_t *pool, struct sf_error *error)
{
    return write_as_user(process, process->instance.config_path, pool, error);
}

static enum sf_status
remove_as_user(const char *path, enum sf_status status, struct sf_error *error)
{
    struct self self;
    struct sf_error ignored;
    if (become_user(&self, &ignored) != SF_OK)
        return status;
    unlink(path);
    return become_self(&self, status, error);
}

/* ---- processes ---- */

/*
 * With a listening socket of httpd the child would keep its port occupied after httpd has gone, and
 * a piped log would never end.
 */
static void
leave_httpd_behind(int input, int output)
{
    static const int signals[] = {SIGTERM, SIGHUP,  SIGINT,  SIGUSR1,
                                  SIGUSR2, SIGCHLD, SIGPIPE, SIGWINCH};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    setsid(); /* httpd signals its whole process group, at graceful too */
    int null = open("/dev/null", O_RDWR);
    dup2(output >= 0 ? output : null, STDERR_FILENO);
    dup2(input >= 0 ? input : null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
}

static const char *
path_of(const struct sf_process *process)
{
    return *process->config.daemon == '\0' ? SF_DAEMON_PATH : process->config.daemon;
}

static void
drop_privileges(server_rec *s, apr_pool_t *pool)
{
    if (geteuid() == 0 && ap_run_drop_privileges(pool, s) != OK)
        _exit(1);
}

static void
run_daemon(const struct sf_process *process, server_rec *s, apr_pool_t *pconf)
{
    const char *path = path_of(process);
    leave_httpd_behind(-1, STDERR_FILENO);
    drop_privileges(s, pconf);
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

static void
stand_guard(int handle, pid_t parent, server_rec *s, apr_pool_t *pconf)
{
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    leave_httpd_behind(handle, -1);
    drop_privileges(s, pconf);
    prctl(PR_SET_NAME, "session-guard");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && poll(&end, 1, -1) > 0)
        poll(NULL, 0, HEAD_START);
    _exit(0);
}

pid_t
sf_daemon_guard(pid_t holder, const char *lock_path, server_rec *s, apr_pool_t *pconf)
{
    int handle = sf_daemon_handle(holder, lock_path);
    if (handle < 0)
        return 0;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        stand_guard(handle, parent, s, pconf);
    close(handle);
    return pid > 0 ? pid : 0;
}

/* ---- a configuration, before it counts ---- */

static void
run_proof(const struct sf_process *process, const char *path, int output, server_rec *s,
          apr_pool_t *pool)
{
    leave_httpd_behind(-1, output);
    drop_privileges(s, pool);
    if (chdir("/") == 0)
        execl(path_of(process), "session-fastd", "--config", path, "--check-config", (char *)NULL);
    dprintf(STDERR_FILENO, "%s cannot be run: %s\n", path_of(process), strerror(errno));
    _exit(127);
}

/* Its lines, until it ends; false: the deadline has passed. */
static bool
read_until_end(int fd, char *text_out, size_t size, sf_time deadline)
{
    struct pollfd input = {.fd = fd, .events = POLLIN};
    char more[256];
    size_t used = 0;
    for (;;) {
        sf_time left = deadline - sf_clock_steady();
        if (left <= 0 || poll(&input, 1, (int)left) == 0)
            return false;
        ssize_t got = read(fd, more, sizeof more);
        if (got <= 0)
            return true;
        size_t kept = (size_t)got < size - 1 - used ? (size_t)got : size - 1 - used;
        memcpy(text_out + used, more, kept);
        used += kept;
        text_out[used] = '\0';
    }
}

static enum sf_status
judge_proof(pid_t pid, int output, struct sf_error *error)
{
    char text[200] = "";
    int result = 0;
    if (!read_until_end(output, text, sizeof text, sf_clock_steady() + PROOF_TIME))
        kill(pid, SIGKILL);
    if (waitpid(pid, &result, 0) == pid && WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return SF_OK;
    text[strcspn(text, "\n")] = '\0';
    return sf_error_set(error, SF_INVALID, "options refused: %s",
                        *text != '\0' ? text : "session-fastd --check-config failed");
}

static enum sf_status
prove_file(const struct sf_process *process, const char *path, server_rec *s, apr_pool_t *pool,
           struct sf_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return sf_error_set_errno(error, path, "be checked");
    pid_t pid = fork();
    if (pid == 0)
        run_proof(process, path, ends[1], s, pool);
    close(ends[1]);
    enum sf_status status = pid < 0 ? sf_error_set_errno(error, path, "be checked")
                                    : judge_proof(pid, ends[0], error);
    close(ends[0]);
    return status;
}

enum sf_status
sf_daemon_prove_config(const struct sf_process *process, server_rec *s, apr_pool_t *pool,
                       struct sf_error *error)
{
    const char *path = apr_pstrcat(pool, process->instance.config_path, ".new", NULL);
    enum sf_status status = write_as_user(process, path, pool, error);
    if (status != SF_OK)
        return status;
    status = prove_file(process, path, s, pool, error);
    return remove_as_user(path, status, error);
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
explain_end(int result, struct sf_error *error)
{
    if (WIFSIGNALED(result)) {
        return sf_error_set(error, SF_UNAVAILABLE, "session-fastd was killed by signal %d",
                            WTERMSIG(result));
    }
    if (WEXITSTATUS(result) == 0)
        return sf_error_set(error, SF_CONFLICT, "another session-fastd has the instance");
    return sf_error_set(error, SF_UNAVAILABLE,
                        "session-fastd ended with status %d; its own lines say why",
                        WEXITSTATUS(result));
}

/* An answer alone could be that of another daemon. */
static enum sf_status
await_answer(struct sf_daemon_link *link, const char *lock_path, pid_t *pid, sf_time deadline,
             struct sf_error *error)
{
    while (sf_daemon_holder(lock_path) != *pid || ping(link) != SF_OK) {
        int result;
        if (waitpid(*pid, &result, WNOHANG) == *pid) {
            *pid = 0;
            return explain_end(result, error);
        }
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
    status = await_answer(link, instance->daemon_lock_path, pid, deadline, error);
    sf_daemon_link_free(link);
    return status;
}

bool
sf_daemon_answers(const struct sf_instance *instance, sf_time deadline)
{
    struct sf_daemon_link *link;
    if (sf_daemon_link_new(&link, instance->socket_path) != SF_OK)
        return false;
    bool has_answered = ping(link) == SF_OK;
    while (!has_answered && sf_clock_steady() < deadline) {
        poll(NULL, 0, PAUSE);
        has_answered = ping(link) == SF_OK;
    }
    sf_daemon_link_free(link);
    return has_answered;
}
