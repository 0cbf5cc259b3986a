/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module record and the order of the hooks.
 */
#include "mod_session_fast/module.h"

#include <ap_expr.h>
#include <dlfcn.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

typedef void hook_session_load_fn(ap_HOOK_session_load_t *load, const char *const *before,
                                  const char *const *after, int order);
typedef void hook_session_save_fn(ap_HOOK_session_save_t *save, const char *const *before,
                                  const char *const *after, int order);

/*
 * mod_session's hooks are functions of its shared object. Naming them would make it impossible to
 * load this module alone, or first: all modules are loaded by now, so they are there or not.
 */
static void
hook_mod_session(void)
{
    hook_session_load_fn *hook_load;
    hook_session_save_fn *hook_save;
    *(void **)&hook_load = dlsym(RTLD_DEFAULT, "ap_hook_session_load");
    *(void **)&hook_save = dlsym(RTLD_DEFAULT, "ap_hook_session_save");
    if (hook_load != NULL && hook_save != NULL) {
        hook_load(sf_provider_load, NULL, NULL, APR_HOOK_MIDDLE);
        hook_save(sf_provider_save, NULL, NULL, APR_HOOK_MIDDLE);
    }
}

/* Around the lookups of mod_cache, with CacheQuickHandler on and off, and nothing else. */
static void
hook_mod_cache(void)
{
    static const char *const cache[] = {"mod_cache.c", NULL};
    if (ap_find_linked_module("mod_cache.c") == NULL)
        return;
    ap_hook_handler(sf_hidden_cookie_before_cache, NULL, cache, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(sf_hidden_cookie_after_cache, cache, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_quick_handler(sf_hidden_cookie_before_quick_cache, NULL, cache, APR_HOOK_FIRST);
    ap_hook_quick_handler(sf_hidden_cookie_after_quick_cache, cache, NULL, APR_HOOK_FIRST);
    ap_hook_log_transaction(sf_hidden_cookie_before_log, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

static int
pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    sf_access_register(pconf);
    hook_mod_session();
    hook_mod_cache();
    return OK;
}

static void
register_hooks(apr_pool_t *pool)
{
    /*
     * mod_session has exported HTTP_SESSION and put its filter in place before ours look at both.
     */
    static const char *const after_session[] = {"mod_session.c", NULL};
    /*
     * Their Cache-Control is there when ours is enforced; mod_headers comes later still, and has
     * the last word.
     */
    static const char *const after_expires[] = {"mod_session.c", "mod_expires.c", NULL};

    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(sf_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(sf_daemon_process_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(sf_daemon_process_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(sf_child_process_init, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_post_read_request(sf_request_headers_post_read, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_header_parser(sf_check_place, NULL, NULL, APR_HOOK_REALLY_FIRST - 1);
    ap_hook_header_parser(sf_request_headers_parse, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(sf_check_place, NULL, NULL, APR_HOOK_REALLY_FIRST - 1);
    ap_hook_fixups(sf_request_headers_fixups, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(sf_request_headers_fixups_last, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_fixups(sf_environment_fixups, after_session, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_filter(sf_environment_insert_filter, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_filter(sf_response_headers_insert_filter, after_expires, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(sf_response_headers_insert_error_filter, after_expires, NULL,
                                APR_HOOK_MIDDLE);
    sf_response_headers_register();

    ap_hook_expr_lookup(sf_expressions_lookup, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(session_fast) = {
    STANDARD20_MODULE_STUFF,
    sf_directives_create_place,
    sf_directives_merge_places,
    sf_directives_create_server,
    sf_directives_merge_servers,
    sf_directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
