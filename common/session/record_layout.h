/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * record_layout.h - where everything stands in a record, for the few files that look.
 */
#include "common/session/record.h"

/*
 * docs/record-format.md shows the same as a picture; whoever changes one changes the other, and the
 * last byte of the mark.
 */
static const unsigned char sf_record_mark[4] = {'S', 'F', 'R', 1};

enum {
    AT_MARK = 0,
    AT_SIZE = 4,
    AT_VERSION = 8,
    AT_CREATED = 16,
    AT_LAST_ACCESS = 24,
    AT_ABSOLUTE_DEADLINE = 32,
    AT_GRACE_UNTIL = 40,
    AT_GENERATION = 48,
    AT_USER_EPOCH = 52,
    AT_IDLE_SECONDS = 56,
    AT_FIELD_COUNT = 60,
    AT_KIND = 64,
    AT_END_REASON = 65,
    AT_USER_SIZE = 66,
    AT_FLAGS = 67,
    AT_LINEAGE_SIZE = 68,
    AT_SUCCESSOR = 72,
    HEAD_BYTES = SF_RECORD_HEAD_BYTES
};

enum {
    ENTRY_NAME_AT = 0,
    ENTRY_NAME_SIZE = 4,
    ENTRY_TYPE = 5,
    ENTRY_RESERVED = 6,
    ENTRY_INTEGER = 8,
    ENTRY_VALUE_AT = 8,
    ENTRY_VALUE_SIZE = 12,
    ENTRY_BYTES = 16
};

/*
 * A record whose size, field count and user fit together: the table lies inside. Nothing is known
 * about the entries.
 */
struct sf_record_shape {
    const unsigned char *bytes;
    size_t size;
    size_t table;
    size_t heap; /* behind the table: names, then values */
    size_t end;  /* of the values; the lineage follows */
    uint32_t count;
    uint8_t user_size;
};

/* Of a record that has at least a head. */
static inline sf_time
sf_record_last_access(const unsigned char *bytes)
{
    return (sf_time)sf_load_u64(bytes + AT_LAST_ACCESS);
}

/* From the head alone; `bytes` need not have more. */
static inline bool
sf_record_shape_of(struct sf_record_shape *shape, const unsigned char *bytes, size_t size)
{
    if (size < HEAD_BYTES || size > SF_RECORD_BYTES_MAX)
        return false;
    if (memcmp(bytes + AT_MARK, sf_record_mark, sizeof(sf_record_mark)) != 0)
        return false;
    if (sf_load_u32(bytes + AT_SIZE) != size)
        return false;
    shape->bytes = bytes;
    shape->size = size;
    shape->user_size = bytes[AT_USER_SIZE];
    shape->count = sf_load_u32(bytes + AT_FIELD_COUNT);
    size_t lineage_size = sf_load_u32(bytes + AT_LINEAGE_SIZE);
    if (shape->count > SF_FIELDS_MAX || lineage_size > size)
        return false;
    shape->table = HEAD_BYTES + (size_t)shape->user_size;
    shape->heap = shape->table + (size_t)shape->count * ENTRY_BYTES;
    shape->end = size - lineage_size;
    return shape->heap <= shape->end;
}
