/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * export.h - what an application sees of its session: environment variables.
 *
 *   SESSION_STATE     none | new | active
 *   SESSION_KEY       first 8 hex digits of the key
 *   SESSION_USER      only when logged in
 *   SESSION_CREATED, SESSION_EXPIRES    seconds since 1970; no EXPIRES: never
 *   SESSION_FIELD_X   one for each exported field: letters become upper case, digits stay, everything
 *                     else becomes _
 *   SESSION_OMITTED   how many exported fields have none: names that collide (neither of them),
 *                     values with NUL, of type BYTES, longer than SF_EXPORT_VALUE_MAX, or behind
 *                     SF_EXPORT_FIELDS_MAX
 *   SESSION_DATA      all exported fields, form-encoded or JSON; when it would be larger than
 *                     SF_EXPORT_DATA_MAX: SESSION_TRUNCATED=1 instead
 *
 * Always all of SESSION_* is ours: sf_export_is_ours() says what must be removed first.
 */
#include <stdbool.h>

#include "common/config/config.h"
#include "common/session/session.h"

/* mod_proxy_fcgi drops a variable above 16 KiB; others refuse a request with more than 64 KiB. */
#define SF_EXPORT_VALUE_MAX 8192   /* bytes of one SESSION_FIELD_* */
#define SF_EXPORT_FIELDS_MAX 16384 /* bytes of all of them, with their names */
#define SF_EXPORT_DATA_MAX 15360

struct sf_export_options {
    const char *fields; /* "*" or names separated by one space */
    enum sf_data_format data_format;
};

/* Each name once. Both are valid during the call only; the value has no NUL in it. */
typedef void sf_export_variable_fn(void *context, const char *name, struct sf_span value);

/*
 * `session` NULL: SESSION_STATE=none and nothing else. `expires` 0: never. Fails with SF_NO_MEMORY
 * only.
 */
enum sf_status sf_export_environment(const struct sf_session *session, const struct sf_key *key,
                                     bool is_new, sf_time expires,
                                     const struct sf_export_options *options,
                                     sf_export_variable_fn *variable, void *context) SF_MUST_CHECK;

/*
 * SESSION, HTTP_SESSION, HTTP_X_SESSION, and each with "_..." behind it; with any number of REDIRECT_
 * in front, which web servers put there when they redirect inside.
 */
bool sf_export_is_ours(const char *variable_name);

/*
 * mod_auth_form keeps a login of the realm AuthName in the fields "<AuthName>-user", "<AuthName>-pw"
 * and "<AuthName>-site": the AuthName of such a name, empty for any other.
 */
struct sf_span sf_export_realm(struct sf_span name);
bool sf_export_is_user(struct sf_span name); /* "<AuthName>-user" */

/*
 * mod_auth_form keeps a password in clear ("<AuthName>-pw"), or a hash that is as good as one
 * ("<AuthName>-site"): no application and no screen needs them.
 */
bool sf_export_is_credential(struct sf_span name);

/* May the field be shown? "*" is all but credentials; those must be named. */
bool sf_export_allows(const char *fields, struct sf_span name);

/*
 * All exported fields as one JSON object, behind what json_out holds. Values that are not UTF-8
 * become {"base64": "..."}, bytes in names that are not become U+FFFD. SF_FULL: the limit of
 * json_out, which is as it was then.
 */
enum sf_status sf_export_json(const struct sf_session *session, const char *fields,
                              struct sf_buffer *json_out) SF_MUST_CHECK;
