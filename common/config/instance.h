/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * instance.h - the files of one instance: where they are and whose they must be.
 *
 *   run folder    l1.cache  l1.lock  daemon.sock  daemon.lock  instance.conf      (tmpfs: gone after a reboot)
 *   state folder  secret.keys  sessions.db  journal-*.db                          (kept)
 */
#include <sys/types.h>

#include "common/config/config.h"

#define SF_INSTANCE_PATH_MAX 100 /* sun_path has 108 */

struct sf_instance {
    char run[SF_INSTANCE_PATH_MAX];
    char state[SF_INSTANCE_PATH_MAX];
    char cache_path[SF_INSTANCE_PATH_MAX];
    char cache_lock_path[SF_INSTANCE_PATH_MAX];
    char socket_path[SF_INSTANCE_PATH_MAX];
    char daemon_lock_path[SF_INSTANCE_PATH_MAX];
    char config_path[SF_INSTANCE_PATH_MAX];
    char secret_path[SF_INSTANCE_PATH_MAX];
};

/*
 * From SessionFastInstance and SessionFastStateDirectory; touches no file.
 * SF_INVALID: too long, "..", relative with '/', a name of other than letters, digits, '_', '-' and '.'.
 */
enum sf_status sf_instance_resolve(struct sf_instance *instance_out, const struct sf_config *config,
                                   struct sf_error *error) SF_MUST_CHECK;

/*
 * Makes both folders when missing (mode 0750, owned by uid:gid), and refuses ones that are symbolic links, belong to
 * somebody else than uid or root, that others may write, or that uid may not. Never changes the owner of an existing
 * folder.
 */
enum sf_status sf_instance_prepare(const struct sf_instance *instance, uid_t uid, gid_t gid,
                                   struct sf_error *error) SF_MUST_CHECK;
