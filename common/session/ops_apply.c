/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <stdlib.h>
#include <string.h>

#include "common/session/lineage_keep.h"

/* One list being applied: `after` is a copy that takes the session's place if every op works. */
struct application {
    struct sf_session *before;
    struct sf_session after;
    struct sf_buffer *scratch;
    struct sf_ops_outcome outcome;
};

static enum sf_status
copy_session(struct sf_session *copy_out, const struct sf_session *session, size_t extra)
{
    *copy_out = *session;
    copy_out->capacity = session->count + extra;
    copy_out->fields = malloc((copy_out->capacity + 1) * sizeof(*copy_out->fields));
    if (copy_out->fields == NULL)
        return SF_NO_MEMORY;
    if (session->count > 0)
        memcpy(copy_out->fields, session->fields, session->count * sizeof(*copy_out->fields));
    return SF_OK;
}

static enum sf_status
set_field(struct application *work, struct sf_span name, const struct sf_value *value)
{
    const struct sf_field *field = sf_session_find(&work->after, name);

    if (field != NULL && sf_value_equal(&field->value, value))
        return SF_OK;
    work->outcome.changed = true;
    return sf_session_set(&work->after, name, value);
}

static enum sf_status
unset_field(struct application *work, struct sf_span name)
{
    if (sf_session_unset(&work->after, name))
        work->outcome.changed = true;
    return SF_OK;
}

static enum sf_status
number_of(const struct sf_field *field, int64_t *number_out)
{
    *number_out = 0;
    if (field == NULL)
        return SF_OK;
    if (field->value.type == SF_VALUE_STRING)
        return sf_int64_parse(field->value.bytes, number_out);
    *number_out = field->value.integer;
    return field->value.type == SF_VALUE_INTEGER ? SF_OK : SF_INVALID;
}

static enum sf_status
increment_field(struct application *work, const struct sf_op *op)
{
    struct sf_value sum = {.type = SF_VALUE_INTEGER};
    int64_t number;
    enum sf_status status = number_of(sf_session_find(&work->after, op->name), &number);

    if (status != SF_OK)
        return status;
    if (__builtin_add_overflow(number, op->delta, &sum.integer))
        return SF_INVALID;
    return set_field(work, op->name, &sum);
}

static void
move_value(struct sf_value *value, uintptr_t from, const struct sf_buffer *scratch)
{
    uintptr_t at = (uintptr_t)value->bytes.data;

    if (value->type != 0 && value->type != SF_VALUE_INTEGER && at >= from &&
        at - from < scratch->size)
        value->bytes.data = scratch->data + (at - from);
}

/* Values that earlier APPENDs joined lie in scratch: they must follow it when it moves. */
static enum sf_status
reserve_scratch(struct application *work, size_t extra)
{
    uintptr_t from = (uintptr_t)work->scratch->data;
    enum sf_status status = sf_buffer_reserve(work->scratch, extra);

    if (status != SF_OK || (uintptr_t)work->scratch->data == from || work->scratch->size == 0)
        return status;
    for (size_t i = 0; i < work->before->count; i++)
        move_value(&work->before->fields[i].value, from, work->scratch);
    for (size_t i = 0; i < work->after.count; i++)
        move_value(&work->after.fields[i].value, from, work->scratch);
    move_value(&work->outcome.popped, from, work->scratch);
    return SF_OK;
}

/*
 * The value is the last thing in scratch: a list of many APPENDs to one field then copies each byte
 * once only.
 */
static bool
is_scratch_end(const struct application *work, struct sf_span bytes)
{
    const struct sf_buffer *scratch = work->scratch;

    return bytes.size > 0 && bytes.size <= scratch->size &&
           bytes.data == scratch->data + scratch->size - bytes.size;
}

static enum sf_status
join(struct application *work, const struct sf_field *field, struct sf_span tail,
     struct sf_span *joined_out)
{
    bool in_place = is_scratch_end(work, field->value.bytes);
    enum sf_status status =
        reserve_scratch(work, tail.size + (in_place ? 0 : field->value.bytes.size));
    struct sf_span head = field->value.bytes; /* where it is now */

    if (status == SF_OK && !in_place)
        status = sf_buffer_append_span(work->scratch, head);
    if (status == SF_OK)
        status = sf_buffer_append_span(work->scratch, tail);
    if (status == SF_OK)
        *joined_out = sf_span_of(work->scratch->data + work->scratch->size - head.size - tail.size,
                                 head.size + tail.size);
    return status;
}

static enum sf_status
append_field(struct application *work, const struct sf_op *op)
{
    const struct sf_field *field = sf_session_find(&work->after, op->name);
    struct sf_value joined;
    enum sf_status status;

    if (field == NULL)
        return set_field(work, op->name, &op->value);
    if (field->value.type == SF_VALUE_INTEGER)
        return SF_INVALID;
    if (op->value.bytes.size == 0)
        return SF_OK;
    joined = field->value;
    status = join(work, field, op->value.bytes, &joined.bytes);
    return status == SF_OK ? set_field(work, op->name, &joined) : status;
}

