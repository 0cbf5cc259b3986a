/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/upstream_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX ((size_t)8 << 20) /* the parameters, at their largest */

enum sf_status
sf_upstream_link_init(struct sf_upstream_link *link)
{
    *link = (struct sf_upstream_link){.socket = -1};
    sf_buffer_init(&link->out, OUT_MAX);
    link->in = malloc(SF_UPSTREAM_LINK_BYTES);
    return link->in == NULL ? SF_NO_MEMORY : SF_OK;
}

static void
close_socket(struct sf_upstream_link *link)
{
    if (link->socket >= 0)
        close(link->socket);
    link->socket = -1;
}

void
sf_upstream_link_fini(struct sf_upstream_link *link)
{
    close_socket(link);
    free(link->in);
    link->in = NULL;
    sf_buffer_fini(&link->out);
}

/* ---- the socket ---- */

void
sf_upstream_link_use(struct sf_upstream_link *link, int socket)
{
    close_socket(link);
    link->socket = socket;
    link->is_connecting = link->is_deaf = link->is_over = false;
}

enum sf_status
sf_upstream_link_connect(struct sf_upstream_link *link, const struct sf_endpoint *endpoint)
{
    int family = endpoint->address.ss_family, on = 1;
    sf_upstream_link_use(link, socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    link->error = link->socket < 0 ? errno : 0;
    if (link->socket < 0)
        return SF_UNAVAILABLE;
    if (family != AF_UNIX)
        setsockopt(link->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(link->socket, (const struct sockaddr *)&endpoint->address, endpoint->size) == 0)
        return SF_OK;
    link->is_connecting = errno == EINPROGRESS;
    link->error = link->is_connecting ? 0 : errno;
    return link->is_connecting ? SF_OK : SF_UNAVAILABLE;
}

int
sf_upstream_link_release(struct sf_upstream_link *link)
{
    int socket = link->socket;
    link->socket = -1;
    return socket;
}

static void
finish_connecting(struct sf_upstream_link *link)
{
    socklen_t size = sizeof link->error;
    if (getsockopt(link->socket, SOL_SOCKET, SO_ERROR, &link->error, &size) != 0)
        link->error = errno;
    link->is_connecting = false;
    link->is_over = link->error != 0;
}

/* ---- out ---- */

static size_t
pending(const struct sf_upstream_link *link)
{
    return link->out.size - link->out_at;
}

enum sf_status
sf_upstream_link_begin(struct sf_upstream_link *link, const struct sf_fcgi_begin *begin,
                       const struct sf_params *params)
{
    unsigned char body[SF_FCGI_BODY_BYTES];
    struct sf_buffer pairs;
    sf_fcgi_begin_encode(begin, body);
    sf_buffer_init(&pairs, OUT_MAX);
    enum sf_status status = sf_params_encode(params, &pairs);
    if (status == SF_OK)
        status = sf_fcgi_record_append(&link->out, SF_FCGI_BEGIN_REQUEST, SF_UPSTREAM_REQUEST_ID,
                                       sf_span_of(body, sizeof body));
    if (status == SF_OK)
        status = sf_fcgi_stream_append(&link->out, SF_FCGI_PARAMS, SF_UPSTREAM_REQUEST_ID,
                                       sf_buffer_span(&pairs));
    sf_buffer_fini(&pairs);
    return status;
}

bool
sf_upstream_link_wants_body(const struct sf_upstream_link *link)
{
    return !link->is_connecting && pending(link) == 0 && !link->is_body_end;
}

enum sf_status
sf_upstream_link_add_body(struct sf_upstream_link *link, struct sf_span piece)
{
    link->is_body_end = piece.size == 0;
    if (link->is_deaf)
        return SF_OK;
    return sf_fcgi_record_append(&link->out, SF_FCGI_STDIN, SF_UPSTREAM_REQUEST_ID, piece);
}

/* Nothing that was sent is kept: `out` can be sent again as long as none of it was. */
void
sf_upstream_link_push(struct sf_upstream_link *link)
{
    while (pending(link) > 0 && !link->is_deaf && !link->is_connecting) {
        ssize_t sent = send(link->socket, link->out.data + link->out_at, pending(link),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0 && errno != EINTR)
            link->is_deaf = true;
        link->out_at += sent > 0 ? (size_t)sent : 0;
        link->sent += sent > 0 ? (uint64_t)sent : 0;
    }
    if (link->sent > 0) {
        sf_buffer_clear(&link->out);
        link->out_at = 0;
    }
}

/* ---- in ---- */

static void
receive(struct sf_upstream_link *link, size_t room)
{
    ssize_t got;
    do
        got = recv(link->socket, link->in,
                   room < SF_UPSTREAM_LINK_BYTES ? room : SF_UPSTREAM_LINK_BYTES, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        link->rest = sf_span_of(link->in, (size_t)got);
        link->got += (uint64_t)got;
    } else if (got == 0 || errno != EAGAIN) {
        link->is_over = true;
    }
}

/* The end is read as the others are: what the application said last stands before it. */
short
sf_upstream_link_events(const struct sf_upstream_link *link, size_t room)
{
    bool has_something = link->is_connecting || (pending(link) > 0 && !link->is_deaf);
    return (short)((has_something ? POLLOUT : 0) | (!link->is_connecting && room > 0 ? POLLIN : 0));
}

void
sf_upstream_link_step(struct sf_upstream_link *link, short events, size_t room)
{
    if (link->is_connecting && events != 0)
        finish_connecting(link);
    if (link->is_connecting || link->is_over)
        return;
    sf_upstream_link_push(link);
    if (room > 0 && link->rest.size == 0 && (events & (POLLIN | POLLHUP | POLLERR)) != 0)
        receive(link, room);
}

enum sf_status
sf_upstream_link_take(struct sf_upstream_link *link, struct sf_fcgi_piece *piece_out)
{
    return sf_fcgi_reader_take(&link->reader, &link->rest, piece_out);
}

bool
sf_upstream_link_is_reusable(const struct sf_upstream_link *link)
{
    return link->is_body_end && pending(link) == 0 && link->rest.size == 0 && !link->is_deaf &&
           !link->is_over && link->reader.padding_left == 0 &&
           sf_fcgi_reader_is_idle(&link->reader);
}
