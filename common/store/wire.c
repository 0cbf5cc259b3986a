/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/wire.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/store/wire_tls.h"

/* A peer that vanished without a word is noticed by the deadlines; these give its socket back. */
#define KEEPALIVE_IDLE_S 30
#define KEEPALIVE_PAUSE_S 10
#define KEEPALIVE_PROBES 3
#define UNACKNOWLEDGED_MS 10000

struct sf_wire {
    int socket;
    struct ssl_st *tls; /* NULL: plain */
};

/* ---- waiting ---- */

static enum sf_status
wait_for(int socket, short events, sf_time deadline, struct sf_error *error)
{
    for (;;) {
        struct pollfd one = {.fd = socket, .events = events};
        sf_time left = deadline - sf_clock_steady();
        if (left <= 0)
            return sf_error_set(error, SF_UNAVAILABLE, "no answer in time");
        int ready = poll(&one, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0)
            return SF_OK; /* an error shows in the call that follows */
        if (ready < 0 && errno != EINTR)
            return sf_error_set(error, SF_UNAVAILABLE, "poll: %s", strerror(errno));
    }
}

/* SF_OK: try again. */
static enum sf_status
wait_for_tls(struct sf_wire *wire, enum sf_tls_next next, sf_time deadline, struct sf_error *error)
{
    if (next == SF_TLS_FAILED)
        return SF_UNAVAILABLE;
    return wait_for(wire->socket, next == SF_TLS_WANTS_READ ? POLLIN : POLLOUT, deadline, error);
}

static bool
would_block(int number)
{
    return number == EAGAIN || number == EINTR;
}

/* ---- connecting ---- */

