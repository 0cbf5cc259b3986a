/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * form.h - application/x-www-form-urlencoded, the form of SESSION_DATA and of the X-Session-*
 * headers.
 */
#include "common/base/bytes.h"

/*
 * `name` and `value` lie in `scratch`, behind what it held. One call makes room once, so they stay
 * where they are until scratch grows again: whoever parses several texts into one scratch reserves
 * the sum of their sizes first. The callback leaves scratch alone. has_value is false when there was
 * no '='.
 */
typedef enum sf_status sf_form_pair_fn(void *context, struct sf_span name, struct sf_span value,
                                       bool has_value);

/*
 * Calls `pair` for each pair in order; empty ones ("a=1&&b=2") are skipped, '+' is a blank.
 * SF_INVALID: a broken %-escape, an empty name, a NUL in a name; or what `pair` returned.
 */
enum sf_status sf_form_parse(struct sf_span text, struct sf_buffer *scratch, sf_form_pair_fn *pair,
                             void *context) SF_MUST_CHECK;

/* One name or value; same scratch. */
enum sf_status sf_form_decode(struct sf_span text, struct sf_buffer *scratch,
                              struct sf_span *decoded_out) SF_MUST_CHECK;

/* Adds "name=value", behind a '&' unless `text` is empty. On failure `text` is as it was. */
enum sf_status sf_form_append(struct sf_buffer *text, struct sf_span name,
                              struct sf_span value) SF_MUST_CHECK;
