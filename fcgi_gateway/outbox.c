/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

void
sf_outbox_init(struct sf_outbox *outbox, int socket, size_t limit)
{
    *outbox = (struct sf_outbox){.socket = socket, .spool = -1};
    sf_buffer_init(&outbox->bytes, limit);
}

static void
close_spool(struct sf_outbox *outbox)
{
    if (outbox->spool >= 0)
        close(outbox->spool);
    outbox->spool = -1;
    outbox->spool_at = outbox->spool_size = 0;
}

void
sf_outbox_fini(struct sf_outbox *outbox)
{
    close_spool(outbox);
    sf_buffer_fini(&outbox->bytes);
}

size_t
sf_outbox_pending(const struct sf_outbox *outbox)
{
    return outbox->bytes.size - outbox->at;
}

uint64_t
sf_outbox_unsent(const struct sf_outbox *outbox)
{
    return sf_outbox_pending(outbox) + (uint64_t)(outbox->spool_size - outbox->spool_at);
}

void
sf_outbox_close_up(struct sf_outbox *outbox)
{
    size_t pending = sf_outbox_pending(outbox);
    if (outbox->at == 0)
        return;
    if (pending > 0)
        memmove(outbox->bytes.data, outbox->bytes.data + outbox->at, pending);
    outbox->bytes.size = pending;
    outbox->at = 0;
}

/* /var/tmp is on a disk where /tmp is memory. */
static bool
open_spool(struct sf_outbox *outbox)
{
    static const char *const folders[] = {"/var/tmp", "/tmp"};
    for (size_t i = 0; outbox->spool < 0 && i < sizeof folders / sizeof folders[0]; i++)
        outbox->spool = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return outbox->spool >= 0;
}

bool
sf_outbox_spool(struct sf_outbox *outbox)
{
    bool is_written = outbox->spool >= 0 || open_spool(outbox);
    while (is_written && sf_outbox_pending(outbox) > 0) {
        ssize_t written = pwrite(outbox->spool, outbox->bytes.data + outbox->at,
                                 sf_outbox_pending(outbox), outbox->spool_size);
        is_written = written > 0 || (written < 0 && errno == EINTR);
        outbox->at += written > 0 ? (size_t)written : 0;
        outbox->spool_size += written > 0 ? written : 0;
        outbox->spooled += written > 0 ? (uint64_t)written : 0;
    }
    return is_written;
}

/* The file first, and no file any more once it is sent. */
static ssize_t
send_spool(struct sf_outbox *outbox)
{
    size_t left = (size_t)(outbox->spool_size - outbox->spool_at);
    ssize_t sent = sendfile(outbox->socket, outbox->spool, &outbox->spool_at, left);
    if (sent == 0) {
        errno = EIO; /* somebody has made it shorter */
        return -1;
    }
    if (outbox->spool_at == outbox->spool_size)
        close_spool(outbox);
    return sent;
}

static ssize_t
send_bytes(struct sf_outbox *outbox)
{
    ssize_t sent = send(outbox->socket, outbox->bytes.data + outbox->at, sf_outbox_pending(outbox),
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    outbox->at += sent > 0 ? (size_t)sent : 0;
    return sent;
}

bool
sf_outbox_send(struct sf_outbox *outbox, uint64_t *sent)
{
    while (sf_outbox_unsent(outbox) > 0) {
        ssize_t now = outbox->spool >= 0 ? send_spool(outbox) : send_bytes(outbox);
        if (now < 0 && errno == EAGAIN)
            return true;
        if (now < 0 && errno != EINTR)
            return false;
        *sent += now > 0 ? (uint64_t)now : 0;
    }
    return true;
}