/* As text: whoever compares has seen text, not types. */
static bool
is_expected(const struct sf_field *field, const struct sf_value *expected)
{
    char number[SF_NUMBER_TEXT], expected_number[SF_NUMBER_TEXT];

    if (field == NULL || expected->type == 0)
        return field == NULL && expected->type == 0;
    return sf_span_equal(sf_value_text(&field->value, number),
                         sf_value_text(expected, expected_number));
}

static enum sf_status
compare_and_set(struct application *work, const struct sf_op *op)
{
    if (!is_expected(sf_session_find(&work->after, op->name), &op->expected))
        return SF_CONFLICT;
    return set_field(work, op->name, &op->value);
}

static enum sf_status
pop_field(struct application *work, struct sf_span name)
{
    const struct sf_field *field = sf_session_find(&work->after, name);

    work->outcome.popped = field != NULL ? field->value : (struct sf_value){.integer = 0};
    return unset_field(work, name);
}

static void
clear_fields(struct application *work)
{
    if (work->after.count > 0)
        work->outcome.changed = true;
    work->after.count = 0;
}

/* Of somebody else nothing may remain; what was gathered while nobody was logged in goes along. */
static void
log_in(struct application *work, struct sf_span user)
{
    struct sf_span former = work->after.head.user;

    if (former.size > 0 && !sf_span_equal(former, user)) {
        clear_fields(work);
        work->after.head.flags = 0;
    }
    work->outcome.user_changed = !sf_span_equal(work->before->head.user, user);
    work->outcome.wants_new_id = true;
    work->after.head.user = user;
}

static enum sf_status
set_flags(struct application *work, uint8_t flags)
{
    if (work->after.head.flags != flags)
        work->outcome.changed = true;
    work->after.head.flags = flags;
    return SF_OK;
}

static enum sf_status
apply_one(struct application *work, const struct sf_op *op)
{
    switch (op->kind) {
    case SF_OP_SET:
        return set_field(work, op->name, &op->value);
    case SF_OP_UNSET:
        return unset_field(work, op->name);
    case SF_OP_INCREMENT:
        return increment_field(work, op);
    case SF_OP_APPEND:
        return append_field(work, op);
    case SF_OP_COMPARE_AND_SET:
        return compare_and_set(work, op);
    case SF_OP_POP:
        return pop_field(work, op->name);
    case SF_OP_CLEAR:
        clear_fields(work);
        return SF_OK;
    case SF_OP_LOGIN:
        log_in(work, op->name);
        return SF_OK;
    case SF_OP_ROTATE:
        work->outcome.wants_new_id = true;
        return SF_OK;
    case SF_OP_MARK:
        return set_flags(work, work->after.head.flags | sf_record_flag_parse(op->name));
    case SF_OP_UNMARK:
        return set_flags(work, work->after.head.flags & (uint8_t)~sf_record_flag_parse(op->name));
    case SF_OP_TOUCH:
        return SF_OK;
    case SF_OP_END:
        work->outcome.ended = true;
        return SF_OK;
    }
    return SF_INVALID;
}

static void
settle_head(struct application *work, const struct sf_ops *ops, sf_time now)
{
    struct sf_record_head *head = &work->after.head;

    if (work->outcome.wants_new_id || work->outcome.ended)
        work->outcome.changed = true;
    if (work->outcome.changed)
        head->version++;
    if (work->outcome.wants_new_id)
        head->generation++;
    if (ops->stamps || sf_ops_has(ops, SF_OP_LOGIN))
        head->user_epoch = ops->user_epoch;
    if ((work->outcome.changed || sf_ops_has(ops, SF_OP_TOUCH)) && head->last_access < now)
        head->last_access = now;
    head->field_count = (uint32_t)work->after.count;
}

/* It goes where APPEND keeps what it joins. */
static enum sf_status
keep_lineage(struct application *work, const struct sf_ops *ops)
{
    struct sf_buffer bytes;

    sf_buffer_init(&bytes, SF_LINEAGE_BYTES_MAX);
    enum sf_status status =
        sf_lineage_of_change(&bytes, work->before, &work->after, ops, &work->outcome);
    if (status == SF_OK)
        status = reserve_scratch(work, bytes.size);
    if (status == SF_OK)
        status = sf_buffer_append_span(work->scratch, sf_buffer_span(&bytes));
    if (status == SF_OK)
        work->after.head.lineage =
            sf_span_of(work->scratch->data + work->scratch->size - bytes.size, bytes.size);
    sf_buffer_fini(&bytes);
    return status;
}

enum sf_status
sf_ops_apply(struct sf_session *session, const struct sf_ops *ops, sf_time now,
             struct sf_buffer *scratch, struct sf_ops_outcome *outcome_out)
{
    struct application work = {.before = session, .scratch = scratch};
    enum sf_status status = copy_session(&work.after, session, ops->count);

    for (size_t i = 0; status == SF_OK && i < ops->count; i++)
        status = apply_one(&work, &ops->items[i]);
    if (status == SF_OK)
        settle_head(&work, ops, now);
    work.after.head.lineage = work.outcome.changed ? sf_span_of(NULL, 0) : session->head.lineage;
    if (status == SF_OK && ops->host != 0 && work.outcome.changed)
        status = keep_lineage(&work, ops);
    if (status != SF_OK) {
        free(work.after.fields);
        return status;
    }
    free(session->fields);
    *session = work.after;
    *outcome_out = work.outcome;
    return SF_OK;
}
