/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/config_file.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define FILE_MODE 0640

struct lines {
    struct sf_span rest;
    const char *name; /* of the file, for errors */
    unsigned next;    /* number of the line that comes next */
    unsigned number;  /* of the line in `text`; of its first when several were joined */
    char text[SF_CONFIG_LINE_MAX + 1];
};

static enum sf_status
refuse(const struct lines *lines, struct sf_error *error, const char *what)
{
    return sf_error_set(error, SF_INVALID, "%s:%u: %s", lines->name, lines->number, what);
}

static struct sf_span
take_physical_line(struct lines *lines)
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
take_line(struct lines *lines, struct sf_error *error)
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
            return refuse(lines, error, "the line is too long");
        if (memchr(part.data, '\0', part.size) != NULL)
            return refuse(lines, error, "the line has a NUL byte");
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
take_value(const struct lines *lines, const struct sf_option *option, char *at, apr_pool_t *pool,
           const char **value_out, struct sf_error *error)
{
    *value_out = NULL;
    for (at = skip_blanks(at); *at != '\0'; at = skip_blanks(at)) {
        const char *word;
        at = take_word(at, &word);
        if (at == NULL)
            return refuse(lines, error, "a quote is not closed, or closed inside a word");
        if (*value_out != NULL && option->type != SF_OPTION_LIST)
            return sf_error_set(error, SF_INVALID,
                                "%s:%u: %s takes one value (one with blanks in quotes)",
                                lines->name, lines->number, option->directive);
        *value_out = *value_out == NULL ? word : apr_pstrcat(pool, *value_out, " ", word, NULL);
    }
    if (*value_out == NULL)
        return sf_error_set(error, SF_INVALID, "%s:%u: %s takes a value", lines->name,
                            lines->number, option->directive);
    return SF_OK;
}

static enum sf_status
set_from_line(struct sf_config *config, struct lines *lines, apr_pool_t *pool,
              struct sf_error *error)
{
    char *at = skip_blanks(lines->text);
    if (*at == '\0' || *at == '#')
        return SF_OK;
    const char *directive;
    at = take_bare(at, &directive);
    const struct sf_option *option = sf_option_find(directive);
    if (option == NULL)
        return sf_error_set(error, SF_INVALID, "%s:%u: unknown directive '%.80s'", lines->name,
                            lines->number, directive);
    const char *value;
    enum sf_status status = take_value(lines, option, at, pool, &value, error);
    if (status != SF_OK)
        return status;
    struct sf_error reason;
    status = sf_config_set(config, option, value, pool, &reason);
    if (status != SF_OK)
        return sf_error_set(error, status, "%s:%u: %s", lines->name, lines->number, reason.text);
    return SF_OK;
}

