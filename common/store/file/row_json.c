/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/file/row_json.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/session/session.h"
#include "common/store/file/row_json_words.h"
#include "common/store/row_checksum.h"

#define NAME_TEXT (sizeof SF_ROW_NAME_MARK + sodium_base64_ENCODED_LEN(SF_FIELD_NAME_MAX, SF_ROW_BASE64))
#define CHECKSUM_TEXT 17

/* ---- times ---- */

void
sf_iso_time_format(sf_time time, char text_out[SF_ISO_TIME_TEXT])
{
    time_t seconds = time / SF_SECOND;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(text_out, SF_ISO_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text_out + used, SF_ISO_TIME_TEXT - used, ".%03uZ", (unsigned)(time % SF_SECOND) % 1000);
}

enum sf_status
sf_iso_time_parse(sf_time *time_out, const char *text)
{
    struct tm parts = {.tm_sec = 0};
    char again[SF_ISO_TIME_TEXT];
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    int ms = 0, used = 0;
    if (rest == NULL || sscanf(rest, ".%3dZ%n", &ms, &used) != 1 || used == 0)
        return SF_INVALID;
    *time_out = (sf_time)timegm(&parts) * SF_SECOND + ms;
    if (*time_out < 0)
        return SF_INVALID;
    sf_iso_time_format(*time_out, again); /* no 30th of February, no missing digit */
    return strcmp(again, text) == 0 ? SF_OK : SF_INVALID;
}

/* ---- writing ---- */

/* Members are set one by one; the first that cannot be made ends it. */
struct writing {
    json_t *object;
    bool has_failed;
};

static void
add(struct writing *writing, const char *name, json_t *value)
{
    if (json_object_set_new(writing->object, name, value) != 0)
        writing->has_failed = true;
}

static void
add_number(struct writing *writing, const char *name, uint64_t value)
{
    if (value != 0)
        add(writing, name, json_integer((json_int_t)value));
}

static void
add_time(struct writing *writing, const char *name, sf_time time)
{
    char text[SF_ISO_TIME_TEXT];
    if (time == 0)
        return;
    sf_iso_time_format(time, text);
    add(writing, name, json_string(text));
}

static json_t *
base64_object(const char *name, struct sf_span bytes)
{
    size_t room = sodium_base64_ENCODED_LEN(bytes.size, SF_ROW_BASE64);
    char *text = malloc(room);
    json_t *object = NULL;
    if (text != NULL)
        object = json_pack("{s:s}", name, sodium_bin2base64(text, room, bytes.data, bytes.size, SF_ROW_BASE64));
    free(text);
    return object;
}

static json_t *
value_to_json(const struct sf_value *value)
{
    if (value->type == SF_VALUE_INTEGER)
        return json_integer(value->integer);
    if (value->type == SF_VALUE_BYTES)
        return base64_object("base64", value->bytes);
    json_t *text = json_stringn((const char *)value->bytes.data, value->bytes.size);
    return text != NULL ? text : base64_object("string_base64", value->bytes);
}

/* As it is, where it is text that cannot be taken for the other form. */
static void
name_to_text(struct sf_span name, char text_out[NAME_TEXT])
{
    const size_t mark = strlen(SF_ROW_NAME_MARK);
    json_t *probe = json_stringn((const char *)name.data, name.size);
    bool is_marked = name.size >= mark && memcmp(name.data, SF_ROW_NAME_MARK, mark) == 0;
    if (probe != NULL && !is_marked) {
        memcpy(text_out, name.data, name.size);
        text_out[name.size] = '\0';
    } else {
        memcpy(text_out, SF_ROW_NAME_MARK, mark);
        sodium_bin2base64(text_out + mark, NAME_TEXT - mark, name.data, name.size, SF_ROW_BASE64);
    }
    json_decref(probe);
}

static void
add_fields(struct writing *writing, struct sf_span record, uint32_t count)
{
    struct writing fields = {.object = json_object()};
    struct sf_field field;
    char name[NAME_TEXT];
    for (uint32_t i = 0; i < count; i++) {
        if (sf_record_field(&field, record, i) != SF_OK) {
            fields.has_failed = true;
            break;
        }
        name_to_text(field.name, name);
        add(&fields, name, value_to_json(&field.value));
    }
    writing->has_failed |= fields.has_failed;
    add(writing, "fields", fields.object);
}

const char *const sf_row_end_reasons[SF_ROW_END_REASONS] = {
    [SF_END_NONE] = "unknown",    [SF_END_LOGOUT] = "logout", [SF_END_ADMIN] = "admin",
    [SF_END_ROTATED] = "rotated", [SF_END_LOGIN] = "login",   [SF_END_EXPIRED] = "expired",
};

static void
add_user(struct writing *writing, struct sf_span user)
{
    json_t *text = json_stringn((const char *)user.data, user.size);
    if (user.size > 0)
        add(writing, "user", text != NULL ? json_incref(text) : base64_object("base64", user));
    json_decref(text);
}

static void
add_head(struct writing *writing, const struct sf_record_head *head)
{
    static const struct sf_key no_key;
    char flags[SF_RECORD_FLAGS_TEXT], successor[SF_KEY_TEXT + 1];
    if (head->kind == SF_RECORD_ENDED)
        add(writing, "ended", json_string(sf_row_end_reasons[head->end_reason]));
    add_user(writing, head->user);
    add_number(writing, "version", head->version);
    add_number(writing, "generation", head->generation);
    add_number(writing, "user_epoch", head->user_epoch);
    add_time(writing, "created", head->created);
    add_time(writing, "last_access", head->last_access);
    add_number(writing, "idle_timeout", (uint64_t)(head->idle_timeout / SF_SECOND));
    add_time(writing, "absolute_deadline", head->absolute_deadline);
    add_time(writing, "grace_until", head->grace_until);
    sf_record_flags_format(head->flags, flags);
    if (head->flags != 0)
        add(writing, "flags", json_string(flags));
    sf_key_format(&head->successor, successor);
    if (!sf_key_equal(&head->successor, &no_key))
        add(writing, "successor", json_string(successor));
}

json_t *
sf_row_to_json(const struct sf_key *key, struct sf_span record, sf_time last_access)
{
    struct sf_record_head head;
    struct writing writing = {.object = json_object()};
    char checksum[CHECKSUM_TEXT];
    if (writing.object == NULL || sf_record_head(&head, record) != SF_OK)
        goto failed;
    add_head(&writing, &head);
    add_fields(&writing, record, head.field_count);
    if (head.lineage.size > 0)
        add(&writing, "lineage", base64_object("base64", head.lineage));
    if (last_access > head.last_access)
        add_time(&writing, "touched", last_access);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, sf_row_checksum(key, head.version, record));
    add(&writing, "checksum", json_string(checksum));
    if (!writing.has_failed)
        return writing.object;
failed:
    json_decref(writing.object);
    return NULL;
}
