/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (4u << 20)
#define ROOM_MIN 4096 /* less is not worth a system call */
#define THROWN_MAX (1u << 20)
#define SPOOL_MAX ((off_t)1 << 30)

enum sf_status
sf_connection_init(struct sf_connection *connection, int socket)
{
    *connection = (struct sf_connection){.socket = socket, .cut = -1, .spool_limit = SPOOL_MAX};
    sf_outbox_init(&connection->out, socket, OUT_MAX);
    connection->in = malloc(SF_CONNECTION_BYTES);
    return connection->in == NULL ? SF_NO_MEMORY : SF_OK;
}

void
sf_connection_fini(struct sf_connection *connection)
{
    close(connection->socket);
    free(connection->in);
    sf_outbox_fini(&connection->out);
    connection->in = NULL;
    connection->socket = -1;
}

/* ---- out ---- */

/* An answer that would fill the disk is sent, and its end waits for the web server. */
static bool
is_kept_back(const struct sf_connection *connection)
{
    return connection->id != 0 && !connection->is_body_end && !connection->is_ended &&
           connection->out.spool_size < connection->spool_limit;
}

/* Is there anything to be sent? */
static bool
has_more(const struct sf_connection *connection)
{
    return sf_outbox_unsent(&connection->out) > 0;
}

/* The same, and may it be sent now? */
static bool
has_to_send(const struct sf_connection *connection)
{
    return has_more(connection) && !is_kept_back(connection);
}

void
sf_connection_push(struct sf_connection *connection)
{
    struct sf_outbox *out = &connection->out;
    bool is_good = connection->state != SF_CONNECTION_LOST;
    if (is_good && !is_kept_back(connection))
        is_good = sf_outbox_send(out, &connection->moved);
    else if (is_good && sf_outbox_pending(out) >= SF_CONNECTION_BYTES / 2)
        is_good = sf_outbox_spool(out);
    if (!is_good)
        connection->state = SF_CONNECTION_LOST;
}

size_t
sf_connection_room(const struct sf_connection *connection)
{
    size_t used = sf_outbox_pending(&connection->out) + SF_FCGI_HEADER_BYTES;
    if (connection->out.spool >= 0 && !is_kept_back(connection))
        return 0;
    return used + ROOM_MIN > SF_CONNECTION_BYTES ? 0 : SF_CONNECTION_BYTES - used;
}

unsigned char *
sf_connection_reserve(struct sf_connection *connection)
{
    sf_outbox_close_up(&connection->out);
    size_t wanted = SF_FCGI_HEADER_BYTES + sf_connection_room(connection);
    struct sf_buffer *bytes = &connection->out.bytes;
    if (sf_buffer_reserve(bytes, wanted) != SF_OK)
        return NULL;
    return bytes->data + bytes->size + SF_FCGI_HEADER_BYTES;
}

void
sf_connection_commit(struct sf_connection *connection, enum sf_fcgi_type type, size_t size)
{
    struct sf_fcgi_header header = {
        .type = (uint8_t)type, .id = connection->id, .content_size = (uint16_t)size};
    struct sf_buffer *bytes = &connection->out.bytes;
    sf_fcgi_header_encode(&header, bytes->data + bytes->size);
    bytes->size += SF_FCGI_HEADER_BYTES + size;
    connection->is_begun = true;
    sf_connection_push(connection);
}

enum sf_status
sf_connection_send(struct sf_connection *connection, enum sf_fcgi_type type, struct sf_span content)
{
    if (content.size == 0)
        return SF_OK;
    sf_outbox_close_up(&connection->out);
    enum sf_status status =
        sf_fcgi_record_append(&connection->out.bytes, type, connection->id, content);
    connection->is_begun = true;
    if (sf_outbox_pending(&connection->out) >= SF_CONNECTION_BYTES / 2)
        sf_connection_push(connection);
    return status;
}

static enum sf_status
append_end(struct sf_connection *connection, uint16_t id, const struct sf_fcgi_end *end)
{
    unsigned char body[SF_FCGI_BODY_BYTES];
    sf_fcgi_end_encode(end, body);
    return sf_fcgi_record_append(&connection->out.bytes, SF_FCGI_END_REQUEST, id,
                                 sf_span_of(body, sizeof body));
}

