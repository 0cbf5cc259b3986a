/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * wire.h - one stream to a server: TCP or a unix socket, plain or TLS. Nothing waits beyond its
 * deadline (steady clock), not even for a server that sends a byte a second.
 *
 * After anything but SF_OK the stream is of no more use than to be closed. The program ignores SIGPIPE.
 */
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/store/resolver.h"

struct sf_wire;

/* Files are read for each connection: what was exchanged is used from the next one on. */
struct sf_wire_tls {
    const char *host;        /* what the certificate must be made out to: a name or a number */
    const char *ca;          /* file of certificates that are trusted; NULL: those of the system */
    const char *certificate; /* our own, with its chain; NULL: none */
    const char *key;         /* that belongs to it; NULL: in the same file */
};

/*
 * To the first of the addresses that takes it; each gets its share of the time. `tls` NULL: plain.
 * SF_UNAVAILABLE, with the reason of the last address.
 */
enum sf_status sf_wire_open(struct sf_wire **wire_out, const struct sf_addresses *addresses,
                            const struct sf_wire_tls *tls, sf_time deadline, struct sf_error *error) SF_MUST_CHECK;
void sf_wire_close(struct sf_wire *wire); /* NULL is fine */

/* All of it. SF_UNAVAILABLE: none of it went out. SF_UNCERTAIN: some did, or may have. */
enum sf_status sf_wire_send(struct sf_wire *wire, struct sf_span bytes, sf_time deadline,
                            struct sf_error *error) SF_MUST_CHECK;

/* At least one byte, at most `room`. SF_UNAVAILABLE: closed, broken, or too late. */
enum sf_status sf_wire_receive(struct sf_wire *wire, void *bytes_out, size_t room, size_t *size_out,
                               sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* Until there is something to receive, or the end of the stream; false: `until` has come. */
bool sf_wire_wait(struct sf_wire *wire, sf_time until);

#define SF_WIRES_MAX 128
/* The same of any of so many. */
bool sf_wire_wait_any(struct sf_wire *const *wires, size_t count, sf_time until);

/* Between a reply and the next request: it is open and has nothing to say. Waits for nothing. */
bool sf_wire_is_quiet(struct sf_wire *wire);
