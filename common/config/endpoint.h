/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * endpoint.h - where somebody listens: "unix:/PATH", "127.0.0.1:PORT", "[::1]:PORT".
 *
 * Addresses are numbers: a name would have to be asked for, and could wait for an answer.
 */
#include <stdbool.h>
#include <sys/socket.h>

#include "common/base/status.h"

struct sf_endpoint {
    struct sockaddr_storage address;
    socklen_t size;
};

/* SF_INVALID: something else; the error begins with the text and says what may stand there. */
enum sf_status sf_endpoint_parse(struct sf_endpoint *endpoint_out, const char *text,
                                 struct sf_error *error) SF_MUST_CHECK;

/* Unix sockets are. */
bool sf_endpoint_is_local(const struct sf_endpoint *endpoint);
