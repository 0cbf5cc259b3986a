/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finds a field in a record that is read piece by piece, for it lies where others may change it.
 */
#include "common/session/record_layout.h"

/* Read at once: head, table and names of most records. */
#define WINDOW_BYTES 256u

/* A record that is read piece by piece. */
struct distant {
    struct sf_record_shape shape; /* its bytes are the window */
    sf_record_read_fn *read;
    const void *context;
    size_t seen; /* bytes in the window */
    unsigned char window[WINDOW_BYTES];
};

/* In the window, or else copied to `room`. */
static const unsigned char *
look_at(const struct distant *record, unsigned char *room, size_t at, size_t bytes)
{
    if (at + bytes <= record->seen)
        return record->window + at;
    record->read(record->context, room, at, bytes);
    return room;
}

static bool
lies_in_heap(const struct sf_record_shape *shape, uint32_t at, uint32_t size)
{
    return at >= shape->heap && at <= shape->size && size <= shape->size - at;
}

/* false: not a name. */
static bool
compare_name(const struct distant *record, const unsigned char *entry, struct sf_span name,
             int *order_out)
{
    unsigned char room[SF_FIELD_NAME_MAX];
    uint32_t at = sf_load_u32(entry + ENTRY_NAME_AT);
    uint8_t size = entry[ENTRY_NAME_SIZE];

    if (size == 0 || !lies_in_heap(&record->shape, at, size))
        return false;
    *order_out = sf_span_compare(name, sf_span_of(look_at(record, room, at, size), size));
    return true;
}

static bool
read_part(struct sf_record_part *part_out, const struct sf_record_shape *shape, const unsigned char *entry)
{
    uint32_t at = sf_load_u32(entry + ENTRY_VALUE_AT), size = sf_load_u32(entry + ENTRY_VALUE_SIZE);

    *part_out = (struct sf_record_part){.type = (enum sf_value_type)entry[ENTRY_TYPE]};
    switch (part_out->type) {
    case SF_VALUE_INTEGER:
        part_out->integer = (int64_t)sf_load_u64(entry + ENTRY_INTEGER);
        return true;
    case SF_VALUE_STRING:
    case SF_VALUE_BYTES:
        part_out->at = at;
        part_out->size = size;
        return lies_in_heap(shape, at, size);
    }
    return false;
}

static enum sf_status
find_part(struct sf_record_part *part_out, const struct distant *record, struct sf_span name)
{
    for (uint32_t low = 0, high = record->shape.count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        unsigned char room[ENTRY_BYTES];
        const unsigned char *entry = look_at(
            record, room, record->shape.table + (size_t)middle * ENTRY_BYTES, ENTRY_BYTES);
        int order;

        if (!compare_name(record, entry, name, &order))
            return SF_CORRUPT;
        if (order == 0)
            return read_part(part_out, &record->shape, entry) ? SF_OK : SF_CORRUPT;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return SF_NOT_FOUND;
}

enum sf_status
sf_record_find_part(struct sf_record_part *part_out, struct sf_record_brief *brief_out,
                    sf_record_read_fn *read, const void *context, size_t record_size,
                    struct sf_span name)
{
    struct distant record; /* not cleared: the window is large */

    if (record_size < HEAD_BYTES)
        return SF_CORRUPT;
    record.read = read;
    record.context = context;
    record.seen = record_size < WINDOW_BYTES ? record_size : WINDOW_BYTES;
    read(context, record.window, 0, record.seen);
    *brief_out = sf_record_brief(record.window);
    if (!sf_record_shape_of(&record.shape, record.window, record_size))
        return SF_CORRUPT;
    return find_part(part_out, &record, name);
}
