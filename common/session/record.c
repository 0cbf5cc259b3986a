/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/record.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/session/lineage.h"
#include "common/session/record_layout.h"

static const unsigned char no_successor[SF_KEY_BYTES];

#define FLAGS_KNOWN (SF_RECORD_BOT | SF_RECORD_PINNED | SF_RECORD_CHILDREN | SF_RECORD_EPOCHS)

static bool
has_nul(struct sf_span text)
{
    return text.size > 0 && memchr(text.data, 0, text.size) != NULL;
}

bool
sf_name_is_valid(struct sf_span name)
{
    return name.size > 0 && name.size <= SF_FIELD_NAME_MAX && !has_nul(name);
}

bool
sf_user_is_valid(struct sf_span user)
{
    return user.size <= SF_USER_MAX && !has_nul(user);
}

static const struct {
    const char *name;
    enum sf_record_flag flag;
} flag_names[] = {
    {"bot", SF_RECORD_BOT},
    {"pinned", SF_RECORD_PINNED},
    {"children", SF_RECORD_CHILDREN},
    {"epochs", SF_RECORD_EPOCHS},
};

#define FLAG_NAMES (sizeof(flag_names) / sizeof(flag_names[0]))

uint8_t
sf_record_flag_parse(struct sf_span word)
{
    for (size_t i = 0; i < FLAG_NAMES; i++) {
        if (word.size == strlen(flag_names[i].name) &&
            strncasecmp(flag_names[i].name, (const char *)word.data, word.size) == 0)
            return (uint8_t)flag_names[i].flag;
    }
    return 0;
}

void
sf_record_flags_format(uint8_t flags, char text_out[SF_RECORD_FLAGS_TEXT])
{
    size_t used = 0;

    text_out[0] = '\0';
    for (size_t i = 0; i < FLAG_NAMES; i++) {
        if ((flags & flag_names[i].flag) != 0)
            used += (size_t)snprintf(text_out + used, SF_RECORD_FLAGS_TEXT - used, "%s%s",
                                     used > 0 ? " " : "", flag_names[i].name);
    }
}

static bool
read_shape(struct sf_record_shape *shape, struct sf_span record)
{
    return sf_record_shape_of(shape, record.data, record.size);
}

static const unsigned char *
entry_at(const struct sf_record_shape *shape, uint32_t index)
{
    return shape->bytes + shape->table + (size_t)index * ENTRY_BYTES;
}

static bool
read_span(struct sf_span *span_out, const struct sf_record_shape *shape, uint32_t at, uint32_t size)
{
    if (at < shape->heap || at > shape->size || size > shape->size - at)
        return false;
    *span_out = sf_span_of(shape->bytes + at, size);
    return true;
}

static bool
read_name(struct sf_span *name_out, const struct sf_record_shape *shape, const unsigned char *entry)
{
    uint8_t size = entry[ENTRY_NAME_SIZE];

    return size > 0 && read_span(name_out, shape, sf_load_u32(entry + ENTRY_NAME_AT), size);
}

static bool
read_value(struct sf_value *value_out, const struct sf_record_shape *shape, const unsigned char *entry)
{
    *value_out = (struct sf_value){.type = (enum sf_value_type)entry[ENTRY_TYPE]};
    if (sf_load_u16(entry + ENTRY_RESERVED) != 0)
        return false;
    switch (value_out->type) {
    case SF_VALUE_INTEGER:
        value_out->integer = (int64_t)sf_load_u64(entry + ENTRY_INTEGER);
        return true;
    case SF_VALUE_STRING:
    case SF_VALUE_BYTES:
        return read_span(&value_out->bytes, shape, sf_load_u32(entry + ENTRY_VALUE_AT),
                         sf_load_u32(entry + ENTRY_VALUE_SIZE));
    }
    return false;
}

static bool
read_field(struct sf_field *field_out, const struct sf_record_shape *shape, uint32_t index)
{
    const unsigned char *entry = entry_at(shape, index);

    return read_name(&field_out->name, shape, entry) && !has_nul(field_out->name) &&
           read_value(&field_out->value, shape, entry);
}

