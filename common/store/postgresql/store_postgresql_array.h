/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_postgresql_array.h - a column of many rows as one parameter: PostgreSQL's arrays in their
 * binary form.
 */
#include "common/base/bytes.h"

/* As in the server's catalog, for ever the same. */
enum sf_postgresql_type {
    SF_POSTGRESQL_BOOL = 16,
    SF_POSTGRESQL_BYTEA = 17,
    SF_POSTGRESQL_INT8 = 20
};

/* First this, then `count` elements (at least one) of that type. */
enum sf_status sf_postgresql_array_begin(struct sf_buffer *array, enum sf_postgresql_type type,
                                         size_t count) SF_MUST_CHECK;
enum sf_status sf_postgresql_array_add_bytes(struct sf_buffer *array,
                                             struct sf_span bytes) SF_MUST_CHECK;
enum sf_status sf_postgresql_array_add_int8(struct sf_buffer *array, int64_t number) SF_MUST_CHECK;
enum sf_status sf_postgresql_array_add_bool(struct sf_buffer *array, bool value) SF_MUST_CHECK;
