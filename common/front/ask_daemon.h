/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ask_daemon.h - questions to session-fastd over its unix socket, each with a deadline.
 *
 * Persistent connections, one for each thread that asks at the same time; non-blocking sockets and poll, so that a dead or
 * stopped daemon holds nobody longer than the deadline. A connection with an unread answer is closed, never used again.
 * After three failures in a row nobody asks for 100 ms, except one probe.
 */
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/front/resp.h"

struct sf_daemon_link; /* for one process; any number of threads */

enum sf_status sf_daemon_link_new(struct sf_daemon_link **link_out, const char *socket_path) SF_MUST_CHECK;
void sf_daemon_link_free(struct sf_daemon_link *link);

struct sf_daemon_reply {
    struct sf_buffer bytes;
    struct sf_resp_value values[64]; /* flattened; spans into bytes */
    size_t count;
};
void sf_daemon_reply_init(struct sf_daemon_reply *reply);
void sf_daemon_reply_fini(struct sf_daemon_reply *reply);

/*
 * Sends the words, waits for one reply. `deadline`: steady clock. SF_OK: look at reply->values[0] (an error reply too);
 * SF_UNAVAILABLE: not reached, nothing was sent; SF_UNCERTAIN: sent, no answer in time.
 */
enum sf_status sf_daemon_ask(struct sf_daemon_link *link, const struct sf_span *words, size_t count,
                             sf_time deadline, struct sf_daemon_reply *reply) SF_MUST_CHECK;

/* The status that an error reply carries in its first word; UNAVAILABLE when it is no name of ours. */
enum sf_status sf_daemon_reply_status(const struct sf_daemon_reply *reply);
