/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * server.h - a private server on a unix socket, and a bare client of line protocols.
 */
#include <sys/types.h>

#include "bench/targets/target.h"

#define SERVER_PATH_MAX 100

struct server {
    pid_t process;
    char socket_path[SERVER_PATH_MAX];
};

/* `arguments` end with NULL; the first is the program, searched for in PATH. Waits until it answers. */
bool server_start(struct server *server, const char *socket_path, const char *const *arguments,
                  struct target_failure *failure);
void server_stop(struct server *server);

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
