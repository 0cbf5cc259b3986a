/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/targets/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_BYTES (256u << 10)

int
client_connect(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    if (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

bool
client_open(struct client *client, const char *socket_path)
{
    *client = (struct client){.socket = client_connect(socket_path),
                              .received = malloc(BUFFER_BYTES),
                              .capacity = BUFFER_BYTES};
    sf_buffer_init(&client->sent, 64u << 20);
    return client->socket >= 0 && client->received != NULL;
}

void
client_close(struct client *client)
{
    if (client->socket >= 0)
        close(client->socket);
    sf_buffer_fini(&client->sent);
    free(client->received);
}

bool
client_send(struct client *client)
{
    size_t done = 0;

    while (done < client->sent.size) {
        ssize_t sent =
            send(client->socket, client->sent.data + done, client->sent.size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        done += (size_t)sent;
    }
    sf_buffer_clear(&client->sent);
    return true;
}

/* What is left moves to the front when the end of the memory is near. */
static bool
receive_more(struct client *client)
{
    ssize_t got;

    if (client->at == client->end)
        client->at = client->end = 0;
    if (client->end == client->capacity) {
        memmove(client->received, client->received + client->at, client->end - client->at);
        client->end -= client->at;
        client->at = 0;
    }
    do
        got = recv(client->socket, client->received + client->end, client->capacity - client->end, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    client->end += (size_t)got;
    return true;
}

const char *
client_line(struct client *client)
{
    size_t looked = 0;

    for (;;) {
        unsigned char *begin = client->received + client->at;
        size_t there = client->end - client->at;
        unsigned char *end = memchr(begin + looked, '\n', there - looked);
        if (end != NULL && end > begin && end[-1] == '\r') {
            end[-1] = '\0';
            client->at += (size_t)(end + 1 - begin);
            return (const char *)begin;
        }
        looked = there;
        if (end != NULL || !receive_more(client))
            return NULL;
    }
}

const unsigned char *
client_bytes(struct client *client, size_t bytes)
{
    while (client->end - client->at < bytes + 2)
        if (!receive_more(client))
            return NULL;
    const unsigned char *found = client->received + client->at;
    client->at += bytes + 2;
    return memcmp(found + bytes, "\r\n", 2) == 0 ? found : NULL;
}
