/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * export.h - what an application sees of its session: environment variables.
 *
 *   SESSION_STATE    none | new | active      SESSION_USER     only when logged in
 *   SESSION_KEY      first 8 hex digits       SESSION_CREATED, SESSION_EXPIRES   seconds since 1970 (no EXPIRES: never)
 *   SESSION_FIELD_X  one per exported field: A-Z 0-9 _, lower case becomes upper, everything else _. Names that collide have
 *                    none (neither of them), nor have values with NUL, of type BYTES, longer than SF_EXPORT_VALUE_MAX, or
 *                    behind SF_EXPORT_FIELDS_MAX: these are in SESSION_DATA only, and SESSION_OMITTED says how many
 *   SESSION_DATA     all exported fields, form-encoded or JSON; above SF_EXPORT_DATA_MAX left out, SESSION_TRUNCATED=1 instead
 *
 * Always all of SESSION_* is ours: sf_export_is_ours() says what must be removed first.
 */
#include <stdbool.h>

#include "common/config/config.h"
#include "common/session/session.h"

/* mod_proxy_fcgi drops a variable above 16 KiB; other web servers refuse a request with more than 64 KiB of them. */
#define SF_EXPORT_VALUE_MAX 8192   /* bytes of one SESSION_FIELD_* */
#define SF_EXPORT_FIELDS_MAX 16384 /* bytes of all of them, with their names */
#define SF_EXPORT_DATA_MAX 15360

struct sf_export_options {
    const char *fields; /* "*" or names separated by one space */
    enum sf_data_format data_format;
};

/* `value` is NUL-terminated and valid during the call only. */
typedef void sf_export_variable_fn(void *context, const char *name, const char *value);

/* `session` NULL: SESSION_STATE=none and nothing else. `expires` 0: never. Fails with SF_NO_MEMORY only. */
enum sf_status sf_export_environment(const struct sf_session *session, const struct sf_key *key, bool is_new,
                                     sf_time expires, const struct sf_export_options *options,
                                     sf_export_variable_fn *variable, void *context) SF_MUST_CHECK;

bool sf_export_is_ours(const char *variable_name); /* "SESSION", "SESSION_..." , "HTTP_SESSION", "HTTP_X_SESSION_..." */

/* May the field be shown? */
bool sf_export_allows(const char *fields, struct sf_span name);

/*
 * All exported fields as one JSON object, behind what json_out holds; values that are not UTF-8 become {"base64": "..."}, other
 * bytes than UTF-8 in names become U+FFFD. SF_FULL: the limit of json_out; it is as it was then.
 */
enum sf_status sf_export_json(const struct sf_session *session, const char *fields, struct sf_buffer *json_out)
    SF_MUST_CHECK;
