/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/form.h"

#include <string.h>

#include "common/base/lanes.h"

static int
hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that the escape at `text` stands for; -1: it is broken. */
static int
decode_escape(struct sf_span text)
{
    int high, low;

    if (text.size < 3)
        return -1;
    high = hex_digit(text.data[1]);
    low = hex_digit(text.data[2]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* There is room for text.size bytes already: decoding never makes a text longer. */
static enum sf_status
decode_in_place(struct sf_span text, struct sf_buffer *scratch, struct sf_span *decoded_out)
{
    size_t begin = scratch->size;

    for (size_t i = 0; i < text.size; i++) {
        int byte = text.data[i];

        if (byte == '%') {
            byte = decode_escape(sf_span_of(text.data + i, text.size - i));
            if (byte < 0)
                return SF_INVALID;
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        scratch->data[scratch->size++] = (unsigned char)byte;
    }
    *decoded_out = sf_span_of(scratch->data + begin, scratch->size - begin);
    return SF_OK;
}

static struct sf_span
cut_at(struct sf_span *rest, unsigned char separator, bool *found_out)
{
    const unsigned char *end = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
    size_t size = end != NULL ? (size_t)(end - rest->data) : rest->size;
    size_t used = end != NULL ? size + 1 : size;
    struct sf_span head = sf_span_of(rest->data, size);

    *found_out = end != NULL;
    *rest = sf_span_of(rest->data + used, rest->size - used);
    return head;
}

static enum sf_status
parse_pair(struct sf_span text, struct sf_buffer *scratch, sf_form_pair_fn *pair, void *context)
{
    bool has_value;
    struct sf_span name = cut_at(&text, '=', &has_value), value = text;
    enum sf_status status = decode_in_place(name, scratch, &name);

    if (status != SF_OK)
        return status;
    if (name.size == 0 || memchr(name.data, 0, name.size) != NULL)
        return SF_INVALID;
    status = decode_in_place(value, scratch, &value);
    return status == SF_OK ? pair(context, name, value, has_value) : status;
}

enum sf_status
sf_form_parse(struct sf_span text, struct sf_buffer *scratch, sf_form_pair_fn *pair, void *context)
{
    enum sf_status status = sf_buffer_reserve(scratch, text.size);

    while (status == SF_OK && text.size > 0) {
        bool is_more;
        struct sf_span one = cut_at(&text, '&', &is_more);

        if (one.size > 0)
            status = parse_pair(one, scratch, pair, context);
    }
    return status;
}

enum sf_status
sf_form_decode(struct sf_span text, struct sf_buffer *scratch, struct sf_span *decoded_out)
{
    enum sf_status status = sf_buffer_reserve(scratch, text.size);

    return status == SF_OK ? decode_in_place(text, scratch, decoded_out) : status;
}

/* Not 0 where a byte needs an escape. */
static inline sf_lanes
special(sf_lanes text)
{
    return ~(sf_lanes_between(text | 0x20, 'a', 'z') | sf_lanes_between(text, '0', '9') |
             sf_lanes_between(text, '-', '.') | sf_lanes_between(text, '_', '_') |
             sf_lanes_between(text, '*', '*'));
}

/*
 * Runs of plain bytes go over in one piece: nearly all of a value is one, and each request shows all.
 */
static size_t
plain_run(struct sf_span raw, size_t from)
{
    size_t at = from, run = SF_LANES;

    while (raw.size - at >= SF_LANES && run == SF_LANES) {
        run = sf_lanes_first(special(sf_lanes_load(raw.data + at)));
        at += run;
    }
    if (run == SF_LANES) /* a zero is special */
        at += sf_lanes_first(special(sf_lanes_load_end(raw.data + at, raw.size - at)));
    return at - from;
}

static enum sf_status
append_escape(struct sf_buffer *text, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

    return c == ' ' ? sf_buffer_append(text, "+", 1) : sf_buffer_append(text, escape, sizeof(escape));
}

static enum sf_status
append_encoded(struct sf_buffer *text, struct sf_span raw)
{
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < raw.size;) {
        size_t run = plain_run(raw, i);

        if (run > 0)
            status = sf_buffer_append(text, raw.data + i, run);
        else
            status = append_escape(text, raw.data[i]);
        i += run > 0 ? run : 1;
    }
    return status;
}

enum sf_status
sf_form_append(struct sf_buffer *text, struct sf_span name, struct sf_span value)
{
    size_t size_before = text->size;
    enum sf_status status = size_before > 0 ? sf_buffer_append_text(text, "&") : SF_OK;

    if (status == SF_OK)
        status = append_encoded(text, name);
    if (status == SF_OK)
        status = sf_buffer_append_text(text, "=");
    if (status == SF_OK)
        status = append_encoded(text, value);
    if (status != SF_OK)
        text->size = size_before;
    return status;
}
