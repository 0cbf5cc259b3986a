/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record.h - one session as bytes: what L1, the stores and the daemon's replies carry.
 *
 * Little-endian, versioned, self-describing; every offset is checked before it is followed, so
 * hostile bytes give SF_CORRUPT and nothing else. The field table is sorted by name: one field is
 * found without decoding the rest. The layout is in docs/record-format.md; the bytes at its end
 * stand in tests/unit/check_record.c, too.
 */
#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/identity/session_id.h"

#define SF_RECORD_BYTES_MAX (1u << 20) /* no record is larger, whatever SessionFastMaxBytes says */
#define SF_FIELD_NAME_MAX 255
#define SF_FIELDS_MAX 4096
#define SF_USER_MAX 255

enum sf_record_kind {
    SF_RECORD_SESSION = 1,
    SF_RECORD_ENDED = 2 /* a tombstone; until grace_until also an image for requests with the old id */
};

enum sf_end_reason {
    SF_END_NONE,
    SF_END_LOGOUT,
    SF_END_ADMIN,
    SF_END_ROTATED,
    SF_END_LOGIN,
    SF_END_EXPIRED
};

/*
 * Of a session, not of an ended one: what becomes of it when the cache is full. Kept in all its
 * versions until somebody takes it back.
 */
enum sf_record_flag {
    SF_RECORD_BOT = 1,     /* made by a program that follows links: goes first */
    SF_RECORD_PINNED = 2,  /* goes last */
    SF_RECORD_CHILDREN = 4, /* others hang on it, such as a cart */
    SF_RECORD_EPOCHS = 8    /* it is no session: see user_epochs.h. No application can say that */
};

enum sf_value_type { SF_VALUE_STRING = 1, SF_VALUE_INTEGER = 2, SF_VALUE_BYTES = 3 };

struct sf_value {
    enum sf_value_type type;
    struct sf_span bytes; /* STRING and BYTES */
    int64_t integer;      /* INTEGER */
};

struct sf_field {
    struct sf_span name; /* 1..255 bytes, no NUL */
    struct sf_value value;
};

struct sf_record_head {
    enum sf_record_kind kind;
    enum sf_end_reason end_reason; /* ENDED only */
    uint64_t version;              /* one up for every change */
    uint32_t generation;           /* one up for every new id */
    uint32_t user_epoch;           /* of its login: see user_epochs.h */
    uint8_t flags;                 /* enum sf_record_flag; ENDED: none */
    sf_time created, last_access; /* wall clock; as of this version: L1 may know a later access */
    sf_time idle_timeout;         /* 0: none; whole seconds */
    sf_time absolute_deadline;    /* wall clock; 0: none. ENDED: may be forgotten after it */
    sf_time grace_until;          /* ENDED: the fields may be read until then */
    struct sf_key successor;      /* ENDED by ROTATED: changes go there until grace_until */
    struct sf_span user;          /* empty: anonymous */
    struct sf_span lineage;       /* see lineage.h; empty where no other host shares the store */
    uint32_t field_count;
};

/*
 * What a cache wants to know of a record that it does not copy: from its first bytes, which need not
 * be valid.
 */
#define SF_RECORD_HEAD_BYTES 88

struct sf_record_brief {
    enum sf_record_kind kind;
    uint64_t version;
    uint32_t user_epoch;
    sf_time last_access, idle_timeout, absolute_deadline, grace_until;
};

struct sf_record_brief sf_record_brief(const unsigned char head[SF_RECORD_HEAD_BYTES]);

/* Somebody logged out, or was made to: not what a rotation or the sweep leaves. */
static inline bool
sf_record_is_end(const struct sf_record_head *head)
{
    return head->kind == SF_RECORD_ENDED &&
           (head->end_reason == SF_END_LOGOUT || head->end_reason == SF_END_ADMIN);
}

/* What encode accepts: 1..255 bytes without NUL; the user may be empty as well. */
bool sf_name_is_valid(struct sf_span name);
bool sf_user_is_valid(struct sf_span user);

/* "bot", "pinned", "children", and "epochs", which only rows of the store have; any case. 0: none of them. */
uint8_t sf_record_flag_parse(struct sf_span word);
/* All that are set, separated by blanks. */
#define SF_RECORD_FLAGS_TEXT 32
void sf_record_flags_format(uint8_t flags, char text_out[SF_RECORD_FLAGS_TEXT]);

/* Whole validation: table sorted and unique, names and values packed, nothing left over. SF_CORRUPT. */
enum sf_status sf_record_check(struct sf_span record) SF_MUST_CHECK;

/*
 * All fields, where sf_record_head has found the head right; fields_out has room for as many as it
 * says. Whatever else is wrong is SF_CORRUPT: some of them may have been written.
 */
enum sf_status sf_record_fields(struct sf_field *fields_out, struct sf_span record) SF_MUST_CHECK;

/*
 * These validate what they touch; spans point into the record. SF_CORRUPT; field: SF_NOT_FOUND behind
 * the last one; find: SF_NOT_FOUND when there is no such field.
 */
enum sf_status sf_record_head(struct sf_record_head *head_out, struct sf_span record) SF_MUST_CHECK;
enum sf_status sf_record_field(struct sf_field *field_out, struct sf_span record,
                               uint32_t index) SF_MUST_CHECK;
enum sf_status sf_record_find(struct sf_value *value_out, struct sf_span record,
                              struct sf_span name) SF_MUST_CHECK;
/* The same; and where the value stands: 8 bytes of an INTEGER (sf_store_u64), or those of its text. */
enum sf_status sf_record_place(struct sf_value *value_out, size_t *at_out, struct sf_span record,
                               struct sf_span name) SF_MUST_CHECK;

/*
 * The same search in a record that lies where it cannot be pointed into. `read` copies so many bytes
 * from there; only what lies within record_size is asked for. What the bytes say is checked as above;
 * whether they belong together is the caller's to find out.
 */
typedef void sf_record_read_fn(const void *context, void *to, size_t at, size_t bytes);

struct sf_record_part {
    enum sf_value_type type;
    int64_t integer; /* INTEGER */
    size_t at, size; /* STRING and BYTES: where in the record */
};

enum sf_status sf_record_find_part(struct sf_record_part *part_out, struct sf_record_brief *brief_out,
                                   sf_record_read_fn *read, const void *context, size_t record_size,
                                   struct sf_span name) SF_MUST_CHECK;

/*
 * Replaces what record_out holds, which must not be what the spans of head or fields point into.
 * head->field_count says how many `fields` there are: sorted and unique (assert). SF_FULL: above
 * `max_bytes`, without the lineage; SF_INVALID: a name, a user, a time or a count out of bounds, or a successor without
 * ENDED by ROTATED. An idle timeout is rounded up to whole seconds.
 */
enum sf_status sf_record_encode(struct sf_buffer *record_out, const struct sf_record_head *head,
                                const struct sf_field *fields, size_t max_bytes) SF_MUST_CHECK;

/*
 * Wall time at which the session is gone, given its last access (0: never). ENDED records: when they
 * may be forgotten.
 */
sf_time sf_record_expires(const struct sf_record_head *head, sf_time last_access);
