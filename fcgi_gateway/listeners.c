/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/config/endpoint.h"

#define FIRST_HANDED_OVER 3 /* systemd's SD_LISTEN_FDS_START */

static enum sf_status
add(struct sf_listeners *listeners, int socket, const char *path, struct sf_error *error)
{
    char *kept = path == NULL ? NULL : strdup(path);
    if (listeners->count == SF_LISTENERS_MAX || (path != NULL && kept == NULL)) {
        close(socket);
        return sf_error_set(error, SF_INVALID, "GatewayListen: more than %d sockets",
                            SF_LISTENERS_MAX);
    }
    listeners->sockets[listeners->count] = socket;
    listeners->paths[listeners->count++] = kept;
    return SF_OK;
}

/* ---- handed over ---- */

static bool
is_listening(int socket)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

static enum sf_status
inherit_one(struct sf_listeners *listeners, int socket, struct sf_error *error)
{
    /* Away from 0 to 2, which CGI programs and logs take for what they usually are. */
    int moved = fcntl(socket, F_DUPFD_CLOEXEC, FIRST_HANDED_OVER);
    if (moved < 0 || fcntl(moved, F_SETFL, O_NONBLOCK) != 0)
        return sf_error_set_errno(error, "GatewayListen inherited", "be taken over");
    if (socket >= FIRST_HANDED_OVER)
        close(socket);
    return add(listeners, moved, NULL, error);
}

/* LISTEN_PID names the process that is meant: we may be somebody's child. */
static int
handed_over_by_systemd(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is only one thread yet */
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int64_t wanted = 0, descriptors = 0;
    bool is_meant = pid != NULL && count != NULL &&
                    sf_int64_parse(sf_span_text(pid), &wanted) == SF_OK && wanted == getpid() &&
                    sf_int64_parse(sf_span_text(count), &descriptors) == SF_OK;
    return is_meant && descriptors > 0 && descriptors <= SF_LISTENERS_MAX ? (int)descriptors : 0;
}

static enum sf_status
inherit(struct sf_listeners *listeners, struct sf_error *error)
{
    int count = handed_over_by_systemd();
    enum sf_status status = SF_OK;
    for (int i = 0; status == SF_OK && i < count; i++) {
        if (!is_listening(FIRST_HANDED_OVER + i))
            return sf_error_set(error, SF_INVALID,
                                "GatewayListen inherited: descriptor %d is no listening socket",
                                FIRST_HANDED_OVER + i);
        status = inherit_one(listeners, FIRST_HANDED_OVER + i, error);
    }
    if (count > 0)
        return status;
    if (!is_listening(STDIN_FILENO))
        return sf_error_set(error, SF_INVALID,
                            "GatewayListen inherited: nobody handed a socket over "
                            "(systemd: LISTEN_FDS; spawn-fcgi: descriptor 0)");
    return inherit_one(listeners, STDIN_FILENO, error);
}

/* ---- our own ---- */

/* errno stays what it was. */
static void
close_quietly(int descriptor)
{
    int failed = errno;
    if (descriptor >= 0)
        close(descriptor);
    errno = failed;
}

