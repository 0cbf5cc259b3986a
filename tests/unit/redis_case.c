/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redis_case.h"

#include <arpa/inet.h>
#include <check.h>
#include <hiredis.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define SHA "0123456789012345678901234567890123456789"

struct client {
    int socket;
    redisReader *reader;
};

bool
redis_fake_is(const struct redisReply *command, const char *word)
{
    return strcmp(command->element[0]->str, word) == 0;
}

void
redis_fake_say(char reply_out[REDIS_FAKE_TEXT], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reply_out, REDIS_FAKE_TEXT, format, arguments);
    va_end(arguments);
}

void
redis_fake_say_bytes(struct redis_fake *fake, char reply_out[REDIS_FAKE_TEXT], struct sf_span bytes)
{
    redis_fake_say(reply_out, "$%zu\r\n", bytes.size);
    size_t head = strlen(reply_out);
    ck_assert_uint_lt(head + bytes.size + 2, REDIS_FAKE_TEXT);
    if (bytes.size > 0)
        memcpy(reply_out + head, bytes.data, bytes.size);
    memcpy(reply_out + head + bytes.size, "\r\n", 2);
    fake->reply_size = head + bytes.size + 2;
}

bool
redis_fake_greets(const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT])
{
    if (redis_fake_is(command, "PING"))
        redis_fake_say(reply_out, "$%zu\r\n%s\r\n", command->element[1]->len, command->element[1]->str);
    else if (redis_fake_is(command, "ROLE"))
        redis_fake_say(reply_out, "*1\r\n$6\r\nmaster\r\n");
    else if (redis_fake_is(command, "SCRIPT"))
        redis_fake_say(reply_out, "$40\r\n" SHA "\r\n");
    else if (redis_fake_is(command, "GET"))
        redis_fake_say(reply_out, "$1\r\n1\r\n");
    else if (redis_fake_is(command, "INFO"))
        redis_fake_say(reply_out, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    else if (redis_fake_is(command, "EXISTS"))
        redis_fake_say(reply_out, ":1\r\n");
    else
        return false;
    return true;
}

/* ---- its thread ---- */

static bool
answer_all(struct redis_fake *fake, struct client *client)
{
    void *command = NULL;
    char reply[REDIS_FAKE_TEXT];
    bool goes_on = true;
    while (goes_on && redisReaderGetReply(client->reader, &command) == REDIS_OK && command != NULL) {
        fake->reply_size = 0;
        goes_on = fake->answer(fake, command, reply);
        atomic_fetch_add(&fake->commands, 1);
        if (goes_on)
            (void)!send(client->socket, reply, fake->reply_size == 0 ? strlen(reply) : fake->reply_size, MSG_NOSIGNAL);
        freeReplyObject(command);
    }
    return goes_on;
}

static bool
serve_client(struct redis_fake *fake, struct client *client)
{
    char bytes[65536];
    ssize_t got = recv(client->socket, bytes, sizeof bytes, 0);
    return got > 0 && redisReaderFeed(client->reader, bytes, (size_t)got) == REDIS_OK && answer_all(fake, client);
}

static void
drop_client(struct client *client)
{
    redisReaderFree(client->reader);
    close(client->socket);
}

static void
take_client(struct redis_fake *fake, struct client *clients, size_t *count)
{
    int socket = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC), at_once = 1;
    if (socket < 0)
        return;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    atomic_fetch_add(&fake->connections, 1);
    clients[(*count)++] = (struct client){socket, redisReaderCreate()};
}

static void
serve_once(struct redis_fake *fake, struct client *clients, size_t *count)
{
    struct pollfd polled[CLIENTS_MAX + 1];
    size_t kept = 0, seen = *count;
    for (size_t i = 0; i < seen; i++)
        polled[i] = (struct pollfd){.fd = clients[i].socket, .events = POLLIN};
    polled[seen] = (struct pollfd){.fd = fake->listener, .events = POLLIN};
    if (poll(polled, seen + (seen < CLIENTS_MAX), 20) <= 0)
        return;
    for (size_t i = 0; i < seen; i++) {
        if (polled[i].revents == 0 || serve_client(fake, &clients[i]))
            clients[kept++] = clients[i];
        else
            drop_client(&clients[i]);
    }
    *count = kept;
    if (seen < CLIENTS_MAX && polled[seen].revents != 0)
        take_client(fake, clients, count);
}

static void *
serve(void *argument)
{
    struct redis_fake *fake = argument;
    struct client clients[CLIENTS_MAX];
    size_t count = 0;
    while (!atomic_load(&fake->is_over))
        serve_once(fake, clients, &count);
    while (count > 0)
        drop_client(&clients[--count]);
    return NULL;
}

/* ---- life ---- */

void
redis_fake_start(struct redis_fake *fake, redis_fake_fn *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *fake = (struct redis_fake){.answer = answer};
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fake->listener, CLIENTS_MAX), 0);
    ck_assert_int_eq(getsockname(fake->listener, (struct sockaddr *)&address, &size), 0);
    fake->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

void
redis_fake_stop(struct redis_fake *fake)
{
    if (fake->answer == NULL)
        return;
    atomic_store(&fake->is_over, 1);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    fake->answer = NULL;
}
