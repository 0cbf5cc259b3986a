/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * server.h - a private server on a unix socket.
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