static void
set_options(int socket, int family)
{
    if (family == AF_UNIX)
        return;
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_PAUSE_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(socket, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static enum sf_status
finish_connecting(int socket, sf_time deadline, struct sf_error *error)
{
    int number = 0;
    socklen_t size = sizeof number;
    enum sf_status status = wait_for(socket, POLLOUT, deadline, error);
    if (status != SF_OK)
        return status;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        number = errno;
    return number == 0 ? SF_OK : sf_error_set(error, SF_UNAVAILABLE, "%s", strerror(number));
}

static enum sf_status
connect_socket(struct sf_wire *wire, const struct sf_address *address, sf_time deadline, struct sf_error *error)
{
    int family = address->socket.ss_family;
    wire->socket = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->socket < 0)
        return sf_error_set(error, SF_UNAVAILABLE, "%s", strerror(errno));
    set_options(wire->socket, family);
    if (connect(wire->socket, (const struct sockaddr *)&address->socket, address->size) == 0)
        return SF_OK;
    if (errno == EINPROGRESS || errno == EINTR)
        return finish_connecting(wire->socket, deadline, error);
    return sf_error_set(error, SF_UNAVAILABLE, "%s",
                        errno == EAGAIN ? "too many wait for it to accept" : strerror(errno));
}

static enum sf_status
shake_hands(struct sf_wire *wire, sf_time deadline, struct sf_error *error)
{
    enum sf_tls_next next;
    enum sf_status status = SF_OK;
    while (status == SF_OK && (next = sf_tls_shake_hands(wire->tls, error)) != SF_TLS_DONE)
        status = wait_for_tls(wire, next, deadline, error);
    return status;
}

static enum sf_status
open_one(struct sf_wire *wire, const struct sf_address *address, const struct sf_wire_tls *tls, sf_time deadline,
         struct sf_error *error)
{
    struct sf_error reason;
    enum sf_status status = connect_socket(wire, address, deadline, &reason);
    if (status == SF_OK && tls != NULL) {
        status = sf_tls_new(&wire->tls, wire->socket, tls, &reason);
        if (status == SF_OK)
            status = shake_hands(wire, deadline, &reason);
    }
    if (status == SF_OK)
        return SF_OK;
    char text[SF_ADDRESS_TEXT];
    sf_address_format(address, text);
    return sf_error_set(error, status, "%s: %s", text, reason.text);
}

static void
close_socket(struct sf_wire *wire)
{
    sf_tls_free(wire->tls);
    wire->tls = NULL;
    if (wire->socket >= 0)
        close(wire->socket);
    wire->socket = -1;
}

enum sf_status
sf_wire_open(struct sf_wire **wire_out, const struct sf_addresses *addresses, const struct sf_wire_tls *tls,
             sf_time deadline, struct sf_error *error)
{
    struct sf_wire *wire = calloc(1, sizeof *wire);
    *wire_out = NULL;
    if (wire == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    wire->socket = -1;
    enum sf_status status = sf_error_set(error, SF_UNAVAILABLE, "no address");
    for (size_t i = 0; i < addresses->count; i++) {
        sf_time now = sf_clock_steady(), left = deadline - now;
        status = open_one(wire, &addresses->list[i], tls, now + left / (sf_time)(addresses->count - i), error);
        if (status == SF_OK) {
            *wire_out = wire;
            return SF_OK;
        }
        close_socket(wire);
    }
    free(wire);
    return status;
}

void
sf_wire_close(struct sf_wire *wire)
{
    if (wire == NULL)
        return;
    close_socket(wire);
    free(wire);
}

/* ---- talking ---- */

/* SF_OK with *sent_out 0: try again. */
static enum sf_status
send_some(struct sf_wire *wire, struct sf_span bytes, size_t *sent_out, sf_time deadline, struct sf_error *error)
{
    *sent_out = 0;
    if (wire->tls != NULL) {
        enum sf_tls_next next = sf_tls_write(wire->tls, bytes, sent_out, error);
        return next == SF_TLS_DONE ? SF_OK : wait_for_tls(wire, next, deadline, error);
    }
    ssize_t sent = send(wire->socket, bytes.data, bytes.size, MSG_NOSIGNAL);
    if (sent >= 0) {
        *sent_out = (size_t)sent;
        return SF_OK;
    }
    if (would_block(errno))
        return wait_for(wire->socket, POLLOUT, deadline, error);
    return sf_error_set(error, SF_UNAVAILABLE, "%s", strerror(errno));
}

enum sf_status
sf_wire_send(struct sf_wire *wire, struct sf_span bytes, sf_time deadline, struct sf_error *error)
{
    size_t done = 0;
    if (sf_clock_steady() >= deadline)
        return sf_error_set(error, SF_UNAVAILABLE, "no time left to ask");
    while (done < bytes.size) {
        size_t sent;
        enum sf_status status =
            send_some(wire, sf_span_of(bytes.data + done, bytes.size - done), &sent, deadline, error);
        done += sent;
        /* A TLS record that waits for room may be out by half: nobody can take it back. */
        if (status != SF_OK)
            return done == 0 && wire->tls == NULL ? SF_UNAVAILABLE : SF_UNCERTAIN;
    }
    return SF_OK;
}

/* SF_OK with *size_out 0: try again. */
static enum sf_status
receive_some(struct sf_wire *wire, void *bytes, size_t room, size_t *size_out, sf_time deadline,
             struct sf_error *error)
{
    *size_out = 0;
    if (wire->tls != NULL) {
        enum sf_tls_next next = sf_tls_read(wire->tls, bytes, room, size_out, error);
        return next == SF_TLS_DONE ? SF_OK : wait_for_tls(wire, next, deadline, error);
    }
    ssize_t got = recv(wire->socket, bytes, room, 0);
    if (got == 0)
        return sf_error_set(error, SF_UNAVAILABLE, "closed by the server");
    if (got > 0) {
        *size_out = (size_t)got;
        return SF_OK;
    }
    if (would_block(errno))
        return wait_for(wire->socket, POLLIN, deadline, error);
    return sf_error_set(error, SF_UNAVAILABLE, "%s", strerror(errno));
}

enum sf_status
sf_wire_receive(struct sf_wire *wire, void *bytes_out, size_t room, size_t *size_out, sf_time deadline,
                struct sf_error *error)
{
    enum sf_status status = SF_OK;
    *size_out = 0;
    /* Looked at each time: a server that always has one more byte ready never makes it wait. */
    while (status == SF_OK && *size_out == 0) {
        if (sf_clock_steady() >= deadline)
            return sf_error_set(error, SF_UNAVAILABLE, "no answer in time");
        status = receive_some(wire, bytes_out, room, size_out, deadline, error);
    }
    return status;
}

bool
sf_wire_is_quiet(struct sf_wire *wire)
{
    char byte;
    if (wire->tls != NULL)
        return sf_tls_is_quiet(wire->tls);
    ssize_t got = recv(wire->socket, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && would_block(errno);
}

bool
sf_wire_wait(struct sf_wire *wire, sf_time until)
{
    struct sf_error unused;
    while (sf_wire_is_quiet(wire))
        if (wait_for(wire->socket, POLLIN, until, &unused) != SF_OK)
            return false;
    return true;
}

static bool
are_quiet(struct sf_wire *const *wires, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sf_wire_is_quiet(wires[i]))
            return false;
    return true;
}

bool
sf_wire_wait_any(struct sf_wire *const *wires, size_t count, sf_time until)
{
    struct pollfd sockets[SF_WIRES_MAX];
    for (size_t i = 0; i < count; i++)
        sockets[i] = (struct pollfd){.fd = wires[i]->socket, .events = POLLIN};
    while (are_quiet(wires, count)) {
        sf_time left = until - sf_clock_steady();
        if (left <= 0 || (poll(sockets, count, left > INT_MAX ? INT_MAX : (int)left) < 0 && errno != EINTR))
            return false;
    }
    return true;
}
