/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * memcached_meta.h - memcached's meta commands, as text and back; no connection.
 *
 * Keys are made here from the key of a session, and from nothing else: no byte of a client gets into a command.
 * Every command carries a number that its reply repeats, so that a reply that belongs to another question shows.
 */
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/identity/session_id.h"

/* What a command needs besides key and number; unused ones are 0. */
struct sf_meta_item {
    const struct sf_key *key;
    uint32_t number;
    uint64_t cas;
    sf_time ttl;
    struct sf_span value;
};

/* The value; where there is none, a lease for `ttl`. */
enum sf_status sf_meta_get(struct sf_buffer *to, const struct sf_meta_item *item) SF_MUST_CHECK;
/* Over what has this cas; 0: over anything. */
enum sf_status sf_meta_set(struct sf_buffer *to, const struct sf_meta_item *item) SF_MUST_CHECK;
enum sf_status sf_meta_delete(struct sf_buffer *to, const struct sf_meta_item *item) SF_MUST_CHECK;
/* Behind the last command: its reply is SF_META_END. */
enum sf_status sf_meta_end(struct sf_buffer *to) SF_MUST_CHECK;

enum sf_meta_code {
    SF_META_VALUE,     /* `size` bytes and a line end follow */
    SF_META_DONE,
    SF_META_OTHER,     /* the cas is another one by now */
    SF_META_MISSING,
    SF_META_REFUSED,   /* too large, no memory: has no number */
    SF_META_END
};

struct sf_meta_reply {
    enum sf_meta_code code;
    size_t size;
    uint64_t cas;      /* 0: none */
    uint32_t number;
    bool has_number;
    bool is_ours;      /* this very question has made the lease */
};

/* One line without its line end. SF_CORRUPT: no such reply. */
enum sf_status sf_meta_parse(struct sf_meta_reply *reply_out, struct sf_span line) SF_MUST_CHECK;
