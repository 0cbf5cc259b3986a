/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config_lines.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum sf_status
sf_config_lines_refuse(const struct sf_config_lines *lines, struct sf_error *error,
                       const char *format, ...)
{
    char what[sizeof error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return sf_error_set(error, SF_INVALID, "%s:%u: %s", lines->name, lines->number, what);
}

static struct sf_span
take_physical_line(struct sf_config_lines *lines)
{
    struct sf_span rest = lines->rest;
    const unsigned char *end = memchr(rest.data, '\n', rest.size);
    size_t length = end == NULL ? rest.size : (size_t)(end - rest.data);
    size_t taken = end == NULL ? length : length + 1;
    lines->rest = sf_span_of(rest.data + taken, rest.size - taken);
    lines->next++;
    if (length > 0 && rest.data[length - 1] == '\r')
        length--;
    return sf_span_of(rest.data, length);
}

/* Joins lines that end in a backslash. Only to be called while something is left. */
static enum sf_status
take_line(struct sf_config_lines *lines, struct sf_error *error)
{
    size_t used = 0;
    bool is_continued = true;
    lines->number = lines->next;
    while (is_continued && lines->rest.size > 0) {
        struct sf_span part = take_physical_line(lines);
        is_continued = part.size > 0 && part.data[part.size - 1] == '\\';
        if (is_continued)
            part.size--;
        if (part.size > SF_CONFIG_LINE_MAX - used)
            return sf_config_lines_refuse(lines, error, "the line is too long");
        if (memchr(part.data, '\0', part.size) != NULL)
            return sf_config_lines_refuse(lines, error, "the line has a NUL byte");
        memcpy(lines->text + used, part.data, part.size);
        used += part.size;
    }
    lines->text[used] = '\0';
    return SF_OK;
}

static char *
skip_blanks(char *at)
{
    return at + strspn(at, " \t");
}

/* Takes the backslashes out in place, as httpd does: \" and \\ only. NULL: no closing quote. */
static char *
take_quoted(char *at, const char **word_out)
{
    char *to = at;
    *word_out = at;
    while (*at != '"') {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        if (*at == '\0')
            return NULL;
        *to++ = *at++;
    }
    *to = '\0';
    return at + 1;
}

static char *
take_bare(char *at, const char **word_out)
{
    char *end = at + strcspn(at, " \t");
    *word_out = at;
    if (*end == '\0')
        return end;
    *end = '\0';
    return end + 1;
}

/* Cuts the word at `at` off in place and returns what follows it; NULL: the quotes are wrong. */
static char *
take_word(char *at, const char **word_out)
{
    if (*at != '"')
        return take_bare(at, word_out);
    char *end = take_quoted(at + 1, word_out);
    return end == NULL || *skip_blanks(end) == '\0' || skip_blanks(end) != end ? end : NULL;
}

static enum sf_status
take_value(const struct sf_config_lines *lines, const struct sf_option *option, char *at, apr_pool_t *pool,
           const char **value_out, struct sf_error *error)
{
    *value_out = NULL;
    for (at = skip_blanks(at); *at != '\0'; at = skip_blanks(at)) {
        const char *word;
        at = take_word(at, &word);
        if (at == NULL)
            return sf_config_lines_refuse(lines, error, "a quote is not closed, or closed inside a word");
        if (*value_out != NULL && option->type != SF_OPTION_LIST)
            return sf_config_lines_refuse(
                lines, error, "%s takes one value (one with blanks in quotes)", option->directive);
        *value_out = *value_out == NULL ? word : apr_pstrcat(pool, *value_out, " ", word, NULL);
    }
    if (*value_out == NULL)
        return sf_config_lines_refuse(lines, error, "%s takes a value", option->directive);
    return SF_OK;
}

void
sf_config_lines_init(struct sf_config_lines *lines, struct sf_span text, const char *name)
{
    lines->rest = text;
    lines->name = name;
    lines->next = 1;
    lines->number = 0;
    lines->text[0] = '\0';
    lines->line = lines->text;
}

enum sf_status
sf_config_lines_next(struct sf_config_lines *lines, struct sf_error *error)
{
    while (lines->rest.size > 0) {
        enum sf_status status = take_line(lines, error);
        if (status != SF_OK)
            return status;
        lines->line = skip_blanks(lines->text);
        if (*lines->line != '\0' && *lines->line != '#')
            return SF_OK;
    }
    return SF_NOT_FOUND;
}

enum sf_status
sf_config_lines_option(struct sf_config_lines *lines, apr_pool_t *pool,
                       const struct sf_option **option_out, const char **value_out,
                       struct sf_error *error)
{
    const char *directive;
    char *at = take_bare(lines->line, &directive);
    *option_out = sf_option_find(directive);
    if (*option_out == NULL)
        return sf_config_lines_refuse(lines, error, "unknown directive '%.80s'", directive);
    return take_value(lines, *option_out, at, pool, value_out, error);
}