enum sf_status
sf_connection_end(struct sf_connection *connection, uint32_t application_status,
                  enum sf_fcgi_protocol_status protocol_status)
{
    struct sf_fcgi_end end = {application_status, (uint8_t)protocol_status};
    if (connection->is_ended)
        return SF_OK;
    sf_outbox_close_up(&connection->out);
    enum sf_status status = sf_fcgi_record_append(&connection->out.bytes, SF_FCGI_STDOUT,
                                                  connection->id, sf_span_of(NULL, 0));
    if (status == SF_OK)
        status = append_end(connection, connection->id, &end);
    connection->is_ended = true;
    if (status == SF_OK)
        sf_connection_push(connection);
    return status;
}

/* ---- in ---- */

/* Makes room behind in_size, unless body and unread bytes fill everything. */
static size_t
make_room(struct sf_connection *connection)
{
    size_t kept_at = connection->body.size > 0 ? (size_t)(connection->body.data - connection->in)
                                               : connection->in_at;
    size_t kept = connection->in_size - kept_at;
    if (kept_at > 0 && (kept == 0 || connection->in_size == SF_CONNECTION_BYTES)) {
        memmove(connection->in, connection->in + kept_at, kept);
        connection->in_at -= kept_at;
        connection->in_size -= kept_at;
        if (connection->body.size > 0)
            connection->body.data = connection->in;
    }
    return SF_CONNECTION_BYTES - connection->in_size;
}

static void
receive(struct sf_connection *connection)
{
    size_t room = make_room(connection);
    if (room == 0 || connection->state == SF_CONNECTION_LOST)
        return;
    ssize_t got;
    do
        got = recv(connection->socket, connection->in + connection->in_size, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        connection->in_size += (size_t)got;
        connection->moved += (uint64_t)got;
    } else if (got == 0 || errno != EAGAIN) {
        connection->state = SF_CONNECTION_LOST;
    }
}

static enum sf_status
take_piece(struct sf_connection *connection, struct sf_fcgi_piece *piece_out)
{
    struct sf_span rest =
        sf_span_of(connection->in + connection->in_at, connection->in_size - connection->in_at);
    enum sf_status status = sf_fcgi_reader_take(&connection->reader, &rest, piece_out);
    connection->in_at = connection->in_size - rest.size;
    return status;
}

/* Of GET_VALUES all answers are given, whatever was asked for. */
static enum sf_status
answer_management(struct sf_connection *connection, uint8_t type)
{
    static const char *const names[] = {"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"};
    static const char *const values[] = {"1024", "1024", "0"};
    unsigned char unknown[SF_FCGI_BODY_BYTES] = {type};
    struct sf_buffer pairs;
    enum sf_status status = SF_OK;
    if (type != SF_FCGI_GET_VALUES)
        return sf_fcgi_record_append(&connection->out.bytes, SF_FCGI_UNKNOWN_TYPE, 0,
                                     sf_span_of(unknown, sizeof unknown));
    sf_buffer_init(&pairs, 256);
    for (size_t i = 0; status == SF_OK && i < sizeof names / sizeof names[0]; i++)
        status = sf_fcgi_pair_append(&pairs, sf_span_text(names[i]), sf_span_text(values[i]));
    if (status == SF_OK)
        status = sf_fcgi_record_append(&connection->out.bytes, SF_FCGI_GET_VALUES_RESULT, 0,
                                       sf_buffer_span(&pairs));
    sf_buffer_fini(&pairs);
    return status;
}

/* A record that is not part of the request which is served. Others than these two kinds are
 * ignored. */
static enum sf_status
pass_other(struct sf_connection *connection, const struct sf_fcgi_piece *piece)
{
    static const struct sf_fcgi_end busy = {.protocol_status = SF_FCGI_CANT_MPX_CONN};
    enum sf_status status = SF_OK;
    if (!piece->is_last || connection->state == SF_CONNECTION_LOST)
        return SF_OK;
    if (piece->id == 0)
        status = answer_management(connection, piece->type);
    else if (piece->type == SF_FCGI_BEGIN_REQUEST)
        status = append_end(connection, piece->id, &busy);
    if (status == SF_OK)
        sf_connection_push(connection);
    return status == SF_OK ? SF_OK : SF_INVALID; /* who asks on and hears nothing */
}