/* Where anybody may remove it, anybody may put another socket in its place. */
static enum sf_status
check_folder(const char *path, struct sf_error *error)
{
    struct stat seen;
    char folder[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') + 1 - path), path);
    if (stat(folder, &seen) != 0)
        return sf_error_set_errno(error, folder, "be looked at");
    if ((seen.st_mode & S_IWOTH) != 0 && (seen.st_mode & S_ISVTX) == 0)
        return sf_error_set(error, SF_INVALID, "%s: anybody could put another socket there", path);
    return SF_OK;
}

/* A socket that its owner has left behind, and nothing else. */
static enum sf_status
clear_path(const struct sf_endpoint *endpoint, const char *path, struct sf_error *error)
{
    struct stat seen;
    if (lstat(path, &seen) != 0)
        return errno == ENOENT ? SF_OK : sf_error_set_errno(error, path, "be looked at");
    if (!S_ISSOCK(seen.st_mode))
        return sf_error_set(error, SF_INVALID, "%s: is there and is no socket", path);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_served =
        probe < 0 ||
        connect(probe, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0 ||
        errno != ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    if (is_served)
        return sf_error_set(error, SF_INVALID, "%s: somebody listens there already", path);
    return unlink(path) == 0 ? SF_OK : sf_error_set_errno(error, path, "be replaced");
}

/*
 * Whoever owns the folder may have put something else in its place, and must not get that from us:
 * no link is followed, and a socket of ours that has one name only is the one that we have made.
 */
static bool
give_away(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    struct stat seen;
    int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || fstat(file, &seen) != 0) {
        close_quietly(file);
        return false;
    }
    bool is_ours = S_ISSOCK(seen.st_mode) && seen.st_uid == geteuid() && seen.st_nlink == 1 &&
                   (seen.st_mode & ALLPERMS) == mode; /* a default ACL of the folder may differ */
    if (!is_ours)
        errno = EPERM;
    bool is_given =
        is_ours && (geteuid() != 0 || fchownat(file, "", uid, gid, AT_EMPTY_PATH) == 0);
    close_quietly(file);
    return is_given;
}

/* A unix socket has its mode from the first moment on. There is only one thread yet. */
static int
bind_to(const struct sf_endpoint *endpoint, mode_t mode)
{
    int on = 1, family = endpoint->address.ss_family;
    int bound = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bound < 0)
        return -1;
    if (family != AF_UNIX)
        setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    mode_t before = umask(~mode & ALLPERMS);
    bool is_bound =
        bind(bound, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0;
    umask(before);
    if (is_bound)
        return bound;
    close_quietly(bound);
    return -1;
}

static enum sf_status
open_one(struct sf_listeners *listeners, const char *word, const struct sf_config *config,
         uid_t uid, gid_t gid, struct sf_error *error)
{
    struct sf_endpoint endpoint;
    enum sf_status status = sf_endpoint_parse(&endpoint, word, error);
    if (status != SF_OK)
        return status;
    bool is_unix = endpoint.address.ss_family == AF_UNIX;
    const char *path = is_unix ? ((const struct sockaddr_un *)&endpoint.address)->sun_path : NULL;
    if (is_unix)
        status = check_folder(path, error);
    if (is_unix && status == SF_OK)
        status = clear_path(&endpoint, path, error);
    if (status != SF_OK)
        return status;
    mode_t mode = (mode_t)strtoul(config->gateway_listen_mode, NULL, 8);
    int socket = bind_to(&endpoint, mode);
    if (socket < 0)
        return sf_error_set_errno(error, word, "be bound");
    if ((is_unix && !give_away(path, mode, uid, gid)) ||
        listen(socket, (int)config->gateway_backlog) != 0) {
        sf_error_set_errno(error, word, "be set up");
        close(socket);
        if (is_unix)
            unlink(path);
        return SF_UNAVAILABLE;
    }
    return add(listeners, socket, path, error);
}

enum sf_status
sf_listeners_open(struct sf_listeners *listeners_out, const struct sf_config *config, uid_t uid,
                  gid_t gid, struct sf_error *error)
{
    char *words = strdup(config->gateway_listen), *rest = words, *word;
    enum sf_status status = words == NULL ? sf_error_set(error, SF_NO_MEMORY, "no memory") : SF_OK;
    *listeners_out = (struct sf_listeners){.count = 0};
    while (status == SF_OK && (word = strsep(&rest, " ")) != NULL) {
        if (strcasecmp(word, "inherited") == 0)
            status = inherit(listeners_out, error);
        else
            status = open_one(listeners_out, word, config, uid, gid, error);
    }
    free(words);
    if (status != SF_OK)
        sf_listeners_close(listeners_out);
    return status;
}

void
sf_listeners_close(struct sf_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        /* In this order: once nobody listens there, another gateway may have put its own. */
        if (listeners->paths[i] != NULL)
            unlink(listeners->paths[i]);
        close(listeners->sockets[i]);
        free(listeners->paths[i]);
    }
    listeners->count = 0;
}
