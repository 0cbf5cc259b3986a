/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/bytes.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/lanes.h"

#define FIRST_CAPACITY 64

bool
sf_span_equal(struct sf_span a, struct sf_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int
sf_span_compare(struct sf_span a, struct sf_span b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

void
sf_buffer_init(struct sf_buffer *buffer, size_t limit)
{
    *buffer = (struct sf_buffer){.limit = limit};
}

void
sf_buffer_fini(struct sf_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct sf_buffer){.limit = 0};
}

void
sf_buffer_clear(struct sf_buffer *buffer)
{
    buffer->size = 0;
}

struct sf_span
sf_buffer_span(const struct sf_buffer *buffer)
{
    return sf_span_of(buffer->data, buffer->size);
}

static size_t
capacity_for(const struct sf_buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed && capacity <= buffer->limit / 2)
        capacity *= 2;
    if (capacity < needed || capacity > buffer->limit)
        capacity = buffer->limit;
    return capacity;
}

enum sf_status
sf_buffer_reserve(struct sf_buffer *buffer, size_t extra)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->size, extra, &needed) || needed > buffer->limit)
        return SF_FULL;
    if (needed <= buffer->capacity && buffer->data != NULL)
        return SF_OK;
    size_t capacity = capacity_for(buffer, needed);
    size_t allocated; /* one byte behind the capacity takes the NUL of sf_buffer_append_format */
    if (__builtin_add_overflow(capacity, (size_t)1, &allocated))
        return SF_NO_MEMORY;
    unsigned char *data = realloc(buffer->data, allocated);
    if (data == NULL)
        return SF_NO_MEMORY;
    buffer->data = data;
    buffer->capacity = capacity;
    return SF_OK;
}

enum sf_status
sf_buffer_append(struct sf_buffer *buffer, const void *data, size_t size)
{
    enum sf_status status = sf_buffer_reserve(buffer, size);
    if (status != SF_OK || size == 0)
        return status;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return SF_OK;
}

enum sf_status
sf_buffer_append_span(struct sf_buffer *buffer, struct sf_span span)
{
    return sf_buffer_append(buffer, span.data, span.size);
}

enum sf_status
sf_buffer_append_text(struct sf_buffer *buffer, const char *text)
{
    return sf_buffer_append_span(buffer, sf_span_text(text));
}

/* Mostly there is room: what does not fit is written once more. */
static enum sf_status SF_PRINTF(2, 0)
append_formatted(struct sf_buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    size_t room = buffer->data == NULL ? 0 : buffer->capacity - buffer->size + 1;
    char *end = room == 0 ? NULL : (char *)buffer->data + buffer->size;
    int length = vsnprintf(end, room, format, arguments);
    enum sf_status status = length < 0 ? SF_INVALID : SF_OK;
    if (status == SF_OK && (size_t)length >= room) {
        status = sf_buffer_reserve(buffer, (size_t)length);
        if (status == SF_OK)
            vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (status == SF_OK)
        buffer->size += (size_t)length;
    else if (end != NULL)
        *end = '\0'; /* as it was */
    return status;
}

enum sf_status
sf_buffer_append_format(struct sf_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum sf_status status = append_formatted(buffer, format, arguments);
    va_end(arguments);
    return status;
}

void
sf_base64url_encode(const void *data, size_t size, char *text_out)
{
    sodium_bin2base64(text_out, SF_BASE64URL_BYTES(size), data, size,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/*
 * libsodium's decoder takes as long as hashing an id does. Like it, this one looks at all characters
 * in the same way: what they stand for may be secret.
 */
#define GROUP_BYTES (SF_LANES / 4 * 3)

/* The value of each character; what is in none of the ranges leaves a trace in *strange. */
static sf_lanes
values_of(sf_lanes text, sf_lanes *strange)
{
    sf_lanes upper = sf_lanes_between(text, 'A', 'Z'), lower = sf_lanes_between(text, 'a', 'z');
    sf_lanes digit = sf_lanes_between(text, '0', '9'), minus = sf_lanes_between(text, '-', '-');
    sf_lanes line = sf_lanes_between(text, '_', '_');

    *strange |= ~(upper | lower | digit | minus | line);
    return (upper & (text - 'A')) | (lower & (text - ('a' - 26))) | (digit & (text + (52 - '0'))) |
           (minus & 62) | (line & 63);
}

/* Four values are three bytes, written with one more behind them that the next three replace. */
static void
decode_group(unsigned char bytes_out[GROUP_BYTES + 1], sf_lanes text, sf_lanes *strange)
{
    unsigned char values[SF_LANES];
    sf_lanes_store(values, values_of(text, strange));
    for (size_t i = 0; i < SF_LANES / 4; i++) {
        uint32_t four = sf_load_u32(values + 4 * i);
        uint32_t bits = four << 26 | (four & 0x3f00) << 12 | (four & 0x3f0000) >> 2 | four >> 16;
        sf_store_u32(bytes_out + 3 * i, __builtin_bswap32(bits));
    }
}

/* Fewer characters than a group; false: they have bits that belong to no byte. */
static bool
decode_end(void *data_out, size_t size, struct sf_span text, sf_lanes *strange)
{
    unsigned char group[SF_LANES], bytes[GROUP_BYTES + 1], left = 0;
    memset(group, 'A', sizeof group); /* zero bits */
    memcpy(group, text.data, text.size);
    decode_group(bytes, sf_lanes_load(group), strange);
    memcpy(data_out, bytes, size);
    for (size_t i = size; i < GROUP_BYTES; i++)
        left |= bytes[i];
    return left == 0;
}

enum sf_status
sf_base64url_decode(struct sf_span text, void *data_out, size_t size)
{
    sf_lanes strange = {0};
    unsigned char *to = data_out, bytes[GROUP_BYTES + 1];
    bool is_whole = true;
    if (text.size != SF_BASE64URL_BYTES(size) - 1)
        return SF_INVALID;
    for (; text.size >= SF_LANES; text = sf_span_of(text.data + SF_LANES, text.size - SF_LANES)) {
        decode_group(bytes, sf_lanes_load(text.data), &strange);
        memcpy(to, bytes, GROUP_BYTES);
        to += GROUP_BYTES;
        size -= GROUP_BYTES;
    }
    if (text.size > 0)
        is_whole = decode_end(to, size, text, &strange);
    return is_whole && sf_lanes_first(strange) == SF_LANES ? SF_OK : SF_INVALID;
}

void
sf_hex_encode(const void *data, size_t size, char *text_out)
{
    sodium_bin2hex(text_out, 2 * size + 1, data, size);
}

enum sf_status
sf_hex_decode(struct sf_span text, void *data_out, size_t size)
{
    if (text.size != 2 * size)
        return SF_INVALID;
    size_t decoded = 0;
    int failed =
        sodium_hex2bin(data_out, size, (const char *)text.data, text.size, NULL, &decoded, NULL);
    return failed == 0 && decoded == size ? SF_OK : SF_INVALID;
}

enum sf_status
sf_int64_parse(struct sf_span text, int64_t *value_out)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    size_t i = is_negative ? 1 : 0;
    if (i == text.size)
        return SF_INVALID;
    int64_t value = 0;
    for (; i < text.size; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9)
            return SF_INVALID;
        /* Built up with its sign, since the smallest number has no positive twin. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, is_negative ? -digit : digit, &value))
            return SF_INVALID;
    }
    *value_out = value;
    return SF_OK;
}

void
sf_text_clean(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++)
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
}
