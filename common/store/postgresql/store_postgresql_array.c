/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/postgresql/store_postgresql_array.h"

enum sf_status
sf_postgresql_array_begin(struct sf_buffer *array, enum sf_postgresql_type type, size_t count)
{
    const uint32_t head[] = {
        htobe32(1), /* dimension */
        htobe32(0), /* no element is null */
        htobe32((uint32_t)type),
        htobe32((uint32_t)count),
        htobe32(1), /* index of the first element */
    };
    sf_buffer_clear(array);
    return sf_buffer_append(array, head, sizeof head);
}

enum sf_status
sf_postgresql_array_add_bytes(struct sf_buffer *array, struct sf_span bytes)
{
    uint32_t size = htobe32((uint32_t)bytes.size);
    enum sf_status status = sf_buffer_append(array, &size, sizeof size);
    return status == SF_OK ? sf_buffer_append_span(array, bytes) : status;
}

enum sf_status
sf_postgresql_array_add_int8(struct sf_buffer *array, int64_t number)
{
    uint64_t bytes = htobe64((uint64_t)number);
    return sf_postgresql_array_add_bytes(array, sf_span_of(&bytes, sizeof bytes));
}

enum sf_status
sf_postgresql_array_add_bool(struct sf_buffer *array, bool value)
{
    unsigned char byte = value;
    return sf_postgresql_array_add_bytes(array, sf_span_of(&byte, 1));
}
