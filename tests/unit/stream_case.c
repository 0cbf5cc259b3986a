/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/stream_case.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOKS 20 /* ms, from one look whether the test is over to the next */

struct sf_temp_folder stream_folder;
char stream_path[128];
atomic_int stream_connections;

static int listener;
static pthread_t thread;
static atomic_int is_over;
static stream_serve_fn *serve_client;

/* false: the test is over. */
static bool
wait_for(int socket)
{
    struct pollfd one = {.fd = socket, .events = POLLIN};
    while (!atomic_load(&is_over))
        if (poll(&one, 1, LOOKS) > 0)
            return true;
    return false;
}

ssize_t
stream_receive(int client, void *bytes_out, size_t room)
{
    return wait_for(client) ? recv(client, bytes_out, room, 0) : 0;
}

void
stream_say(int client, const char *text)
{
    (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
}

static void *
serve(void *unused)
{
    (void)unused;
    while (wait_for(listener)) {
        int client = accept(listener, NULL, NULL);
        atomic_fetch_add(&stream_connections, 1);
        serve_client(client);
        close(client);
    }
    return NULL;
}

void
stream_start(stream_serve_fn *serve_one)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    sf_temp_folder_init(&stream_folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", stream_folder.path);
    snprintf(stream_path, sizeof stream_path, "%s", address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    atomic_store(&stream_connections, 0);
    atomic_store(&is_over, 0);
    serve_client = serve_one;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

void
stream_stop(void)
{
    atomic_store(&is_over, 1);
    pthread_join(thread, NULL);
    close(listener);
    sf_temp_folder_fini(&stream_folder);
}
