/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "session_daemon/daemon.h"

#define BACKLOG 1024
#define ACCEPT_AT_ONCE 64
#define PAUSE 100 /* ms without accepting when the process has no descriptors left */

static event_handle_fn accept_some;

/* ---- making the socket ---- */

/*
 * Bound under another name and renamed when it listens: nobody meets a socket that refuses, and a stale one
 * is replaced at once.
 */
static enum sf_status
bind_and_rename(int fd, const char *path, struct sf_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof address.sun_path)
        return sf_error_set(error, SF_INVALID, "%s: too long for a socket", path);
    unlink(address.sun_path);
    mode_t before = umask(0117);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound != 0 || listen(fd, BACKLOG) != 0 || rename(address.sun_path, path) != 0) {
        enum sf_status status = sf_error_set(error, SF_UNAVAILABLE, "%s: %s", path, strerror(errno));
        unlink(address.sun_path);
        return status;
    }
    return SF_OK;
}

enum sf_status
listener_open(struct listener *listener, struct daemon *daemon, struct sf_error *error)
{
    const char *path = daemon->instance.socket_path;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sf_error_set(error, SF_UNAVAILABLE, "socket: %s", strerror(errno));
    enum sf_status status = bind_and_rename(fd, path, error);
    if (status == SF_OK && event_loop_add(&daemon->server.loop, fd, EPOLLIN, &listener->source) != SF_OK)
        status = sf_error_set(error, SF_UNAVAILABLE, "%s: epoll: %s", path, strerror(errno));
    if (status != SF_OK) {
        close(fd);
        return status;
    }
    listener->source.handle = accept_some;
    listener->daemon = daemon;
    listener->fd = fd;
    return SF_OK;
}

void
listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    unlink(listener->daemon->instance.socket_path);
    event_loop_remove(&listener->daemon->server.loop, listener->fd);
    close(listener->fd);
    listener->fd = -1;
}

/* ---- clients ---- */

/* Root, this user, this group: whom the mode of the socket lets through as well. */
static bool
is_welcome(int fd, struct ucred *peer_out)
{
    socklen_t size = sizeof *peer_out;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer_out, &size) != 0)
        return false;
    return peer_out->uid == 0 || peer_out->uid == geteuid() || peer_out->gid == getegid();
}

static void
refuse(struct listener *listener, int fd, enum sf_status status, const char *text)
{
    struct sf_buffer reply;
    sf_buffer_init(&reply, 256);
    if (sf_resp_append_error(&reply, status, text) == SF_OK)
        (void)!send(fd, reply.data, reply.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    sf_buffer_fini(&reply);
    close(fd);
    listener->daemon->server.connections_refused++;
}

/* Once a second at most: they could fill the log. */
static void
log_stranger(struct listener *listener, const struct ucred *peer)
{
    sf_time now = sf_clock_steady();
    if (listener->stranger_at != 0 && now < listener->stranger_at + SF_SECOND)
        return;
    listener->stranger_at = now;
    sf_log_write(&listener->daemon->log, SF_LOG_WARNING, "SF0111", "refused a client: uid %u, gid %u, pid %d",
                 (unsigned)peer->uid, (unsigned)peer->gid, (int)peer->pid);
}

static void
welcome(struct listener *listener, int fd)
{
    struct daemon *daemon = listener->daemon;
    struct server *server = &daemon->server;
    struct ucred peer = {.uid = (uid_t)-1};
    if (!is_welcome(fd, &peer)) {
        log_stranger(listener, &peer);
        refuse(listener, fd, SF_INVALID, "this user may not connect");
        return;
    }
    if (server->connection_count >= SERVER_CONNECTIONS_MAX) {
        if (sf_log_state_changed(&listener->room, false))
            sf_log_write(&daemon->log, SF_LOG_WARNING, "SF0112", "refused a client: %d are connected",
                         SERVER_CONNECTIONS_MAX);
        refuse(listener, fd, SF_FULL, "too many connections");
        return;
    }
    struct connection *connection = connection_new(daemon, fd);
    if (connection == NULL)
        return;
    TAILQ_INSERT_TAIL(&server->connections, connection, all);
    server->connection_count++;
    server->connections_accepted++;
    (void)sf_log_state_changed(&listener->room, true);
}

/* The waiting client would wake us for ever: it must wait until somebody has gone, or a little. */
static void
pause_accepting(struct listener *listener)
{
    event_loop_change(&listener->daemon->server.loop, listener->fd, 0, &listener->source);
    listener->paused_until = sf_clock_steady() + PAUSE;
    if (sf_log_state_changed(&listener->room, false))
        sf_log_write(&listener->daemon->log, SF_LOG_WARNING, "SF0112", "no descriptors left for clients: %s",
                     strerror(errno));
}

void
listener_tick(struct listener *listener, sf_time now)
{
    if (listener->fd < 0 || listener->paused_until == 0 || now < listener->paused_until)
        return;
    listener->paused_until = 0;
    event_loop_change(&listener->daemon->server.loop, listener->fd, EPOLLIN, &listener->source);
}

static void
accept_some(struct event_source *source, uint32_t events)
{
    struct listener *listener = (struct listener *)source;
    (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            welcome(listener, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener);
            return;
        } else if (errno == EAGAIN)
            return;
    }
}
