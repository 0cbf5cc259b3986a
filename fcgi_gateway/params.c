/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/params.h"

#include <assert.h>
#include <stdlib.h>

#include "fcgi_gateway/fcgi_record.h"

#define FIRST_ROOM 64

void
sf_params_init(struct sf_params *params, size_t size_limit, size_t count_limit)
{
    *params = (struct sf_params){.size_limit = size_limit, .count_limit = count_limit};
    sf_buffer_init(&params->text, size_limit + SF_PARAMS_OWN_BYTES);
}

void
sf_params_fini(struct sf_params *params)
{
    sf_buffer_fini(&params->text);
    free(params->items);
    *params = (struct sf_params){.count = 0};
}

void
sf_params_clear(struct sf_params *params)
{
    sf_buffer_clear(&params->text);
    params->count = 0;
}

enum sf_status
sf_params_collect(struct sf_params *params, struct sf_span piece)
{
    if (piece.size > params->size_limit - params->text.size)
        return SF_FULL;
    return sf_buffer_append_span(&params->text, piece);
}

static struct sf_param *
find(const struct sf_params *params, const void *name, size_t name_size)
{
    for (size_t i = 0; i < params->count; i++) {
        struct sf_param *item = &params->items[i];
        if (item->name_size == name_size &&
            memcmp(params->text.data + item->at, name, name_size) == 0)
            return item;
    }
    return NULL;
}

static enum sf_status
make_room(struct sf_params *params)
{
    if (params->count < params->room)
        return SF_OK;
    size_t room = params->room == 0 ? FIRST_ROOM : 2 * params->room;
    struct sf_param *items = realloc(params->items, room * sizeof *items);
    if (items == NULL)
        return SF_NO_MEMORY;
    params->items = items;
    params->room = room;
    return SF_OK;
}

static enum sf_status
add(struct sf_params *params, struct sf_param item, size_t limit)
{
    struct sf_param *before = find(params, params->text.data + item.at, item.name_size);
    if (before != NULL) {
        *before = item;
        return SF_OK;
    }
    if (params->count >= limit)
        return SF_FULL;
    enum sf_status status = make_room(params);
    if (status == SF_OK)
        params->items[params->count++] = item;
    return status;
}

static bool
is_clean(struct sf_span name, struct sf_span value)
{
    return name.size > 0 && memchr(name.data, '=', name.size) == NULL &&
           memchr(name.data, 0, name.size) == NULL &&
           (value.size == 0 || memchr(value.data, 0, value.size) == NULL);
}

/*
 * A pair is two lengths of at least one byte each, name, value; "name=value" and its NUL need two
 * bytes, too. So what is written never overtakes what is still to be read.
 */
static struct sf_param
settle(struct sf_params *params, size_t at, struct sf_span name, struct sf_span value)
{
    unsigned char *to = params->text.data + at;
    memmove(to, name.data, name.size);
    to[name.size] = '=';
    memmove(to + name.size + 1, value.data, value.size);
    to[name.size + 1 + value.size] = '\0';
    return (struct sf_param){.at = at, .name_size = name.size, .value_size = value.size};
}

enum sf_status
sf_params_decode(struct sf_params *params)
{
    struct sf_span rest = sf_buffer_span(&params->text);
    size_t written = 0;
    enum sf_status status = SF_OK;
    assert(params->count == 0 && "decoded once for each request");
    while (status == SF_OK && rest.size > 0) {
        struct sf_span name, value;
        if (sf_fcgi_pair_take(&rest, &name, &value) != SF_OK || !is_clean(name, value)) {
            status = SF_INVALID;
            break;
        }
        struct sf_param item = settle(params, written, name, value);
        written += name.size + value.size + 2;
        status = add(params, item, params->count_limit);
    }
    params->text.size = written;
    if (status != SF_OK)
        sf_params_clear(params);
    return status;
}

const char *
sf_params_get(const struct sf_params *params, const char *name)
{
    const struct sf_param *item = find(params, name, strlen(name));
    return item == NULL ? NULL : (const char *)params->text.data + item->at + item->name_size + 1;
}

struct sf_span
sf_params_span(const struct sf_params *params, const char *name)
{
    const struct sf_param *item = find(params, name, strlen(name));
    if (item == NULL)
        return sf_span_of(NULL, 0);
    return sf_span_of(params->text.data + item->at + item->name_size + 1, item->value_size);
}

const char *
sf_params_text(const struct sf_params *params, size_t index)
{
    return (const char *)params->text.data + params->items[index].at;
}

static bool
lies_in(const struct sf_buffer *buffer, struct sf_span span)
{
    return span.size > 0 && (uintptr_t)span.data >= (uintptr_t)buffer->data &&
           (uintptr_t)span.data < (uintptr_t)buffer->data + buffer->size;
}

/* Room is made first, for `value` may lie in the text, which moves when it grows. */
static enum sf_status
append_text(struct sf_params *params, struct sf_span name, struct sf_span value)
{
    size_t offset =
        lies_in(&params->text, value) ? (size_t)(value.data - params->text.data) : SIZE_MAX;
    enum sf_status status = sf_buffer_reserve(&params->text, name.size + value.size + 2);
    if (status != SF_OK)
        return status;
    if (offset != SIZE_MAX)
        value.data = params->text.data + offset;
    unsigned char *to = params->text.data + params->text.size;
    memcpy(to, name.data, name.size);
    to[name.size] = '=';
    if (value.size > 0)
        memcpy(to + name.size + 1, value.data, value.size);
    to[name.size + 1 + value.size] = '\0';
    params->text.size += name.size + value.size + 2;
    return SF_OK;
}

/*
 * The text of a value that was replaced stays until the next request: the buffer's limit bounds
 * that, too.
 */
enum sf_status
sf_params_set(struct sf_params *params, const char *name, struct sf_span value)
{
    struct sf_span name_span = sf_span_text(name);
    struct sf_param item = {
        .at = params->text.size, .name_size = name_span.size, .value_size = value.size};
    if (!is_clean(name_span, value))
        return SF_INVALID;
    enum sf_status status = append_text(params, name_span, value);
    return status == SF_OK ? add(params, item, params->count_limit + SF_PARAMS_OWN_COUNT) : status;
}

enum sf_status
sf_params_set_text(struct sf_params *params, const char *name, const char *value)
{
    return sf_params_set(params, name, sf_span_text(value));
}

void
sf_params_remove(struct sf_params *params, const char *name)
{
    struct sf_param *item = find(params, name, strlen(name));
    if (item != NULL)
        *item = params->items[--params->count];
}

/* The '=' becomes a NUL for as long as the name is looked at. */
static bool
is_filtered(struct sf_params *params, const struct sf_param *item, sf_params_filter_fn *is_unwanted)
{
    char *name = (char *)params->text.data + item->at;
    name[item->name_size] = '\0';
    bool is_out = is_unwanted(name);
    name[item->name_size] = '=';
    return is_out;
}

void
sf_params_filter(struct sf_params *params, sf_params_filter_fn *is_unwanted)
{
    size_t kept = 0;
    for (size_t i = 0; i < params->count; i++) {
        if (!is_filtered(params, &params->items[i], is_unwanted))
            params->items[kept++] = params->items[i];
    }
    params->count = kept;
}

enum sf_status
sf_params_encode(const struct sf_params *params, struct sf_buffer *pairs)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < params->count; i++) {
        const struct sf_param *item = &params->items[i];
        const unsigned char *name = params->text.data + item->at;
        status = sf_fcgi_pair_append(pairs, sf_span_of(name, item->name_size),
                                     sf_span_of(name + item->name_size + 1, item->value_size));
    }
    return status;
}
