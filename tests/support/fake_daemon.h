/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * fake_daemon.h - a thread behind a unix socket that answers each request as its script says: well, badly,
 * late or not at all.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common/base/bytes.h"

#define SF_FAKE_REQUESTS_MAX 32
#define SF_FAKE_REQUEST_TEXT 256
#define SF_FAKE_CONNECTIONS_MAX 8

/* What happens to one request, in the order in which they come. Requests behind the last step get no answer. */
struct sf_fake_step {
    const char *reply; /* NULL: none */
    size_t bytes;      /* of the reply; 0: as text */
    int delay_ms;      /* before it */
    bool closes;       /* the connection, after it */
};

struct sf_fake_daemon {
    char path[100];
    const struct sf_fake_step *steps;
    size_t step_count;
    pthread_t thread;
    int listen_fd, stop_fd;
    int connections[SF_FAKE_CONNECTIONS_MAX];
    struct sf_buffer inputs[SF_FAKE_CONNECTIONS_MAX];
    _Atomic size_t accepted, answered;
    char requests[SF_FAKE_REQUESTS_MAX][SF_FAKE_REQUEST_TEXT]; /* words and blanks; look behind an answer */
};

/* Ends the test program when it cannot. */
void sf_fake_daemon_start(struct sf_fake_daemon *fake, const char *path, const struct sf_fake_step *steps,
                          size_t count);
void sf_fake_daemon_stop(struct sf_fake_daemon *fake);
