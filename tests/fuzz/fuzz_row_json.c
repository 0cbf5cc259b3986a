/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of JSON from a file that anybody may have edited: what is taken is a whole record, and says
 * the same when it is written and read again.
 */
#include "common/store/file/row_json.h"
#include "tests/fuzz/fuzz.h"

static void
must_come_back(const struct sf_key *key, const struct sf_stored *stored)
{
    struct sf_stored again;
    struct sf_span record = sf_buffer_span(&stored->record);
    json_t *row = sf_row_to_json(key, record, stored->last_access);

    must(row != NULL);
    sf_buffer_init(&again.record, SF_RECORD_BYTES_MAX);
    must(sf_row_from_json(&again, key, row, NULL) == SF_OK);
    must(sf_span_equal(sf_buffer_span(&again.record), record));
    must(again.last_access == stored->last_access);
    sf_buffer_fini(&again.record);
    json_decref(row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sf_key key = {{7}};
    struct sf_stored stored;
    json_t *row = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    sf_buffer_init(&stored.record, SF_RECORD_BYTES_MAX);
    if (row != NULL && sf_row_from_json(&stored, &key, row, NULL) == SF_OK) {
        must(sf_record_check(sf_buffer_span(&stored.record)) == SF_OK);
        must_come_back(&key, &stored);
    }
    sf_buffer_fini(&stored.record);
    json_decref(row);
    return 0;
}