static bool
end_is_sane(const struct sf_record_head *head)
{
    bool has_successor = memcmp(head->successor.bytes, no_successor, SF_KEY_BYTES) != 0;

    switch (head->kind) {
    case SF_RECORD_SESSION:
        return head->end_reason == SF_END_NONE && !has_successor &&
               (head->flags & ~FLAGS_KNOWN) == 0;
    case SF_RECORD_ENDED:
        return head->end_reason <= SF_END_EXPIRED && head->flags == 0 &&
               (!has_successor || head->end_reason == SF_END_ROTATED);
    }
    return false;
}

static bool
head_is_sane(const struct sf_record_head *head)
{
    return end_is_sane(head) && sf_user_is_valid(head->user) &&
           head->field_count <= SF_FIELDS_MAX && head->created >= 0 && head->last_access >= 0 &&
           head->absolute_deadline >= 0 && head->grace_until >= 0 && head->idle_timeout >= 0 &&
           head->idle_timeout <= (sf_time)UINT32_MAX * SF_SECOND;
}

static sf_time
load_time(const unsigned char *from)
{
    return (sf_time)sf_load_u64(from);
}

static bool
read_head(struct sf_record_head *head_out, const struct sf_record_shape *shape)
{
    const unsigned char *bytes = shape->bytes;

    /* One by one: compilers clear a struct this large with `rep stos`, which takes longer than a hit
       in the cache may. */
    head_out->kind = (enum sf_record_kind)bytes[AT_KIND];
    head_out->end_reason = (enum sf_end_reason)bytes[AT_END_REASON];
    head_out->version = sf_load_u64(bytes + AT_VERSION);
    head_out->generation = sf_load_u32(bytes + AT_GENERATION);
    head_out->user_epoch = sf_load_u32(bytes + AT_USER_EPOCH);
    head_out->flags = bytes[AT_FLAGS];
    head_out->created = load_time(bytes + AT_CREATED);
    head_out->last_access = load_time(bytes + AT_LAST_ACCESS);
    head_out->idle_timeout = sf_load_u32(bytes + AT_IDLE_SECONDS) * SF_SECOND;
    head_out->absolute_deadline = load_time(bytes + AT_ABSOLUTE_DEADLINE);
    head_out->grace_until = load_time(bytes + AT_GRACE_UNTIL);
    head_out->user = sf_span_of(bytes + HEAD_BYTES, shape->user_size);
    head_out->lineage = sf_span_of(bytes + shape->end, shape->size - shape->end);
    head_out->field_count = shape->count;
    memcpy(head_out->successor.bytes, bytes + AT_SUCCESSOR, SF_KEY_BYTES);
    return head_is_sane(head_out);
}

struct sf_record_brief
sf_record_brief(const unsigned char head[SF_RECORD_HEAD_BYTES])
{
    return (struct sf_record_brief){
        .kind = (enum sf_record_kind)head[AT_KIND],
        .version = sf_load_u64(head + AT_VERSION),
        .user_epoch = sf_load_u32(head + AT_USER_EPOCH),
        .last_access = load_time(head + AT_LAST_ACCESS),
        .idle_timeout = sf_load_u32(head + AT_IDLE_SECONDS) * SF_SECOND,
        .absolute_deadline = load_time(head + AT_ABSOLUTE_DEADLINE),
        .grace_until = load_time(head + AT_GRACE_UNTIL),
    };
}

enum sf_status
sf_record_head(struct sf_record_head *head_out, struct sf_span record)
{
    struct sf_record_shape shape;

    return read_shape(&shape, record) && read_head(head_out, &shape) ? SF_OK : SF_CORRUPT;
}

enum sf_status
sf_record_field(struct sf_field *field_out, struct sf_span record, uint32_t index)
{
    struct sf_record_shape shape;

    if (!read_shape(&shape, record))
        return SF_CORRUPT;
    if (index >= shape.count)
        return SF_NOT_FOUND;
    return read_field(field_out, &shape, index) ? SF_OK : SF_CORRUPT;
}

/*
 * A table in a hostile order gives a wrong answer, never a longer search: the distance shrinks with
 * every step.
 */
