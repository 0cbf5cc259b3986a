/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/daemon_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/front/ask_daemon.h"
#include "common/front/daemon_holder.h"

#define PROGRAM "session-fastd"
#define PAUSE 10                   /* ms between two looks at a process */
#define PATIENCE 50                /* ms that one PING may take */
#define PROOF_TIME (5 * SF_SECOND)

/* ---- processes ---- */

/*
 * With a listening socket of the front the child would keep its port occupied after the front has
 * gone, and a piped log would never end. Servers signal their whole process group.
 */
static void
leave_parent(int input, int error_output)
{
    static const int signals[] = {SIGTERM, SIGHUP,  SIGINT,  SIGUSR1,
                                  SIGUSR2, SIGCHLD, SIGPIPE, SIGWINCH};
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    setsid();
    int null = open("/dev/null", O_RDWR);
    dup2(error_output >= 0 ? error_output : null, STDERR_FILENO);
    dup2(input >= 0 ? input : null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);
}

/* No handler of the parent may run in the child: it would do there what it does for the parent. */
pid_t
sf_daemon_fork(int input, int error_output)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        leave_parent(input, error_output);
    else
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Behind fork: nothing here may wait for a lock that another thread has held. */
static void
run(const struct sf_daemon_program *program, const char *option, const char *value)
{
    char line[200];
    if (program->become_user != NULL)
        program->become_user(program->context);
    if (chdir("/") == 0)
        execl(program->path, PROGRAM, "--config", program->config_path, option, value, (char *)NULL);
    snprintf(line, sizeof line, "SF0530: %s cannot be run: %s", program->path, strerrordesc_np(errno));
    sf_log_to_stderr((void *)(uintptr_t)PROGRAM, SF_LOG_ERROR, line);
    _exit(127);
}

pid_t
sf_daemon_spawn(const struct sf_daemon_program *program)
{
    char started_by[SF_DAEMON_STARTED_BY_TEXT];
    bool is_known = sf_daemon_started_by(started_by);
    pid_t pid = sf_daemon_fork(-1, STDERR_FILENO);
    if (pid == 0)
        run(program, is_known ? SF_DAEMON_STARTED_BY : NULL, started_by);
    return pid > 0 ? pid : 0;
}

/* ---- a configuration, before it counts ---- */

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

enum sf_status
sf_daemon_prove(const struct sf_daemon_program *program, struct sf_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return sf_error_set_errno(error, program->config_path, "be checked");
    pid_t pid = sf_daemon_fork(-1, ends[1]);
    if (pid == 0)
        run(program, "--check-config", NULL);
    close(ends[1]);
    enum sf_status status = pid < 0 ? sf_error_set_errno(error, program->config_path, "be checked")
                                    : judge_proof(pid, ends[0], error);
    close(ends[0]);
    return status;
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
