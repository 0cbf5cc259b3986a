/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/export.h"

#include <sodium.h>

static bool
is_continuation(struct sf_span text, size_t at)
{
    return at < text.size && (text.data[at] & 0xc0) == 0x80;
}

/*
 * Bytes of the character at `at`; 0: not UTF-8 (overlong forms, surrogates and what lies behind
 * U+10FFFF are not).
 */
static size_t
character_size(struct sf_span text, size_t at)
{
    unsigned char first = text.data[at], second = at + 1 < text.size ? text.data[at + 1] : 0;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4 || !is_continuation(text, at + 1))
        return 0;
    if (first < 0xe0)
        return 2;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    if (!is_continuation(text, at + 2))
        return 0;
    if (first < 0xf0)
        return 3;
    return is_continuation(text, at + 3) ? 4 : 0;
}

static bool
is_utf8(struct sf_span text)
{
    for (size_t at = 0; at < text.size;) {
        size_t size = character_size(text, at);

        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

static enum sf_status
append_character(struct sf_buffer *json, struct sf_span character)
{
    unsigned char c = character.data[0];

    if (c == '"' || c == '\\')
        return sf_buffer_append_format(json, "\\%c", c);
    if (c < 0x20 || c == 0x7f)
        return sf_buffer_append_format(json, "\\u%04x", c);
    return sf_buffer_append_span(json, character);
}

static enum sf_status
append_string(struct sf_buffer *json, struct sf_span text)
{
    enum sf_status status = sf_buffer_append_text(json, "\"");

    for (size_t at = 0; status == SF_OK && at < text.size;) {
        size_t size = character_size(text, at);

        if (size == 0)
            status = sf_buffer_append_text(json, "\\ufffd");
        else
            status = append_character(json, sf_span_of(text.data + at, size));
        at += size == 0 ? 1 : size;
    }
    return status == SF_OK ? sf_buffer_append_text(json, "\"") : status;
}

static enum sf_status
append_base64(struct sf_buffer *json, struct sf_span bytes)
{
    /* with a NUL */
    size_t room = sodium_base64_ENCODED_LEN(bytes.size, sodium_base64_VARIANT_ORIGINAL);
    enum sf_status status = sf_buffer_append_text(json, "{\"base64\":\"");

    if (status == SF_OK)
        status = sf_buffer_reserve(json, room);
    if (status != SF_OK)
        return status;
    sodium_bin2base64((char *)json->data + json->size, room, bytes.data, bytes.size,
                      sodium_base64_VARIANT_ORIGINAL);
    json->size += room - 1;
    return sf_buffer_append_text(json, "\"}");
}

static enum sf_status
append_value(struct sf_buffer *json, const struct sf_value *value)
{
    char number[SF_NUMBER_TEXT];
    struct sf_span text = sf_value_text(value, number);

    if (value->type == SF_VALUE_INTEGER)
        return sf_buffer_append_span(json, text);
    return is_utf8(text) ? append_string(json, text) : append_base64(json, text);
}

static enum sf_status
append_member(struct sf_buffer *json, const struct sf_field *field, bool is_first)
{
    enum sf_status status = is_first ? SF_OK : sf_buffer_append_text(json, ",");

    if (status == SF_OK)
        status = append_string(json, field->name);
    if (status == SF_OK)
        status = sf_buffer_append_text(json, ":");
    return status == SF_OK ? append_value(json, &field->value) : status;
}

enum sf_status
sf_export_json(const struct sf_session *session, const char *fields, struct sf_buffer *json_out)
{
    size_t size_before = json_out->size;
    bool is_first = true;
    enum sf_status status = sf_buffer_append_text(json_out, "{");

    for (size_t i = 0; status == SF_OK && i < session->count; i++) {
        if (!sf_export_allows(fields, session->fields[i].name))
            continue;
        status = append_member(json_out, &session->fields[i], is_first);
        is_first = false;
    }
    if (status == SF_OK)
        status = sf_buffer_append_text(json_out, "}");
    if (status != SF_OK)
        json_out->size = size_before;
    return status;
}
