/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/foreign/foreign_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/session/user_epochs.h"

#define EPOCH_MAX                                                                                  \
    ((sf_time)4102444800 * SF_SECOND) /* the year 2100: what is later is a wrong unit */

static const struct {
    const char *name;
    sf_foreign_format *read;
    const char *user_field;
} formats[] = {
    [SF_FOREIGN_DJANGO] = {"django", sf_foreign_django, "_auth_user_id"},
    [SF_FOREIGN_CONNECT_REDIS] = {"connect-redis", sf_foreign_connect_redis, NULL},
    [SF_FOREIGN_SPRING] = {"spring", sf_foreign_spring, NULL},
    [SF_FOREIGN_PHP] = {"php", sf_foreign_php, NULL},
    [SF_FOREIGN_PLAIN] = {"plain", sf_foreign_plain, NULL},
};

enum sf_status
sf_foreign_kind_parse(enum sf_foreign_kind *kind_out, const char *text, struct sf_error *error)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(text, formats[i].name) == 0) {
            *kind_out = (enum sf_foreign_kind)i;
            return SF_OK;
        }
    }
    return sf_error_set(error, SF_INVALID, "'%.40s' is none of django, connect-redis, spring, php, plain",
                        text);
}

/* ---- for the formats ---- */

bool
sf_foreign_columns(struct sf_span line, struct sf_span *columns_out, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        const unsigned char *tab = line.size == 0 ? NULL : memchr(line.data, '\t', line.size);
        if (tab == NULL)
            return false;
        size_t size = (size_t)(tab - line.data);
        columns_out[i] = sf_span_of(line.data, size);
        line = sf_span_of(tab + 1, line.size - size - 1);
    }
    columns_out[count - 1] = line;
    return true;
}

enum sf_status
sf_foreign_fail(struct sf_foreign *foreign, const char *text)
{
    return sf_error_set(foreign->error, SF_INVALID, "%s", text);
}

enum sf_status
sf_foreign_keep(struct sf_foreign *foreign, json_t *value)
{
    bool is_kept = value != NULL && json_array_append_new(foreign->kept, value) == 0;
    return is_kept ? SF_OK : sf_error_set(foreign->error, SF_NO_MEMORY, "out of memory");
}

json_t *
sf_foreign_object(struct sf_foreign *foreign, struct sf_span text)
{
    json_t *object = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
    if (json_is_object(object) && sf_foreign_keep(foreign, object) == SF_OK)
        return object;
    if (!json_is_object(object))
        json_decref(object);
    return NULL;
}

enum sf_status
sf_foreign_set(struct sf_foreign *foreign, struct sf_span name, const struct sf_value *value)
{
    enum sf_status status = sf_session_set(&foreign->session, name, value);
    if (status == SF_OK)
        return SF_OK;
    return sf_error_set(foreign->error, status, "field \"%.*s\": %s",
                        (int)(name.size < 40 ? name.size : 40), (const char *)name.data,
                        status == SF_FULL ? "too many fields"
                                          : "its name is empty, too long, or has a NUL");
}

static enum sf_status
set_as_text(struct sf_foreign *foreign, struct sf_span name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_t *kept = json_string(text);
    free(text);
    enum sf_status status = sf_foreign_keep(foreign, kept);
    if (status != SF_OK)
        return status;
    const struct sf_value wanted = {
        .type = SF_VALUE_STRING,
        .bytes = sf_span_of(json_string_value(kept), json_string_length(kept)),
    };
    return sf_foreign_set(foreign, name, &wanted);
}

enum sf_status
sf_foreign_set_json(struct sf_foreign *foreign, struct sf_span name, json_t *value)
{
    struct sf_value wanted = {.type = SF_VALUE_INTEGER};
    switch (json_typeof(value)) {
    case JSON_NULL:
        return SF_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        wanted.integer = json_is_true(value);
        break;
    case JSON_INTEGER:
        wanted.integer = json_integer_value(value);
        break;
    case JSON_STRING:
        wanted.type = SF_VALUE_STRING;
        wanted.bytes = sf_span_of(json_string_value(value), json_string_length(value));
        break;
    case JSON_REAL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return set_as_text(foreign, name, value);
    }
    return sf_foreign_set(foreign, name, &wanted);
}

bool
sf_foreign_time(struct sf_span text, sf_time *time_out)
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

/* ---- a line ---- */

static void
take_user(struct sf_foreign *foreign, char number[SF_NUMBER_TEXT])
{
    const char *name = foreign->options->user_field;
    if (name == NULL)
        name = formats[foreign->options->kind].user_field;
    const struct sf_field *field =
        name == NULL ? NULL : sf_session_find(&foreign->session, sf_span_text(name));
    struct sf_record_head *head = &foreign->session.head;
    if (field != NULL)
        head->user = sf_value_text(&field->value, number);
    if (head->user.size > 0 && foreign->options->logins != NULL)
        head->user_epoch = foreign->options->logins[sf_user_epochs_row(head->user)];
}

/* An end that is known stays the end; while it lasts nobody is logged out for having been idle. */
static enum sf_status
take_times(struct sf_foreign *foreign)
{
    struct sf_record_head *head = &foreign->session.head;
    sf_time now = foreign->options->now;
    if (head->last_access == 0 || head->last_access > now)
        head->last_access = now;
    if (head->created == 0 || head->created > head->last_access)
        head->created = head->last_access;
    if (head->idle_timeout == 0)
        head->idle_timeout = foreign->options->idle_timeout;
    if (foreign->expires < 0 || foreign->expires > EPOCH_MAX)
        return sf_foreign_fail(foreign, "its end is not before the year 2100");
    if (foreign->expires > 0) {
        head->absolute_deadline = foreign->expires;
        head->idle_timeout =
            foreign->expires > head->last_access ? foreign->expires - head->last_access : SF_SECOND;
    }
    sf_time end = sf_record_expires(head, head->last_access);
    return end != 0 && end <= now ? sf_error_set(foreign->error, SF_NOT_FOUND, "it has expired")
                                  : SF_OK;
}

static enum sf_status
finish(struct sf_foreign *foreign, struct sf_buffer *record_out)
{
    char number[SF_NUMBER_TEXT];
    enum sf_status status = take_times(foreign);
    if (status != SF_OK)
        return status;
    take_user(foreign, number);
    foreign->session.head.version = 1;
    status = sf_session_encode(&foreign->session, foreign->options->max_bytes, record_out);
    if (status == SF_OK)
        return SF_OK;
    return sf_error_set(foreign->error, status, "%s",
                        status == SF_FULL      ? "larger than a session may be"
                        : status == SF_INVALID ? "its user or its times are out of bounds"
                                               : sf_status_text(status));
}

enum sf_status
sf_foreign_read(struct sf_buffer *record_out, struct sf_span *id_out, struct sf_span line,
                const struct sf_foreign_options *options, struct sf_error *error)
{
    struct sf_foreign foreign = {.options = options, .kept = json_array(), .error = error};
    sf_session_init(&foreign.session);
    foreign.session.head.last_access = options->last_access;
    enum sf_status status = formats[options->kind].read(&foreign, id_out, line);
    if (status == SF_OK)
        status = finish(&foreign, record_out);
    sf_session_fini(&foreign.session);
    json_decref(foreign.kept);
    return status;
}