enum sf_status
sf_config_read_text(struct sf_config *config, struct sf_span text, const char *name,
                    apr_pool_t *pool, struct sf_error *error)
{
    struct lines lines = {.rest = text, .name = name, .next = 1};
    while (lines.rest.size > 0) {
        enum sf_status status = take_line(&lines, error);
        if (status == SF_OK)
            status = set_from_line(config, &lines, pool, error);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}

static enum sf_status
read_opened(int file, const char *path, struct sf_buffer *content, struct sf_error *error)
{
    struct stat seen;
    if (fstat(file, &seen) != 0 || !S_ISREG(seen.st_mode))
        return sf_error_set(error, SF_INVALID, "%s: is not a regular file", path);
    char part[4096];
    ssize_t got;
    while ((got = read(file, part, sizeof part)) != 0) {
        if (got < 0 && errno != EINTR)
            return sf_error_set_errno(error, path, "be read");
        if (got > 0 && sf_buffer_append(content, part, (size_t)got) != SF_OK)
            return sf_error_set(error, SF_INVALID, "%s: is longer than %zu bytes", path,
                                FILE_BYTES_MAX);
    }
    return SF_OK;
}

static enum sf_status
read_file(const char *path, struct sf_buffer *content, struct sf_error *error)
{
    /* O_NONBLOCK: a named pipe in this place must not hold the start. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return sf_error_set_errno(error, path, "be opened");
    enum sf_status status = read_opened(file, path, content, error);
    close(file);
    return status;
}

enum sf_status
sf_config_read(struct sf_config *config, const char *path, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_buffer content;
    sf_config_init(config);
    sf_buffer_init(&content, FILE_BYTES_MAX);
    enum sf_status status = read_file(path, &content, error);
    if (status == SF_OK)
        status = sf_config_read_text(config, sf_buffer_span(&content), path, pool, error);
    sf_buffer_fini(&content);
    return status;
}

static enum sf_status
append_quoted(struct sf_buffer *content, const char *value)
{
    enum sf_status status = sf_buffer_append_text(content, "\"");
    for (; *value != '\0' && status == SF_OK; value++)
        status = sf_buffer_append_format(content, *value == '"' || *value == '\\' ? "\\%c" : "%c",
                                         *value);
    return status == SF_OK ? sf_buffer_append_text(content, "\"\n") : status;
}

static enum sf_status
append_line(struct sf_buffer *content, const struct sf_option *option, const char *value)
{
    enum sf_status status = sf_buffer_append_format(content, "%s ", option->directive);
    if (status != SF_OK)
        return status;
    if (*value == '\0' || strpbrk(value, " \t\"\\") != NULL)
        return append_quoted(content, value);
    return sf_buffer_append_format(content, "%s\n", value);
}

static enum sf_status
render(const struct sf_config *config, struct sf_buffer *content, apr_pool_t *pool)
{
    enum sf_status status =
        sf_buffer_append_text(content, "# Written by the web server at each start.\n");
    for (size_t i = 0; i < SF_OPTION_COUNT && status == SF_OK; i++)
        if (config->is_set[i] && sf_options[i].scope == SF_SCOPE_INSTANCE)
            status = append_line(content, &sf_options[i],
                                 sf_config_format(config, &sf_options[i], pool));
    return status;
}

/* The daemon is not root: it reads the file as a member of the folder's group. */
static bool
give_to_group_of_folder(int file, const char *path, apr_pool_t *pool)
{
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash == NULL ? "." : apr_pstrmemdup(pool, path, (size_t)(slash - path) + 1);
    struct stat folder_seen, file_seen;
    if (stat(folder, &folder_seen) != 0 || fstat(file, &file_seen) != 0)
        return false;
    if (folder_seen.st_gid == file_seen.st_gid || fchown(file, (uid_t)-1, folder_seen.st_gid) == 0)
        return true;
    return errno == EPERM && geteuid() != 0; /* not root: the daemon is this same user */
}

static bool
fill(int file, struct sf_span content, const char *path, apr_pool_t *pool)
{
    ssize_t written = write(file, content.data, content.size);
    return written >= 0 && (size_t)written == content.size &&
           give_to_group_of_folder(file, path, pool) && fchmod(file, FILE_MODE) == 0;
}

static enum sf_status
replace_file(const char *path, struct sf_span content, apr_pool_t *pool, struct sf_error *error)
{
    char *temporary = apr_pstrcat(pool, path, ".XXXXXX", NULL);
    int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0)
        return sf_error_set_errno(error, path, "be written");
    bool is_filled = fill(file, content, path, pool);
    if (is_filled && rename(temporary, path) == 0) {
        close(file);
        return SF_OK;
    }
    enum sf_status status = sf_error_set_errno(error, path, "be written");
    unlink(temporary);
    close(file);
    return status;
}

enum sf_status
sf_config_write(const struct sf_config *config, const char *path, apr_pool_t *pool,
                struct sf_error *error)
{
    struct sf_buffer content;
    sf_buffer_init(&content, FILE_BYTES_MAX);
    enum sf_status status = render(config, &content, pool);
    if (status == SF_OK)
        status = replace_file(path, sf_buffer_span(&content), pool, error);
    else
        sf_error_set(error, status, "%s: %s", path, sf_status_text(status));
    sf_buffer_fini(&content);
    return status;
}

const char *
sf_config_differs(const struct sf_config *config, const char *path, apr_pool_t *pool)
{
    struct sf_config written;
    struct sf_error ignored;
    const char *names = NULL;
    if (sf_config_read(&written, path, pool, &ignored) != SF_OK)
        return apr_psprintf(pool, "%s cannot be read", path);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const struct sf_option *option = &sf_options[i];
        bool is_same = option->scope != SF_SCOPE_INSTANCE ||
                       strcmp(sf_config_format(config, option, pool),
                              sf_config_format(&written, option, pool)) == 0;
        if (!is_same && names == NULL)
            names = option->directive;
        else if (!is_same)
            names = apr_pstrcat(pool, names, ", ", option->directive, NULL);
    }
    return names;
}
