/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * fcgi_record.h - the bytes of FastCGI, for both ends of a connection: pure functions, no input or
 * output.
 *
 * A record is a header of 8 bytes, up to 65535 bytes of content, up to 255 bytes of padding.
 * Streams (PARAMS, STDIN, STDOUT, STDERR) end with a record without content.
 */
#include "common/base/bytes.h"

#define SF_FCGI_HEADER_BYTES 8
#define SF_FCGI_BODY_BYTES 8 /* the content of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE */
#define SF_FCGI_CONTENT_MAX 65535
#define SF_FCGI_CHUNK 65528 /* the largest content that needs no padding */

enum sf_fcgi_type {
    SF_FCGI_BEGIN_REQUEST = 1,
    SF_FCGI_ABORT_REQUEST,
    SF_FCGI_END_REQUEST,
    SF_FCGI_PARAMS,
    SF_FCGI_STDIN,
    SF_FCGI_STDOUT,
    SF_FCGI_STDERR,
    SF_FCGI_DATA,
    SF_FCGI_GET_VALUES,
    SF_FCGI_GET_VALUES_RESULT,
    SF_FCGI_UNKNOWN_TYPE
};

enum sf_fcgi_role { SF_FCGI_RESPONDER = 1, SF_FCGI_AUTHORIZER, SF_FCGI_FILTER };

enum sf_fcgi_protocol_status {
    SF_FCGI_REQUEST_COMPLETE,
    SF_FCGI_CANT_MPX_CONN,
    SF_FCGI_OVERLOADED,
    SF_FCGI_UNKNOWN_ROLE
};

struct sf_fcgi_header {
    uint8_t type; /* enum sf_fcgi_type, or whatever the peer sent */
    uint16_t id;
    uint16_t content_size;
    uint8_t padding_size;
};

/* SF_INVALID: not version 1. */
enum sf_status sf_fcgi_header_decode(const unsigned char bytes[SF_FCGI_HEADER_BYTES],
                                     struct sf_fcgi_header *header_out) SF_MUST_CHECK;
void sf_fcgi_header_encode(const struct sf_fcgi_header *header,
                           unsigned char bytes_out[SF_FCGI_HEADER_BYTES]);

struct sf_fcgi_begin {
    uint16_t role; /* enum sf_fcgi_role, or whatever the peer sent */
    bool is_kept;  /* the connection stays open behind this request */
};
void sf_fcgi_begin_decode(const unsigned char body[SF_FCGI_BODY_BYTES],
                          struct sf_fcgi_begin *begin_out);
void sf_fcgi_begin_encode(const struct sf_fcgi_begin *begin,
                          unsigned char body_out[SF_FCGI_BODY_BYTES]);

struct sf_fcgi_end {
    uint32_t application_status; /* an exit status */
    uint8_t protocol_status;     /* enum sf_fcgi_protocol_status, or whatever the peer sent */
};
void sf_fcgi_end_decode(const unsigned char body[SF_FCGI_BODY_BYTES], struct sf_fcgi_end *end_out);
void sf_fcgi_end_encode(const struct sf_fcgi_end *end, unsigned char body_out[SF_FCGI_BODY_BYTES]);

/*
 * Takes one name-value pair off the front of *rest; the spans lie in it. SF_NOT_FOUND: its end is
 * not there (*rest as it was): more of the stream is needed, or the pair was cut off.
 */
enum sf_status sf_fcgi_pair_take(struct sf_span *rest, struct sf_span *name_out,
                                 struct sf_span *value_out) SF_MUST_CHECK;
/* SF_INVALID: longer than 2^31 - 1 bytes. On failure `pairs` is as it was. */
enum sf_status sf_fcgi_pair_append(struct sf_buffer *pairs, struct sf_span name,
                                   struct sf_span value) SF_MUST_CHECK;

/*
 * `content` as records of one type behind what `bytes` holds, split and padded; no content is one
 * record without (the end of a stream). On failure `bytes` is as it was.
 */
enum sf_status sf_fcgi_record_append(struct sf_buffer *bytes, enum sf_fcgi_type type, uint16_t id,
                                     struct sf_span content) SF_MUST_CHECK;
/* A whole stream: its content, if there is any, and its end. */
enum sf_status sf_fcgi_stream_append(struct sf_buffer *bytes, enum sf_fcgi_type type, uint16_t id,
                                     struct sf_span content) SF_MUST_CHECK;

/*
 * Takes records apart in pieces as they arrive, however they were split on the way. All zeros to
 * begin with.
 */
struct sf_fcgi_reader {
    unsigned char head[SF_FCGI_HEADER_BYTES];
    size_t head_size;
    struct sf_fcgi_header header; /* once head is whole */
    size_t content_left, padding_left;
};

struct sf_fcgi_piece {
    uint8_t type;
    uint16_t id;
    uint16_t record_size;   /* of the whole content */
    struct sf_span content; /* in the input; empty only when the record's is */
    bool is_last;           /* of this record */
};

/*
 * Takes one piece off the front of *input. SF_NOT_FOUND: there is none, all input was taken.
 * SF_INVALID: not FastCGI; the connection has no further use.
 */
enum sf_status sf_fcgi_reader_take(struct sf_fcgi_reader *reader, struct sf_span *input,
                                   struct sf_fcgi_piece *piece_out) SF_MUST_CHECK;

/* Between two records: nothing of the next has come yet. */
bool sf_fcgi_reader_is_idle(const struct sf_fcgi_reader *reader);
