/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * foreign_private.h - what the formats of foreign.h share.
 */
#include <jansson.h>

#include "common/session/session.h"
#include "common/store/foreign/foreign.h"

/* A session on its way to a record: its fields point into the line, or into what is in `kept`. */
struct sf_foreign {
    const struct sf_foreign_options *options;
    struct sf_session session;
    sf_time expires; /* wall clock; 0: not said */
    json_t *kept;    /* an array */
    struct sf_error *error;
};

/* By the tabs, from the left; the last column is the rest. false: fewer. */
bool sf_foreign_columns(struct sf_span line, struct sf_span *columns_out, size_t count);

enum sf_status sf_foreign_fail(struct sf_foreign *foreign,
                               const char *text) SF_MUST_CHECK; /* SF_INVALID */
enum sf_status sf_foreign_keep(struct sf_foreign *foreign,
                               json_t *value) SF_MUST_CHECK; /* takes the reference */
/* NULL: not JSON, not an object. Kept. */
json_t *sf_foreign_object(struct sf_foreign *foreign, struct sf_span text);

enum sf_status sf_foreign_set(struct sf_foreign *foreign, struct sf_span name,
                              const struct sf_value *value) SF_MUST_CHECK;
/* As foreign.h says for each type. `value` must be kept. */
enum sf_status sf_foreign_set_json(struct sf_foreign *foreign, struct sf_span name,
                                   json_t *value) SF_MUST_CHECK;

/* "2026-01-31 09:00:00[.123456][+00[:00]]", or with a T; without an offset it is UTC. false: it is none. */
bool sf_foreign_time(struct sf_span text, sf_time *time_out);

typedef enum sf_status sf_foreign_format(struct sf_foreign *foreign, struct sf_span *id_out,
                                         struct sf_span line);
sf_foreign_format sf_foreign_django, sf_foreign_connect_redis, sf_foreign_spring, sf_foreign_php,
    sf_foreign_plain;
