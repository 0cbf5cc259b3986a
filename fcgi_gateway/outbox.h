/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * outbox.h - bytes on their way into a socket: in memory, and in front of those in a file without a
 * name what was put there because nobody may have it yet. Never waits.
 */
#include <sys/types.h>

#include "common/base/bytes.h"

struct sf_outbox {
    int socket;             /* borrowed */
    struct sf_buffer bytes; /* from `at` on not sent yet; whoever appends calls close_up first */
    size_t at;
    int spool; /* what comes before them, from spool_at to spool_size; -1: nothing */
    off_t spool_at, spool_size;
    uint64_t spooled; /* bytes that were put there; whoever counts them sets it back */
};

void sf_outbox_init(struct sf_outbox *outbox, int socket, size_t limit);
void sf_outbox_fini(struct sf_outbox *outbox);

/* In memory. */
size_t sf_outbox_pending(const struct sf_outbox *outbox);
/* In the file, too. */
uint64_t sf_outbox_unsent(const struct sf_outbox *outbox);

/* Gives the room of what was sent to what is appended. */
void sf_outbox_close_up(struct sf_outbox *outbox);

/* From memory to the file. false: there is no room, or no file. */
bool sf_outbox_spool(struct sf_outbox *outbox);

/*
 * Sends what the socket takes, and adds that to *sent. false: the other side has gone, or the file
 * cannot be read.
 */
bool sf_outbox_send(struct sf_outbox *outbox, uint64_t *sent);
