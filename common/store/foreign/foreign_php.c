/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_php.c - PHP's session files: "name|VALUE" one after the other, each VALUE as serialize()
 * writes it.
 *
 *   N;  b:1;  i:42;  d:0.5;  s:5:"hello";  a:2:{KEY VALUE KEY VALUE}   and what is only skipped:
 *   O:3:"Foo":1:{...}  C:3:"Foo":4:{....}  E:7:"Foo:Bar";  r:1;  R:1;
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/foreign/foreign_private.h"

#define DEPTH_MAX 32

/* Reading moves `at`; it never gets past `end`. */
struct text {
    const unsigned char *at, *end;
    bool is_plain; /* nothing was met that JSON has no form for */
};

static bool
take(struct text *text, const char *wanted)
{
    size_t size = strlen(wanted);
    if ((size_t)(text->end - text->at) < size || memcmp(text->at, wanted, size) != 0)
        return false;
    text->at += size;
    return true;
}

/* Up to `mark`, which is taken, too. */
static bool
take_until(struct text *text, char mark, struct sf_span *span_out)
{
    const unsigned char *begin = text->at;
    const unsigned char *found =
        begin == text->end ? NULL : memchr(begin, mark, (size_t)(text->end - begin));
    if (found == NULL)
        return false;
    *span_out = sf_span_of(begin, (size_t)(found - begin));
    text->at = found + 1;
    return true;
}

static bool
take_number(struct text *text, char mark, int64_t *number_out)
{
    struct sf_span digits;
    return take_until(text, mark, &digits) && sf_int64_parse(digits, number_out) == SF_OK;
}

/* "LENGTH:"BYTES"": the type and its ':' were taken. */
static bool
take_string(struct text *text, struct sf_span *bytes_out)
{
    int64_t size;
    if (!take_number(text, ':', &size) || !take(text, "\"") || size < 0 ||
        size > text->end - text->at)
        return false;
    *bytes_out = sf_span_of(text->at, (size_t)size);
    text->at += size;
    return take(text, "\"");
}

/* ---- one value: NULL: malformed, or no memory ---- */

static json_t *take_value(struct text *text, int depth);

/* What JSON has no form for is taken as null, and remembered. */
static json_t *
not_plain(struct text *text, bool is_well_formed)
{
    text->is_plain = false;
    return is_well_formed ? json_null() : NULL;
}

static json_t *
take_text(struct text *text)
{
    struct sf_span bytes;
    if (!take_string(text, &bytes) || !take(text, ";"))
        return NULL;
    json_t *value = json_stringn((const char *)bytes.data, bytes.size);
    return value != NULL ? value : not_plain(text, true);
}

static json_t *
take_fraction(struct text *text)
{
    struct sf_span digits;
    char copy[64], *rest;
    if (!take_until(text, ';', &digits) || digits.size == 0 || digits.size >= sizeof copy)
        return NULL;
    memcpy(copy, digits.data, digits.size);
    copy[digits.size] = '\0';
    double number = strtod(copy, &rest);
    json_t *value = *rest == '\0' ? json_real(number) : NULL;
    return value != NULL || *rest != '\0' ? value : not_plain(text, true); /* INF and NAN */
}

/* Keys 0, 1, 2... make a list, others an object. */
static json_t *
take_members(struct text *text, int64_t count, int depth)
{
    json_t *list = json_array(), *object = json_object();
    bool is_well_formed = list != NULL && object != NULL && count <= text->end - text->at;
    bool is_list = true;
    for (int64_t i = 0; is_well_formed && i < count; i++) {
        char number[SF_NUMBER_TEXT];
        json_t *key = take_value(text, depth);
        json_t *value = key == NULL ? NULL : take_value(text, depth);
        is_well_formed = value != NULL;
        is_list = is_list && json_is_integer(key) && json_integer_value(key) == i;
        const struct sf_value as_value = {.type = SF_VALUE_INTEGER,
                                          .integer = json_integer_value(key)};
        struct sf_span name = json_is_string(key)
                                  ? sf_span_of(json_string_value(key), json_string_length(key))
                                  : sf_value_text(&as_value, number);
        if (is_well_formed &&
            (json_array_append(list, value) != 0 ||
             json_object_setn(object, (const char *)name.data, name.size, value) != 0))
            (void)not_plain(text, true);
        json_decref(key);
        json_decref(value);
    }
    json_decref(is_list ? object : list);
    json_t *made = is_list ? list : object;
    if (is_well_formed && take(text, "}"))
        return made;
    json_decref(made);
    return NULL;
}

