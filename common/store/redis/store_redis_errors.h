/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_errors.h - what a server means by an error reply, and what an administrator should know of it.
 */
#include <stdbool.h>

#include "common/base/bytes.h"

struct sf_redis_fault {
    const char *word;       /* the reply begins with it, or with the words of a script that failed by it */
    enum sf_status status;
    bool is_other_server;   /* another one, or a new connection, may do */
    const char *meaning;
};

/* The word of the one that a server says before it is asked anything, and leaves. */
#define SF_REDIS_MAXCLIENTS "ERR max number of clients reached"

/* Never NULL: what is not known is SF_UNAVAILABLE, with the server's words. */
const struct sf_redis_fault *sf_redis_fault(struct sf_span reply);

/* The reply begins with this word. */
bool sf_redis_fault_is(struct sf_span reply, const char *word);

/* The server's words, fit for a log: cut before it repeats what it was sent. */
#define SF_REDIS_WORDS_TEXT 128
void sf_redis_words_format(struct sf_span reply, char text_out[SF_REDIS_WORDS_TEXT]);
