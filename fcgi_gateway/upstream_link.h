/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * upstream_link.h - our end of a connection to a FastCGI application: one request out, its records
 * in, never waiting by itself.
 *
 * The body of the request is not kept: the next piece is taken when the one before has left.
 * Whoever pumps polls the socket for sf_upstream_link_events, calls step, and then takes what has
 * come:
 *
 *     sf_upstream_link_step(link, what poll has found, room);        reads no more than `room`
 *     while (sf_upstream_link_take(link, &piece) == SF_OK) ...
 */
#include "common/config/endpoint.h"
#include "fcgi_gateway/fcgi_record.h"
#include "fcgi_gateway/params.h"

#define SF_UPSTREAM_LINK_BYTES 65536 /* of what has come */
#define SF_UPSTREAM_REQUEST_ID 1     /* one request at a time: all have this one */

struct sf_upstream_link {
    int socket;         /* -1: none */
    bool is_connecting; /* nothing can be sent yet */
    bool is_deaf;       /* takes nothing more, but may still have something to say */
    bool is_over;       /* has nothing more to say either */
    int error;          /* errno of a connection that did not come about; 0 otherwise */
    uint64_t sent, got; /* bytes */

    struct sf_buffer out; /* from out_at on not sent yet */
    size_t out_at;
    bool is_body_end; /* all of the request is in `out` or has left */

    unsigned char *in;
    struct sf_span rest; /* of what has come: not taken yet */
    struct sf_fcgi_reader reader;
};

/* SF_NO_MEMORY: call fini all the same. */
enum sf_status sf_upstream_link_init(struct sf_upstream_link *link) SF_MUST_CHECK;
void sf_upstream_link_fini(struct sf_upstream_link *link); /* closes the socket */

/* One that was connected before, and does not block. */
void sf_upstream_link_use(struct sf_upstream_link *link, int socket);
/*
 * Connects, in place of a socket that may be there; what is to be sent stays. SF_OK: done, or on
 * its way; SF_UNAVAILABLE: `error` says why not.
 */
enum sf_status sf_upstream_link_connect(struct sf_upstream_link *link,
                                        const struct sf_endpoint *endpoint) SF_MUST_CHECK;
/* Gives the socket away: it is the caller's, and stays open. */
int sf_upstream_link_release(struct sf_upstream_link *link);

/* The request up to its body. SF_NO_MEMORY, SF_FULL: it is too large. */
enum sf_status sf_upstream_link_begin(struct sf_upstream_link *link,
                                      const struct sf_fcgi_begin *begin,
                                      const struct sf_params *params) SF_MUST_CHECK;
/* All before has left. */
bool sf_upstream_link_wants_body(const struct sf_upstream_link *link);
/* The next piece, behind what waits already. Nothing: the end. */
enum sf_status sf_upstream_link_add_body(struct sf_upstream_link *link,
                                         struct sf_span piece) SF_MUST_CHECK;

/* Sends what the socket takes now. */
void sf_upstream_link_push(struct sf_upstream_link *link);

short sf_upstream_link_events(const struct sf_upstream_link *link, size_t room);
void sf_upstream_link_step(struct sf_upstream_link *link, short events, size_t room);
/* As sf_fcgi_reader_take. */
enum sf_status sf_upstream_link_take(struct sf_upstream_link *link,
                                     struct sf_fcgi_piece *piece_out) SF_MUST_CHECK;

/* Behind the end of the answer: the connection can carry another request. */
bool sf_upstream_link_is_reusable(const struct sf_upstream_link *link);
