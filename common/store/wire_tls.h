/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * wire_tls.h - the TLS half of wire.c: OpenSSL on a socket that does not block.
 *
 * The server's certificate is checked, and so is the name in it; TLS 1.2 is the least.
 */
#include "common/store/wire.h"

struct ssl_st; /* OpenSSL's SSL */

/* What a call needs before it is tried again. */
enum sf_tls_next { SF_TLS_DONE, SF_TLS_WANTS_READ, SF_TLS_WANTS_WRITE, SF_TLS_FAILED };

/* Ready for the handshake. SF_UNAVAILABLE: a file cannot be used, and the text says which. */
enum sf_status sf_tls_new(struct ssl_st **tls_out, int socket, const struct sf_wire_tls *settings,
                          struct sf_error *error) SF_MUST_CHECK;
void sf_tls_free(struct ssl_st *tls); /* NULL is fine; says good-bye, if that does not block */

/* FAILED: the error says why. */
enum sf_tls_next sf_tls_shake_hands(struct ssl_st *tls, struct sf_error *error) SF_MUST_CHECK;
enum sf_tls_next sf_tls_write(struct ssl_st *tls, struct sf_span bytes, size_t *written_out,
                              struct sf_error *error) SF_MUST_CHECK;
enum sf_tls_next sf_tls_read(struct ssl_st *tls, void *bytes_out, size_t room, size_t *read_out,
                             struct sf_error *error) SF_MUST_CHECK;
bool sf_tls_is_quiet(struct ssl_st *tls);
