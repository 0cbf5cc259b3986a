/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * session.h - one session decoded for change: head and sorted fields, all spans borrowed from the
 * record or the ops.
 */
#include "common/session/record.h"

struct sf_session {
    struct sf_record_head head;
    struct sf_field *fields; /* sorted by name */
    size_t count, capacity;
    bool is_stored; /* the store has this version: see lineage.h. What is stored and not known to be is no harm */
};

void sf_session_init(struct sf_session *session); /* empty, version 0, kind SESSION */
void sf_session_fini(struct sf_session *session);

/*
 * Checks the whole record (SF_CORRUPT) and replaces what `session` held, which is left as it was on
 * failure. The record must outlive the session.
 */
enum sf_status sf_session_decode(struct sf_session *session, struct sf_span record) SF_MUST_CHECK;
enum sf_status sf_session_encode(const struct sf_session *session, size_t max_bytes,
                                 struct sf_buffer *record_out) SF_MUST_CHECK;

/* NULL: there is none. */
const struct sf_field *sf_session_find(const struct sf_session *session, struct sf_span name);
/* SF_INVALID: a bad name; SF_FULL: SF_FIELDS_MAX are there. Name and value stay borrowed. */
enum sf_status sf_session_set(struct sf_session *session, struct sf_span name,
                              const struct sf_value *value) SF_MUST_CHECK;
bool sf_session_unset(struct sf_session *session, struct sf_span name);

#define SF_NUMBER_TEXT 21 /* the longest int64_t and a NUL */

/* A value as text: integers are written into `number`, others are their own bytes. */
struct sf_span sf_value_text(const struct sf_value *value, char number[SF_NUMBER_TEXT]);
bool sf_value_equal(const struct sf_value *a, const struct sf_value *b); /* type and content */
