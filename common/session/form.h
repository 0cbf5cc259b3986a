/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * form.h - application/x-www-form-urlencoded, the form of SESSION_DATA and of the X-Session-* headers.
 */
#include "common/base/bytes.h"

/* Decoded into memory of `scratch`, which must outlive the spans and never moves what it has handed out. */
typedef enum sf_status sf_form_pair_fn(void *context, struct sf_span name, struct sf_span value, bool has_value);

/* SF_INVALID: a broken %-escape, an empty name, a NUL in a name; or what `pair` returned. */
enum sf_status sf_form_parse(struct sf_span text, struct sf_buffer *scratch, sf_form_pair_fn *pair,
                             void *context) SF_MUST_CHECK;
enum sf_status sf_form_append(struct sf_buffer *text, struct sf_span name, struct sf_span value) SF_MUST_CHECK;
