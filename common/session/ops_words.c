/* SPDX-License-Identifier: Apache-2.0 */
#include "common/session/ops.h"

#include <strings.h>

enum part { PART_NONE, PART_NAME, PART_EXPECTED, PART_VALUE, PART_DELTA };

#define PARTS_MAX 3

/*
 * One row is one word and what follows it; read in one direction it parses, in the other it
 * formats.
 */
struct form {
    const char *word;
    enum sf_op_kind kind;
    enum sf_value_type type; /* of the value; 0: the op has none */
    enum part parts[PARTS_MAX];
};

static const struct form forms[] = {
    {"SET", SF_OP_SET, SF_VALUE_STRING, {PART_NAME, PART_VALUE}},
    {"SETINT", SF_OP_SET, SF_VALUE_INTEGER, {PART_NAME, PART_VALUE}},
    {"SETBYTES", SF_OP_SET, SF_VALUE_BYTES, {PART_NAME, PART_VALUE}},
    {"UNSET", SF_OP_UNSET, 0, {PART_NAME}},
    {"INCREMENT", SF_OP_INCREMENT, 0, {PART_NAME, PART_DELTA}},
    {"APPEND", SF_OP_APPEND, SF_VALUE_STRING, {PART_NAME, PART_VALUE}},
    {"APPENDBYTES", SF_OP_APPEND, SF_VALUE_BYTES, {PART_NAME, PART_VALUE}},
    {"CAS", SF_OP_COMPARE_AND_SET, SF_VALUE_STRING, {PART_NAME, PART_EXPECTED, PART_VALUE}},
    {"CASINT", SF_OP_COMPARE_AND_SET, SF_VALUE_INTEGER, {PART_NAME, PART_EXPECTED, PART_VALUE}},
    {"CASBYTES", SF_OP_COMPARE_AND_SET, SF_VALUE_BYTES, {PART_NAME, PART_EXPECTED, PART_VALUE}},
    {"ADD", SF_OP_COMPARE_AND_SET, SF_VALUE_STRING, {PART_NAME, PART_VALUE}},
    {"ADDINT", SF_OP_COMPARE_AND_SET, SF_VALUE_INTEGER, {PART_NAME, PART_VALUE}},
    {"ADDBYTES", SF_OP_COMPARE_AND_SET, SF_VALUE_BYTES, {PART_NAME, PART_VALUE}},
    {"POP", SF_OP_POP, 0, {PART_NAME}},
    {"CLEAR", SF_OP_CLEAR, 0, {PART_NONE}},
    {"LOGIN", SF_OP_LOGIN, 0, {PART_NAME}},
    {"ROTATE", SF_OP_ROTATE, 0, {PART_NONE}},
    {"MARK", SF_OP_MARK, 0, {PART_NAME}},
    {"UNMARK", SF_OP_UNMARK, 0, {PART_NAME}},
    {"TOUCH", SF_OP_TOUCH, 0, {PART_NONE}},
    {"END", SF_OP_END, 0, {PART_NONE}},
};

#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))

static const struct form *
find_word(struct sf_span word)
{
    for (size_t i = 0; i < FORM_COUNT; i++) {
        struct sf_span text = sf_span_text(forms[i].word);

        if (text.size == word.size &&
            strncasecmp(forms[i].word, (const char *)word.data, word.size) == 0)
            return &forms[i];
    }
    return NULL;
}

static bool
form_compares(const struct form *form)
{
    return form->parts[1] == PART_EXPECTED;
}

static const struct form *
find_form(const struct sf_op *op)
{
    for (size_t i = 0; i < FORM_COUNT; i++) {
        const struct form *form = &forms[i];

        if (form->kind != op->kind || (form->type != 0 && form->type != op->value.type))
            continue;
        if (op->kind == SF_OP_COMPARE_AND_SET && form_compares(form) != (op->expected.type != 0))
            continue;
        return form;
    }
    return NULL;
}

static size_t
part_count(const struct form *form)
{
    size_t count = 0;

    while (count < PARTS_MAX && form->parts[count] != PART_NONE)
        count++;
    return count;
}

static enum sf_status
parse_value(struct sf_value *value_out, enum sf_value_type type, struct sf_span word)
{
    value_out->type = type;
    if (type == SF_VALUE_INTEGER)
        return sf_int64_parse(word, &value_out->integer);
    value_out->bytes = word;
    return SF_OK;
}

static enum sf_status
parse_part(struct sf_op *op, const struct form *form, enum part part, struct sf_span word)
{
    switch (part) {
    case PART_NAME:
        op->name = word;
        return SF_OK;
    case PART_EXPECTED:
        return parse_value(&op->expected, SF_VALUE_STRING, word);
    case PART_VALUE:
        return parse_value(&op->value, form->type, word);
    case PART_DELTA:
        return sf_int64_parse(word, &op->delta);
    case PART_NONE:
        return SF_OK;
    }
    return SF_INVALID;
}

/* `words` are those behind the one that named the form, at least as many as it has parts. */
static enum sf_status
add_form(struct sf_ops *ops, const struct form *form, const struct sf_span *words)
{
    struct sf_op op = {.kind = form->kind};
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < part_count(form); i++)
        status = parse_part(&op, form, form->parts[i], words[i]);
    return status == SF_OK ? sf_ops_add(ops, &op) : status;
}

enum sf_status
sf_ops_from_words(struct sf_ops *ops, const struct sf_span *words, size_t count,
                  struct sf_error *error)
{
    for (size_t at = 0; at < count;) {
        const struct form *form = find_word(words[at]);
        size_t parts;
        enum sf_status status;

        if (form == NULL)
            return sf_error_set(error, SF_INVALID, "word %zu is no operation", at + 1);
        parts = part_count(form);
        if (parts > count - at - 1)
            return sf_error_set(error, SF_INVALID, "%s at word %zu needs %zu more words",
                                form->word, at + 1, parts);
        status = add_form(ops, form, words + at + 1);
        if (status != SF_OK)
            return sf_error_set(error, status,
                                "%s at word %zu: bad name or number, or out of place", form->word,
                                at + 1);
        at += 1 + parts;
    }
    return SF_OK;
}

static struct sf_span
format_part(const struct sf_op *op, enum part part, char number[SF_NUMBER_TEXT])
{
    struct sf_value delta = {.type = SF_VALUE_INTEGER, .integer = op->delta};

    switch (part) {
    case PART_EXPECTED:
        return sf_value_text(&op->expected, number);
    case PART_VALUE:
        return sf_value_text(&op->value, number);
    case PART_DELTA:
        return sf_value_text(&delta, number);
    case PART_NAME:
    case PART_NONE:
        break;
    }
    return op->name;
}

static enum sf_status
format_op(const struct sf_op *op, sf_ops_word_fn *word, void *context)
{
    const struct form *form = find_form(op);
    enum sf_status status;

    if (form == NULL)
        return SF_INVALID;
    status = word(context, sf_span_text(form->word));
    for (size_t i = 0; status == SF_OK && i < part_count(form); i++) {
        char number[SF_NUMBER_TEXT];

        status = word(context, format_part(op, form->parts[i], number));
    }
    return status;
}

enum sf_status
sf_ops_to_words(const struct sf_ops *ops, sf_ops_word_fn *word, void *context)
{
    enum sf_status status = SF_OK;

    for (size_t i = 0; status == SF_OK && i < ops->count; i++)
        status = format_op(&ops->items[i], word, context);
    return status;
}
