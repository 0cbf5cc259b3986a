/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <string.h>

#include "common/session/record_layout.h"

#define PATCHES_MAX 8

/* One value on its way to its place. All are planned before the first is written. */
struct patch {
    struct sf_value value;
    size_t at; /* in the record */
    bool differs;
};

static bool
plan_value(struct patch *patch, const struct sf_value *before, const struct sf_value *value)
{
    if (before->type != value->type ||
        (value->type != SF_VALUE_INTEGER && before->bytes.size != value->bytes.size))
        return false;
    patch->value = *value;
    patch->differs = !sf_value_equal(before, value);
    return true;
}

static bool
plan_sum(struct patch *patch, const struct sf_value *before, int64_t delta)
{
    struct sf_value sum = {.type = SF_VALUE_INTEGER};

    return !__builtin_add_overflow(before->integer, delta, &sum.integer) &&
           plan_value(patch, before, &sum);
}

static bool
plan_op(struct patch *patch, struct sf_span record, const struct sf_op *op)
{
    struct sf_value before;

    if ((op->kind != SF_OP_SET && op->kind != SF_OP_INCREMENT) ||
        sf_record_place(&before, &patch->at, record, op->name) != SF_OK)
        return false;
    return op->kind == SF_OP_SET ? plan_value(patch, &before, &op->value)
                                 : plan_sum(patch, &before, op->delta);
}

/* The second op would have to see what the first has done. */
static bool
meet(const struct patch *patches, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        if (patches[i].at == patches[count - 1].at)
            return true;
    }
    return false;
}

static bool
plan(struct patch *patches, struct sf_span record, const struct sf_ops *ops)
{
    if (ops->count > PATCHES_MAX)
        return false;
    for (size_t i = 0; i < ops->count; i++) {
        if (!plan_op(&patches[i], record, &ops->items[i]) || meet(patches, i + 1))
            return false;
    }
    return true;
}

static void
write_value(unsigned char *to, const struct sf_value *value)
{
    if (value->type == SF_VALUE_INTEGER)
        sf_store_u64(to, (uint64_t)value->integer);
    else if (value->bytes.size > 0)
        memcpy(to, value->bytes.data, value->bytes.size);
}

static void
settle_head(unsigned char *record, struct sf_record_head *head, sf_time now)
{
    head->version++;
    if (head->last_access < now)
        head->last_access = now;
    sf_store_u64(record + AT_VERSION, head->version);
    sf_store_u64(record + AT_LAST_ACCESS, (uint64_t)head->last_access);
}

bool
sf_ops_patch(struct sf_buffer *record, struct sf_record_head *head, const struct sf_ops *ops,
             sf_time now, bool *changed_out)
{
    struct patch patches[PATCHES_MAX];

    if (ops->host != 0 || head->lineage.size > 0 || !plan(patches, sf_buffer_span(record), ops))
        return false;
    *changed_out = false;
    for (size_t i = 0; i < ops->count; i++) {
        write_value(record->data + patches[i].at, &patches[i].value);
        *changed_out |= patches[i].differs;
    }
    if (*changed_out)
        settle_head(record->data, head, now);
    return true;
}
