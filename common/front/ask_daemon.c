/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/ask_daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_MAX 64           /* connections kept between questions; a web-server process rarely has more threads */
#define FAILURES_TO_OPEN 3
#define OPEN_TIME 100         /* ms without questions while the daemon does not answer */
#define CONNECT_PAUSE 5       /* ms between two attempts to reach a socket that is full or not there */
#define RESTART_WAIT 500      /* ms that a socket may not be there before there is no daemon */
#define READ_STEP 4096

struct sf_daemon_link {
    struct sockaddr_un address;
    _Atomic int idle[IDLE_MAX];   /* connected sockets that nobody uses; -1: none. Taken and given back by exchange */
    _Atomic int failures;         /* in a row */
    _Atomic int64_t probe_at;     /* steady clock; with FAILURES_TO_OPEN failures: when one may ask again */
};

enum sf_status
sf_daemon_link_new(struct sf_daemon_link **link_out, const char *socket_path)
{
    *link_out = NULL;
    struct sf_daemon_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return SF_NO_MEMORY;
    size_t length = strlen(socket_path);
    if (length == 0 || length >= sizeof link->address.sun_path) {
        free(link);
        return SF_INVALID;
    }
    link->address.sun_family = AF_UNIX;
    memcpy(link->address.sun_path, socket_path, length + 1);
    for (size_t i = 0; i < IDLE_MAX; i++)
        atomic_init(&link->idle[i], -1);
    *link_out = link;
    return SF_OK;
}

void
sf_daemon_link_free(struct sf_daemon_link *link)
{
    if (link == NULL)
        return;
    for (size_t i = 0; i < IDLE_MAX; i++) {
        int fd = atomic_load(&link->idle[i]);
        if (fd >= 0)
            close(fd);
    }
    free(link);
}

bool
sf_daemon_link_is_up(const struct sf_daemon_link *link)
{
    return atomic_load_explicit(&link->failures, memory_order_relaxed) == 0;
}

void
sf_daemon_reply_init(struct sf_daemon_reply *reply, size_t values_max)
{
    *reply = (struct sf_daemon_reply){.values_max = values_max};
    sf_buffer_init(&reply->bytes, SF_RESP_BYTES_MAX);
}

void
sf_daemon_reply_fini(struct sf_daemon_reply *reply)
{
    sf_buffer_fini(&reply->bytes);
    free(reply->values);
}

/* ---- the breaker ---- */

