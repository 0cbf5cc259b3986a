/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/l2/memcached_meta.h"

#include <inttypes.h>
#include <string.h>

/* ---- commands ---- */

static enum sf_status
begin(struct sf_buffer *to, const char *command, const struct sf_meta_item *item)
{
    char key[SF_KEY_TEXT + 1];
    sf_key_format(item->key, key);
    return sf_buffer_append_format(to, "%s sf:%s", command, key);
}

/* Whole seconds, rounded down; memcached takes 0 for ever. */
static int64_t
seconds_of(sf_time ttl)
{
    return ttl < SF_SECOND ? 1 : ttl / SF_SECOND;
}

static enum sf_status
add_cas(struct sf_buffer *to, uint64_t cas)
{
    return cas == 0 ? SF_OK : sf_buffer_append_format(to, " C%" PRIu64, cas);
}

enum sf_status
sf_meta_get(struct sf_buffer *to, const struct sf_meta_item *item)
{
    enum sf_status status = begin(to, "mg", item);
    if (status == SF_OK)
        status = sf_buffer_append_format(to, " v c N%" PRId64 " O%" PRIu32 "\r\n", seconds_of(item->ttl), item->number);
    return status;
}

enum sf_status
sf_meta_set(struct sf_buffer *to, const struct sf_meta_item *item)
{
    enum sf_status status = begin(to, "ms", item);
    if (status == SF_OK)
        status = sf_buffer_append_format(to, " %zu c T%" PRId64 " O%" PRIu32, item->value.size, seconds_of(item->ttl),
                                         item->number);
    if (status == SF_OK)
        status = add_cas(to, item->cas);
    if (status == SF_OK)
        status = sf_buffer_append_text(to, "\r\n");
    if (status == SF_OK)
        status = sf_buffer_append_span(to, item->value);
    return status == SF_OK ? sf_buffer_append_text(to, "\r\n") : status;
}

enum sf_status
sf_meta_delete(struct sf_buffer *to, const struct sf_meta_item *item)
{
    enum sf_status status = begin(to, "md", item);
    if (status == SF_OK)
        status = sf_buffer_append_format(to, " O%" PRIu32, item->number);
    if (status == SF_OK)
        status = add_cas(to, item->cas);
    return status == SF_OK ? sf_buffer_append_text(to, "\r\n") : status;
}

enum sf_status
sf_meta_end(struct sf_buffer *to)
{
    return sf_buffer_append_text(to, "mn\r\n");
}

/* ---- replies ---- */

static struct sf_span
next_word(struct sf_span *rest)
{
    while (rest->size > 0 && *rest->data == ' ')
        *rest = sf_span_of(rest->data + 1, rest->size - 1);
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ')
        size++;
    struct sf_span word = sf_span_of(rest->data, size);
    *rest = sf_span_of(rest->data + size, rest->size - size);
    return word;
}

static bool
parse_number(struct sf_span text, uint64_t max, uint64_t *number_out)
{
    int64_t number;
    if (sf_int64_parse(text, &number) != SF_OK || number < 0 || (uint64_t)number > max)
        return false;
    *number_out = (uint64_t)number;
    return true;
}

static bool
take_flag(struct sf_meta_reply *reply, struct sf_span flag)
{
    struct sf_span value = sf_span_of(flag.data + 1, flag.size - 1);
    uint64_t number;
    switch (*flag.data) {
    case 'c': return parse_number(value, INT64_MAX, &reply->cas);
    case 'O':
        reply->has_number = parse_number(value, UINT32_MAX, &number);
        reply->number = reply->has_number ? (uint32_t)number : 0;
        return reply->has_number;
    case 'W': reply->is_ours = true; return true;
    default: return true;
    }
}

static bool
find_code(enum sf_meta_code *code_out, struct sf_span word)
{
    static const struct {
        const char *word;
        enum sf_meta_code code;
    } codes[] = {
        {"VA", SF_META_VALUE},   {"HD", SF_META_DONE}, {"EX", SF_META_OTHER}, {"NF", SF_META_MISSING},
        {"NS", SF_META_MISSING}, {"MN", SF_META_END},  {"SERVER_ERROR", SF_META_REFUSED},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (sf_span_equal(word, sf_span_text(codes[i].word))) {
            *code_out = codes[i].code;
            return true;
        }
    }
    return false;
}

enum sf_status
sf_meta_parse(struct sf_meta_reply *reply_out, struct sf_span line)
{
    uint64_t size;
    *reply_out = (struct sf_meta_reply){.code = SF_META_REFUSED};
    if (!find_code(&reply_out->code, next_word(&line)))
        return SF_CORRUPT;
    if (reply_out->code == SF_META_REFUSED)
        return SF_OK;
    if (reply_out->code == SF_META_VALUE) {
        if (!parse_number(next_word(&line), INT32_MAX, &size))
            return SF_CORRUPT;
        reply_out->size = (size_t)size;
    }
    for (struct sf_span flag = next_word(&line); flag.size > 0; flag = next_word(&line))
        if (!take_flag(reply_out, flag))
            return SF_CORRUPT;
    return SF_OK;
}
