/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * stream_case.h - a server on a unix socket, in a thread of its own, that says what a test wants: mistakes that real
 * ones do not make. One client after the other.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/support/temp_folder.h"

/* In the server's thread: one client, until he is gone. */
typedef void stream_serve_fn(int client);

extern struct sf_temp_folder stream_folder;
extern char stream_path[128];         /* of the socket */
extern atomic_int stream_connections; /* so many clients have come */

void stream_start(stream_serve_fn *serve);
void stream_stop(void);

/* For the server: what comes next. 0 or less: the client has gone, or the test is over. */
ssize_t stream_receive(int client, void *bytes_out, size_t room);
void stream_say(int client, const char *text);
