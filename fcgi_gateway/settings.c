/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/settings.h"

#include <apr_strings.h>
#include <stdatomic.h>
#include <string.h>

#include "common/config/places.h"

enum sf_status
sf_settings_load(struct sf_settings **settings_out, const char *path, struct sf_error *error)
{
    apr_pool_t *pool;
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return sf_error_set(error, SF_NO_MEMORY, "%s: no memory", path);
    struct sf_settings *settings = apr_pcalloc(pool, sizeof *settings);
    settings->pool = pool;
    atomic_init(&settings->users, 1);
    enum sf_status status = sf_routes_read(&settings->routes, path, pool, error);
    if (status == SF_OK && settings->routes.count == 0)
        status = sf_error_set(error, SF_INVALID, "%s: no <Route>: nothing would be served", path);
    if (status == SF_OK)
        status = sf_places_check_routes(&settings->routes, error);
    if (status == SF_OK)
        *settings_out = settings;
    else
        apr_pool_destroy(pool);
    return status;
}

void
sf_settings_release(struct sf_settings *settings)
{
    /* Releases pair with each other: whoever frees sees that all others have done with it. */
    if (settings != NULL &&
        atomic_fetch_sub_explicit(&settings->users, 1, memory_order_acq_rel) == 1)
        apr_pool_destroy(settings->pool);
}

void
sf_settings_slot_init(struct sf_settings_slot *slot, struct sf_settings *first)
{
    pthread_mutex_init(&slot->lock, NULL);
    slot->current = first;
}

void
sf_settings_slot_fini(struct sf_settings_slot *slot)
{
    sf_settings_release(slot->current);
    pthread_mutex_destroy(&slot->lock);
}

/* Under the lock, so that the last user cannot be gone between looking and counting. */
struct sf_settings *
sf_settings_take(struct sf_settings_slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct sf_settings *settings = slot->current;
    atomic_fetch_add_explicit(&settings->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&slot->lock);
    return settings;
}

void
sf_settings_replace(struct sf_settings_slot *slot, struct sf_settings *next)
{
    pthread_mutex_lock(&slot->lock);
    struct sf_settings *before = slot->current;
    slot->current = next;
    pthread_mutex_unlock(&slot->lock);
    sf_settings_release(before);
}

static bool
counts_at_start(enum sf_option_index option)
{
    static const enum sf_option_index of_gateway[] = {
        SF_OPTION_AT_gateway_listen, SF_OPTION_AT_gateway_listen_mode, SF_OPTION_AT_gateway_user,
        SF_OPTION_AT_gateway_group,  SF_OPTION_AT_gateway_threads,     SF_OPTION_AT_gateway_backlog,
    };
    for (size_t i = 0; i < sizeof of_gateway / sizeof of_gateway[0]; i++) {
        if (of_gateway[i] == option)
            return true;
    }
    return sf_options[option].scope == SF_SCOPE_INSTANCE;
}

const char *
sf_settings_differ(const struct sf_config *running, const struct sf_config *wanted,
                   apr_pool_t *pool)
{
    const char *names = NULL;
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const struct sf_option *option = &sf_options[i];
        if (!counts_at_start((enum sf_option_index)i) ||
            strcmp(sf_config_format(running, option, pool),
                   sf_config_format(wanted, option, pool)) == 0)
            continue;
        names = names == NULL ? option->directive
                              : apr_pstrcat(pool, names, ", ", option->directive, NULL);
    }
    return names;
}
