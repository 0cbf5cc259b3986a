/* SPDX-License-Identifier: Apache-2.0 */
#include "command_line/bench_door.h"

enum sf_status
bench_door_fill(struct sf_ops *ops, unsigned char *value, uint32_t bytes, uint64_t number)
{
    const struct sf_op set = {
        .kind = SF_OP_SET,
        .name = sf_span_text("data"),
        .value = {.type = SF_VALUE_BYTES, .bytes = sf_span_of(value, bytes)},
    };
    const struct sf_op count = {
        .kind = SF_OP_SET,
        .name = sf_span_text("n"),
        .value = {.type = SF_VALUE_INTEGER, .integer = 0},
    };

    sf_pattern_make(value, bytes, number, 1);
    enum sf_status status = sf_ops_add(ops, &set);
    return status == SF_OK ? sf_ops_add(ops, &count) : status;
}

enum sf_status
bench_door_verify(const struct sf_session *session, uint64_t number, int64_t *n_out)
{
    const struct sf_field *data = sf_session_find(session, sf_span_text("data"));
    const struct sf_field *n = sf_session_find(session, sf_span_text("n"));
    uint64_t version;

    if (data == NULL || n == NULL || n->value.type != SF_VALUE_INTEGER ||
        !sf_pattern_check(data->value.bytes.data, data->value.bytes.size, number, &version))
        return SF_CORRUPT;
    *n_out = n->value.integer;
    return SF_OK;
}
