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

static enum sf_status
set_from_line(struct sf_config *config, struct sf_config_lines *lines, apr_pool_t *pool,
              struct sf_error *error)
{
    const struct sf_option *option;
    const char *value;
    struct sf_error reason;
    enum sf_status status = sf_config_lines_option(lines, pool, &option, &value, error);
    if (status == SF_OK && (status = sf_config_set(config, option, value, pool, &reason)) != SF_OK)
        sf_config_lines_refuse(lines, error, "%s", reason.text);
    return status;
}

enum sf_status
sf_config_read_text(struct sf_config *config, struct sf_span text, const char *name,
                    apr_pool_t *pool, struct sf_error *error)
{
    struct sf_config_lines lines;
    enum sf_status status;
    sf_config_lines_init(&lines, text, name);
    while ((status = sf_config_lines_next(&lines, error)) == SF_OK) {
        status = set_from_line(config, &lines, pool, error);
        if (status != SF_OK)
            return status;
    }
    return status == SF_NOT_FOUND ? SF_OK : status;
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

enum sf_status
sf_config_file_load(const char *path, struct sf_buffer *content, struct sf_error *error)
{
    sf_buffer_init(content, FILE_BYTES_MAX);
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
    enum sf_status status = sf_config_file_load(path, &content, error);
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
