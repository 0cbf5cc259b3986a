/* SPDX-License-Identifier: Apache-2.0 */
#include "session_daemon/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/front/resp.h"
#include "session_daemon/call.h"
#include "session_daemon/commands.h"

#define READ_STEP 16384u
#define READ_AT_ONCE 262144u           /* then the others have their turn */
#define INPUT_MAX (SF_RESP_BYTES_MAX + READ_AT_ONCE)
#define OUTPUT_PAUSE (1u << 20)        /* a client that does not read its replies is not served any more */
#define OUTPUT_MAX (OUTPUT_PAUSE + 2 * SF_RESP_BYTES_MAX)
#define KEEP_BYTES 65536               /* an empty buffer that is larger is given back */

static event_handle_fn handle;

struct connection *
connection_new(struct daemon *daemon, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    connection->source.handle = handle;
    connection->daemon = daemon;
    connection->fd = fd;
    connection->armed = EPOLLIN;
    connection->needed = 1;
    sf_buffer_init(&connection->input, INPUT_MAX);
    sf_buffer_init(&connection->output, OUTPUT_MAX);
    if (event_loop_add(&daemon->server.loop, fd, connection->armed, &connection->source) != SF_OK) {
        connection_free(connection);
        return NULL;
    }
    return connection;
}

void
connection_free(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    sf_buffer_fini(&connection->input);
    sf_buffer_fini(&connection->output);
    free(connection);
}

static bool
is_waiting(const struct connection *connection)
{
    return connection->waiting.resume != NULL;
}

/* What it waits for goes on without it. */
static void
stop_waiting(struct connection *connection)
{
    struct waiting *waiting = &connection->waiting;
    if (waiting->is_for_journal)
        journaler_leave(connection);
    else if (waiting->task != NULL)
        waiting->task->caller = NULL;
    if (waiting->is_for_store)
        TAILQ_REMOVE(&connection->daemon->server.store_waiters, connection, link);
    if (waiting->load != NULL)
        loader_leave(connection);
    *waiting = (struct waiting){.resume = NULL};
}

void
connection_close(struct connection *connection)
{
    if (connection->is_closed)
        return;
    connection->is_closed = true;
    stop_waiting(connection);
    event_loop_remove(&connection->daemon->server.loop, connection->fd);
    close(connection->fd);
    connection->fd = -1;
    server_bury(&connection->daemon->server, connection);
}

/* ---- output ---- */

static void
drop_if_large(struct sf_buffer *buffer)
{
    size_t limit = buffer->limit;
    sf_buffer_clear(buffer);
    if (buffer->capacity > KEEP_BYTES) {
        sf_buffer_fini(buffer);
        sf_buffer_init(buffer, limit);
    }
}

static size_t
unsent(const struct connection *connection)
{
    return connection->output.size - connection->sent;
}

/* What was sent makes room: a client that never quite catches up would fill the buffer in the end. */
static void
forget_sent(struct connection *connection)
{
    struct sf_buffer *output = &connection->output;
    if (connection->sent < unsent(connection))
        return; /* each byte is moved once on average */
    output->size = unsent(connection);
    memmove(output->data, output->data + connection->sent, output->size);
    connection->sent = 0;
}

/* false: the client is gone. */
static bool
send_output(struct connection *connection)
{
    while (unsent(connection) > 0) {
        ssize_t sent = send(connection->fd, connection->output.data + connection->sent, unsent(connection),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            forget_sent(connection);
            return true;
        }
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0)
            connection->sent += (size_t)sent;
    }
    drop_if_large(&connection->output);
    connection->sent = 0;
    return true;
}

/* ---- input ---- */

static void
forget_done(struct connection *connection)
{
    struct sf_buffer *input = &connection->input;
    size_t left = input->size - connection->done;
    if (left == 0)
        drop_if_large(input);
    else if (connection->done > 0)
        memmove(input->data, input->data + connection->done, left);
    input->size = left;
    connection->done = 0;
}

