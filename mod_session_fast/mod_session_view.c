/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mod_session is told to do at a place. Its structure is public in mod_session.h; only the
 * module record is looked up by name, so that this module can be loaded without it.
 */
#include "mod_session_fast/module.h"

#include <string.h>

static const session_dir_conf *
session_conf_of(const struct sf_process *process, const request_rec *r)
{
    if (process->mod_session == NULL)
        return NULL;
    const session_dir_conf *conf = ap_get_module_config(r->per_dir_config, process->mod_session);
    return conf != NULL && conf->enabled ? conf : NULL;
}

long
sf_mod_session_max_age(const struct sf_process *process, const request_rec *r)
{
    const session_dir_conf *conf = session_conf_of(process, r);
    return conf != NULL && conf->maxage > 0 ? conf->maxage : 0;
}

bool
sf_mod_session_is_on(const struct sf_process *process, const request_rec *r)
{
    return session_conf_of(process, r) != NULL;
}

static bool
begins_with_one_of(const char *uri, const apr_array_header_t *prefixes)
{
    for (int i = 0; i < prefixes->nelts; i++) {
        const char *prefix = APR_ARRAY_IDX(prefixes, i, const char *);
        if (strncmp(uri, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

bool
sf_mod_session_excludes(const struct sf_process *process, const request_rec *r)
{
    const session_dir_conf *conf = session_conf_of(process, r);
    if (conf == NULL)
        return false;
    return (conf->includes->nelts > 0 && !begins_with_one_of(r->uri, conf->includes)) ||
           begins_with_one_of(r->uri, conf->excludes);
}
