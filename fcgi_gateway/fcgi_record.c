/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/fcgi_record.h"

#define PROTOCOL_VERSION 1
#define KEEP_CONNECTION 1
#define LONG_LENGTH 0x80u
#define LENGTH_MAX 0x7fffffffu
#define PAIR_HEAD_MAX 8

static uint16_t
load_u16(const unsigned char *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static void
store_u16(unsigned char *to, uint16_t value)
{
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)value;
}

static uint32_t
load_u32(const unsigned char *from)
{
    return (uint32_t)load_u16(from) << 16 | load_u16(from + 2);
}

static void
store_u32(unsigned char *to, uint32_t value)
{
    store_u16(to, (uint16_t)(value >> 16));
    store_u16(to + 2, (uint16_t)value);
}

enum sf_status
sf_fcgi_header_decode(const unsigned char bytes[SF_FCGI_HEADER_BYTES],
                      struct sf_fcgi_header *header_out)
{
    if (bytes[0] != PROTOCOL_VERSION)
        return SF_INVALID;
    *header_out = (struct sf_fcgi_header){
        .type = bytes[1],
        .id = load_u16(bytes + 2),
        .content_size = load_u16(bytes + 4),
        .padding_size = bytes[6],
    };
    return SF_OK;
}

void
sf_fcgi_header_encode(const struct sf_fcgi_header *header,
                      unsigned char bytes_out[SF_FCGI_HEADER_BYTES])
{
    bytes_out[0] = PROTOCOL_VERSION;
    bytes_out[1] = header->type;
    store_u16(bytes_out + 2, header->id);
    store_u16(bytes_out + 4, header->content_size);
    bytes_out[6] = header->padding_size;
    bytes_out[7] = 0;
}

void
sf_fcgi_begin_decode(const unsigned char body[SF_FCGI_BODY_BYTES], struct sf_fcgi_begin *begin_out)
{
    begin_out->role = load_u16(body);
    begin_out->is_kept = (body[2] & KEEP_CONNECTION) != 0;
}

void
sf_fcgi_begin_encode(const struct sf_fcgi_begin *begin, unsigned char body_out[SF_FCGI_BODY_BYTES])
{
    memset(body_out, 0, SF_FCGI_BODY_BYTES);
    store_u16(body_out, begin->role);
    body_out[2] = begin->is_kept ? KEEP_CONNECTION : 0;
}

void
sf_fcgi_end_decode(const unsigned char body[SF_FCGI_BODY_BYTES], struct sf_fcgi_end *end_out)
{
    end_out->application_status = load_u32(body);
    end_out->protocol_status = body[4];
}

void
sf_fcgi_end_encode(const struct sf_fcgi_end *end, unsigned char body_out[SF_FCGI_BODY_BYTES])
{
    memset(body_out, 0, SF_FCGI_BODY_BYTES);
    store_u32(body_out, end->application_status);
    body_out[4] = end->protocol_status;
}

static bool
take_length(struct sf_span *rest, size_t *length_out)
{
    if (rest->size == 0)
        return false;
    size_t taken = (rest->data[0] & LONG_LENGTH) != 0 ? 4 : 1;
    if (rest->size < taken)
        return false;
    *length_out = taken == 4 ? load_u32(rest->data) & LENGTH_MAX : rest->data[0];
    *rest = sf_span_of(rest->data + taken, rest->size - taken);
    return true;
}

/* Compared one after the other: the sum of two lengths need not fit into a size_t of 32 bits. */
enum sf_status
sf_fcgi_pair_take(struct sf_span *rest, struct sf_span *name_out, struct sf_span *value_out)
{
    struct sf_span at = *rest;
    size_t name_size, value_size;
    if (!take_length(&at, &name_size) || !take_length(&at, &value_size))
        return SF_NOT_FOUND;
    if (name_size > at.size || value_size > at.size - name_size)
        return SF_NOT_FOUND;
    *name_out = sf_span_of(at.data, name_size);
    *value_out = sf_span_of(at.data + name_size, value_size);
    *rest = sf_span_of(value_out->data + value_size, at.size - name_size - value_size);
    return SF_OK;
}

static size_t
encode_length(unsigned char *to, size_t length)
{
    if (length < LONG_LENGTH) {
        *to = (unsigned char)length;
        return 1;
    }
    store_u32(to, (uint32_t)length);
    *to |= LONG_LENGTH;
    return 4;
}