/* Relaxed: the two words guard nothing, a stale look costs one question too many or one too few. */
static bool
may_ask(struct sf_daemon_link *link, sf_time now)
{
    if (atomic_load_explicit(&link->failures, memory_order_relaxed) < FAILURES_TO_OPEN)
        return true;
    int64_t probe_at = atomic_load_explicit(&link->probe_at, memory_order_relaxed);
    return now >= probe_at
        && atomic_compare_exchange_strong_explicit(&link->probe_at, &probe_at, now + OPEN_TIME, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static void
note_result(struct sf_daemon_link *link, bool answered)
{
    if (answered) {
        if (atomic_load_explicit(&link->failures, memory_order_relaxed) != 0)
            atomic_store_explicit(&link->failures, 0, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&link->probe_at, sf_clock_steady() + OPEN_TIME, memory_order_relaxed);
    if (atomic_load_explicit(&link->failures, memory_order_relaxed) < FAILURES_TO_OPEN)
        atomic_fetch_add_explicit(&link->failures, 1, memory_order_relaxed);
}

/* ---- connections ---- */

/* Nothing to read and not closed: a byte that waits would be the answer to somebody else's question. */
static bool
is_quiet(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int
take_idle(struct sf_daemon_link *link)
{
    for (size_t i = 0; i < IDLE_MAX; i++) {
        if (atomic_load_explicit(&link->idle[i], memory_order_relaxed) < 0)
            continue;
        int fd = atomic_exchange(&link->idle[i], -1);
        if (fd >= 0 && is_quiet(fd))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

static void
give_back(struct sf_daemon_link *link, int fd)
{
    for (size_t i = 0; i < IDLE_MAX; i++) {
        int none = -1;
        if (atomic_compare_exchange_strong(&link->idle[i], &none, fd))
            return;
    }
    close(fd);
}

/*
 * Until when to try again: a unix socket with a full backlog says EAGAIN and cannot be polled for room; one
 * that refuses or is absent may be that of a daemon which is just being replaced, but not for long.
 */
static sf_time
try_until(int error, sf_time began, sf_time deadline)
{
    if (error == EAGAIN || error == EINTR)
        return deadline;
    if (error != ECONNREFUSED && error != ENOENT)
        return began;
    return deadline < began + RESTART_WAIT ? deadline : began + RESTART_WAIT;
}

static int
connect_until(struct sf_daemon_link *link, sf_time deadline)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    const struct sockaddr *address = (const struct sockaddr *)&link->address;
    sf_time began = sf_clock_steady();
    while (connect(fd, address, sizeof link->address) != 0) {
        int error = errno;
        if (sf_clock_steady() + CONNECT_PAUSE >= try_until(error, began, deadline)) {
            close(fd);
            return -1;
        }
        poll(NULL, 0, CONNECT_PAUSE);
    }
    return fd;
}

/* false: the deadline has passed. */
static bool
wait_for(int fd, short events, sf_time deadline)
{
    for (;;) {
        sf_time left = deadline - sf_clock_steady();
        if (left <= 0)
            return false;
        struct pollfd one = {.fd = fd, .events = events};
        int ready = poll(&one, 1, left > SF_HOUR ? (int)SF_HOUR : (int)left);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

/* ---- question and answer ---- */

static enum sf_status
encode(struct sf_buffer *out, const struct sf_span *words, size_t count)
{
    sf_buffer_clear(out);
    if (count > SF_RESP_WORDS_MAX)
        return SF_FULL;
    enum sf_status status = sf_resp_append_array(out, count);
    for (size_t i = 0; status == SF_OK && i < count; i++)
        status = sf_resp_append_bulk(out, words[i]);
    return status;
}

/* SF_UNAVAILABLE: not all of it left, so the daemon cannot have acted on it. */
static enum sf_status
send_all(int fd, struct sf_span bytes, sf_time deadline)
{
    for (size_t sent = 0; sent < bytes.size;) {
        ssize_t now = send(fd, bytes.data + sent, bytes.size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now >= 0) {
            sent += (size_t)now;
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline))
                return SF_UNAVAILABLE;
        } else if (errno != EINTR) {
            return SF_UNAVAILABLE;
        }
    }
    return SF_OK;
}

/*
 * SF_UNAVAILABLE: the peer closed with our bytes unread (that is what ECONNRESET means on a unix socket), so
 * it has not acted. SF_UNCERTAIN: closed or late otherwise.
 */
static enum sf_status
receive_some(int fd, struct sf_buffer *bytes, sf_time deadline)
{
    enum sf_status status = sf_buffer_reserve(bytes, READ_STEP);
    if (status != SF_OK)
        return SF_UNCERTAIN;
    for (;;) {
        ssize_t got = recv(fd, bytes->data + bytes->size, bytes->capacity - bytes->size, MSG_DONTWAIT);
        if (got > 0) {
            bytes->size += (size_t)got;
            return SF_OK;
        }
        if (got == 0)
            return SF_UNCERTAIN;
        if (errno == ECONNRESET)
            return bytes->size == 0 ? SF_UNAVAILABLE : SF_UNCERTAIN;
        if (errno != EINTR && (errno != EAGAIN || !wait_for(fd, POLLIN, deadline)))
            return SF_UNCERTAIN;
    }
}

static enum sf_status
receive_reply(int fd, sf_time deadline, struct sf_daemon_reply *reply)
{
    sf_buffer_clear(&reply->bytes);
    size_t used = 1;
    for (;;) {
        if (reply->bytes.size < used) {
            enum sf_status status = receive_some(fd, &reply->bytes, deadline);
            if (status != SF_OK)
                return status;
            continue;
        }
        enum sf_status status = sf_resp_parse_reply(sf_buffer_span(&reply->bytes), reply->values,
                                                    reply->values_max, &reply->count, &used);
        if (status == SF_OK)
            return used == reply->bytes.size ? SF_OK : SF_UNCERTAIN;
        if (status != SF_NOT_FOUND)
            return SF_UNCERTAIN;
    }
}

/* The question is built in reply->bytes, which the answer then overwrites. */
static enum sf_status
ask_over(struct sf_daemon_link *link, int fd, const struct sf_span *words, size_t count, sf_time deadline,
         struct sf_daemon_reply *reply)
{
    enum sf_status status = encode(&reply->bytes, words, count);
    if (status == SF_OK)
        status = send_all(fd, sf_buffer_span(&reply->bytes), deadline);
    if (status == SF_OK)
        status = receive_reply(fd, deadline, reply);
    if (status == SF_OK) {
        give_back(link, fd);
    } else {
        reply->count = 0;
        close(fd);
    }
    return status;
}

/* A daemon that goes away before it has read the question is no failure yet: its successor may be there in time. */
static enum sf_status
ask_until(struct sf_daemon_link *link, const struct sf_span *words, size_t count, sf_time deadline,
          struct sf_daemon_reply *reply)
{
    int fd = take_idle(link);
    for (;;) {
        if (fd < 0)
            fd = connect_until(link, deadline);
        if (fd < 0)
            return SF_UNAVAILABLE;
        enum sf_status status = ask_over(link, fd, words, count, deadline, reply);
        if (status != SF_UNAVAILABLE || sf_clock_steady() + CONNECT_PAUSE >= deadline)
            return status;
        poll(NULL, 0, CONNECT_PAUSE);
        fd = -1;
    }
}

enum sf_status
sf_daemon_ask(struct sf_daemon_link *link, const struct sf_span *words, size_t count, sf_time deadline,
              struct sf_daemon_reply *reply)
{
    reply->count = 0;
    if (reply->values == NULL)
        reply->values = calloc(reply->values_max, sizeof *reply->values);
    if (reply->values == NULL)
        return SF_NO_MEMORY;
    if (!may_ask(link, sf_clock_steady()))
        return SF_UNAVAILABLE;
    enum sf_status status = ask_until(link, words, count, deadline, reply);
    note_result(link, status == SF_OK || status == SF_FULL || status == SF_NO_MEMORY);
    return status;
}

enum sf_status
sf_daemon_reply_status(const struct sf_daemon_reply *reply)
{
    static const enum sf_status all[] = {
#define S(name, text) SF_##name,
        SF_STATUS_LIST(S)
#undef S
    };
    if (reply->count == 0)
        return SF_UNAVAILABLE;
    if (reply->values[0].type != SF_RESP_ERROR)
        return SF_OK;
    struct sf_span text = reply->values[0].text;
    const unsigned char *blank = text.size == 0 ? NULL : memchr(text.data, ' ', text.size);
    struct sf_span word = sf_span_of(text.data, blank == NULL ? text.size : (size_t)(blank - text.data));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] != SF_OK && sf_span_equal(word, sf_span_text(sf_status_name(all[i]))))
            return all[i];
    }
    return SF_UNAVAILABLE;
}
