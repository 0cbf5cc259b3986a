/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * resolver.h - the addresses of one host, asked for under a deadline.
 *
 * The system's own resolver cannot be told when to stop: it works in a thread of its own, which is
 * left behind when it takes too long, and of which there is never a second one for the same host.
 * What it found last is kept, and used when it fails. Numbers and unix sockets are not asked for.
 * Any thread may use it.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/status.h"

#define SF_ADDRESSES_MAX 8

struct sf_address {
    struct sockaddr_storage socket;
    socklen_t size;
};

struct sf_addresses {
    struct sf_address list[SF_ADDRESSES_MAX];
    size_t count; /* at least 1 */
};

struct sf_resolver;

/* Puts the addresses of `host` in, with this port; SF_UNAVAILABLE: the system's words. getaddrinfo, but for tests. */
typedef enum sf_status sf_resolver_ask_fn(const char *host, uint16_t port, struct sf_addresses *addresses_out,
                                          struct sf_error *error);
sf_resolver_ask_fn sf_resolver_ask_system;

/* `host` as in store_url.h: name, number, or path of a unix socket. NULL: no memory. */
struct sf_resolver *sf_resolver_new(const char *host, uint16_t port, sf_resolver_ask_fn *ask);
void sf_resolver_free(struct sf_resolver *resolver); /* waits for nobody */

/* SF_UNAVAILABLE: nothing is known by the deadline, or the name does not exist. */
enum sf_status sf_resolver_find(struct sf_resolver *resolver, sf_time deadline, struct sf_addresses *addresses_out,
                                struct sf_error *error) SF_MUST_CHECK;

/*
 * The deadline of one of several hosts, `left` of which (it is one of them) are still to be found: a share, so that a
 * name that hangs leaves time for the others, and for the connection.
 */
sf_time sf_resolver_share(sf_time deadline, size_t left);

/* What was found does not work (any more): the next one asks again. What is known stays known. */
void sf_resolver_doubt(struct sf_resolver *resolver);

#define SF_ADDRESS_TEXT 128
/* "192.0.2.1", "2001:db8::1", "/run/x.sock": without the port. */
void sf_address_format(const struct sf_address *address, char text_out[SF_ADDRESS_TEXT]);
