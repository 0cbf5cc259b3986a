/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <assert.h>

static bool
is_same_text(const struct sf_value *a, const struct sf_value *b)
{
    char a_number[SF_NUMBER_TEXT], b_number[SF_NUMBER_TEXT];

    return sf_span_equal(sf_value_text(a, a_number), sf_value_text(b, b_number));
}

/* "007" and "-0" are texts: written back as numbers they would read differently. */
static bool
parse_canonical(struct sf_span text, struct sf_value *value_out)
{
    struct sf_value number = {.type = SF_VALUE_INTEGER};
    struct sf_value as_text = {.type = SF_VALUE_STRING, .bytes = text};

    if (sf_int64_parse(text, &number.integer) != SF_OK || !is_same_text(&number, &as_text))
        return false;
    *value_out = number;
    return true;
}

/*
 * Writers of blobs know text only: what they change keeps the type it had, as far as the new text
 * allows.
 */
static struct sf_value
keep_type(const struct sf_value *before, const struct sf_value *after)
{
    struct sf_value value = *after;

    if (after->type == SF_VALUE_STRING && before->type == SF_VALUE_BYTES)
        value.type = SF_VALUE_BYTES;
    else if (after->type == SF_VALUE_STRING && before->type == SF_VALUE_INTEGER)
        (void)parse_canonical(after->bytes, &value);
    return value;
}

static enum sf_status
add_change(struct sf_ops *ops, const struct sf_field *before, const struct sf_field *after)
{
    struct sf_op op = {.kind = SF_OP_SET, .name = after->name, .value = after->value};

    if (before != NULL && is_same_text(&before->value, &after->value))
        return SF_OK;
    if (before != NULL)
        op.value = keep_type(&before->value, &after->value);
    return sf_ops_add(ops, &op);
}

/* Both lists are sorted: < 0 when the next name is only in `before`, > 0 when only in `after`. */
static int
compare_next(const struct sf_session *before, size_t i, const struct sf_field *after,
             size_t after_count, size_t j)
{
    if (before == NULL || i >= before->count)
        return 1;
    if (j >= after_count)
        return -1;
    return sf_span_compare(before->fields[i].name, after[j].name);
}

enum sf_status
sf_ops_diff(struct sf_ops *ops, const struct sf_session *before, const struct sf_field *after,
            size_t after_count)
{
    size_t before_count = before != NULL ? before->count : 0, i = 0, j = 0;
    enum sf_status status = SF_OK;

    while (status == SF_OK && (i < before_count || j < after_count)) {
        int order = compare_next(before, i, after, after_count, j);

        assert(j == 0 || j >= after_count || sf_span_compare(after[j - 1].name, after[j].name) < 0);
        if (order < 0)
            status = sf_ops_add_name(ops, SF_OP_UNSET, before->fields[i++].name);
        else if (order > 0)
            status = add_change(ops, NULL, &after[j++]);
        else
            status = add_change(ops, &before->fields[i++], &after[j++]);
    }
    return status;
}
