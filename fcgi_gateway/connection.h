/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * connection.h - the connection of a web server: its request in, our answer out, never blocking by
 * itself.
 *
 * One thread serves it, one request at a time. Bodies are never kept: what has come and was not
 * taken fills a buffer of 64 KiB, and then nothing more is read; what is to be sent waits in
 * another one, and an application that writes faster is not read meanwhile. Whoever pumps looks at
 * what it wants next:
 *
 *     for (;;) {
 *         body = sf_connection_body(connection);                 give it to the application
 *         sf_connection_take(connection, as much as it took);
 *         sf_connection_send(connection, ...);                  while there is sf_connection_room()
 *         sf_connection_push(connection);                        before each poll
 *         poll(sf_connection_events(connection), and the application's descriptors);
 *         sf_connection_step(connection);                        after each poll
 *     }
 *
 * The answer begins when the whole body of the request has come, because nginx sends no more of it
 * once it has seen an answer's headers, and a program that goes on reading would wait for ever.
 * Until then the answer is kept, beyond 64 KiB in a file.
 */
#include "common/base/clock.h"
#include "fcgi_gateway/fcgi_record.h"
#include "fcgi_gateway/outbox.h"
#include "fcgi_gateway/params.h"

#define SF_CONNECTION_BYTES 65536 /* of each of the two buffers */

enum sf_connection_state {
    SF_CONNECTION_OPEN,
    SF_CONNECTION_ABORTED, /* the web server wants no answer to this request any more */
    SF_CONNECTION_LOST     /* closed, cut off or not FastCGI: nothing more can be sent */
};

struct sf_connection {
    int socket;
    int cut; /* becomes readable when nobody may be waited for any more; -1: never */
    enum sf_connection_state state;

    bool is_used; /* a request has come on it before */

    /* The request; id 0: none. */
    uint16_t id;
    uint16_t role;
    bool is_kept;     /* the web server wants to send another request behind this one */
    bool is_body_end; /* all of the body has come, perhaps not all was taken; or there is none */

    uint64_t moved; /* bytes in and out: grows while the web server does its part */

    unsigned char *in; /* in_at to in_size: bytes of the socket that were not looked at */
    size_t in_at, in_size;
    struct sf_fcgi_reader reader;
    struct sf_span body; /* the piece that comes next: in `in`, before in_at */
    unsigned char begin[SF_FCGI_BODY_BYTES];
    size_t begin_size; /* of a BEGIN_REQUEST that was split */

    struct sf_outbox out; /* whole records */
    bool is_begun;        /* something of the answer was sent, or is to be */
    bool is_ended;        /* it is complete */
    off_t spool_limit;    /* with more than that in a file it no longer waits for the body */
};

/* Takes the socket, which must not block. SF_NO_MEMORY: call fini all the same. */
enum sf_status sf_connection_init(struct sf_connection *connection, int socket) SF_MUST_CHECK;
/* Closes it. */
void sf_connection_fini(struct sf_connection *connection);

/* How long a request is waited for. */
struct sf_connection_times {
    sf_time idle;    /* for its first byte */
    sf_time request; /* from then on, for all of BEGIN_REQUEST and PARAMS */
    sf_time grace;   /* of both, what nobody shortens, but for a later request's first byte */
};

/*
 * Reads BEGIN_REQUEST and all of PARAMS, which are decoded into `params`; answers what web servers
 * ask in between. `wake` (a descriptor, or -1): readable while others wait, and then only the grace
 * is given. SF_OK; SF_NOT_FOUND: no request any more (closed, silent, or woken up); SF_FULL: larger
 * than allowed, and can still be answered; SF_CONFLICT: one that is not to be served (aborted, or
 * of another role) and was answered: another may follow; SF_INVALID: not FastCGI, or no request of
 * a web server; SF_UNAVAILABLE: cut off or silent in the middle.
 */
enum sf_status sf_connection_begin(struct sf_connection *connection, struct sf_params *params,
                                   const struct sf_connection_times *times, int wake) SF_MUST_CHECK;

/* ---- the body of the request ---- */

/* What has come and was not taken; empty: nothing now. Valid until the next call. */
struct sf_span sf_connection_body(struct sf_connection *connection);
void sf_connection_take(struct sf_connection *connection, size_t size);
/* It has come and was taken, all of it. */
bool sf_connection_is_body_taken(struct sf_connection *connection);

/* ---- the answer ---- */

/* How much of a body may be sent now: 0, or 4 to 64 KiB. */
size_t sf_connection_room(const struct sf_connection *connection);

/* Where as much of a body may be put, to be sent by sf_connection_commit; NULL: no memory. */
unsigned char *sf_connection_reserve(struct sf_connection *connection);
void sf_connection_commit(struct sf_connection *connection, enum sf_fcgi_type type, size_t size);

/*
 * STDOUT or STDERR, to be sent by sf_connection_push. What is longer than the room is taken, too,
 * up to a limit of 4 MiB for header blocks; SF_FULL beyond.
 */
enum sf_status sf_connection_send(struct sf_connection *connection, enum sf_fcgi_type type,
                                  struct sf_span content) SF_MUST_CHECK;

/* Sends what the web server takes now. To be called before each wait: what one step has found, head
 * and body and end, then leaves in one piece. */
void sf_connection_push(struct sf_connection *connection);

/* The end of STDOUT and of the request, once. Call sf_connection_flush behind it. */
enum sf_status sf_connection_end(struct sf_connection *connection, uint32_t application_status,
                                 enum sf_fcgi_protocol_status protocol_status) SF_MUST_CHECK;

/*
 * The answer ends here and is not whole: says so where it has begun, waiting as sf_connection_flush
 * does. SF_CONNECTION_LOST.
 */
void sf_connection_break_off(struct sf_connection *connection, sf_time timeout);

/* Waits until everything is sent, at most `timeout` without progress. false: it was not. */
bool sf_connection_flush(struct sf_connection *connection, sf_time timeout);

/*
 * Behind the end: takes what is left of the body, so that another request can be read, or the web
 * server is done with it; where it wants to send none, it is told that nothing follows the answer.
 * Waits for at most `timeout` altogether. false: there is none.
 */
bool sf_connection_skip_body(struct sf_connection *connection, sf_time timeout);

/* Without waiting for anybody: nothing follows what was sent, and what comes is thrown away.
 * SF_CONNECTION_LOST. */
void sf_connection_close_after(struct sf_connection *connection);

/* ---- waiting ---- */

/* For poll: what the connection waits for. */
short sf_connection_events(struct sf_connection *connection);
/* Reads and writes what it can without waiting; sees when the web server has gone. `events`: what
 * poll has found. */
void sf_connection_step(struct sf_connection *connection, short events);
/* One wait, and step, for the web server alone. false: it did nothing in time, or has gone. */
bool sf_connection_await(struct sf_connection *connection, sf_time timeout);
/* The web server must do something before the application can go on: take what was sent, or send
 * what is wanted. */
bool sf_connection_is_awaited(struct sf_connection *connection, bool is_body_wanted);