static enum sf_status
find_entry(const unsigned char **entry_out, const struct sf_record_shape *shape, struct sf_span name)
{
    for (uint32_t low = 0, high = shape->count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        struct sf_span found;

        *entry_out = entry_at(shape, middle);
        if (!read_name(&found, shape, *entry_out))
            return SF_CORRUPT;
        int order = sf_span_compare(name, found);
        if (order == 0)
            return SF_OK;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return SF_NOT_FOUND;
}

enum sf_status
sf_record_place(struct sf_value *value_out, size_t *at_out, struct sf_span record,
                struct sf_span name)
{
    struct sf_record_shape shape;
    const unsigned char *entry;
    enum sf_status status = read_shape(&shape, record) ? SF_OK : SF_CORRUPT;

    if (status == SF_OK)
        status = find_entry(&entry, &shape, name);
    if (status != SF_OK)
        return status;
    if (!read_value(value_out, &shape, entry))
        return SF_CORRUPT;
    *at_out = value_out->type == SF_VALUE_INTEGER ? (size_t)(entry + ENTRY_INTEGER - shape.bytes)
                                                  : (size_t)(value_out->bytes.data - shape.bytes);
    return SF_OK;
}

enum sf_status
sf_record_find(struct sf_value *value_out, struct sf_span record, struct sf_span name)
{
    size_t at;

    return sf_record_place(value_out, &at, record, name);
}

static size_t
names_size(const struct sf_record_shape *shape)
{
    size_t size = 0;

    for (uint32_t i = 0; i < shape->count; i++)
        size += entry_at(shape, i)[ENTRY_NAME_SIZE];
    return size;
}

/*
 * One record has one form: names lie packed in table order, then the values, and nothing else.
 * fields_out (may be NULL) gets them all on the way: validating again for each would double the cost
 * of decoding.
 */
static bool
read_table(struct sf_field *fields_out, const struct sf_record_shape *shape)
{
    size_t name_at = shape->heap, value_at = name_at + names_size(shape);
    struct sf_field field, before;

    for (uint32_t i = 0; i < shape->count; i++, before = field) {
        if (!read_field(&field, shape, i) || field.name.data != shape->bytes + name_at)
            return false;
        if (i > 0 && sf_span_compare(before.name, field.name) >= 0)
            return false;
        name_at += field.name.size;
        if (fields_out != NULL)
            fields_out[i] = field;
        if (field.value.type == SF_VALUE_INTEGER)
            continue;
        if (field.value.bytes.data != shape->bytes + value_at)
            return false;
        value_at += field.value.bytes.size;
    }
    return value_at == shape->end;
}

enum sf_status
sf_record_fields(struct sf_field *fields_out, struct sf_span record)
{
    struct sf_record_shape shape;

    return read_shape(&shape, record) && read_table(fields_out, &shape) ? SF_OK : SF_CORRUPT;
}

enum sf_status
sf_record_check(struct sf_span record)
{
    struct sf_record_head head;
    enum sf_status status = sf_record_head(&head, record);

    if (status == SF_OK)
        status = sf_lineage_check(head.lineage);
    return status == SF_OK ? sf_record_fields(NULL, record) : status;
}

/* The size of the names and values; false when it does not fit into a size_t. */
static bool
measure_fields(const struct sf_field *fields, uint32_t count, size_t *names_out, size_t *size_out)
{
    size_t size = 0;

    *names_out = 0;
    for (uint32_t i = 0; i < count; i++) {
        *names_out += fields[i].name.size;
        if (fields[i].value.type != SF_VALUE_INTEGER &&
            __builtin_add_overflow(size, fields[i].value.bytes.size, &size))
            return false;
    }
    return !__builtin_add_overflow(size, *names_out, size_out);
}

static bool
fields_are_valid(const struct sf_field *fields, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!sf_name_is_valid(fields[i].name))
            return false;
        if (fields[i].value.type < SF_VALUE_STRING || fields[i].value.type > SF_VALUE_BYTES)
            return false;
        assert(i == 0 || sf_span_compare(fields[i - 1].name, fields[i].name) < 0);
    }
    return true;
}

static void
store_bytes(unsigned char *to, struct sf_span from)
{
    if (from.size > 0)
        memcpy(to, from.data, from.size);
}

