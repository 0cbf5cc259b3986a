/* SPDX-License-Identifier: Apache-2.0 */
#include "common/front/resp.h"

#define LINE_MAX_BYTES 1024 /* longest line of a simple or error reply */
#define NUMBER_MAX_BYTES 20 /* "-9223372036854775808" */
#define WORD_MIN_BYTES 6    /* "$0\r\n\r\n" */
#define VALUE_MIN_BYTES 3   /* "+\r\n" */

/* A position in the input; `needed` is what NOT_FOUND asks for. */
struct reader {
    struct sf_span input;
    size_t at;
    size_t needed;
};

static enum sf_status
more_needed(struct reader *reader, size_t total)
{
    reader->needed = total;
    return SF_NOT_FOUND;
}

/* The text up to the next CRLF, at most `longest` bytes of it. */
static enum sf_status
read_line(struct reader *reader, size_t longest, struct sf_span *line_out)
{
    const unsigned char *start = reader->input.data + reader->at;
    size_t there = reader->input.size - reader->at;
    size_t look_at = there < longest + 2 ? there : longest + 2;
    size_t length = 0;
    while (length < look_at && start[length] != '\r' && start[length] != '\n')
        length++;
    if (length > longest || (length < there && start[length] == '\n'))
        return SF_INVALID;
    if (length + 1 >= there)
        return more_needed(reader, reader->input.size + 1);
    if (start[length + 1] != '\n')
        return SF_INVALID;
    *line_out = sf_span_of(start, length);
    reader->at += length + 2;
    return SF_OK;
}

static enum sf_status
read_number(struct reader *reader, int64_t *number_out)
{
    struct sf_span line;
    enum sf_status status = read_line(reader, NUMBER_MAX_BYTES, &line);
    return status == SF_OK ? sf_int64_parse(line, number_out) : status;
}

static enum sf_status
read_type(struct reader *reader, unsigned char *type_out)
{
    if (reader->at == reader->input.size)
        return more_needed(reader, reader->at + 1);
    *type_out = reader->input.data[reader->at++];
    return SF_OK;
}

/* `length` bytes and the CRLF behind them. */
static enum sf_status
read_bytes(struct reader *reader, int64_t length, struct sf_span *bytes_out)
{
    if (length < 0 || length > (int64_t)SF_RESP_BYTES_MAX)
        return SF_INVALID;
    size_t size = (size_t)length;
    if (reader->input.size - reader->at < size + 2)
        return more_needed(reader, reader->at + size + 2);
    const unsigned char *start = reader->input.data + reader->at;
    if (start[size] != '\r' || start[size + 1] != '\n')
        return SF_INVALID;
    *bytes_out = sf_span_of(start, size);
    reader->at += size + 2;
    return SF_OK;
}

/* Bytes used, or needed; both within the limit. */
static enum sf_status
finish(const struct reader *reader, enum sf_status status, size_t *used_out)
{
    *used_out = status == SF_OK ? reader->at : reader->needed;
    return *used_out > SF_RESP_BYTES_MAX ? SF_INVALID : status;
}

static enum sf_status
read_word(struct reader *reader, struct sf_span *word_out)
{
    unsigned char type;
    enum sf_status status = read_type(reader, &type);
    if (status != SF_OK)
        return status;
    int64_t length;
    if (type != '$')
        return SF_INVALID;
    status = read_number(reader, &length);
    return status == SF_OK ? read_bytes(reader, length, word_out) : status;
}

static enum sf_status
read_word_count(struct reader *reader, size_t words_max, size_t *count_out)
{
    unsigned char type;
    enum sf_status status = read_type(reader, &type);
    if (status != SF_OK)
        return status;
    int64_t count = 0;
    if (type != '*')
        return SF_INVALID;
    status = read_number(reader, &count);
    if (status != SF_OK)
        return status;
    if (count < 0 || count > SF_RESP_WORDS_MAX || (size_t)count > words_max)
        return SF_INVALID;
    *count_out = (size_t)count;
    return SF_OK;
}

static enum sf_status
read_request(struct reader *reader, struct sf_span *words_out, size_t words_max, size_t *count_out)
{
    enum sf_status status = read_word_count(reader, words_max, count_out);
    for (size_t i = 0; status == SF_OK && i < *count_out; i++) {
        status = read_word(reader, &words_out[i]);
        if (status == SF_NOT_FOUND)
            reader->needed += (*count_out - i - 1) * WORD_MIN_BYTES;
    }
    return status;
}

enum sf_status
sf_resp_parse_request(struct sf_span input, struct sf_span *words_out, size_t words_max, size_t *count_out,
                      size_t *used_out)
{
    struct reader reader = {.input = input};
    *count_out = 0;
    enum sf_status status = read_request(&reader, words_out, words_max, count_out);
    return finish(&reader, status, used_out);
}

