/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * params.h - the variables of one request, as the web server sent them and as the application gets
 * them.
 *
 * Collected from the PARAMS stream up to a limit of bytes, then taken apart in place: each is kept
 * as "NAME=value" with a NUL behind it, as an environment wants it. A name is there once: the last
 * one sent counts, as in php-fpm.
 */
#include "common/base/bytes.h"

/* Room for what sf_params_set adds, above the limits of what is collected; each field of a session
 * may become one. */
#define SF_PARAMS_OWN_BYTES 131072
#define SF_PARAMS_OWN_COUNT 4352

struct sf_param {
    size_t at; /* of "NAME=value" in the text */
    size_t name_size, value_size;
};

struct sf_params {
    struct sf_buffer text;
    struct sf_param *items; /* malloc'ed */
    size_t count, room;
    size_t size_limit, count_limit; /* of what the web server sends */
};

void sf_params_init(struct sf_params *params, size_t size_limit, size_t count_limit);
void sf_params_fini(struct sf_params *params);
void sf_params_clear(struct sf_params *params); /* for the next request; keeps the memory */

/* A piece of the PARAMS stream. SF_FULL: larger than the limit. */
enum sf_status sf_params_collect(struct sf_params *params, struct sf_span piece) SF_MUST_CHECK;

/*
 * After the last piece. SF_INVALID: a pair that is cut off, a name that is empty or has '=', a NUL;
 * SF_FULL: too many. On failure there are none.
 */
enum sf_status sf_params_decode(struct sf_params *params) SF_MUST_CHECK;

/* Valid until the next change; NULL: there is none. */
const char *sf_params_get(const struct sf_params *params, const char *name);
/* The same; an empty span for none. */
struct sf_span sf_params_span(const struct sf_params *params, const char *name);
/* The one at `index`, as "NAME=value". */
const char *sf_params_text(const struct sf_params *params, size_t index);

/* Replaces or adds; `value` may be one of ours. SF_FULL. SF_INVALID: as sf_params_decode. */
enum sf_status sf_params_set(struct sf_params *params, const char *name,
                             struct sf_span value) SF_MUST_CHECK;
enum sf_status sf_params_set_text(struct sf_params *params, const char *name,
                                  const char *value) SF_MUST_CHECK;
void sf_params_remove(struct sf_params *params, const char *name);

typedef bool sf_params_filter_fn(const char *name);
/* Removes all that `is_unwanted` says yes to. */
void sf_params_filter(struct sf_params *params, sf_params_filter_fn *is_unwanted);

/* As the content of a PARAMS stream, behind what `pairs` holds. */
enum sf_status sf_params_encode(const struct sf_params *params,
                                struct sf_buffer *pairs) SF_MUST_CHECK;
