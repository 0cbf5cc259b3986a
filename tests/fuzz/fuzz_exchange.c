/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response headers of an application, as "Name: value" lines: a list of operations within its limits, or none.
 */
#include <stdlib.h>
#include <string.h>

#include "common/session/exchange.h"
#include "tests/fuzz/fuzz.h"

/* Takes one line off `text`; false at the end. Header names and values hold no NUL: httpd would have refused them. */
static bool
next_header(char **text, char **header_out, char **value_out)
{
    char *line = strsep(text, "\n");
    char *colon = line == NULL ? NULL : strchr(line, ':');

    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    *header_out = line;
    *value_out = colon + 1 + strspn(colon + 1, " ");
    return true;
}

static bool
collect(struct sf_exchange *exchange, char *text)
{
    char *header, *value;
    struct sf_error error;
    bool is_accepted = true;

    while (next_header(&text, &header, &value)) {
        must(!sf_exchange_is_control(header) || sf_exchange_is_spoof(header));
        if (sf_exchange_is_control(header) && sf_exchange_add(exchange, header, value, &error) != SF_OK) {
            is_accepted = false;
        }
    }
    return is_accepted;
}

/* What was accepted must be something that a session can take: into a record, or refused as a whole. */
static void
apply(struct sf_session *session, const struct sf_ops *ops)
{
    struct sf_buffer scratch, record;
    struct sf_ops_outcome outcome;

    sf_buffer_init(&scratch, SF_RECORD_BYTES_MAX);
    sf_buffer_init(&record, SF_RECORD_BYTES_MAX);
    if (sf_ops_apply(session, ops, 1000, &scratch, &outcome) == SF_OK &&
        sf_session_encode(session, SF_RECORD_BYTES_MAX, &record) == SF_OK)
        must(sf_record_check(sf_buffer_span(&record)) == SF_OK);
    sf_buffer_fini(&record);
    sf_buffer_fini(&scratch);
}

static void
exchange_with(struct sf_session *session, char *text)
{
    struct sf_exchange *exchange = sf_exchange_new();
    struct sf_ops ops;
    struct sf_error error;
    bool is_accepted;

    must(exchange != NULL);
    sf_ops_init(&ops);
    is_accepted = collect(exchange, text);
    if (sf_exchange_ops(exchange, session, &ops, &error) == SF_OK) {
        must(is_accepted || sf_ops_has(&ops, SF_OP_END));
        must(ops.count <= SF_OPS_MAX);
        apply(session, &ops);
    } else {
        must(ops.count == 0 && error.text[0] != '\0');
    }
    sf_ops_fini(&ops);
    sf_exchange_free(exchange);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_value five = {.type = SF_VALUE_INTEGER, .integer = 5};
    struct sf_session session;
    char *text = calloc(1, size + 1);

    must(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    sf_session_init(&session);
    must(sf_session_set(&session, sf_span_text("a"), &five) == SF_OK);
    exchange_with(&session, text);
    sf_session_fini(&session);
    free(text);
    return 0;
}
