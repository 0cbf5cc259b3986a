/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plain.h - sessions as an application keeps them in a backend by itself: one request a session, a value
 * of text under an id, nothing batched, nothing cached. What the stores of session-fast are compared with.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"

#define PLAIN_ID_TEXT 40
#define PLAIN_LIFETIME_S 600 /* rows that are left behind by an interrupt do not stay for ever */

struct plain {
    const struct plain_ops *ops; /* first member of every client's own struct */
};

/* false: it failed, or there is no such session. */
struct plain_ops {
    const char *scheme; /* of the URL of our store at the same server */
    const char *what;
    struct plain *(*open)(const char *url, const char *folder); /* NULL: failed, which was told */
    void (*close)(struct plain *plain); /* removes everything */
    bool (*create)(struct plain *plain, const char *id, struct sf_span value);
    bool (*read)(struct plain *plain, const char *id, struct sf_buffer *value_out);
    bool (*save)(struct plain *plain, const char *id, struct sf_span value);
    bool (*end)(struct plain *plain, const char *id);
    bool (*forget)(struct plain *plain, const char *id); /* by its cache; NULL: it has none */
};

extern const struct plain_ops plain_sqlite, plain_file;
extern const struct plain_ops plain_postgresql, plain_mysql, plain_redis; /* where they are built */

/* NULL: none for a store of this URL. */
const struct plain_ops *plain_find(const char *url);

/*
 * Reads a cache first and fills it; changes `inner`, then the cache: memcached at a unix socket. `inner` stays
 * the caller's.
 */
struct plain *plain_cached_open(struct plain *inner, const char *socket_path);

void plain_id(char id_out[PLAIN_ID_TEXT], uint64_t number);
/* Text that says whose it is. */
void plain_value(char *value_out, size_t bytes, uint64_t number, uint64_t version);

/* To standard error; returns NULL. */
struct plain *plain_fail(const struct plain_ops *ops, const char *text);
