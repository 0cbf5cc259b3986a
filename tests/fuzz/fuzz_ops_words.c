/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of SESSION.APPLY, one a line: a list that was read formats to words that give the same list again; applied to a
 * session it leaves one that encodes, or the session as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "common/session/ops.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 4096

struct words {
    struct sf_span items[WORDS_MAX];
    size_t count;
};

/* What sf_ops_to_words said; the words lie one behind the other in `text`. */
struct formatted {
    size_t sizes[WORDS_MAX];
    size_t count;
    struct sf_buffer text;
};

static void
split(struct words *words, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;

    words->count = 0;
    while (data < end && words->count < WORDS_MAX) {
        const uint8_t *line_end = memchr(data, '\n', (size_t)(end - data));

        if (line_end == NULL)
            line_end = end;
        words->items[words->count++] = sf_span_of(data, (size_t)(line_end - data));
        data = line_end + 1;
    }
}

static enum sf_status
keep_word(void *context, struct sf_span word)
{
    struct formatted *formatted = context;

    if (formatted->count == WORDS_MAX)
        return SF_FULL;
    formatted->sizes[formatted->count++] = word.size;
    return sf_buffer_append_span(&formatted->text, word);
}

static void
must_be_same(const struct sf_op *a, const struct sf_op *b)
{
    must(a->kind == b->kind && a->delta == b->delta && sf_span_equal(a->name, b->name));
    must(a->value.type == 0 ? b->value.type == 0 : sf_value_equal(&a->value, &b->value));
    must(a->expected.type == 0 ? b->expected.type == 0 : sf_value_equal(&a->expected, &b->expected));
}

static void
format_and_read_again(const struct sf_ops *ops)
{
    static struct formatted formatted;
    static struct words words;
    struct sf_ops again;
    struct sf_error error;

    formatted.count = 0;
    sf_buffer_init(&formatted.text, SIZE_MAX);
    sf_ops_init(&again);
    must(sf_ops_to_words(ops, keep_word, &formatted) == SF_OK);
    for (size_t i = 0, at = 0; i < formatted.count; at += formatted.sizes[i++])
        words.items[i] = sf_span_of(formatted.text.data + at, formatted.sizes[i]);
    must(sf_ops_from_words(&again, words.items, formatted.count, &error) == SF_OK);
    must(again.count == ops->count);
    for (size_t i = 0; i < ops->count; i++)
        must_be_same(&ops->items[i], &again.items[i]);
    sf_ops_fini(&again);
    sf_buffer_fini(&formatted.text);
}

static void
encode(const struct sf_session *session, struct sf_buffer *record)
{
    sf_buffer_init(record, SF_RECORD_BYTES_MAX);
    must(sf_session_encode(session, SF_RECORD_BYTES_MAX, record) == SF_OK);
    must(sf_record_check(sf_buffer_span(record)) == SF_OK);
}

static void
apply(const struct sf_ops *ops)
{
    struct sf_session session;
    struct sf_value dark = {.type = SF_VALUE_STRING, .bytes = sf_span_text("dark")};
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5};
    struct sf_buffer scratch, before, after;
    struct sf_ops_outcome outcome = {.changed = false};
    enum sf_status status;

    sf_session_init(&session);
    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    must(sf_session_set(&session, sf_span_text("a"), &dark) == SF_OK);
    must(sf_session_set(&session, sf_span_text("b"), &five) == SF_OK);
    encode(&session, &before);
    status = sf_ops_apply(&session, ops, 1000, &scratch, &outcome);
    encode(&session, &after);
    if (status != SF_OK)
        must(sf_span_equal(sf_buffer_span(&before), sf_buffer_span(&after)));
    must(session.head.version == (status == SF_OK && outcome.changed ? 1 : 0));
    sf_buffer_fini(&before);
    sf_buffer_fini(&after);
    sf_buffer_fini(&scratch);
    sf_session_fini(&session);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct words words;
    struct sf_ops ops;
    struct sf_error error;

    /* The session of apply() must fit into a record whatever the list puts into it. */
    if (size > SF_RECORD_BYTES_MAX / 64)
        return 0;
    sf_ops_init(&ops);
    split(&words, data, size);
    if (sf_ops_from_words(&ops, words.items, words.count, &error) == SF_OK) {
        must(ops.count <= SF_OPS_MAX);
        format_and_read_again(&ops);
        apply(&ops);
    }
    sf_ops_fini(&ops);
    return 0;
}
