/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Cookie header of any bytes: values lie inside it; once ours are taken out none is left, and the
 * others are as they were.
 */
#include <stdlib.h>
#include <string.h>

#include "common/identity/cookie.h"
#include "common/identity/session_id.h"
#include "tests/fuzz/fuzz.h"

/* Short names, so that the fuzzer hits them. */
#define OURS "id"
#define OTHER "a"

static const struct sf_secrets secrets = {.count = 1};

/* The values of one cookie in one header, joined, to be compared with those in another. */
struct walk {
    struct sf_span header;
    size_t count;
    struct sf_buffer values;
};

static bool
keep_value(void *context, struct sf_span value)
{
    struct walk *walk = context;
    struct sf_session_id id;

    walk->count++;
    must(value.data >= walk->header.data && value.size <= walk->header.size);
    must((size_t)(value.data - walk->header.data) <= walk->header.size - value.size);
    if (sf_session_id_parse(&id, value, &secrets) == SF_OK)
        must(value.size == SF_ID_TEXT && memcmp(id.text, value.data, value.size) == 0);
    must(sf_buffer_append_span(&walk->values, value) == SF_OK);
    must(sf_buffer_append(&walk->values, ";", 1) == SF_OK);
    return true;
}

static struct walk
walk_through(struct sf_span header, const char *name)
{
    struct walk walk = {.header = header};

    sf_buffer_init(&walk.values, SIZE_MAX);
    sf_cookie_each(header, name, keep_value, &walk);
    return walk;
}

/* Then a ',' may be taken for the end of a line, and the rest has other pairs. */
static bool
has_joined_lines(struct sf_span header)
{
    for (size_t i = 1; i < header.size; i++) {
        if (header.data[i - 1] == ',' && header.data[i] == ' ')
            return true;
    }
    return false;
}

static void
compare(struct sf_span header, struct sf_span rest, size_t removed)
{
    struct walk ours = walk_through(header, OURS), ours_left = walk_through(rest, OURS);
    struct walk other = walk_through(header, OTHER), other_left = walk_through(rest, OTHER);

    must(ours.count <= removed && ours_left.count == 0);
    if (!has_joined_lines(header)) {
        must(ours.count == removed);
        must(sf_span_equal(sf_buffer_span(&other.values), sf_buffer_span(&other_left.values)));
    }
    must(removed > 0 || sf_span_equal(header, rest));
    sf_buffer_fini(&ours.values);
    sf_buffer_fini(&ours_left.values);
    sf_buffer_fini(&other.values);
    sf_buffer_fini(&other_left.values);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span header = sf_span_of(data, size);
    char *rest = malloc(size + 1);
    size_t removed;

    must(rest != NULL);
    removed = sf_cookie_remove(header, OURS, rest);
    must(strlen(rest) <= size);
    /* With a NUL inside, the rest is longer than its text tells; above the limit no cookie is ours. */
    if (size <= SF_COOKIE_HEADER_MAX && (size == 0 || memchr(data, 0, size) == NULL))
        compare(header, sf_span_text(rest), removed);
    free(rest);
    return 0;
}
