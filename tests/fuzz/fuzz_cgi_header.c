/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of any bytes: the same header however it is split, and what is taken from it can be
 * written out as lines without becoming other lines.
 */
#include "fcgi_gateway/cgi_header.h"
#include "tests/fuzz/fuzz.h"

#define LIMIT 1024

static enum sf_status
feed_in_steps(struct sf_cgi_header *header, struct sf_span input, size_t step, size_t *used_out)
{
    enum sf_status status = SF_NOT_FOUND;

    *used_out = 0;
    sf_cgi_header_init(header, LIMIT);
    while (status == SF_NOT_FOUND && *used_out < input.size) {
        size_t left = input.size - *used_out;
        struct sf_span part = sf_span_of(input.data + *used_out, step < left ? step : left);
        status = sf_cgi_header_feed(header, &part);
        must(status != SF_NOT_FOUND || part.size == 0);
        *used_out = (size_t)(part.data - input.data);
    }
    return status;
}

static void
must_be_one_line(struct sf_span text)
{
    must(text.size == 0 ||
         (memchr(text.data, '\n', text.size) == NULL &&
          memchr(text.data, '\r', text.size) == NULL && memchr(text.data, 0, text.size) == NULL));
}

static void
check_fields(const struct sf_cgi_header *header)
{
    struct sf_cgi_field field;
    size_t at = 0, count = 0;

    must(header->status == 0 || (header->status >= 200 && header->status <= 999));
    must_be_one_line(sf_cgi_header_reason(header));
    while (sf_cgi_header_next(header, &at, &field)) {
        must(field.name.size > 0 && ++count <= LIMIT / 3);
        must_be_one_line(field.name);
        must_be_one_line(field.value);
        must(memchr(field.name.data, ':', field.name.size) == NULL &&
             !sf_cgi_field_is(&field, "Status"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span input = sf_span_of(data, size);
    struct sf_cgi_header whole, split;
    size_t whole_used, split_used;

    if (size == 0)
        return 0;
    enum sf_status status = feed_in_steps(&whole, input, size, &whole_used);
    must(feed_in_steps(&split, input, 1 + data[size - 1] % 16, &split_used) == status);
    if (status == SF_OK) {
        must(whole_used == split_used && whole.status == split.status &&
             whole.is_nph == split.is_nph);
        must(sf_span_equal(sf_buffer_span(&whole.text), sf_buffer_span(&split.text)));
        check_fields(&whole);
    }
    sf_cgi_header_fini(&whole);
    sf_cgi_header_fini(&split);
    return 0;
}
