/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a FastCGI connection: the same records however they are split; content lies in the
 * input; PARAMS of any bytes are an environment or refused, and encode to what decodes to the same.
 */
#include "fcgi_gateway/fcgi_record.h"
#include "fcgi_gateway/params.h"
#include "tests/fuzz/fuzz.h"

#define PARAMS_BYTES 4096
#define PARAMS_COUNT 50

/* What a connection says, without where it was split. */
struct seen {
    struct sf_buffer contents; /* of all records, with a mark behind each */
    struct sf_params params;   /* from all records of PARAMS */
    bool is_collected;
    enum sf_status status;
};

static void
note(struct seen *seen, const struct sf_fcgi_piece *piece, struct sf_span input)
{
    must(piece->content.size == 0 ||
         (piece->content.data >= input.data &&
          piece->content.data + piece->content.size <= input.data + input.size));
    must(piece->content.size <= piece->record_size &&
         (piece->content.size > 0 || piece->record_size == 0));
    must(sf_buffer_append_span(&seen->contents, piece->content) == SF_OK);
    if (piece->is_last)
        must(sf_buffer_append_format(&seen->contents, "|%u:%u:%u|", piece->type, piece->id,
                                     piece->record_size) == SF_OK);
    if (piece->type == SF_FCGI_PARAMS && seen->is_collected)
        seen->is_collected = sf_params_collect(&seen->params, piece->content) == SF_OK;
}

static void
read_in_steps(struct seen *seen, struct sf_span input, size_t step)
{
    struct sf_fcgi_reader reader = {.head_size = 0};
    struct sf_fcgi_piece piece;

    *seen = (struct seen){.status = SF_NOT_FOUND, .is_collected = true};
    sf_buffer_init(&seen->contents, SIZE_MAX);
    sf_params_init(&seen->params, PARAMS_BYTES, PARAMS_COUNT);
    for (size_t at = 0; at < input.size && seen->status == SF_NOT_FOUND; at += step) {
        struct sf_span part =
            sf_span_of(input.data + at, step < input.size - at ? step : input.size - at);
        while ((seen->status = sf_fcgi_reader_take(&reader, &part, &piece)) == SF_OK)
            note(seen, &piece, input);
        must(seen->status == SF_INVALID || part.size == 0);
    }
}

static void
forget(struct seen *seen)
{
    sf_buffer_fini(&seen->contents);
    sf_params_fini(&seen->params);
}

static void
check_params(struct sf_params *params)
{
    struct sf_params again;
    struct sf_buffer pairs;
    if (sf_params_decode(params) != SF_OK)
        return;
    must(params->count <= PARAMS_COUNT);
    sf_buffer_init(&pairs, SIZE_MAX);
    sf_params_init(&again, 2 * PARAMS_BYTES, PARAMS_COUNT);
    must(sf_params_encode(params, &pairs) == SF_OK);
    must(sf_params_collect(&again, sf_buffer_span(&pairs)) == SF_OK);
    must(sf_params_decode(&again) == SF_OK && again.count == params->count);
    for (size_t i = 0; i < params->count; i++) {
        must(strcmp(sf_params_text(params, i), sf_params_text(&again, i)) == 0);
    }
    sf_params_fini(&again);
    sf_buffer_fini(&pairs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_span input = sf_span_of(data, size);
    struct seen whole, split;

    if (size == 0)
        return 0;
    read_in_steps(&whole, input, size);
    read_in_steps(&split, input, 1 + data[size - 1] % 32);
    must(whole.status == split.status);
    must(sf_span_equal(sf_buffer_span(&whole.contents), sf_buffer_span(&split.contents)));
    if (whole.is_collected)
        check_params(&whole.params);
    forget(&whole);
    forget(&split);
    return 0;
}
