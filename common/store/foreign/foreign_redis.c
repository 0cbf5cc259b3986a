/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_redis.c - what connect-redis (express-session) and Spring Session keep in Redis.
 */
#include <string.h>

#include "common/store/file/row_json.h"
#include "common/store/foreign/foreign_private.h"

#define ATTRIBUTE "sessionAttr:"

/* "PREFIX:ID" and a JSON object. */
static enum sf_status
read_columns(struct sf_foreign *foreign, struct sf_span line, struct sf_span *id_out,
             json_t **object_out)
{
    struct sf_span columns[2];
    if (!sf_foreign_columns(line, columns, 2))
        return sf_foreign_fail(foreign, "not a key, a tab and a JSON object");
    const unsigned char *colon =
        columns[0].size == 0 ? NULL : memrchr(columns[0].data, ':', columns[0].size);
    *id_out = columns[0];
    if (colon != NULL)
        *id_out = sf_span_of(colon + 1, columns[0].size - (size_t)(colon + 1 - columns[0].data));
    *object_out = sf_foreign_object(foreign, columns[1]);
    return *object_out != NULL
               ? SF_OK
               : sf_foreign_fail(foreign, "the value is no JSON object in UTF-8 (what Java has "
                                          "serialized cannot be read)");
}

/* ---- connect-redis ---- */

/*
 * {"originalMaxAge": 86400000, "expires": "2026-01-31T09:00:00.000Z", ...}; null: until the browser
 * ends.
 */
static enum sf_status
read_cookie(struct sf_foreign *foreign, json_t *cookie)
{
    json_t *expires = json_object_get(cookie, "expires");
    if (!json_is_object(cookie))
        return sf_foreign_fail(foreign, "\"cookie\" is missing: not a session of express-session");
    if (!json_is_string(expires))
        return SF_OK;
    if (sf_iso_time_parse(&foreign->expires, json_string_value(expires)) == SF_OK)
        return SF_OK;
    return sf_foreign_fail(foreign, "\"expires\" is not a time");
}

enum sf_status
sf_foreign_connect_redis(struct sf_foreign *foreign, struct sf_span *id_out, struct sf_span line)
{
    const char *name;
    json_t *object, *value;
    enum sf_status status = read_columns(foreign, line, id_out, &object);
    if (status == SF_OK)
        status = read_cookie(foreign, json_object_get(object, "cookie"));
    if (status != SF_OK)
        return status;
    json_object_foreach(object, name, value)
    {
        if (strcmp(name, "cookie") != 0)
            status = sf_foreign_set_json(foreign, sf_span_text(name), value);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}

/* ---- Spring ---- */

static enum sf_status
read_attribute(struct sf_foreign *foreign, const char *name, json_t *text)
{
    json_t *value = json_loadb(json_string_value(text), json_string_length(text),
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL) /* not JSON: a plain text */
        return sf_foreign_set_json(foreign, sf_span_text(name), text);
    enum sf_status status = sf_foreign_keep(foreign, value);
    return status == SF_OK ? sf_foreign_set_json(foreign, sf_span_text(name), value) : status;
}

/* Decimal; 0: none. */
static bool
read_number(json_t *object, const char *name, int64_t *number_out)
{
    json_t *text = json_object_get(object, name);
    *number_out = 0;
    return text == NULL ||
           (json_is_string(text) &&
            sf_int64_parse(sf_span_of(json_string_value(text), json_string_length(text)),
                           number_out) == SF_OK);
}

static enum sf_status
read_times(struct sf_foreign *foreign, json_t *object)
{
    struct sf_record_head *head = &foreign->session.head;
    int64_t seconds = 0;
    if (json_object_get(object, "lastAccessedTime") == NULL ||
        !read_number(object, "creationTime", &head->created) ||
        !read_number(object, "lastAccessedTime", &head->last_access) ||
        !read_number(object, "maxInactiveInterval", &seconds) || seconds > UINT32_MAX ||
        head->created < 0 || head->last_access < 0)
        return sf_foreign_fail(
            foreign, "creationTime, lastAccessedTime or maxInactiveInterval: no decimal number");
    head->idle_timeout = seconds > 0 ? seconds * SF_SECOND : 0;
    return SF_OK;
}

enum sf_status
sf_foreign_spring(struct sf_foreign *foreign, struct sf_span *id_out, struct sf_span line)
{
    const char *name;
    json_t *object, *value;
    enum sf_status status = read_columns(foreign, line, id_out, &object);
    if (status == SF_OK)
        status = read_times(foreign, object);
    if (status != SF_OK)
        return status;
    json_object_foreach(object, name, value)
    {
        if (strncmp(name, ATTRIBUTE, strlen(ATTRIBUTE)) != 0 || !json_is_string(value))
            continue;
        status = read_attribute(foreign, name + strlen(ATTRIBUTE), value);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}
