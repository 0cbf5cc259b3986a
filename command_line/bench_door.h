/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bench_door.h - one way to sessions: through the cache, as a web server's process goes, or straight to
 * the store, as it would without session-fast.
 *
 * A session of a benchmark has a counter `n` and a value that can be verified; every read is.
 */
#include "bench/load/pattern.h"
#include "command_line/bench_stage.h"
#include "common/session/ops.h"

struct bench_session {
    struct sf_key key;
    uint64_t number; /* what its value is made of */
};

struct bench_door; /* for one process or thread */

struct bench_door_ops {
    const char *name;
    struct bench_door *(*open)(const struct bench_stage *stage, uint32_t bytes); /* NULL: failed */
    void (*close)(struct bench_door *door);
    /* session->number is given, its key is the answer; counter 0. */
    enum sf_status (*create)(struct bench_door *door, struct bench_session *session);
    /* SF_CORRUPT: something was there, and not what was put in. */
    enum sf_status (*read)(struct bench_door *door, const struct bench_session *session,
                           int64_t *n_out);
    enum sf_status (*change)(struct bench_door *door, const struct bench_session *session);
    enum sf_status (*end)(struct bench_door *door, const struct bench_session *session);
};

extern const struct bench_door_ops bench_door_front; /* libsession: cache, then daemon */
extern const struct bench_door_ops bench_door_store; /* the SQLite store, a load and a write each */

/* Fields of a session that was just made: "data" and "n". `value` has room for `bytes`. */
enum sf_status bench_door_fill(struct sf_ops *ops, unsigned char *value, uint32_t bytes,
                               uint64_t number) SF_MUST_CHECK;

/* SF_OK: the value is whole and this session's. */
enum sf_status bench_door_verify(const struct sf_session *session, uint64_t number,
                                 int64_t *n_out) SF_MUST_CHECK;
