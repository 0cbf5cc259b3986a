/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/session.h"
#include "common/store/file/row_json.h"
#include "common/store/file/row_json_words.h"
#include "common/store/row_checksum.h"

/* One row on its way to a record. Spans of the session point into the JSON, or into `decoded`. */
struct reading {
    struct sf_session session;
    unsigned char *decoded; /* room for all that base64 may give */
    size_t used;
    sf_time touched;
    bool has_checksum;
    uint64_t checksum;
    struct sf_error *error;
};

static size_t
base64_room(json_t *value)
{
    size_t room = json_string_length(value);
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member)
        room += strlen(name) + base64_room(member);
    return room;
}

static enum sf_status
decode_base64(struct reading *reading, const char *text, size_t size, struct sf_span *bytes_out)
{
    unsigned char *to = reading->decoded + reading->used;
    size_t written;
    if (sodium_base642bin(to, size, text, size, NULL, &written, NULL, SF_ROW_BASE64) != 0)
        return SF_INVALID;
    reading->used += written;
    *bytes_out = sf_span_of(to, written);
    return SF_OK;
}

/* {"NAME": "BASE64"} and nothing else */
static enum sf_status
read_base64(struct reading *reading, json_t *value, const char *name, struct sf_span *bytes_out)
{
    json_t *text = json_object_get(value, name);
    if (json_object_size(value) != 1 || !json_is_string(text))
        return SF_INVALID;
    return decode_base64(reading, json_string_value(text), json_string_length(text), bytes_out);
}

static enum sf_status
read_text(struct reading *reading, json_t *value, const char *other, struct sf_span *text_out)
{
    if (!json_is_string(value))
        return read_base64(reading, value, other, text_out);
    *text_out = sf_span_of(json_string_value(value), json_string_length(value));
    return SF_OK;
}

static enum sf_status
read_value(struct reading *reading, json_t *json, struct sf_value *value_out)
{
    if (json_is_integer(json)) {
        *value_out = (struct sf_value){.type = SF_VALUE_INTEGER, .integer = json_integer_value(json)};
        return SF_OK;
    }
    bool is_bytes = json_object_get(json, "base64") != NULL;
    *value_out = (struct sf_value){.type = is_bytes ? SF_VALUE_BYTES : SF_VALUE_STRING};
    return read_text(reading, json, is_bytes ? "base64" : "string_base64", &value_out->bytes);
}

static enum sf_status
read_name(struct reading *reading, const char *text, struct sf_span *name_out)
{
    if (strncmp(text, SF_ROW_NAME_MARK, strlen(SF_ROW_NAME_MARK)) != 0) {
        *name_out = sf_span_text(text);
        return SF_OK;
    }
    text += strlen(SF_ROW_NAME_MARK);
    return decode_base64(reading, text, strlen(text), name_out);
}

static enum sf_status
read_fields(struct reading *reading, json_t *fields)
{
    const char *text;
    json_t *json;
    if (!json_is_object(fields))
        return SF_INVALID;
    json_object_foreach(fields, text, json) {
        struct sf_span name;
        struct sf_value value;
        enum sf_status status = read_name(reading, text, &name);
        if (status == SF_OK)
            status = read_value(reading, json, &value);
        if (status == SF_OK)
            status = sf_session_set(&reading->session, name, &value);
        if (status != SF_OK)
            return sf_error_set(reading->error, status, "field \"%s\": neither a string, an integer nor base64",
                                text);
    }
    return SF_OK;
}

/* ---- members ---- */

static enum sf_status
read_number(json_t *json, uint64_t max, uint64_t *number_out)
{
    json_int_t number = json_integer_value(json);
    if (!json_is_integer(json) || number < 0 || (uint64_t)number > max)
        return SF_INVALID;
    *number_out = (uint64_t)number;
    return SF_OK;
}

static enum sf_status
read_version(struct reading *reading, json_t *json)
{
    return read_number(json, INT64_MAX, &reading->session.head.version);
}

static enum sf_status
read_u32(void *to, json_t *json)
{
    uint64_t number;
    enum sf_status status = read_number(json, UINT32_MAX, &number);
    if (status == SF_OK)
        *(uint32_t *)to = (uint32_t)number;
    return status;
}

static enum sf_status
read_seconds(void *to, json_t *json)
{
    uint64_t seconds;
    enum sf_status status = read_number(json, UINT32_MAX, &seconds);
    if (status == SF_OK)
        *(sf_time *)to = (sf_time)seconds * SF_SECOND;
    return status;
}

static enum sf_status
read_time(void *to, json_t *json)
{
    return json_is_string(json) ? sf_iso_time_parse(to, json_string_value(json)) : SF_INVALID;
}

static enum sf_status
read_hex(json_t *json, unsigned char *bytes_out, size_t size)
{
    struct sf_span text = sf_span_of(json_string_value(json), json_string_length(json));
    return json_is_string(json) ? sf_hex_decode(text, bytes_out, size) : SF_INVALID;
}

static enum sf_status
read_key(void *to, json_t *json)
{
    return read_hex(json, ((struct sf_key *)to)->bytes, SF_KEY_BYTES);
}