/* false: the connection is broken. */
static bool
read_input(struct connection *connection)
{
    struct sf_buffer *input = &connection->input;
    for (size_t total = 0; total < READ_AT_ONCE;) {
        if (sf_buffer_reserve(input, READ_STEP) != SF_OK)
            return false;
        ssize_t got = recv(connection->fd, input->data + input->size, READ_STEP, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        connection->is_ended = got == 0;
        if (got == 0)
            return true;
        input->size += (size_t)got;
        total += (size_t)got;
    }
    return true;
}

/* ---- commands ---- */

static void
close_with_error(struct connection *connection, const char *text)
{
    if (sf_resp_append_error(&connection->output, SF_INVALID, text) != SF_OK)
        sf_buffer_clear(&connection->output);
    connection->is_closing = true;
}

/* The request at the front of what is not done. */
static enum sf_status
parse(struct connection *connection, size_t *count_out, size_t *used_out)
{
    struct sf_span rest = sf_span_of(connection->input.data + connection->done,
                                     connection->input.size - connection->done);
    return sf_resp_parse_request(rest, connection->daemon->server.words, SF_RESP_WORDS_MAX, count_out, used_out);
}

static struct call
make_call(struct connection *connection, size_t count)
{
    return (struct call){
        .daemon = connection->daemon,
        .connection = connection,
        .words = connection->daemon->server.words,
        .count = count,
        .now = sf_clock_wall(),
    };
}

/* After the command has run, for the first time or again. */
static void
settle_call(struct connection *connection, const struct call *call, size_t used)
{
    if (call->status != SF_OK)
        connection->is_closing = true; /* a reply cut in the middle: the stream is of no use any more */
    if (is_waiting(connection))
        return;
    connection->done += used;
    connection->needed = 1;
}

static bool
may_run(const struct connection *connection)
{
    return !connection->is_closing && !is_waiting(connection) && unsent(connection) < OUTPUT_PAUSE
           && connection->input.size - connection->done >= connection->needed;
}

static void
run_commands(struct connection *connection)
{
    while (may_run(connection)) {
        size_t count, used;
        enum sf_status status = parse(connection, &count, &used);
        if (status == SF_NOT_FOUND) {
            connection->needed = used;
        } else if (status != SF_OK) {
            close_with_error(connection, "this is no request in RESP, or it is too large");
        } else {
            struct call call = make_call(connection, count);
            if (count > 0)
                commands_run(&call);
            settle_call(connection, &call, used);
        }
    }
}

/* ---- events ---- */

static void
arm(struct connection *connection)
{
    bool reads = !connection->is_ended && !connection->is_closing && !is_waiting(connection)
                 && unsent(connection) < OUTPUT_PAUSE;
    uint32_t events = (reads ? (uint32_t)EPOLLIN : 0) | (unsent(connection) > 0 ? (uint32_t)EPOLLOUT : 0);
    if (events == connection->armed)
        return;
    connection->armed = events;
    event_loop_change(&connection->daemon->server.loop, connection->fd, events, &connection->source);
}

/* Runs what can be run, sends what can be sent, and sees whether that was all. */
static void
go_on(struct connection *connection)
{
    size_t before;
    do {
        run_commands(connection);
        before = unsent(connection);
        if (!send_output(connection)) {
            connection_close(connection);
            return;
        }
    } while (may_run(connection) && unsent(connection) < before);
    if (!is_waiting(connection))
        forget_done(connection);
    bool is_over = connection->is_closing || (connection->is_ended && !is_waiting(connection));
    if (is_over && unsent(connection) == 0)
        connection_close(connection);
    else
        arm(connection);
}

static void
handle(struct event_source *source, uint32_t events)
{
    struct connection *connection = (struct connection *)source;
    if (connection->is_closed)
        return;
    bool is_broken = (events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && (events & EPOLLIN) == 0);
    if (!is_broken && (events & EPOLLIN) != 0)
        is_broken = !read_input(connection);
    if (is_broken)
        connection_close(connection);
    else
        go_on(connection);
}

void
connection_resume(struct connection *connection, const struct answer *answer)
{
    call_resume_fn *resume = connection->waiting.resume;
    assert(resume != NULL && !connection->is_closed);
    connection->waiting = (struct waiting){.resume = NULL};
    size_t count, used;
    enum sf_status status = parse(connection, &count, &used);
    assert(status == SF_OK && count > 0); /* it was parsed once, and nothing has touched it since */
    struct call call = make_call(connection, count);
    resume(&call, answer);
    settle_call(connection, &call, used);
    go_on(connection);
}

void
caller_task_finish(struct caller_task *task, const struct answer *answer)
{
    if (task->caller != NULL)
        connection_resume(task->caller, answer);
}

void
connection_finish(struct connection *connection)
{
    bool reads = !connection->is_closing && !connection->is_ended && !is_waiting(connection);
    if (reads && !read_input(connection)) {
        connection_close(connection);
        return;
    }
    connection->is_ended = true;
    go_on(connection);
}

bool
connection_is_busy(const struct connection *connection)
{
    return is_waiting(connection) || unsent(connection) > 0;
}
