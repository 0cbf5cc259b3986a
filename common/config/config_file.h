/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_file.h - a file of "Directive value" lines, as the daemon and the gateway read it.
 *
 * The last line about an option counts.
 * httpd's parent writes the file for the daemon, with the instance's options only.
 */
#include "common/base/bytes.h"
#include "common/config/config.h"
#include "common/config/config_lines.h"

/* Starts from the defaults. The error names file and line. */
enum sf_status sf_config_read(struct sf_config *config, const char *path, apr_pool_t *pool,
                              struct sf_error *error) SF_MUST_CHECK;

/* Lines in memory on top of what `config` already has; `name` stands for the path in errors. */
enum sf_status sf_config_read_text(struct sf_config *config, struct sf_span text, const char *name,
                                   apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;

/* The whole file, into a buffer that is initialised here; sf_buffer_fini in any case. A regular file of up to 1 MiB. */
enum sf_status sf_config_file_load(const char *path, struct sf_buffer *content, struct sf_error *error) SF_MUST_CHECK;

/* All INSTANCE options that are set: temporary file and rename, mode 0640, in the folder's group. */
enum sf_status sf_config_write(const struct sf_config *config, const char *path, apr_pool_t *pool,
                               struct sf_error *error) SF_MUST_CHECK;

/*
 * The INSTANCE options that have another value in the file than in `config`, their names separated by ", ", from
 * `pool`; one sentence when the file cannot be read; NULL: none.
 */
const char *sf_config_differs(const struct sf_config *config, const char *path, apr_pool_t *pool);
