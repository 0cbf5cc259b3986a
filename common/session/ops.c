/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <stdlib.h>

void
sf_ops_init(struct sf_ops *ops)
{
    *ops = (struct sf_ops){.items = NULL};
}

void
sf_ops_fini(struct sf_ops *ops)
{
    free(ops->items);
    sf_ops_init(ops);
}

static bool
value_is_valid(const struct sf_value *value)
{
    return value->type >= SF_VALUE_STRING && value->type <= SF_VALUE_BYTES;
}

static bool
op_is_valid(const struct sf_op *op)
{
    switch (op->kind) {
    case SF_OP_SET:
        return sf_name_is_valid(op->name) && value_is_valid(&op->value);
    case SF_OP_APPEND:
        return sf_name_is_valid(op->name) && value_is_valid(&op->value) &&
               op->value.type != SF_VALUE_INTEGER;
    case SF_OP_COMPARE_AND_SET:
        return sf_name_is_valid(op->name) && value_is_valid(&op->value) &&
               (op->expected.type == 0 || value_is_valid(&op->expected));
    case SF_OP_UNSET:
    case SF_OP_INCREMENT:
    case SF_OP_POP:
        return sf_name_is_valid(op->name);
    case SF_OP_LOGIN:
        return op->name.size > 0 && sf_user_is_valid(op->name);
    case SF_OP_MARK:
    case SF_OP_UNMARK:
        return (sf_record_flag_parse(op->name) & ~SF_RECORD_EPOCHS) != 0;
    case SF_OP_CLEAR:
    case SF_OP_ROTATE:
    case SF_OP_TOUCH:
    case SF_OP_END:
        return true;
    }
    return false;
}

static enum sf_status
reserve_one(struct sf_ops *ops)
{
    size_t capacity = ops->capacity == 0 ? 8 : 2 * ops->capacity;
    struct sf_op *items;

    if (ops->count < ops->capacity)
        return SF_OK;
    items = realloc(ops->items, capacity * sizeof(*items));
    if (items == NULL)
        return SF_NO_MEMORY;
    ops->items = items;
    ops->capacity = capacity;
    return SF_OK;
}

enum sf_status
sf_ops_add(struct sf_ops *ops, const struct sf_op *op)
{
    enum sf_status status;

    if (!op_is_valid(op) || ops->count >= SF_OPS_MAX)
        return SF_INVALID;
    if (ops->count > 0 && ops->items[ops->count - 1].kind == SF_OP_END)
        return SF_INVALID;
    status = reserve_one(ops);
    if (status == SF_OK)
        ops->items[ops->count++] = *op;
    return status;
}

enum sf_status
sf_ops_add_set(struct sf_ops *ops, struct sf_span name, struct sf_span text)
{
    return sf_ops_add(ops, &(struct sf_op){.kind = SF_OP_SET,
                                           .name = name,
                                           .value = {.type = SF_VALUE_STRING, .bytes = text}});
}

enum sf_status
sf_ops_add_name(struct sf_ops *ops, enum sf_op_kind kind, struct sf_span name)
{
    return sf_ops_add(ops, &(struct sf_op){.kind = kind, .name = name});
}

enum sf_status
sf_ops_add_increment(struct sf_ops *ops, struct sf_span name, int64_t delta)
{
    return sf_ops_add(ops, &(struct sf_op){.kind = SF_OP_INCREMENT, .name = name, .delta = delta});
}

bool
sf_ops_has(const struct sf_ops *ops, enum sf_op_kind kind)
{
    for (size_t i = 0; i < ops->count; i++) {
        if (ops->items[i].kind == kind)
            return true;
    }
    return false;
}

bool
sf_ops_may_create(const struct sf_ops *ops)
{
    return sf_ops_has(ops, SF_OP_SET) || sf_ops_has(ops, SF_OP_INCREMENT) ||
           sf_ops_has(ops, SF_OP_APPEND) || sf_ops_has(ops, SF_OP_COMPARE_AND_SET) ||
           sf_ops_has(ops, SF_OP_LOGIN);
}

bool
sf_ops_wants_new_id(const struct sf_ops *ops)
{
    return sf_ops_has(ops, SF_OP_LOGIN) || sf_ops_has(ops, SF_OP_ROTATE);
}

struct sf_span
sf_ops_user(const struct sf_ops *ops)
{
    struct sf_span user = sf_span_of(NULL, 0);

    for (size_t i = 0; i < ops->count; i++) {
        if (ops->items[i].kind == SF_OP_LOGIN)
            user = ops->items[i].name;
    }
    return user;
}

bool
sf_ops_only_touch(const struct sf_ops *ops)
{
    for (size_t i = 0; i < ops->count; i++)
        if (ops->items[i].kind != SF_OP_TOUCH)
            return false;
    return true;
}
