/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * target.h - one thing that holds sessions, as bench_cache sees it: ours, and those of others.
 *
 * Everybody holds the same: sessions 0..count-1, each with a value of pattern.h and a counter `n`. A
 * read copies the whole value out into the worker's own memory, for everybody, because that is what
 * a web-server process needs. Opened once by the driver, then used by workers, each with a
 * descriptor of its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/identity/session_id.h"

#define TARGET_TEXT_MAX 200

struct target_plan {
    uint32_t sessions;
    uint32_t bytes;          /* of a session: what a read copies */
    unsigned workers;        /* at most, at the same time */
    const char *memory;      /* a folder in memory (tmpfs) of this target's own */
    const char *disk;        /* a folder on a disk, of this target's own */
};

struct target_failure {
    char text[TARGET_TEXT_MAX];
};

/* What a read found. Valid until the worker's next call. */
struct target_found {
    const unsigned char *value;
    size_t bytes;
};

enum target_answer {
    TARGET_DONE,
    TARGET_LOST, /* it was put in and is not there: allowed to a cache, counted */
    TARGET_WRONG /* it failed, or what it answered cannot be */
};

struct target;
struct target_worker;

struct target_ops {
    const char *name;
    const char *what;      /* one line, for people */
    bool counts_exactly;   /* two changes at once both count */
    bool may_tear;         /* reads beside writes may be of two versions: counted, allowed */
    bool is_server;        /* another process answers */

    /* false: cannot be measured here; the failure says why, and is shown in the tables. */
    bool (*open)(struct target **target_out, const struct target_plan *plan,
                 struct target_failure *failure);
    void (*close)(struct target *target);

    /* In the worker's process or thread. NULL: failed. */
    struct target_worker *(*attach)(struct target *target);
    void (*detach)(struct target_worker *worker);

    /* Sessions first..first+count-1, version 1, counter 0. */
    bool (*fill)(struct target_worker *worker, uint32_t first, uint32_t count);
    enum target_answer (*read)(struct target_worker *worker, uint32_t session,
                               struct target_found *found_out);
    /* The whole value, by the one of `version`; the counter stays. */
    enum target_answer (*write)(struct target_worker *worker, uint32_t session, uint64_t version);
    /* Adds one to the counter. */
    enum target_answer (*change)(struct target_worker *worker, uint32_t session);
    /* The counter alone. */
    enum target_answer (*field)(struct target_worker *worker, uint32_t session, int64_t *n_out);
};

/* All, in the order of the tables; those that this build has no library for only say so in open. */
extern const struct target_ops *const targets[];

bool target_fail(struct target_failure *failure, const char *format, ...) SF_PRINTF(2, 3);

/* What most workers need: a value to be sent, restamped for each, and room for one that came. */
struct target_values {
    unsigned char *sent, *found;
    size_t bytes;
};

bool target_values_init(struct target_values *values, size_t bytes);
void target_values_fini(struct target_values *values);
const unsigned char *target_values_stamp(struct target_values *values, uint32_t session,
                                         uint64_t version);

/* The key that a session has everywhere. */
struct sf_key target_key(uint32_t session);

#define TARGET_KEY_TEXT 33
void target_key_text(uint32_t session, char text_out[TARGET_KEY_TEXT]);
