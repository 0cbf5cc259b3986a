/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_spawn.h - what httpd's parent forks: session-fastd, its look at a configuration, and a
 * guard beside somebody else's. No hooks, no memory of what was: that is daemon_keeper.c.
 */
#include "mod_session_fast/module.h"

/*
 * The user and group that httpd's children and the daemon run as: their files must belong to them.
 */
uid_t sf_daemon_uid(void);
gid_t sf_daemon_gid(void);

/*
 * run/instance.conf is read and written as that user, so that root opens nothing where that user
 * could have put a link.
 *
 * What the file says other than this configuration: the names of the options; NULL: nothing.
 */
const char *sf_daemon_config_differs(const struct sf_process *process, apr_pool_t *pool);
enum sf_status sf_daemon_read_config(struct sf_config *config_out, const char *path,
                                     apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_daemon_write_config(const struct sf_process *process, apr_pool_t *pool,
                                      struct sf_error *error) SF_MUST_CHECK;

/* Shows a copy of the configuration to `session-fastd --check-config`, run as that user. */
enum sf_status sf_daemon_prove_config(const struct sf_process *process, server_rec *s,
                                      apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;

/*
 * Forks and runs the daemon in a session of its own, with dropped privileges and standard error
 * only. 0: fork failed.
 */
pid_t sf_daemon_spawn(const struct sf_process *process, server_rec *s, apr_pool_t *pconf);

/*
 * SF_OK: it has the instance and answers. SF_CONFLICT: it has left, because another one has the
 * instance. SF_UNAVAILABLE: it has ended otherwise, or does not answer before the deadline. *pid is
 * 0 when it has ended.
 */
enum sf_status sf_daemon_await(const struct sf_instance *instance, pid_t *pid, sf_time deadline,
                               struct sf_error *error) SF_MUST_CHECK;

/* Does the daemon of this instance, whoever started it, answer before the deadline? */
bool sf_daemon_answers(const struct sf_instance *instance, sf_time deadline);

/*
 * A child that ends shortly after `holder` does, and with us at the latest; 0: none could be made.
 * Only the end of a child wakes httpd's parent.
 */
pid_t sf_daemon_guard(pid_t holder, const char *lock_path, server_rec *s, apr_pool_t *pconf);