static enum sf_status
read_flags(void *to, json_t *json)
{
    const char *text = json_is_string(json) ? json_string_value(json) : "?";
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        uint8_t flag = sf_record_flag_parse(sf_span_of(text, size));
        if (flag == 0)
            return SF_INVALID;
        *(uint8_t *)to |= flag;
        text += size + (text[size] == ' ');
    }
    return SF_OK;
}

static enum sf_status
read_ended(struct reading *reading, json_t *json)
{
    for (size_t i = 0; json_is_string(json) && i < SF_ROW_END_REASONS; i++) {
        if (strcmp(json_string_value(json), sf_row_end_reasons[i]) == 0) {
            reading->session.head.kind = SF_RECORD_ENDED;
            reading->session.head.end_reason = (enum sf_end_reason)i;
            return SF_OK;
        }
    }
    return SF_INVALID;
}

static enum sf_status
read_user(struct reading *reading, json_t *json)
{
    return read_text(reading, json, "base64", &reading->session.head.user);
}

static enum sf_status
read_lineage(struct reading *reading, json_t *json)
{
    return read_base64(reading, json, "base64", &reading->session.head.lineage);
}

static enum sf_status
read_touched(struct reading *reading, json_t *json)
{
    return read_time(&reading->touched, json);
}

static enum sf_status
read_checksum(struct reading *reading, json_t *json)
{
    unsigned char bytes[sizeof reading->checksum];
    enum sf_status status = read_hex(json, bytes, sizeof bytes);
    for (size_t i = 0; status == SF_OK && i < sizeof bytes; i++)
        reading->checksum = reading->checksum << 8 | bytes[i];
    reading->has_checksum = true;
    return status;
}

/* Either a place in the head and how to fill it, or a function that knows more. */
static const struct {
    const char *name;
    size_t at;
    enum sf_status (*read_head)(void *to, json_t *json);
    enum sf_status (*read)(struct reading *reading, json_t *json);
} members[] = {
#define HEAD(name, read) {#name, offsetof(struct sf_record_head, name), read, NULL}
    HEAD(generation, read_u32),
    HEAD(user_epoch, read_u32),
    HEAD(created, read_time),
    HEAD(last_access, read_time),
    HEAD(idle_timeout, read_seconds),
    HEAD(absolute_deadline, read_time),
    HEAD(grace_until, read_time),
    HEAD(flags, read_flags),
    HEAD(successor, read_key),
#undef HEAD
    {"version", 0, NULL, read_version},
    {"ended", 0, NULL, read_ended},
    {"user", 0, NULL, read_user},
    {"fields", 0, NULL, read_fields},
    {"lineage", 0, NULL, read_lineage},
    {"touched", 0, NULL, read_touched},
    {"checksum", 0, NULL, read_checksum},
};

static enum sf_status
read_member(struct reading *reading, const char *name, json_t *value)
{
    size_t i = 0;
    while (i < sizeof members / sizeof members[0] && strcmp(name, members[i].name) != 0)
        i++;
    if (i == sizeof members / sizeof members[0])
        return sf_error_set(reading->error, SF_INVALID, "\"%s\": no such member", name);
    unsigned char *head = (unsigned char *)&reading->session.head;
    enum sf_status status = members[i].read != NULL ? members[i].read(reading, value)
                                                    : members[i].read_head(head + members[i].at, value);
    if (status == SF_INVALID && reading->error->text[0] == '\0')
        sf_error_set(reading->error, status, "\"%s\": not what belongs there", name);
    return status;
}

/* ---- rows ---- */

static enum sf_status
read_row(struct reading *reading, const struct sf_key *key, json_t *row, struct sf_stored *stored_out)
{
    enum sf_status status = SF_OK;
    const char *name;
    json_t *value;
    json_object_foreach(row, name, value)
        if (status == SF_OK)
            status = read_member(reading, name, value);
    struct sf_record_head *head = &reading->session.head;
    if (status == SF_OK)
        status = sf_session_encode(&reading->session, SF_RECORD_BYTES_MAX, &stored_out->record);
    if (status != SF_OK)
        return reading->error->text[0] != '\0' ? status : sf_error_set(reading->error, status, "not a session");
    stored_out->last_access = reading->touched > head->last_access ? reading->touched : head->last_access;
    struct sf_span record = sf_buffer_span(&stored_out->record);
    if (reading->has_checksum && sf_row_checksum(key, head->version, record) != reading->checksum)
        return sf_error_set(reading->error, SF_CORRUPT,
                            "the checksum fails: damaged; if it was edited, remove the checksum");
    return SF_OK;
}

enum sf_status
sf_row_from_json(struct sf_stored *stored_out, const struct sf_key *key, json_t *row,
                 struct sf_error *error)
{
    struct sf_error unused;
    struct reading reading = {.error = error != NULL ? error : &unused};
    reading.error->text[0] = '\0';
    if (!json_is_object(row))
        return sf_error_set(reading.error, SF_INVALID, "a row is an object");
    reading.decoded = malloc(base64_room(row) + 1);
    if (reading.decoded == NULL)
        return sf_error_set(reading.error, SF_NO_MEMORY, "no memory");
    sf_session_init(&reading.session);
    enum sf_status status = read_row(&reading, key, row, stored_out);
    sf_session_fini(&reading.session);
    free(reading.decoded);
    return status;
}