static json_t *
take_array(struct text *text, int depth)
{
    int64_t count;
    if (!take_number(text, ':', &count) || count < 0 || !take(text, "{"))
        return NULL;
    return take_members(text, count, depth + 1);
}

/* Its properties stand as the members of an array do. */
static json_t *
take_object(struct text *text, int depth)
{
    struct sf_span name;
    json_t *members = take_string(text, &name) && take(text, ":") ? take_array(text, depth) : NULL;
    json_decref(members);
    return not_plain(text, members != NULL);
}

static json_t *
take_custom(struct text *text)
{
    struct sf_span name;
    int64_t size;
    bool is_well_formed = take_string(text, &name) && take(text, ":") &&
                          take_number(text, ':', &size) && size >= 0 && take(text, "{") &&
                          size <= text->end - text->at;
    if (is_well_formed)
        text->at += size;
    return not_plain(text, is_well_formed && take(text, "}"));
}

static json_t *
take_value(struct text *text, int depth)
{
    struct sf_span bytes;
    int64_t number;
    if (depth > DEPTH_MAX)
        return NULL;
    if (take(text, "N;"))
        return json_null();
    if (take(text, "b:"))
        return take_number(text, ';', &number) ? json_boolean(number != 0) : NULL;
    if (take(text, "i:"))
        return take_number(text, ';', &number) ? json_integer(number) : NULL;
    if (take(text, "d:"))
        return take_fraction(text);
    if (take(text, "s:"))
        return take_text(text);
    if (take(text, "a:"))
        return take_array(text, depth);
    if (take(text, "O:"))
        return take_object(text, depth);
    if (take(text, "C:"))
        return take_custom(text);
    if (take(text, "E:"))
        return not_plain(text, take_string(text, &bytes) && take(text, ";"));
    if (take(text, "r:") || take(text, "R:"))
        return not_plain(text, take_number(text, ';', &number));
    return NULL;
}

/* ---- the file ---- */

/* A text is its bytes, whatever they are; what is not plain is the text of serialize(). */
static enum sf_status
set_field(struct sf_foreign *foreign, struct sf_span name, struct sf_span serialized, bool is_plain,
          json_t *value)
{
    struct text text = {serialized.data, serialized.data + serialized.size, true};
    struct sf_value raw = {.type = SF_VALUE_STRING};
    if (take(&text, "s:") && take_string(&text, &raw.bytes))
        return sf_foreign_set(foreign, name, &raw);
    if (is_plain)
        return sf_foreign_set_json(foreign, name, value);
    raw = (struct sf_value){.type = SF_VALUE_BYTES, .bytes = serialized};
    return sf_foreign_set(foreign, name, &raw);
}

static enum sf_status
read_variable(struct sf_foreign *foreign, struct text *text)
{
    struct sf_span name;
    if (!take_until(text, '|', &name))
        return sf_foreign_fail(
            foreign, "not as session.serialize_handler=php writes it: no '|' behind a name");
    const unsigned char *begin = text->at;
    text->is_plain = true;
    json_t *value = take_value(text, 0);
    if (value == NULL)
        return sf_error_set(foreign->error, SF_INVALID,
                            "variable \"%.*s\": not what serialize() writes",
                            (int)(name.size < 40 ? name.size : 40), (const char *)name.data);
    enum sf_status status = sf_foreign_keep(foreign, value);
    if (status != SF_OK)
        return status;
    return set_field(foreign, name, sf_span_of(begin, (size_t)(text->at - begin)), text->is_plain,
                     value);
}

enum sf_status
sf_foreign_php(struct sf_foreign *foreign, struct sf_span *id_out, struct sf_span line)
{
    struct sf_span columns[2];
    enum sf_status status = SF_OK;
    if (!sf_foreign_columns(line, columns, 2))
        return sf_foreign_fail(foreign, "not an id, a tab and the contents of the file");
    *id_out = columns[0];
    struct text text = {columns[1].data, columns[1].data + columns[1].size, true};
    while (status == SF_OK && text.at < text.end)
        status = read_variable(foreign, &text);
    return status;
}
