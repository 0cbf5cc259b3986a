/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cookie.h - finding our cookie in a Cookie header, taking it out, and writing Set-Cookie.
 *
 * One pass, linear, any bytes: names are compared exactly, values may be quoted, ',' belongs to a
 * value, a pair without '=' or without a name is never ours.
 *
 * But two Cookie lines of one request reach us joined by ", ". So NAME=<43 characters of an id> ends
 * at ", ", and behind a ", " it is taken out, but never offered: any site of the domain can make a
 * browser send "other=x, __Host-id=<an id of its own>", and the prefix would protect nobody.
 */
#include <stdbool.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/config/config.h"

#define SF_COOKIE_HEADER_MAX 65536 /* bytes; a longer header holds no cookie of ours */

/* Called for each value of a cookie with that name, in order; false ends the walk. */
typedef bool sf_cookie_value_fn(void *context, struct sf_span value);

void sf_cookie_each(struct sf_span header, const char *name, sf_cookie_value_fn *value,
                    void *context);

/*
 * The header without any cookie of that name, whatever its size; the other cookies stay as they are,
 * byte for byte. *header_out (header.size + 1 bytes) is empty when nothing remains. Returns how many
 * were taken out.
 */
size_t sf_cookie_remove(struct sf_span header, const char *name, char *header_out);

/* Attributes that sf_config_check has accepted. */
struct sf_cookie_options {
    const char *name, *domain, *path; /* domain may be "" */
    bool secure, http_only;
    enum sf_same_site same_site;
    sf_time max_age; /* 0: a session cookie */
};

/* Does this value of a Set-Cookie header set a cookie of that name? As browsers read it. */
bool sf_cookie_is_set_by(const char *set_cookie, const char *name);

void sf_cookie_options_from(struct sf_cookie_options *options_out, const struct sf_config *config);

/*
 * The value of a Set-Cookie header, in place of what header_out holds. `value` NULL: takes the cookie
 * away (Max-Age=0, same attributes). `now`: wall clock. SF_INVALID: a value that is not base64url, an
 * option with a control character or a ';'.
 */
enum sf_status sf_cookie_format(struct sf_buffer *header_out,
                                const struct sf_cookie_options *options, const char *value,
                                sf_time now) SF_MUST_CHECK;
