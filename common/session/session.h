/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * session.h - one session decoded for change: head and sorted fields, all spans borrowed from the record or the ops.
 */
#include "common/session/record.h"

struct sf_session {
    struct sf_record_head head;
    struct sf_field *fields; /* sorted by name */
    size_t count, capacity;
};

void sf_session_init(struct sf_session *session); /* empty, version 0, kind SESSION */
void sf_session_fini(struct sf_session *session);

/* The record must outlive the session. */
enum sf_status sf_session_decode(struct sf_session *session, struct sf_span record) SF_MUST_CHECK;
enum sf_status sf_session_encode(const struct sf_session *session, size_t max_bytes,
                                 struct sf_buffer *record_out) SF_MUST_CHECK;

const struct sf_field *sf_session_find(const struct sf_session *session, struct sf_span name); /* NULL: none */
enum sf_status sf_session_set(struct sf_session *session, struct sf_span name,
                              const struct sf_value *value) SF_MUST_CHECK;
bool sf_session_unset(struct sf_session *session, struct sf_span name);
