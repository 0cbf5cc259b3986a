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
#include <time.h>
#include <zlib.h>

#include "common/store/foreign_private.h"

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

/* "2026-01-31 09:00:00[.123456][+00[:00]]"; without an offset it is UTC, which Django keeps. */
static bool
read_time(struct sf_span text, sf_time *time_out)
{
    struct tm parts = {.tm_sec = 0};
    char copy[40];
    int hours = 0, minutes = 0;
    if (text.size >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", (int)text.size, (const char *)text.data);
    const char *rest = strptime(copy, "%Y-%m-%d", &parts);
    rest = rest == NULL || strchr(" T", *rest) == NULL || *rest == '\0'
               ? NULL
               : strptime(rest + 1, "%H:%M:%S", &parts);
    if (rest != NULL && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (rest == NULL)
        return false;
    if (*rest == 'Z' && rest[1] == '\0')
        rest++;
    int sign = *rest == '-' ? -1 : 1;
    if (*rest == '+' || *rest == '-') {
        size_t size = strlen(rest + 1);
        if (strspn(rest + 1, "0123456789:") != size ||
            sscanf(rest + 1, "%2d:%2d", &hours, &minutes) < 1 || (size != 2 && size != 5))
            return false;
        rest += 1 + size;
    }
    *time_out = ((sf_time)timegm(&parts) - sign * (hours * 3600 + minutes * 60)) * SF_SECOND;
    return *rest == '\0' && *time_out > 0;
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
    if (!read_time(columns[2], &foreign->expires))
        return sf_foreign_fail(foreign, "expire_date is not a time");
    enum sf_status status = find_json(foreign, columns[1], &text, &json);
    if (status == SF_OK)
        status = read_fields(foreign, json);
    free(text);
    return status;
}
