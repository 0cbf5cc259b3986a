/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/daemon_watch.h"

#include "common/config/config_file.h"

static enum sf_status
write_config(void *context, struct sf_error *error)
{
    struct sf_daemon_watch *watch = context;
    const struct sf_gateway *gateway = watch->gateway;
    return sf_config_write(&gateway->config, gateway->instance.config_path, watch->pool, error);
}

static const char *
config_differs(void *context)
{
    struct sf_daemon_watch *watch = context;
    const struct sf_gateway *gateway = watch->gateway;
    return sf_config_differs(&gateway->config, gateway->instance.config_path, watch->pool);
}

enum sf_status
sf_daemon_watch_begin(struct sf_daemon_watch *watch, struct sf_gateway *gateway, apr_pool_t *pool,
                      struct sf_error *error)
{
    *watch = (struct sf_daemon_watch){.gateway = gateway};
    watch->care = (struct sf_daemon_care){
        .state = &watch->state,
        .config = &gateway->config,
        .instance = &gateway->instance,
        .installed = SF_DAEMON_PATH,
        .log = gateway->log,
        .context = watch,
        .write_config = write_config,
        .config_differs = config_differs,
    };
    if (apr_pool_create(&watch->pool, pool) != APR_SUCCESS)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    return sf_daemon_care_is_needed(&watch->care) ? sf_daemon_care_begin(&watch->care, error)
                                                  : SF_OK;
}

void
sf_daemon_watch_step(struct sf_daemon_watch *watch)
{
    if (!sf_daemon_care_is_needed(&watch->care))
        return;
    sf_daemon_care_step(&watch->care);
    apr_pool_clear(watch->pool);
}

void
sf_daemon_watch_end(struct sf_daemon_watch *watch)
{
    if (sf_daemon_care_is_needed(&watch->care))
        sf_daemon_care_end(&watch->care);
}
