/* SPDX-License-Identifier: Apache-2.0 */
/* A Cookie header of any bytes: values lie inside it, and what was taken out is gone. */
#include <stdlib.h>

#include "common/identity/cookie.h"
#include "common/identity/session_id.h"
#include "tests/fuzz/fuzz.h"

struct walk {
    struct sf_span header;
    size_t count;
};

static const struct sf_secrets secrets = {.count = 1};

static bool
look_at_value(void *context, struct sf_span value)
{
    struct walk *walk = context;
    struct sf_session_id id;

    walk->count++;
    must(value.data >= walk->header.data && value.size <= walk->header.size);
    must(value.data + value.size <= walk->header.data + walk->header.size);
    if (sf_session_id_parse(&id, value, &secrets) == SF_OK) {
        must(value.size == SF_ID_TEXT);
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct walk before = {sf_span_of(data, size), 0};
    char *rest = malloc(size + 1);
    size_t removed;

    must(rest != NULL);
    sf_cookie_each(before.header, "__Host-id", look_at_value, &before);
    removed = sf_cookie_remove(before.header, "__Host-id", rest);
    must(removed >= before.count);

    struct walk after = {sf_span_text(rest), 0};

    sf_cookie_each(after.header, "__Host-id", look_at_value, &after);
    must(after.count == 0);
    free(rest);
    return 0;
}
