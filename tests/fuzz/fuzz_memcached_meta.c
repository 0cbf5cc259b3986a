/* SPDX-License-Identifier: Apache-2.0 */
/* A line that a memcached has said: what is taken from it is within bounds, and was there. */
#include "common/store/l2/memcached_meta.h"
#include "tests/fuzz/fuzz.h"

static bool
has_word(struct sf_span line, char first)
{
    for (size_t i = 1; i < line.size; i++)
        if (line.data[i - 1] == ' ' && line.data[i] == (unsigned char)first)
            return true;
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span line = sf_span_of(data, size);
    struct sf_meta_reply reply;
    if (sf_meta_parse(&reply, line) != SF_OK)
        return 0;
    must(reply.code <= SF_META_END);
    must(reply.size <= INT32_MAX && (reply.size == 0 || reply.code == SF_META_VALUE));
    must(reply.cas <= INT64_MAX && (reply.cas == 0 || has_word(line, 'c')));
    must(reply.has_number ? has_word(line, 'O') : reply.number == 0);
    must(!reply.is_ours || has_word(line, 'W'));
    must(reply.code != SF_META_REFUSED || (!reply.has_number && reply.cas == 0));
    return 0;
}
