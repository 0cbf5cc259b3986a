/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ask_daemon.h - questions to session-fastd over its unix socket, each with a deadline.
 *
 * Persistent connections, one for each thread that asks at the same time; non-blocking sockets and poll, so
 * that a dead or stopped daemon holds nobody longer than the deadline. A connection with an unread answer is
 * closed, never used again. A daemon that is just being restarted is waited for. After three failures in a
 * row nobody asks for 100 ms, except one probe.
 */
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/front/resp.h"

struct sf_daemon_link; /* for one process, made after fork; any number of threads */

/* SF_INVALID: the path does not fit into a socket address. Connects to nothing yet. */
enum sf_status sf_daemon_link_new(struct sf_daemon_link **link_out, const char *socket_path) SF_MUST_CHECK;
void sf_daemon_link_free(struct sf_daemon_link *link);

/* false after a question that was not answered in time, until one is. */
bool sf_daemon_link_is_up(const struct sf_daemon_link *link);

struct sf_daemon_reply {
    struct sf_buffer bytes;
    struct sf_resp_value *values; /* flattened; spans into bytes; malloc'ed by the first answer */
    size_t count, values_max;
};
/* An answer of more than `values_max` values is none: SF_UNCERTAIN. */
void sf_daemon_reply_init(struct sf_daemon_reply *reply, size_t values_max);
void sf_daemon_reply_fini(struct sf_daemon_reply *reply);

/*
 * Sends the words, waits for one reply. `deadline`: steady clock. SF_OK: look at reply->values[0] (an error
 * reply too); SF_UNAVAILABLE: the daemon has not read the whole question: nothing was done; SF_UNCERTAIN:
 * sent, no answer in time. SF_FULL: the question is larger than the protocol allows.
 */
enum sf_status sf_daemon_ask(struct sf_daemon_link *link, const struct sf_span *words, size_t count,
                             sf_time deadline, struct sf_daemon_reply *reply) SF_MUST_CHECK;

/*
 * The status that an error reply carries in its first word; UNAVAILABLE when it is no name of ours. SF_OK:
 * the reply is no error.
 */
enum sf_status sf_daemon_reply_status(const struct sf_daemon_reply *reply);
