/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_daemon.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/front/resp.h"

#define WORDS_MAX 256

static void
require(bool is_well, const char *what)
{
    if (is_well)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

static void
write_down(char *text_out, const struct sf_span *words, size_t count)
{
    size_t used = 0;
    text_out[0] = '\0';
    for (size_t i = 0; i < count && used < SF_FAKE_REQUEST_TEXT; i++)
        used += (size_t)snprintf(text_out + used, SF_FAKE_REQUEST_TEXT - used, "%s%.*s", i > 0 ? " " : "",
                                 (int)words[i].size, (const char *)words[i].data);
}

static void
close_connection(struct sf_fake_daemon *fake, size_t which)
{
    close(fake->connections[which]);
    fake->connections[which] = -1;
    sf_buffer_clear(&fake->inputs[which]);
}

static void
answer(struct sf_fake_daemon *fake, size_t which, const struct sf_span *words, size_t count)
{
    size_t number = atomic_load(&fake->answered);
    if (number < SF_FAKE_REQUESTS_MAX)
        write_down(fake->requests[number], words, count);
    atomic_store(&fake->answered, number + 1);
    if (number >= fake->step_count)
        return;
    const struct sf_fake_step *step = &fake->steps[number];
    if (step->delay_ms > 0)
        poll(NULL, 0, step->delay_ms);
    if (step->reply != NULL) {
        size_t bytes = step->bytes > 0 ? step->bytes : strlen(step->reply);
        (void)!send(fake->connections[which], step->reply, bytes, MSG_NOSIGNAL);
    }
    if (step->closes)
        close_connection(fake, which);
}

static void
serve(struct sf_fake_daemon *fake, size_t which)
{
    struct sf_buffer *input = &fake->inputs[which];
    require(sf_buffer_reserve(input, 65536) == SF_OK, "fake daemon: memory");
    ssize_t got = recv(fake->connections[which], input->data + input->size, 65536, MSG_DONTWAIT);
    if (got <= 0) {
        close_connection(fake, which);
        return;
    }
    input->size += (size_t)got;
    struct sf_span words[WORDS_MAX];
    size_t count, used;
    if (sf_resp_parse_request(sf_buffer_span(input), words, WORDS_MAX, &count, &used) != SF_OK)
        return;
    answer(fake, which, words, count);
    sf_buffer_clear(input); /* one request at a time is all that the link sends */
}

static void
accept_one(struct sf_fake_daemon *fake)
{
    int fd = accept(fake->listen_fd, NULL, NULL);
    require(fd >= 0, "fake daemon: accept");
    atomic_fetch_add(&fake->accepted, 1);
    for (size_t i = 0; i < SF_FAKE_CONNECTIONS_MAX; i++) {
        if (fake->connections[i] < 0) {
            fake->connections[i] = fd;
            return;
        }
    }
    close(fd);
}

static void *
fake_main(void *argument)
{
    struct sf_fake_daemon *fake = argument;
    for (;;) {
        struct pollfd fds[2 + SF_FAKE_CONNECTIONS_MAX] = {
            {.fd = fake->stop_fd, .events = POLLIN},
            {.fd = fake->listen_fd, .events = POLLIN},
        };
        for (size_t i = 0; i < SF_FAKE_CONNECTIONS_MAX; i++)
            fds[2 + i] = (struct pollfd){.fd = fake->connections[i], .events = POLLIN};
        require(poll(fds, 2 + SF_FAKE_CONNECTIONS_MAX, -1) > 0, "fake daemon: poll");
        if (fds[0].revents != 0)
            return NULL;
        for (size_t i = 0; i < SF_FAKE_CONNECTIONS_MAX; i++)
            if (fds[2 + i].revents != 0)
                serve(fake, i);
        if (fds[1].revents != 0)
            accept_one(fake);
    }
}

static int
listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0, path);
    return fd;
}

void
sf_fake_daemon_start(struct sf_fake_daemon *fake, const char *path, const struct sf_fake_step *steps, size_t count)
{
    *fake = (struct sf_fake_daemon){.steps = steps, .step_count = count};
    snprintf(fake->path, sizeof fake->path, "%s", path);
    fake->listen_fd = listen_at(path);
    fake->stop_fd = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < SF_FAKE_CONNECTIONS_MAX; i++) {
        fake->connections[i] = -1;
        sf_buffer_init(&fake->inputs[i], SF_RESP_BYTES_MAX + 65536);
    }
    require(fake->stop_fd >= 0 && pthread_create(&fake->thread, NULL, fake_main, fake) == 0, "fake daemon: thread");
}

void
sf_fake_daemon_stop(struct sf_fake_daemon *fake)
{
    require(eventfd_write(fake->stop_fd, 1) == 0, "fake daemon: stop");
    pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < SF_FAKE_CONNECTIONS_MAX; i++) {
        if (fake->connections[i] >= 0)
            close(fake->connections[i]);
        sf_buffer_fini(&fake->inputs[i]);
    }
    close(fake->listen_fd);
    close(fake->stop_fd);
    unlink(fake->path);
}
