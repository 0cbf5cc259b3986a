/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "session_daemon/daemon.h"
#include "session_daemon/store_waits.h"

#define TICK 50 /* ms between two looks at what nobody tells about */

static event_handle_fn read_signals, read_finished;

static enum sf_status
open_inlet(struct inlet *inlet, struct daemon *daemon, int fd, event_handle_fn *handle)
{
    *inlet = (struct inlet){.source.handle = handle, .daemon = daemon, .fd = fd};
    return fd < 0 ? SF_UNAVAILABLE : event_loop_add(&daemon->server.loop, fd, EPOLLIN, &inlet->source);
}

/* SIGHUP is read and dropped: there is nothing to reopen, and a terminal that goes away is no reason to leave. */
static int
open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum sf_status
server_init(struct server *server, struct daemon *daemon, struct sf_error *error)
{
    server->listener.fd = -1;
    TAILQ_INIT(&server->connections);
    TAILQ_INIT(&server->closed);
    TAILQ_INIT(&server->store_waiters);
    TAILQ_INIT(&server->journal_waiters);
    enum sf_status status = event_loop_init(&server->loop);
    if (status == SF_OK)
        status = task_queue_init(&server->done, true);
    if (status == SF_OK)
        status = open_inlet(&server->finished, daemon, server->done.event_fd, read_finished);
    if (status == SF_OK)
        status = open_inlet(&server->signals, daemon, open_signals(), read_signals);
    if (status != SF_OK)
        sf_error_set(error, status, "cannot make the event loop: %s", strerror(errno));
    return status;
}

static void
read_signals(struct event_source *source, uint32_t events)
{
    struct inlet *inlet = (struct inlet *)source;
    struct signalfd_siginfo info;
    (void)events;
    while (read(inlet->fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGHUP)
            inlet->daemon->server.is_stopping = true;
}

static void
finish_tasks(struct daemon *daemon)
{
    struct task *next;
    for (struct task *task = task_queue_take_all(&daemon->server.done); task != NULL; task = next) {
        next = task->next;
        task->finish(task, daemon);
    }
}

static void
read_finished(struct event_source *source, uint32_t events)
{
    struct inlet *inlet = (struct inlet *)source;
    (void)events;
    finish_tasks(inlet->daemon);
    store_waits_check(inlet->daemon);
}

void
server_bury(struct server *server, struct connection *connection)
{
    TAILQ_REMOVE(&server->connections, connection, all);
    TAILQ_INSERT_TAIL(&server->closed, connection, all);
    server->connection_count--;
}

static void
free_closed(struct server *server)
{
    struct connection *one;
    while ((one = TAILQ_FIRST(&server->closed)) != NULL) {
        TAILQ_REMOVE(&server->closed, one, all);
        connection_free(one);
    }
}

static void
serve_once(struct server *server, struct daemon *daemon)
{
    bool somebody_waits = !TAILQ_EMPTY(&server->store_waiters) || !TAILQ_EMPTY(&server->journal_waiters)
        || daemon->loader.loads > 0;
    bool needs_tick = somebody_waits || server->listener.paused_until != 0 || server->is_stopping;
    event_loop_run_once(&server->loop, needs_tick ? TICK : -1);
    if (needs_tick) {
        store_waits_check(daemon);
        journaler_check(daemon);
        loader_check(daemon);
        listener_tick(&server->listener, sf_clock_steady());
    }
    free_closed(server);
}

void
server_run(struct server *server)
{
    while (!server->is_stopping)
        serve_once(server, server->finished.daemon);
}

static bool
is_busy(const struct server *server)
{
    struct connection *one;
    TAILQ_FOREACH(one, &server->connections, all)
        if (connection_is_busy(one))
            return true;
    return false;
}

static void
finish_connections(struct server *server)
{
    struct connection *next;
    for (struct connection *one = TAILQ_FIRST(&server->connections); one != NULL; one = next) {
        next = TAILQ_NEXT(one, all);
        connection_finish(one);
    }
    free_closed(server);
}

void
server_drain(struct server *server, sf_time deadline)
{
    server->is_stopping = true;
    listener_close(&server->listener);
    finish_connections(server);
    while (is_busy(server) && sf_clock_steady() < deadline)
        serve_once(server, server->finished.daemon);
}

void
server_close_connections(struct server *server)
{
    struct connection *one;
    while ((one = TAILQ_FIRST(&server->connections)) != NULL)
        connection_close(one);
    free_closed(server);
}

void
server_fini(struct server *server)
{
    task_queue_fini(&server->done);
    close(server->signals.fd);
    event_loop_fini(&server->loop);
}