enum sf_status
sf_fcgi_pair_append(struct sf_buffer *pairs, struct sf_span name, struct sf_span value)
{
    unsigned char head[PAIR_HEAD_MAX];
    if (name.size > LENGTH_MAX || value.size > LENGTH_MAX)
        return SF_INVALID;
    size_t head_size = encode_length(head, name.size);
    head_size += encode_length(head + head_size, value.size);
    enum sf_status status = sf_buffer_reserve(pairs, head_size + name.size + value.size);
    if (status != SF_OK)
        return status;
    memcpy(pairs->data + pairs->size, head, head_size);
    pairs->size += head_size;
    const struct sf_span parts[] = {name, value};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i].size > 0)
            memcpy(pairs->data + pairs->size, parts[i].data, parts[i].size);
        pairs->size += parts[i].size;
    }
    return SF_OK;
}

static enum sf_status
append_one(struct sf_buffer *bytes, enum sf_fcgi_type type, uint16_t id, struct sf_span content)
{
    static const unsigned char zeros[8];
    unsigned char head[SF_FCGI_HEADER_BYTES];
    struct sf_fcgi_header header = {
        .type = (uint8_t)type,
        .id = id,
        .content_size = (uint16_t)content.size,
        .padding_size = (uint8_t)(-content.size % 8),
    };
    sf_fcgi_header_encode(&header, head);
    enum sf_status status = sf_buffer_append(bytes, head, sizeof head);
    if (status == SF_OK)
        status = sf_buffer_append_span(bytes, content);
    return status == SF_OK ? sf_buffer_append(bytes, zeros, header.padding_size) : status;
}

enum sf_status
sf_fcgi_record_append(struct sf_buffer *bytes, enum sf_fcgi_type type, uint16_t id,
                      struct sf_span content)
{
    size_t size_before = bytes->size;
    enum sf_status status;
    do {
        size_t size = content.size < SF_FCGI_CHUNK ? content.size : SF_FCGI_CHUNK;
        status = append_one(bytes, type, id, sf_span_of(content.data, size));
        content = sf_span_of(size > 0 ? content.data + size : NULL, content.size - size);
    } while (status == SF_OK && content.size > 0);
    if (status != SF_OK)
        bytes->size = size_before;
    return status;
}

enum sf_status
sf_fcgi_stream_append(struct sf_buffer *bytes, enum sf_fcgi_type type, uint16_t id,
                      struct sf_span content)
{
    size_t size_before = bytes->size;
    enum sf_status status =
        content.size > 0 ? sf_fcgi_record_append(bytes, type, id, content) : SF_OK;
    if (status == SF_OK)
        status = sf_fcgi_record_append(bytes, type, id, sf_span_of(NULL, 0));
    if (status != SF_OK)
        bytes->size = size_before;
    return status;
}

static size_t
skip(struct sf_span *input, size_t wanted)
{
    size_t size = input->size < wanted ? input->size : wanted;
    if (size > 0)
        *input = sf_span_of(input->data + size, input->size - size);
    return size;
}

/* Collects the header; SF_NOT_FOUND: it is not whole yet. */
static enum sf_status
take_head(struct sf_fcgi_reader *reader, struct sf_span *input)
{
    const unsigned char *from = input->data;
    size_t size = skip(input, SF_FCGI_HEADER_BYTES - reader->head_size);
    if (size > 0)
        memcpy(reader->head + reader->head_size, from, size);
    reader->head_size += size;
    if (reader->head_size > 0 && reader->head[0] != PROTOCOL_VERSION)
        return SF_INVALID; /* before seven more bytes are waited for */
    if (reader->head_size < SF_FCGI_HEADER_BYTES)
        return SF_NOT_FOUND;
    enum sf_status status = sf_fcgi_header_decode(reader->head, &reader->header);
    reader->content_left = reader->header.content_size;
    return status;
}

static void
finish_content(struct sf_fcgi_reader *reader)
{
    reader->head_size = 0;
    reader->padding_left = reader->header.padding_size;
}

enum sf_status
sf_fcgi_reader_take(struct sf_fcgi_reader *reader, struct sf_span *input,
                    struct sf_fcgi_piece *piece_out)
{
    bool is_begun = reader->head_size == SF_FCGI_HEADER_BYTES;
    reader->padding_left -= skip(input, reader->padding_left);
    enum sf_status status = is_begun ? SF_OK : take_head(reader, input);
    if (status != SF_OK)
        return status;
    if (input->size == 0 && reader->content_left > 0)
        return SF_NOT_FOUND;
    const unsigned char *from = input->data;
    size_t size = skip(input, reader->content_left);
    reader->content_left -= size;
    *piece_out = (struct sf_fcgi_piece){
        .type = reader->header.type,
        .id = reader->header.id,
        .record_size = reader->header.content_size,
        .content = sf_span_of(from, size),
        .is_last = reader->content_left == 0,
    };
    if (piece_out->is_last)
        finish_content(reader);
    return SF_OK;
}

bool
sf_fcgi_reader_is_idle(const struct sf_fcgi_reader *reader)
{
    return reader->head_size == 0;
}
