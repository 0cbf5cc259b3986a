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

    while (next_header(&text, &header, &value)) {
        (void)sf_exchange_is_spoof(header);
        if (sf_exchange_is_control(header) && sf_exchange_add(exchange, header, value, &error) != SF_OK) {
            return false;
        }
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_exchange *exchange = sf_exchange_new();
    char *text = calloc(1, size + 1);
    struct sf_ops ops;
    struct sf_error error;

    must(exchange != NULL && text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    sf_ops_init(&ops);
    if (collect(exchange, text) && sf_exchange_ops(exchange, NULL, &ops, &error) == SF_OK) {
        must(ops.count <= SF_OPS_MAX);
    }
    sf_ops_fini(&ops);
    sf_exchange_free(exchange);
    free(text);
    return 0;
}