static enum sf_status
read_bulk_value(struct reader *reader, struct sf_resp_value *value_out)
{
    int64_t length;
    enum sf_status status = read_number(reader, &length);
    if (status != SF_OK)
        return status;
    value_out->type = length == -1 ? SF_RESP_NIL : SF_RESP_BULK;
    return length == -1 ? SF_OK : read_bytes(reader, length, &value_out->text);
}

static enum sf_status
read_array_value(struct reader *reader, struct sf_resp_value *value_out)
{
    enum sf_status status = read_number(reader, &value_out->integer);
    if (status != SF_OK)
        return status;
    value_out->type = value_out->integer == -1 ? SF_RESP_NIL : SF_RESP_ARRAY;
    return value_out->integer < -1 ? SF_INVALID : SF_OK;
}

static enum sf_status
read_value(struct reader *reader, struct sf_resp_value *value_out)
{
    unsigned char type;
    enum sf_status status = read_type(reader, &type);
    if (status != SF_OK)
        return status;
    *value_out = (struct sf_resp_value){.type = SF_RESP_SIMPLE};
    switch (type) {
    case '+':
        return read_line(reader, LINE_MAX_BYTES, &value_out->text);
    case '-':
        value_out->type = SF_RESP_ERROR;
        return read_line(reader, LINE_MAX_BYTES, &value_out->text);
    case ':':
        value_out->type = SF_RESP_INTEGER;
        return read_number(reader, &value_out->integer);
    case '$':
        return read_bulk_value(reader, value_out);
    case '*':
        return read_array_value(reader, value_out);
    default:
        return SF_INVALID;
    }
}

/*
 * `pending` counts the elements still to come, of all open arrays together: nesting costs neither stack nor
 * memory.
 */
static enum sf_status
read_reply(struct reader *reader, struct sf_resp_value *values_out, size_t values_max, size_t *count_out)
{
    for (size_t pending = 1; pending > 0; pending--) {
        if (pending > values_max - *count_out)
            return SF_FULL;
        struct sf_resp_value *value = &values_out[*count_out];
        enum sf_status status = read_value(reader, value);
        if (status == SF_NOT_FOUND)
            reader->needed += (pending - 1) * VALUE_MIN_BYTES;
        if (status != SF_OK)
            return status;
        (*count_out)++;
        if (value->type == SF_RESP_ARRAY) {
            if ((uint64_t)value->integer > SF_RESP_BYTES_MAX / VALUE_MIN_BYTES)
                return SF_INVALID;
            pending += (size_t)value->integer;
        }
    }
    return SF_OK;
}

enum sf_status
sf_resp_parse_reply(struct sf_span input, struct sf_resp_value *values_out, size_t values_max, size_t *count_out,
                    size_t *used_out)
{
    struct reader reader = {.input = input};
    *count_out = 0;
    enum sf_status status = read_reply(&reader, values_out, values_max, count_out);
    return finish(&reader, status, used_out);
}

enum sf_status
sf_resp_append_array(struct sf_buffer *out, size_t count)
{
    return sf_buffer_append_format(out, "*%zu\r\n", count);
}

/* Whole or not at all: a reply cut in the middle would take the rest of the stream with it. */
enum sf_status
sf_resp_append_bulk(struct sf_buffer *out, struct sf_span bytes)
{
    size_t before = out->size;
    enum sf_status status = sf_buffer_append_format(out, "$%zu\r\n", bytes.size);
    if (status == SF_OK)
        status = sf_buffer_append_span(out, bytes);
    if (status == SF_OK)
        status = sf_buffer_append(out, "\r\n", 2);
    if (status != SF_OK)
        out->size = before;
    return status;
}

enum sf_status
sf_resp_append_nil(struct sf_buffer *out)
{
    return sf_buffer_append_text(out, "$-1\r\n");
}

enum sf_status
sf_resp_append_integer(struct sf_buffer *out, int64_t value)
{
    return sf_buffer_append_format(out, ":%lld\r\n", (long long)value);
}

/* `mark`, the code if there is one, and the text, as one line that nothing inside can end early. */
static enum sf_status
append_line(struct sf_buffer *out, char mark, const char *code, const char *text)
{
    char line[LINE_MAX_BYTES];
    size_t used = 0;
    line[used++] = mark;
    const char *parts[] = {code, code[0] != '\0' && text[0] != '\0' ? " " : "", text};
    for (size_t i = 0; i < 3; i++) {
        for (const char *from = parts[i]; *from != '\0' && used < sizeof line - 2; from++) {
            unsigned char byte = (unsigned char)*from;
            line[used++] = byte < 0x20 || byte == 0x7f ? ' ' : *from;
        }
    }
    line[used++] = '\r';
    line[used++] = '\n';
    return sf_buffer_append(out, line, used);
}

enum sf_status
sf_resp_append_simple(struct sf_buffer *out, const char *text)
{
    return append_line(out, '+', "", text);
}

enum sf_status
sf_resp_append_error(struct sf_buffer *out, enum sf_status status, const char *text)
{
    return append_line(out, '-', sf_status_name(status), text);
}
