/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "common/session/lineage.h"

void
sf_session_init(struct sf_session *session)
{
    *session = (struct sf_session){.head = {.kind = SF_RECORD_SESSION}};
}

void
sf_session_fini(struct sf_session *session)
{
    free(session->fields);
    sf_session_init(session);
}

static enum sf_status
reserve_fields(struct sf_session *session, size_t count)
{
    size_t capacity = session->capacity == 0 ? 8 : session->capacity;
    struct sf_field *fields;

    if (count <= session->capacity)
        return SF_OK;
    while (capacity < count)
        capacity *= 2;
    fields = realloc(session->fields, capacity * sizeof(*fields));
    if (fields == NULL)
        return SF_NO_MEMORY;
    session->fields = fields;
    session->capacity = capacity;
    return SF_OK;
}

/* Into fields of its own: a record that turns out to be corrupt must leave the session as it was. */
enum sf_status
sf_session_decode(struct sf_session *session, struct sf_span record)
{
    struct sf_session decoded = {.fields = NULL};
    enum sf_status status = sf_record_head(&decoded.head, record);

    if (status == SF_OK)
        status = sf_lineage_check(decoded.head.lineage);
    if (status == SF_OK)
        status = reserve_fields(&decoded, decoded.head.field_count);
    if (status == SF_OK)
        status = sf_record_fields(decoded.fields, record);
    if (status != SF_OK) {
        free(decoded.fields);
        return status;
    }
    decoded.count = decoded.head.field_count;
    free(session->fields);
    *session = decoded;
    return SF_OK;
}

enum sf_status
sf_session_encode(const struct sf_session *session, size_t max_bytes, struct sf_buffer *record_out)
{
    struct sf_record_head head = session->head;

    if (session->count > SF_FIELDS_MAX)
        return SF_INVALID;
    head.field_count = (uint32_t)session->count;
    return sf_record_encode(record_out, &head, session->fields, max_bytes);
}

/* Where the field is, or where it would go. */
static size_t
position_of(const struct sf_session *session, struct sf_span name, bool *is_there_out)
{
    size_t low = 0, high = session->count;

    *is_there_out = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sf_span_compare(name, session->fields[middle].name);

        if (order == 0) {
            *is_there_out = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct sf_field *
sf_session_find(const struct sf_session *session, struct sf_span name)
{
    bool is_there;
    size_t at = position_of(session, name, &is_there);

    return is_there ? &session->fields[at] : NULL;
}

enum sf_status
sf_session_set(struct sf_session *session, struct sf_span name, const struct sf_value *value)
{
    struct sf_value copy = *value; /* it may be a field of this session, and those move */
    bool is_there;
    size_t at = position_of(session, name, &is_there);
    enum sf_status status;

    if (is_there) {
        session->fields[at].value = copy;
        return SF_OK;
    }
    if (!sf_name_is_valid(name))
        return SF_INVALID;
    if (session->count >= SF_FIELDS_MAX)
        return SF_FULL;
    status = reserve_fields(session, session->count + 1);
    if (status != SF_OK)
        return status;
    memmove(&session->fields[at + 1], &session->fields[at],
            (session->count - at) * sizeof(session->fields[0]));
    session->fields[at] = (struct sf_field){name, copy};
    session->count++;
    return SF_OK;
}

bool
sf_session_unset(struct sf_session *session, struct sf_span name)
{
    bool is_there;
    size_t at = position_of(session, name, &is_there);

    if (!is_there)
        return false;
    session->count--;
    memmove(&session->fields[at], &session->fields[at + 1],
            (session->count - at) * sizeof(session->fields[0]));
    return true;
}

/* From the last digit on. Each request shows some numbers, and snprintf takes ten times as long. */
static struct sf_span
number_text(int64_t integer, char number[SF_NUMBER_TEXT])
{
    uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
    size_t at = SF_NUMBER_TEXT - 1;

    number[at] = '\0';
    do
        number[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (integer < 0)
        number[--at] = '-';
    return sf_span_of(number + at, SF_NUMBER_TEXT - 1 - at);
}

struct sf_span
sf_value_text(const struct sf_value *value, char number[SF_NUMBER_TEXT])
{
    if (value->type != SF_VALUE_INTEGER)
        return value->bytes;
    return number_text(value->integer, number);
}

bool
sf_value_equal(const struct sf_value *a, const struct sf_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == SF_VALUE_INTEGER)
        return a->integer == b->integer;
    return sf_span_equal(a->bytes, b->bytes);
}
