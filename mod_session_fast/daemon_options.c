/* SPDX-License-Identifier: Apache-2.0 */
#include "mod_session_fast/daemon_options.h"

#include <apr_strings.h>
#include <errno.h>
#include <mpm_common.h>
#include <string.h>
#include <unistd.h>
#include <unixd.h>

#include "common/config/config_file.h"

uid_t
sf_daemon_uid(void)
{
    return geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
}

gid_t
sf_daemon_gid(void)
{
    return geteuid() == 0 ? ap_unixd_config.group_id : getegid();
}

static bool
become(uid_t uid, gid_t gid)
{
    return uid == 0 ? seteuid(uid) == 0 && setegid(gid) == 0
                    : setegid(gid) == 0 && seteuid(uid) == 0;
}

struct self {
    bool is_root;
    gid_t group;
};

static enum sf_status
become_user(struct self *self_out, struct sf_error *error)
{
    *self_out = (struct self){.is_root = geteuid() == 0, .group = getegid()};
    if (!self_out->is_root || become(sf_daemon_uid(), sf_daemon_gid()))
        return SF_OK;
    return sf_error_set(error, SF_UNAVAILABLE, "cannot act as User and Group: %s", strerror(errno));
}

/* Returns `status`, that of what was done as the user. */
static enum sf_status
become_self(const struct self *self, enum sf_status status, struct sf_error *error)
{
    if (!self->is_root || become(0, self->group))
        return status;
    return sf_error_set(error, SF_UNAVAILABLE, "cannot be root again: %s", strerror(errno));
}

const char *
sf_daemon_config_differs(const struct sf_process *process, apr_pool_t *pool)
{
    struct self self;
    struct sf_error error;
    const char *differences = NULL;
    enum sf_status status = become_user(&self, &error);
    if (status == SF_OK) {
        differences = sf_config_differs(&process->config, process->instance.config_path, pool);
        status = become_self(&self, status, &error);
    }
    return status == SF_OK ? differences : apr_pstrdup(pool, error.text);
}

enum sf_status
sf_daemon_read_config(struct sf_config *config_out, const char *path, apr_pool_t *pool,
                      struct sf_error *error)
{
    struct self self;
    enum sf_status status = become_user(&self, error);
    if (status != SF_OK)
        return status;
    status = sf_config_read(config_out, path, pool, error);
    return become_self(&self, status, error);
}

static enum sf_status
write_as_user(const struct sf_process *process, const char *path, apr_pool_t *pool,
              struct sf_error *error)
{
    struct self self;
    enum sf_status status = become_user(&self, error);
    if (status != SF_OK)
        return status;
    status = sf_config_write(&process->config, path, pool, error);
    return become_self(&self, status, error);
}

enum sf_status
sf_daemon_write_config(const struct sf_process *process, apr_pool_t *pool, struct sf_error *error)
{
    return write_as_user(process, process->instance.config_path, pool, error);
}

static enum sf_status
remove_as_user(const char *path, enum sf_status status, struct sf_error *error)
{
    struct self self;
    struct sf_error ignored;
    if (become_user(&self, &ignored) != SF_OK)
        return status;
    unlink(path);
    return become_self(&self, status, error);
}

enum sf_status
sf_daemon_prove_config(const struct sf_process *process, const struct sf_daemon_care *care,
                       apr_pool_t *pool, struct sf_error *error)
{
    const char *path = apr_pstrcat(pool, process->instance.config_path, ".new", NULL);
    const struct sf_daemon_program program = sf_daemon_care_program(care, path);
    enum sf_status status = write_as_user(process, path, pool, error);
    if (status != SF_OK)
        return status;
    status = sf_daemon_prove(&program, error);
    return remove_as_user(path, status, error);
}
