/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_lines.h - the lines of a file of options, one after the other.
 *
 * '#' begins a comment line, a trailing backslash joins lines, values may stand in double quotes (with \" and \\).
 */
#include "common/base/bytes.h"
#include "common/config/config.h"

#define SF_CONFIG_LINE_MAX 8192 /* bytes of a line after joining */

struct sf_config_lines {
    struct sf_span rest;
    const char *name; /* of the file, for errors */
    unsigned next;    /* number of the line that comes next */
    unsigned number;  /* of the line in `text`; of its first when several were joined */
    char text[SF_CONFIG_LINE_MAX + 1];
    char *line; /* in `text`: without blanks in front */
};

/* `text` and `name` must outlive the lines. */
void sf_config_lines_init(struct sf_config_lines *lines, struct sf_span text, const char *name);

/* The next line that is neither empty nor a comment. SF_NOT_FOUND: there is none. SF_INVALID: too long, a NUL byte. */
enum sf_status sf_config_lines_next(struct sf_config_lines *lines, struct sf_error *error) SF_MUST_CHECK;

/* Takes the line apart. SF_INVALID: unknown directive, wrong quotes, no value or too many. */
enum sf_status sf_config_lines_option(struct sf_config_lines *lines, apr_pool_t *pool,
                                      const struct sf_option **option_out, const char **value_out,
                                      struct sf_error *error) SF_MUST_CHECK;

/* "FILE:LINE: ..."; returns SF_INVALID. */
enum sf_status sf_config_lines_refuse(const struct sf_config_lines *lines, struct sf_error *error,
                                      const char *format, ...) SF_PRINTF(3, 4);
