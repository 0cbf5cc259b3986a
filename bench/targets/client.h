/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * client.h - a bare client of line protocols, on a unix socket.
 */
#include <stdbool.h>

#include "common/base/bytes.h"

/* Whole requests, whole replies, nothing in between: what came and was not asked for is an error. */
struct client {
    int socket;
    struct sf_buffer sent;
    unsigned char *received;
    size_t at, end, capacity;
};

bool client_open(struct client *client, const char *socket_path);
void client_close(struct client *client);

/* Sends what client->sent holds, and empties it. */
bool client_send(struct client *client);

/* A line without its CR LF, NUL-terminated, valid until the next call; NULL: none came. */
const char *client_line(struct client *client);

/* `bytes` and a CR LF behind them; NULL as above. */
const unsigned char *client_bytes(struct client *client, size_t bytes);

int client_connect(const char *socket_path); /* -1: nobody listens */