/* ---- BEGIN_REQUEST and PARAMS ---- */

/* SF_NOT_FOUND: it is not whole yet. */
static enum sf_status
take_begin(struct sf_connection *connection, const struct sf_fcgi_piece *piece)
{
    struct sf_fcgi_begin begin;
    if (piece->record_size != SF_FCGI_BODY_BYTES)
        return SF_INVALID;
    memcpy(connection->begin + connection->begin_size, piece->content.data, piece->content.size);
    connection->begin_size += piece->content.size;
    if (!piece->is_last)
        return SF_NOT_FOUND;
    connection->begin_size = 0;
    sf_fcgi_begin_decode(connection->begin, &begin);
    connection->id = piece->id;
    connection->role = begin.role;
    connection->is_kept = begin.is_kept;
    connection->is_body_end =
        begin.role == SF_FCGI_AUTHORIZER; /* web servers send it no STDIN at all */
    return SF_NOT_FOUND;
}

/* SF_OK: the request is there. SF_NOT_FOUND: more is needed. */
static enum sf_status
take_for_begin(struct sf_connection *connection, const struct sf_fcgi_piece *piece,
               struct sf_params *params)
{
    bool is_of_request = connection->id != 0 && piece->id == connection->id;
    enum sf_status status = SF_NOT_FOUND;
    if (connection->id == 0 && piece->id != 0 && piece->type == SF_FCGI_BEGIN_REQUEST)
        return take_begin(connection, piece);
    if (is_of_request && piece->type == SF_FCGI_PARAMS) {
        if (piece->record_size == 0)
            return sf_params_decode(params);
        status = sf_params_collect(params, piece->content);
    } else if (is_of_request && piece->type == SF_FCGI_ABORT_REQUEST) {
        status = SF_CONFLICT;
    } else if (is_of_request) {
        status = SF_INVALID;
    } else if (piece->id == 0 || connection->id != 0) {
        status = pass_other(connection, piece);
    }
    return status == SF_OK ? SF_NOT_FOUND : status;
}

/* SF_NOT_FOUND: the bytes that have come are not all of it. */
static enum sf_status
parse_begin(struct sf_connection *connection, struct sf_params *params)
{
    struct sf_fcgi_piece piece;
    enum sf_status status;
    do {
        status = take_piece(connection, &piece);
        if (status != SF_OK)
            return status;
        status = take_for_begin(connection, &piece, params);
    } while (status == SF_NOT_FOUND);
    return status;
}

