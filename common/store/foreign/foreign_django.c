/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_django.c - rows of the table django_session, written with the JSONSerializer.
 *
 * session_data is "PAYLOAD:TIME:SIGNATURE" since Django 3.1, PAYLOAD base64url of JSON; or, with a
 * '.' in front, of JSON that zlib has compressed. Before that it was base64 of "HASH:JSON". The
 * signature is not looked at: the row comes from the application's own database.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/store/foreign/foreign_private.h"

#define JSON_BYTES_MAX SF_RECORD_BYTES_MAX

/* In *text_out, which the caller frees. */
static enum sf_status
decode(struct sf_foreign *foreign, struct sf_span base64, int variant, unsigned char **text_out,
       size_t *size_out)
{
    *text_out = malloc(base64.size + 1);
    if (*text_out == NULL)
        return sf_error_set(foreign->error, SF_NO_MEMORY, "out of memory");
    if (sodium_base642bin(*text_out, base64.size + 1, (const char *)base64.data, base64.size, NULL,
                          size_out, NULL, variant) == 0)
        return SF_OK;
    return sf_foreign_fail(foreign, "session_data is not base64");
}

static enum sf_status
inflate_text(struct sf_foreign *foreign, unsigned char **text, size_t *size)
{
    uLongf room = JSON_BYTES_MAX;
    unsigned char *whole = malloc(room);
    if (whole == NULL)
        return sf_error_set(foreign->error, SF_NO_MEMORY, "out of memory");
    int result = uncompress(whole, &room, *text, (uLong)*size);
    free(*text);
    *text = whole;
    *size = room;
    if (result == Z_OK)
        return SF_OK;
    return sf_foreign_fail(foreign, result == Z_BUF_ERROR
                                        ? "session_data is larger than 1 MiB, or cut off"
                                        : "session_data is not what zlib has compressed");
}

/* The JSON within; the caller frees *text_out in any case. */
static enum sf_status
find_json(struct sf_foreign *foreign, struct sf_span data, unsigned char **text_out,
          struct sf_span *json_out)
{
    const unsigned char *colon = data.size == 0 ? NULL : memchr(data.data, ':', data.size);
    bool is_old = colon == NULL;
    bool is_compressed = !is_old && data.data[0] == '.';
    size_t size = 0;
    if (!is_old)
        data = sf_span_of(data.data + is_compressed, (size_t)(colon - data.data) - is_compressed);
    enum sf_status status =
        decode(foreign, data,
               is_old ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_URLSAFE_NO_PADDING,
               text_out, &size);
    if (status == SF_OK && is_compressed)
        status = inflate_text(foreign, text_out, &size);
    if (status != SF_OK)
        return status;
    const unsigned char *begin = *text_out;
    colon = is_old ? memchr(begin, ':', size) : NULL;
    if (colon != NULL)
        begin = colon + 1;
    *json_out = sf_span_of(begin, size - (size_t)(begin - *text_out));
    return SF_OK;
}

static enum sf_status
read_fields(struct sf_foreign *foreign, struct sf_span json)
{
    const char *name;
    json_t *value, *object = sf_foreign_object(foreign, json);
    enum sf_status status = SF_OK;
    if (object == NULL)
        return sf_foreign_fail(
            foreign, "session_data holds no JSON object (only the JSONSerializer's can be read)");
    json_object_foreach(object, name, value)
    {
        status = sf_foreign_set_json(foreign, sf_span_text(name), value);
        if (status != SF_OK)
            break;
    }
    return status;
}

enum sf_status
sf_foreign_django(struct sf_foreign *foreign, struct sf_span *id_out, struct sf_span line)
{
    struct sf_span columns[3], json;
    unsigned char *text = NULL;
    if (!sf_foreign_columns(line, columns, 3))
        return sf_foreign_fail(foreign,
                               "not three columns: session_key, session_data, expire_date");
    *id_out = columns[0];
    if (!sf_foreign_time(columns[2], &foreign->expires))
        return sf_foreign_fail(foreign, "expire_date is not a time");
    enum sf_status status = find_json(foreign, columns[1], &text, &json);
    if (status == SF_OK)
        status = read_fields(foreign, json);
    free(text);
    return status;
}
