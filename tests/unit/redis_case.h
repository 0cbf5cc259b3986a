/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * redis_case.h - servers on ports of this host that say what a test wants: mistakes that real ones do not make.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"

struct redisReply;
struct redis_fake;

#define REDIS_FAKE_TEXT 2048

/* In the server's own thread: the reply to one command, as it goes over the wire. false: the connection is closed. */
typedef bool redis_fake_fn(struct redis_fake *fake, const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT]);

struct redis_fake {
    redis_fake_fn *answer;
    uint16_t port;
    atomic_int mistake, connections, commands; /* mistake: what the test wants, `commands`: so many were answered */
    size_t reply_size; /* of this reply; 0: it is a text */
    int listener;
    atomic_int is_over;
    pthread_t thread;
};

void redis_fake_start(struct redis_fake *fake, redis_fake_fn *answer);
void redis_fake_stop(struct redis_fake *fake); /* nobody listens at its port any more */

void redis_fake_say(char reply_out[REDIS_FAKE_TEXT], const char *format, ...) SF_PRINTF(2, 3);
/* As one string. */
void redis_fake_say_bytes(struct redis_fake *fake, char reply_out[REDIS_FAKE_TEXT], struct sf_span bytes);
bool redis_fake_is(const struct redisReply *command, const char *word); /* its first one */

/* What servers with data have in common: PING, ROLE, SCRIPT LOAD, the mark. false: it is none of these. */
bool redis_fake_greets(const struct redisReply *command, char reply_out[REDIS_FAKE_TEXT]);
