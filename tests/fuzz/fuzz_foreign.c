/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of another system, of the kind that the first byte says: what is taken is a whole
 * record of ours, whose id lies within the line.
 */
#include "common/session/record.h"
#include "common/store/foreign/foreign.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_foreign_options options = {
        .now = 1800000000 * SF_SECOND, .idle_timeout = SF_HOUR, .max_bytes = SF_RECORD_BYTES_MAX};
    struct sf_buffer record;
    struct sf_span id;

    if (size == 0)
        return 0;
    options.kind = (enum sf_foreign_kind)(data[0] % 4);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_foreign_read(&record, &id, sf_span_of(data + 1, size - 1), &options, NULL) == SF_OK) {
        must(sf_record_check(sf_buffer_span(&record)) == SF_OK);
        must(id.data >= data + 1 && id.data + id.size <= data + size);
    }
    sf_buffer_fini(&record);
    return 0;
}