static void
write_head(unsigned char *to, const struct sf_record_head *head, size_t size)
{
    memset(to, 0, HEAD_BYTES);
    memcpy(to + AT_MARK, sf_record_mark, sizeof(sf_record_mark));
    sf_store_u32(to + AT_SIZE, (uint32_t)size);
    sf_store_u64(to + AT_VERSION, head->version);
    sf_store_u64(to + AT_CREATED, (uint64_t)head->created);
    sf_store_u64(to + AT_LAST_ACCESS, (uint64_t)head->last_access);
    sf_store_u64(to + AT_ABSOLUTE_DEADLINE, (uint64_t)head->absolute_deadline);
    sf_store_u64(to + AT_GRACE_UNTIL, (uint64_t)head->grace_until);
    sf_store_u32(to + AT_GENERATION, head->generation);
    sf_store_u32(to + AT_USER_EPOCH, head->user_epoch);
    sf_store_u32(to + AT_IDLE_SECONDS,
                 (uint32_t)((head->idle_timeout + SF_SECOND - 1) / SF_SECOND));
    sf_store_u32(to + AT_FIELD_COUNT, head->field_count);
    to[AT_KIND] = (unsigned char)head->kind;
    to[AT_END_REASON] = (unsigned char)head->end_reason;
    to[AT_USER_SIZE] = (unsigned char)head->user.size;
    to[AT_FLAGS] = head->flags;
    sf_store_u32(to + AT_LINEAGE_SIZE, (uint32_t)head->lineage.size);
    memcpy(to + AT_SUCCESSOR, head->successor.bytes, SF_KEY_BYTES);
    store_bytes(to + HEAD_BYTES, head->user);
    store_bytes(to + size - head->lineage.size, head->lineage);
}

static void
write_fields(unsigned char *record, size_t table, const struct sf_field *fields, uint32_t count,
             size_t names)
{
    size_t name_at = table + (size_t)count * ENTRY_BYTES, value_at = name_at + names;

    for (uint32_t i = 0; i < count; i++) {
        unsigned char *entry = record + table + (size_t)i * ENTRY_BYTES;
        const struct sf_value *value = &fields[i].value;

        sf_store_u32(entry + ENTRY_NAME_AT, (uint32_t)name_at);
        entry[ENTRY_NAME_SIZE] = (unsigned char)fields[i].name.size;
        entry[ENTRY_TYPE] = (unsigned char)value->type;
        sf_store_u16(entry + ENTRY_RESERVED, 0);
        store_bytes(record + name_at, fields[i].name);
        name_at += fields[i].name.size;
        if (value->type == SF_VALUE_INTEGER) {
            sf_store_u64(entry + ENTRY_INTEGER, (uint64_t)value->integer);
            continue;
        }
        sf_store_u32(entry + ENTRY_VALUE_AT, (uint32_t)value_at);
        sf_store_u32(entry + ENTRY_VALUE_SIZE, (uint32_t)value->bytes.size);
        store_bytes(record + value_at, value->bytes);
        value_at += value->bytes.size;
    }
}

enum sf_status
sf_record_encode(struct sf_buffer *record_out, const struct sf_record_head *head,
                 const struct sf_field *fields, size_t max_bytes)
{
    size_t names, heap_size, size, table;
    enum sf_status status;

    if (!head_is_sane(head) || !fields_are_valid(fields, head->field_count))
        return SF_INVALID;
    if (!measure_fields(fields, head->field_count, &names, &heap_size))
        return SF_FULL;
    table = HEAD_BYTES + head->user.size;
    if (__builtin_add_overflow(table + (size_t)head->field_count * ENTRY_BYTES, heap_size, &size))
        return SF_FULL;
    if (size > max_bytes || __builtin_add_overflow(size, head->lineage.size, &size) ||
        size > SF_RECORD_BYTES_MAX)
        return SF_FULL;
    sf_buffer_clear(record_out);
    status = sf_buffer_reserve(record_out, size);
    if (status != SF_OK)
        return status;
    write_head(record_out->data, head, size);
    write_fields(record_out->data, table, fields, head->field_count, names);
    record_out->size = size;
    return SF_OK;
}

static sf_time
add_times(sf_time time, sf_time duration)
{
    sf_time sum;

    return __builtin_add_overflow(time, duration, &sum) ? INT64_MAX : sum;
}

sf_time
sf_record_expires(const struct sf_record_head *head, sf_time last_access)
{
    sf_time idle_deadline;

    if (head->kind == SF_RECORD_ENDED || head->idle_timeout == 0)
        return head->absolute_deadline;
    idle_deadline = add_times(last_access, head->idle_timeout);
    if (head->absolute_deadline == 0 || idle_deadline < head->absolute_deadline)
        return idle_deadline;
    return head->absolute_deadline;
}
