/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from a store or from shared memory: every reader survives them; what passes the check can be
 * found field by field, decodes, and encodes to the same bytes again.
 */
#include "common/session/lineage.h"
#include "common/session/session.h"
#include "tests/fuzz/fuzz.h"

static void
must_be_inside(struct sf_span part, struct sf_span record)
{
    must(part.data >= record.data && part.size <= record.size);
    must((size_t)(part.data - record.data) <= record.size - part.size);
}

static void
value_must_be_inside(const struct sf_value *value, struct sf_span record)
{
    must(value->type >= SF_VALUE_STRING && value->type <= SF_VALUE_BYTES);
    if (value->type != SF_VALUE_INTEGER)
        must_be_inside(value->bytes, record);
}

/* Whatever the bytes are: readers do not rely on an earlier check, which saw other bytes perhaps. */
static void
read_unchecked(struct sf_span record)
{
    struct sf_record_head head;
    struct sf_field field;
    struct sf_value value;

    if (sf_record_head(&head, record) == SF_OK)
        must_be_inside(head.user, record);
    for (uint32_t i = 0; i < 5; i++) {
        if (sf_record_field(&field, record, i == 4 ? UINT32_MAX : i) != SF_OK)
            continue;
        must_be_inside(field.name, record);
        value_must_be_inside(&field.value, record);
    }
    if (sf_record_find(&value, record, sf_span_text("theme")) == SF_OK)
        value_must_be_inside(&value, record);
}

static void
find_all(const struct sf_session *session, struct sf_span record)
{
    struct sf_value value;

    for (size_t i = 0; i < session->count; i++) {
        must(sf_record_find(&value, record, session->fields[i].name) == SF_OK);
        must(sf_value_equal(&value, &session->fields[i].value));
    }
    must(sf_record_find(&value, record, sf_span_text("\xff no such field \xff")) == SF_NOT_FOUND);
}

/* As long as no host is in it twice, which decoding does not mind, it comes back as it was. */
static void
read_lineage(struct sf_span bytes)
{
    struct sf_lineage lineage;
    struct sf_buffer again;

    sf_lineage_init(&lineage);
    sf_buffer_init(&again, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_lineage_decode(&lineage, bytes);
    must(status == sf_lineage_check(bytes));
    if (status == SF_OK && sf_lineage_encode(&lineage, &again) == SF_OK && bytes.size > 0)
        must(again.size == bytes.size);
    sf_buffer_fini(&again);
    sf_lineage_fini(&lineage);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span record = sf_span_of(data, size);
    enum sf_status status = sf_record_check(record);
    struct sf_session session;
    struct sf_buffer again;

    sf_session_init(&session);
    sf_buffer_init(&again, SF_RECORD_BYTES_MAX);
    read_unchecked(record);
    must(sf_session_decode(&session, record) == status);
    read_lineage(record);
    if (status == SF_OK) {
        read_lineage(session.head.lineage);
        find_all(&session, record);
        must(sf_session_encode(&session, size, &again) == SF_OK);
        must(sf_span_equal(sf_buffer_span(&again), record));
    }
    sf_buffer_fini(&again);
    sf_session_fini(&session);
    return 0;
}
