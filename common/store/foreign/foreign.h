/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * foreign.h - sessions of other systems, from the text in which they are stored to a record of
 * ours.
 *
 * A line of text is a session, its columns separated by tabs, as the clients of databases and
 * redis-cli print them:
 *
 *   django         session_key, session_data, expire_date: the columns of the table django_session
 *   connect-redis  the key ("sess:ID", any prefix up to the last ':') and its value, a JSON object
 *   spring         the key ("spring:session:sessions:ID") and its HASH as a JSON object of texts
 *                  (redis-cli --json)
 *   php            the id and the contents of its file, as session.serialize_handler=php writes
 *                  them; the caller makes the line: the contents go to its end, whatever they are
 *   plain          the user, the id, and a JSON object: "expire_time" and perhaps "created_at" and
 *                  "last_activity", in ISO form, and the fields (json_plain.h)
 *
 * Fields: texts and whole numbers as they are; true and false are 1 and 0; null is no field; lists
 * and objects are the text of their JSON, fractions that of the number. Of PHP: what cannot be
 * written as JSON (objects, references, texts that are not UTF-8 within arrays) is the text of
 * serialize(), as BYTES.
 */
#include "common/base/bytes.h"
#include "common/base/clock.h"

enum sf_foreign_kind {
    SF_FOREIGN_DJANGO,
    SF_FOREIGN_CONNECT_REDIS,
    SF_FOREIGN_SPRING,
    SF_FOREIGN_PHP,
    SF_FOREIGN_PLAIN
};

/* "django", ... SF_INVALID: the text lists them. */
enum sf_status sf_foreign_kind_parse(enum sf_foreign_kind *kind_out, const char *text,
                                     struct sf_error *error) SF_MUST_CHECK;

struct sf_foreign_options {
    enum sf_foreign_kind kind;
    const char *user_field; /* the field that says who has logged in; NULL: _auth_user_id for
                               django, else none */
    sf_time now;            /* wall clock */
    sf_time idle_timeout;   /* where the session does not say when it ends, and 0 is: never */
    sf_time last_access;    /* php: of the file; 0: now */
    size_t max_bytes;       /* of the record */
    const uint32_t *logins; /* what a login gets now, by sf_user_epochs_row; NULL: 0 */
};

/*
 * *id_out points into the line. The record is version 1. SF_NOT_FOUND: it expired before `now`.
 * SF_INVALID: not what it should be, or nothing that a session can hold, with a text; SF_FULL:
 * larger than max_bytes.
 */
enum sf_status sf_foreign_read(struct sf_buffer *record_out, struct sf_span *id_out,
                               struct sf_span line, const struct sf_foreign_options *options,
                               struct sf_error *error) SF_MUST_CHECK;
