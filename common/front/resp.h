/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * resp.h - RESP2, the protocol between the fronts and the daemon: pure functions over bytes, no sockets.
 *
 * Requests are arrays of bulk strings (inline commands are refused); replies are what Redis clients understand.
 */
#include "common/base/bytes.h"

#define SF_RESP_WORDS_MAX 4096
#define SF_RESP_BYTES_MAX (2u << 20) /* one request or one reply */

enum sf_resp_type { SF_RESP_SIMPLE, SF_RESP_ERROR, SF_RESP_INTEGER, SF_RESP_BULK, SF_RESP_NIL, SF_RESP_ARRAY };

struct sf_resp_value {
    enum sf_resp_type type;
    struct sf_span text;      /* SIMPLE, ERROR, BULK */
    int64_t integer;          /* INTEGER; ARRAY: number of elements, which follow in the flat list */
};

/*
 * One request from the front of `input`. SF_OK: *count_out words (spans into input; 0: an empty request, to
 * be skipped) and *used_out bytes. SF_NOT_FOUND: more bytes are needed, *used_out in all at the least: asking
 * again before they are there is of no use. SF_INVALID: not RESP or above a limit: close the connection.
 */
enum sf_status sf_resp_parse_request(struct sf_span input, struct sf_span *words_out, size_t words_max,
                                     size_t *count_out, size_t *used_out) SF_MUST_CHECK;

/* One reply, flattened depth first. Same statuses; SF_FULL: it has more than values_max values. */
enum sf_status sf_resp_parse_reply(struct sf_span input, struct sf_resp_value *values_out, size_t values_max,
                                   size_t *count_out, size_t *used_out) SF_MUST_CHECK;

enum sf_status sf_resp_append_array(struct sf_buffer *out, size_t count) SF_MUST_CHECK;
enum sf_status sf_resp_append_bulk(struct sf_buffer *out, struct sf_span bytes) SF_MUST_CHECK;
enum sf_status sf_resp_append_nil(struct sf_buffer *out) SF_MUST_CHECK;
enum sf_status sf_resp_append_integer(struct sf_buffer *out, int64_t value) SF_MUST_CHECK;
/* Line ends and other control characters in the text become blanks. */
enum sf_status sf_resp_append_simple(struct sf_buffer *out, const char *text) SF_MUST_CHECK;
/* "-CODE text": the code is the status name. */
enum sf_status sf_resp_append_error(struct sf_buffer *out, enum sf_status status, const char *text) SF_MUST_CHECK;
