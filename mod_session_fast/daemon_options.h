/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_options.h - run/instance.conf, with the options of the daemon: read and written as the user
 * that httpd's children and the daemon run as, so that root opens nothing where that user could have
 * put a link.
 */
#include "common/front/daemon_care.h"
#include "mod_session_fast/module.h"

/* That user and group: the files of the instance must belong to them. */
uid_t sf_daemon_uid(void);
gid_t sf_daemon_gid(void);

/* What the file says other than this configuration: the names of the options; NULL: nothing. */
const char *sf_daemon_config_differs(const struct sf_process *process, apr_pool_t *pool);
enum sf_status sf_daemon_read_config(struct sf_config *config_out, const char *path,
                                     apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_daemon_write_config(const struct sf_process *process, apr_pool_t *pool,
                                      struct sf_error *error) SF_MUST_CHECK;

/* Shows a copy of the configuration to the program, before it counts. */
enum sf_status sf_daemon_prove_config(const struct sf_process *process,
                                      const struct sf_daemon_care *care, apr_pool_t *pool,
                                      struct sf_error *error) SF_MUST_CHECK;
