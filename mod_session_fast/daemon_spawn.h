/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_spawn.h - starting session-fastd from httpd's parent, waiting for it, ending it. No hooks,
 * no log lines, no memory of what was: that is daemon_process.c.
 */
#include "mod_session_fast/module.h"

/*
 * The user and group that httpd's children and the daemon run as: their files must belong to them.
 */
uid_t sf_daemon_uid(void);
gid_t sf_daemon_gid(void);

/*
 * Writes run/instance.conf as that user, so that root writes nothing where that user could have put
 * a link.
 */
enum sf_status sf_daemon_write_config(const struct sf_process *process, bool *changed_out,
                                      apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;

/* Who holds the instance's lock; 0: nobody. Asks the kernel, not the file. */
pid_t sf_daemon_holder(const char *lock_path);

/*
 * Forks and runs the daemon in a session of its own, with dropped privileges and standard error
 * only. 0: fork failed.
 */
pid_t sf_daemon_spawn(const struct sf_process *process, server_rec *s, apr_pool_t *pconf);

/*
 * SF_OK: it answers. SF_UNAVAILABLE: it has ended (and *pid is 0: reaped), or does not answer
 * before the deadline.
 */
enum sf_status sf_daemon_await(const struct sf_instance *instance, pid_t *pid, sf_time deadline,
                               struct sf_error *error) SF_MUST_CHECK;

/*
 * SIGTERM, then waits for its end at most until `deadline` (steady clock). false: it is still
 * there.
 */
bool sf_daemon_end(pid_t pid, sf_time deadline);
