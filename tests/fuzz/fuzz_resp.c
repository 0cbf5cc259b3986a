/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from a socket, as a request and as a reply: never more used than there is, words lie inside. */
#include "common/front/resp.h"
#include "tests/fuzz/fuzz.h"

#define WORDS 64

static void
must_be_inside(struct sf_span part, struct sf_span input)
{
    must(part.size == 0 || (part.data >= input.data && part.data + part.size <= input.data + input.size));
}

static void
parse_request(struct sf_span input)
{
    struct sf_span words[WORDS];
    size_t count, used;

    enum sf_status status = sf_resp_parse_request(input, words, WORDS, &count, &used);
    must(status != SF_NOT_FOUND || (used > input.size && used <= SF_RESP_BYTES_MAX));
    if (status != SF_OK)
        return;
    must(used > 0 && used <= input.size && count <= WORDS);
    for (size_t i = 0; i < count; i++) {
        must_be_inside(words[i], input);
    }
}

static void
parse_reply(struct sf_span input)
{
    struct sf_resp_value values[WORDS];
    size_t count, used;

    enum sf_status status = sf_resp_parse_reply(input, values, WORDS, &count, &used);
    must(status != SF_NOT_FOUND || (used > input.size && used <= SF_RESP_BYTES_MAX));
    if (status != SF_OK)
        return;
    must(used > 0 && used <= input.size && count <= WORDS);
    for (size_t i = 0; i < count; i++) {
        if (values[i].type == SF_RESP_BULK || values[i].type == SF_RESP_SIMPLE || values[i].type == SF_RESP_ERROR) {
            must_be_inside(values[i].text, input);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_request(sf_span_of(data, size));
    parse_reply(sf_span_of(data, size));
    return 0;
}
