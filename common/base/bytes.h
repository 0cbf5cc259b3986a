/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * bytes.h - borrowed spans, owned buffers, and the text forms of bytes.
 *
 * A span is borrowed: valid until the call returns unless a header says otherwise.
 * A buffer is owned, grows up to its limit and never beyond.
 */
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/status.h"

struct sf_span {
    const unsigned char *data;
    size_t size;
};

struct sf_buffer {
    unsigned char *data; /* malloc'ed, NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    size_t limit; /* bytes; append answers SF_FULL beyond */
};

static inline struct sf_span
sf_span_of(const void *data, size_t size)
{
    return (struct sf_span){(const unsigned char *)data, size};
}

/* NULL gives an empty span. */
static inline struct sf_span
sf_span_text(const char *text)
{
    return sf_span_of(text, text == NULL ? 0 : strlen(text));
}

bool sf_span_equal(struct sf_span a, struct sf_span b);      /* not constant time */
int sf_span_compare(struct sf_span a, struct sf_span b);     /* bytewise, shorter first on a tie */

void sf_buffer_init(struct sf_buffer *buffer, size_t limit);
void sf_buffer_fini(struct sf_buffer *buffer);  /* usable again after sf_buffer_init */
void sf_buffer_clear(struct sf_buffer *buffer); /* keeps the memory */
struct sf_span sf_buffer_span(const struct sf_buffer *buffer);

/* Room for `extra` more bytes behind size. SF_FULL beyond the limit, SF_NO_MEMORY. */
enum sf_status sf_buffer_reserve(struct sf_buffer *buffer, size_t extra) SF_MUST_CHECK;
enum sf_status sf_buffer_append(struct sf_buffer *buffer, const void *data, size_t size) SF_MUST_CHECK;
enum sf_status sf_buffer_append_span(struct sf_buffer *buffer, struct sf_span span) SF_MUST_CHECK;
enum sf_status sf_buffer_append_text(struct sf_buffer *buffer, const char *text) SF_MUST_CHECK;
enum sf_status sf_buffer_append_format(struct sf_buffer *buffer, const char *format, ...)
    SF_MUST_CHECK SF_PRINTF(2, 3);

/* RFC 4648 base64url without padding. Writes 4*size/3 rounded up, and a NUL. */
#define SF_BASE64URL_BYTES(size) (((size) * 4 + 2) / 3 + 1)
void sf_base64url_encode(const void *data, size_t size, char *text_out);
/* Exactly `size` bytes or SF_INVALID: strict alphabet, no padding, no stray bits. Not secret-dependent in time. */
enum sf_status sf_base64url_decode(struct sf_span text, void *data_out, size_t size) SF_MUST_CHECK;

void sf_hex_encode(const void *data, size_t size, char *text_out); /* lower case, 2*size and a NUL */
enum sf_status sf_hex_decode(struct sf_span text, void *data_out, size_t size) SF_MUST_CHECK;

/* Whole text as a number: no sign but '-', no space, no overflow. */
enum sf_status sf_int64_parse(struct sf_span text, int64_t *value_out) SF_MUST_CHECK;

void sf_text_clean(char *text); /* control characters become '?': for logs and errors */

/* Little-endian, unaligned. */
static inline uint16_t
sf_load_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return le16toh(value);
}

static inline uint32_t
sf_load_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static inline uint64_t
sf_load_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

static inline void
sf_store_u16(void *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof value);
}

static inline void
sf_store_u32(void *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static inline void
sf_store_u64(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}
