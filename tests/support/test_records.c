/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sf_key
sf_test_key(unsigned number)
{
    struct sf_key key = {{0}};
    for (int i = 0; i < 4; i++)
        key.bytes[i] = (unsigned char)(number >> (24 - 8 * i));
    key.bytes[SF_KEY_BYTES - 1] = 0x5f;
    return key;
}

static struct sf_buffer
encode(const struct sf_record_head *head, const struct sf_field *fields)
{
    struct sf_buffer record;
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_record_encode(&record, head, fields, SF_RECORD_BYTES_MAX) != SF_OK) {
        fprintf(stderr, "test_records: cannot encode\n");
        exit(EXIT_FAILURE);
    }
    return record;
}

struct sf_buffer
sf_test_record(uint64_t version, const char *user, struct sf_span value)
{
    struct sf_record_head head = {
        .kind = SF_RECORD_SESSION,
        .version = version,
        .created = 1000,
        .last_access = 1000,
        .user = sf_span_text(user),
        .field_count = 1,
    };
    struct sf_field field = {.name = sf_span_text("value"),
                             .value = {.type = SF_VALUE_BYTES, .bytes = value}};
    return encode(&head, &field);
}

struct sf_buffer
sf_test_tombstone(uint64_t version, sf_time until)
{
    struct sf_record_head head = {
        .kind = SF_RECORD_ENDED,
        .end_reason = SF_END_LOGOUT,
        .version = version,
        .created = 1000,
        .last_access = 1000,
        .absolute_deadline = until,
    };
    return encode(&head, NULL);
}

struct sf_write
sf_test_put(unsigned number, uint64_t version, const struct sf_buffer *record)
{
    return (struct sf_write){
        .kind = SF_WRITE_PUT,
        .key = sf_test_key(number),
        .version = version,
        .last_access = 1000,
        .record = sf_buffer_span(record),
    };
}

struct sf_write
sf_test_touch(unsigned number, sf_time last_access, sf_time expires)
{
    return (struct sf_write){.kind = SF_WRITE_TOUCH,
                             .key = sf_test_key(number),
                             .last_access = last_access,
                             .expires = expires};
}
