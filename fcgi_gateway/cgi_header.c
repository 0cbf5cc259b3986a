/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/cgi_header.h"

#include <ctype.h>
#include <strings.h>

#define STATUS_DIGITS 3
#define STATUS_MIN 200 /* 1xx announces another answer; behind FastCGI there is only one */

void
sf_cgi_header_init(struct sf_cgi_header *header, size_t size_limit)
{
    *header = (struct sf_cgi_header){.status = 0};
    sf_buffer_init(&header->text, size_limit);
}

void
sf_cgi_header_fini(struct sf_cgi_header *header)
{
    sf_buffer_fini(&header->text);
}

void
sf_cgi_header_clear(struct sf_cgi_header *header)
{
    struct sf_buffer text = header->text;
    sf_buffer_clear(&text);
    *header = (struct sf_cgi_header){.text = text};
}

static bool
is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t';
}

static struct sf_span
trim(struct sf_span span)
{
    while (span.size > 0 && is_blank(span.data[span.size - 1]))
        span.size--;
    while (span.size > 0 && is_blank(span.data[0]))
        span = sf_span_of(span.data + 1, span.size - 1);
    return span;
}

static bool
is_token(struct sf_span name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] >= 0x7f ||
            (!isalnum(name.data[i]) && memchr("!#$%&'*+-.^_`|~", name.data[i], 15) == NULL))
            return false;
    }
    return name.size > 0;
}

static bool
is_text(struct sf_span value)
{
    for (size_t i = 0; i < value.size; i++) {
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    }
    return true;
}

/* The line that begins at `at`, without its end; *next_out: the one behind it. There is a '\n'. */
static struct sf_span
line_at(const struct sf_cgi_header *header, size_t at, size_t *next_out)
{
    const unsigned char *begin = header->text.data + at;
    const unsigned char *end = memchr(begin, '\n', header->text.size - at);
    size_t size = (size_t)(end - begin);
    *next_out = at + size + 1;
    if (size > 0 && begin[size - 1] == '\r')
        size--;
    return sf_span_of(begin, size);
}

static bool
split(struct sf_span line, struct sf_cgi_field *field_out)
{
    const unsigned char *colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return false;
    size_t size = (size_t)(colon - line.data);
    field_out->name = sf_span_of(line.data, size);
    field_out->value = trim(sf_span_of(colon + 1, line.size - size - 1));
    return true;
}

bool
sf_cgi_field_is(const struct sf_cgi_field *field, const char *name)
{
    return field->name.size == strlen(name) &&
           strncasecmp((const char *)field->name.data, name, field->name.size) == 0;
}

/* "404 Not Found", "404" */
static enum sf_status
parse_status(struct sf_cgi_header *header, struct sf_span text)
{
    unsigned number = 0;
    if (text.size < STATUS_DIGITS ||
        (text.size > STATUS_DIGITS && !is_blank(text.data[STATUS_DIGITS])))
        return SF_INVALID;
    for (size_t i = 0; i < STATUS_DIGITS; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return SF_INVALID;
        number = 10 * number + (text.data[i] - '0');
    }
    if (number < STATUS_MIN)
        return SF_INVALID;
    struct sf_span reason = trim(sf_span_of(text.data + STATUS_DIGITS, text.size - STATUS_DIGITS));
    header->status = number;
    header->reason_at = (size_t)(reason.data - header->text.data);
    header->reason_size = reason.size;
    return SF_OK;
}

static bool
is_status_line(struct sf_span line)
{
    return line.size > 9 && memcmp(line.data, "HTTP/", 5) == 0 && isdigit(line.data[5]) &&
           line.data[6] == '.' && isdigit(line.data[7]) && line.data[8] == ' ';
}

static enum sf_status
parse_line(struct sf_cgi_header *header, struct sf_span line)
{
    struct sf_cgi_field field;
    if (!is_text(line))
        return SF_INVALID;
    if (header->line_at == 0 && is_status_line(line)) {
        header->is_nph = true;
        return parse_status(header, trim(sf_span_of(line.data + 9, line.size - 9)));
    }
    if (!split(line, &field) || !is_token(field.name))
        return SF_INVALID;
    return sf_cgi_field_is(&field, "Status") ? parse_status(header, field.value) : SF_OK;
}

/* The line that has just become whole. SF_OK: it was the empty one. */
static enum sf_status
finish_line(struct sf_cgi_header *header)
{
    size_t next;
    struct sf_span line = line_at(header, header->line_at, &next);
    if (line.size == 0)
        return header->line_at == 0 ? SF_INVALID : SF_OK;
    enum sf_status status = parse_line(header, line);
    if (header->line_at == 0 && header->is_nph)
        header->fields_at = next;
    header->line_at = next;
    return status == SF_OK ? SF_NOT_FOUND : status;
}

enum sf_status
sf_cgi_header_feed(struct sf_cgi_header *header, struct sf_span *input)
{
    enum sf_status status = SF_NOT_FOUND;
    while (status == SF_NOT_FOUND && input->size > 0) {
        const unsigned char *end = memchr(input->data, '\n', input->size);
        size_t size = end == NULL ? input->size : (size_t)(end - input->data) + 1;
        status = sf_buffer_append(&header->text, input->data, size);
        *input = sf_span_of(input->data + size, input->size - size);
        if (status == SF_OK)
            status = end == NULL ? SF_NOT_FOUND : finish_line(header);
    }
    return status;
}

bool
sf_cgi_header_next(const struct sf_cgi_header *header, size_t *at, struct sf_cgi_field *field_out)
{
    size_t next = *at == 0 ? header->fields_at : *at;
    do {
        struct sf_span line = line_at(header, next, &next);
        if (line.size == 0 || !split(line, field_out))
            return false;
    } while (sf_cgi_field_is(field_out, "Status"));
    *at = next;
    return true;
}

struct sf_span
sf_cgi_header_find(const struct sf_cgi_header *header, const char *name)
{
    struct sf_cgi_field field;
    size_t at = 0;
    while (sf_cgi_header_next(header, &at, &field)) {
        if (sf_cgi_field_is(&field, name))
            return field.value;
    }
    return sf_span_of(NULL, 0);
}

static bool
is_number(struct sf_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.size > 0;
}

bool
sf_cgi_header_has_one_length(const struct sf_cgi_header *header)
{
    struct sf_cgi_field field;
    struct sf_span first = sf_span_of(NULL, 0);
    size_t at = 0;
    while (sf_cgi_header_next(header, &at, &field)) {
        if (!sf_cgi_field_is(&field, "Content-Length"))
            continue;
        if (!is_number(field.value) || (first.size > 0 && !sf_span_equal(first, field.value)))
            return false;
        first = field.value;
    }
    return true;
}

struct sf_span
sf_cgi_header_reason(const struct sf_cgi_header *header)
{
    return sf_span_of(header->text.data + header->reason_at, header->reason_size);
}