static int
time_left(sf_time deadline)
{
    sf_time left = deadline - sf_clock_steady();
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/*
 * Until `until`, or until others wait (`wake`), which counts from `firm` on. false: no more is
 * waited for.
 */
static bool
await_bytes(struct sf_connection *connection, sf_time until, sf_time firm, int wake)
{
    bool is_firm = sf_clock_steady() < firm, is_all = !is_firm || until <= firm;
    struct pollfd waits[3] = {{connection->socket, POLLIN, 0},
                              {is_firm ? -1 : wake, POLLIN, 0},
                              {connection->cut, POLLIN, 0}};
    waits[0].events |= (short)(has_to_send(connection) ? POLLOUT : 0);
    int found;
    do
        found = poll(waits, 3, time_left(is_all ? until : firm));
    while (found < 0 && errno == EINTR);
    if ((waits[0].revents & POLLOUT) != 0)
        sf_connection_push(connection);
    if (waits[2].revents != 0)
        return false;
    if ((waits[0].revents & ~POLLOUT) != 0)
        receive(connection);
    else if (waits[1].revents != 0 || (found <= 0 && is_all))
        return false;
    return connection->state == SF_CONNECTION_OPEN;
}

static void
forget_request(struct sf_connection *connection)
{
    connection->id = 0;
    connection->body = sf_span_of(NULL, 0);
    connection->is_body_end = connection->is_begun = connection->is_ended = false;
    connection->begin_size = 0;
}

/* The end of a request that nobody serves. */
static enum sf_status
decline(struct sf_connection *connection, enum sf_fcgi_protocol_status why, sf_time timeout)
{
    if (sf_connection_end(connection, 0, why) != SF_OK ||
        !sf_connection_flush(connection, timeout) || !connection->is_kept)
        sf_connection_close_after(connection);
    return SF_CONFLICT;
}

enum sf_status
sf_connection_begin(struct sf_connection *connection, struct sf_params *params,
                    const struct sf_connection_times *times, int wake)
{
    sf_time since = sf_clock_steady();
    bool is_first = !connection->is_used, has_begun = false;
    enum sf_status status;
    forget_request(connection);
    sf_params_clear(params);
    if (is_first)
        receive(connection); /* who has just connected has said something, as a rule */
    while ((status = parse_begin(connection, params)) == SF_NOT_FOUND) {
        bool is_begun = connection->id != 0 || !sf_fcgi_reader_is_idle(&connection->reader);
        if (is_begun && !has_begun)
            since = sf_clock_steady();
        has_begun |= is_begun; /* from the first byte on the time is for all, questions included */
        if (!await_bytes(connection, since + (has_begun ? times->request : times->idle),
                         since + (has_begun || is_first ? times->grace : 0), wake))
            return is_begun ? SF_UNAVAILABLE : SF_NOT_FOUND;
    }
    connection->is_used = true;
    if (status == SF_CONFLICT)
        return decline(connection, SF_FCGI_REQUEST_COMPLETE, times->request);
    bool has_role =
        connection->role == SF_FCGI_RESPONDER || connection->role == SF_FCGI_AUTHORIZER;
    if (status == SF_OK && !has_role) /* there is nobody who would ask for others */
        return decline(connection, SF_FCGI_UNKNOWN_ROLE, times->request);
    return status;
}

/* ---- the body ---- */

static enum sf_status
take_for_body(struct sf_connection *connection, const struct sf_fcgi_piece *piece)
{
    if (piece->id != connection->id)
        return pass_other(connection, piece);
    if (piece->type == SF_FCGI_ABORT_REQUEST) {
        connection->state = SF_CONNECTION_ABORTED;
        connection->is_body_end = true;
        return SF_OK;
    }
    if (piece->type != SF_FCGI_STDIN || (connection->is_body_end && piece->record_size > 0))
        return SF_INVALID;
    connection->body = piece->content;
    connection->is_body_end |= piece->record_size == 0;
    return SF_OK;
}

/*
 * Behind the body: the next request, which has come before the answer to this one, or so little
 * that it may be. It stays where it is until sf_connection_begin.
 */
static bool
is_before_next(const struct sf_connection *connection)
{
    struct sf_fcgi_header header;
    size_t at = connection->in_at + connection->reader.padding_left;
    if (!connection->is_body_end || !sf_fcgi_reader_is_idle(&connection->reader))
        return false;
    if (connection->in_size < at + SF_FCGI_HEADER_BYTES)
        return true;
    return sf_fcgi_header_decode(connection->in + at, &header) == SF_OK &&
           header.type == SF_FCGI_BEGIN_REQUEST && header.id == connection->id;
}

static void
parse_body(struct sf_connection *connection)
{
    struct sf_fcgi_piece piece;
    enum sf_status status = SF_OK;
    while (status == SF_OK && connection->body.size == 0 &&
           connection->state == SF_CONNECTION_OPEN && !is_before_next(connection)) {
        status = take_piece(connection, &piece);
        if (status == SF_OK)
            status = take_for_body(connection, &piece);
    }
    if (status != SF_OK && status != SF_NOT_FOUND)
        connection->state = SF_CONNECTION_LOST;
}

struct sf_span
sf_connection_body(struct sf_connection *connection)
{
    parse_body(connection);
    return connection->body;
}

void
sf_connection_take(struct sf_connection *connection, size_t size)
{
    connection->body = sf_span_of(connection->body.data + size, connection->body.size - size);
}

bool
sf_connection_is_body_taken(struct sf_connection *connection)
{
    return sf_connection_body(connection).size == 0 && connection->is_body_end;
}

/* ---- waiting ---- */

/*
 * Always POLLRDHUP: that the web server has gone must be seen while nothing is read, because the
 * application takes nothing.
 */
short
sf_connection_events(struct sf_connection *connection)
{
    int events = POLLRDHUP;
    if (make_room(connection) > 0)
        events |= POLLIN;
    if (has_to_send(connection))
        events |= POLLOUT;
    return (short)events;
}

void
sf_connection_step(struct sf_connection *connection, short events)
{
    if ((events & POLLIN) != 0)
        receive(connection);
    if ((events & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
        connection->state = SF_CONNECTION_LOST;
    parse_body(connection);
    if (has_more(connection))
        sf_connection_push(connection);
}

bool
sf_connection_is_awaited(struct sf_connection *connection, bool is_body_wanted)
{
    if (sf_connection_room(connection) == 0)
        return true;
    return is_body_wanted && sf_connection_body(connection).size == 0 && !connection->is_body_end;
}

/* A web server that sends on and on does not move the deadline. */
static bool
await_until(struct sf_connection *connection, sf_time deadline)
{
    if (sf_clock_steady() > deadline)
        return false;
    struct pollfd waits[2] = {{connection->socket, sf_connection_events(connection), 0},
                              {connection->cut, POLLIN, 0}};
    int found;
    do
        found = poll(waits, 2, time_left(deadline));
    while (found < 0 && errno == EINTR);
    if (found > 0)
        sf_connection_step(connection, waits[0].revents);
    return found > 0 && waits[1].revents == 0 && connection->state == SF_CONNECTION_OPEN;
}

bool
sf_connection_await(struct sf_connection *connection, sf_time timeout)
{
    return await_until(connection, sf_clock_steady() + timeout);
}

bool
sf_connection_flush(struct sf_connection *connection, sf_time timeout)
{
    uint64_t least = UINT64_MAX;
    sf_time deadline = 0;
    while (has_more(connection)) {
        uint64_t unsent = sf_outbox_unsent(&connection->out);
        if (unsent < least) { /* that more of the body comes is no progress */
            least = unsent;
            deadline = sf_clock_steady() + timeout;
        }
        sf_connection_take(connection,
                           sf_connection_body(connection).size); /* nobody reads it any more */
        if (!await_until(connection, deadline))
            return false;
    }
    return connection->state != SF_CONNECTION_LOST;
}

/*
 * A connection that is closed before the end of a request is the end of the answer for nginx, which
 * then waits with its client for the rest. A record of no version is an error for all web servers.
 */
void
sf_connection_break_off(struct sf_connection *connection, sf_time timeout)
{
    static const unsigned char no_record[SF_FCGI_HEADER_BYTES];
    connection->is_ended = true;
    if (connection->state == SF_CONNECTION_OPEN && connection->is_begun &&
        sf_buffer_append(&connection->out.bytes, no_record, sizeof no_record) == SF_OK)
        sf_connection_flush(connection, timeout);
    connection->state = SF_CONNECTION_LOST;
}

/*
 * Where no request follows, nginx takes the end of the connection, and not that of the request, for
 * the end of an answer: it would wait for the one while we wait for the body that it keeps back.
 */
bool
sf_connection_skip_body(struct sf_connection *connection, sf_time timeout)
{
    sf_time deadline = sf_clock_steady() + timeout;
    if (connection->is_ended && !connection->is_kept && !sf_connection_is_body_taken(connection))
        shutdown(connection->socket, SHUT_WR);
    while (connection->state == SF_CONNECTION_OPEN && !sf_connection_is_body_taken(connection)) {
        if (connection->body.size > 0)
            sf_connection_take(connection, connection->body.size);
        else if (!await_until(connection, deadline))
            return false;
    }
    return connection->state == SF_CONNECTION_OPEN;
}

void
sf_connection_close_after(struct sf_connection *connection)
{
    size_t thrown = 0;
    ssize_t got = 1;
    shutdown(connection->socket, SHUT_WR);
    while (got > 0 && thrown < THROWN_MAX) {
        got = recv(connection->socket, connection->in, SF_CONNECTION_BYTES, MSG_DONTWAIT);
        thrown += got > 0 ? (size_t)got : 0;
    }
    connection->state = SF_CONNECTION_LOST;
}
