/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from a store or from shared memory: what passes the check decodes, and encodes to the same bytes again. */
#include <stdlib.h>

#include "common/session/record.h"
#include "tests/fuzz/fuzz.h"

/* Whatever the bytes are, each reader alone must survive them. */
static void
read_unchecked(struct sf_span record)
{
    struct sf_record_head head;
    struct sf_field field;
    struct sf_value value;

    (void)!sf_record_head(&head, record);
    (void)!sf_record_field(&field, record, 0);
    (void)!sf_record_field(&field, record, UINT32_MAX);
    (void)!sf_record_find(&value, record, sf_span_text("theme"));
}

static void
encode_again(struct sf_span record)
{
    struct sf_record_head head;
    struct sf_field *fields;
    struct sf_buffer copy;

    must(sf_record_head(&head, record) == SF_OK);
    fields = calloc(head.field_count + 1, sizeof *fields);
    must(fields != NULL);
    for (uint32_t i = 0; i < head.field_count; i++) {
        must(sf_record_field(&fields[i], record, i) == SF_OK);
    }
    sf_buffer_init(&copy, SF_RECORD_BYTES_MAX);
    if (sf_record_encode(&copy, &head, fields, SF_RECORD_BYTES_MAX) == SF_OK) {
        must(sf_span_equal(sf_buffer_span(&copy), record));
    }
    sf_buffer_fini(&copy);
    free(fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span record = sf_span_of(data, size);

    read_unchecked(record);
    if (sf_record_check(record) == SF_OK) {
        encode_again(record);
    }
    return 0;
}
