/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/targets/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/targets/client.h"
#include "common/base/clock.h"

#define START_WAIT (10 * SF_SECOND)
#define LOOK_AGAIN_NS 5000000

/* Dies with us. Its words go nowhere. */
static void
become(const char *const *arguments, pid_t parent)
{
    int nowhere = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || nowhere < 0)
        _exit(EXIT_FAILURE);
    for (int descriptor = 0; descriptor < 3; descriptor++)
        dup2(nowhere, descriptor);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static bool
has_ended(struct server *server)
{
    if (waitpid(server->process, NULL, WNOHANG) != server->process)
        return false;
    server->process = 0;
    return true;
}

static bool
wait_for_answer(struct server *server)
{
    sf_time deadline = sf_clock_steady() + START_WAIT;

    while (sf_clock_steady() < deadline && !has_ended(server)) {
        int descriptor = client_connect(server->socket_path);
        if (descriptor >= 0) {
            close(descriptor);
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
    }
    return false;
}

bool
server_start(struct server *server, const char *socket_path, const char *const *arguments,
             struct target_failure *failure)
{
    pid_t parent = getpid();

    snprintf(server->socket_path, sizeof server->socket_path, "%s", socket_path);
    server->process = fork();
    if (server->process == 0)
        become(arguments, parent);
    if (server->process > 0 && wait_for_answer(server))
        return true;
    server_stop(server);
    return target_fail(failure, "%s is not installed, or does not start", arguments[0]);
}

void
server_stop(struct server *server)
{
    if (server->process <= 0)
        return;
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    server->process = 0;
}
