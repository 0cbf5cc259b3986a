/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * export.h - what an application sees of its session: environment variables.
 *
 *   SESSION_STATE    none | new | active      SESSION_USER     only when logged in
 *   SESSION_KEY      first 8 hex digits       SESSION_CREATED, SESSION_EXPIRES   seconds since 1970 (no EXPIRES: never)
 *   SESSION_FIELD_X  one per exported field: A-Z 0-9 _, everything else becomes _; names that collide are left out
 *                    (both) and counted in SESSION_OMITTED; values with NUL or of type BYTES are in SESSION_DATA only
 *   SESSION_DATA     all exported fields, form-encoded or JSON; above SF_EXPORT_DATA_MAX left out, SESSION_TRUNCATED=1 instead
 *
 * Always all of SESSION_* is ours: sf_export_is_ours() says what must be removed first.
 */
#include <stdbool.h>

#include "common/config/config.h"
#include "common/session/session.h"

#define SF_EXPORT_VALUE_MAX 8192 /* bytes of one SESSION_FIELD_*; longer: SESSION_DATA only. mod_proxy_fcgi drops > 16 KiB */
#define SF_EXPORT_DATA_MAX 15360

struct sf_export_options {
    const char *fields; /* "*" or names separated by one space */
    enum sf_data_format data_format;
};

/* `value` is NUL-terminated and valid during the call only. */
typedef void sf_export_variable_fn(void *context, const char *name, const char *value);

/* `session` NULL: SESSION_STATE=none and nothing else. `expires` 0: never. */
enum sf_status sf_export_environment(const struct sf_session *session, const struct sf_key *key, bool is_new,
                                     sf_time expires, const struct sf_export_options *options,
                                     sf_export_variable_fn *variable, void *context) SF_MUST_CHECK;

bool sf_export_is_ours(const char *variable_name); /* "SESSION", "SESSION_..." , "HTTP_SESSION", "HTTP_X_SESSION_..." */

/* May the field be shown? */
bool sf_export_allows(const char *fields, struct sf_span name);

/* All exported fields as one JSON object; BYTES that are not UTF-8 become {"base64": "..."}. */
enum sf_status sf_export_json(const struct sf_session *session, const char *fields, struct sf_buffer *json_out)
    SF_MUST_CHECK;
