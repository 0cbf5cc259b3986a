/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules across directives and what the file system must offer. Looks, changes nothing.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <util_cfgtree.h>

APLOG_USE_MODULE(session_fast);

static const char *
where_is(const ap_directive_t *directive, apr_pool_t *pool)
{
    if (directive == NULL)
        return "defaults";
    return apr_psprintf(pool, "%s, line %d", directive->filename, directive->line_num);
}

static bool
report(const server_rec *s, const ap_directive_t *directive, const struct sf_error *error,
       apr_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "SF0504: %s: %s",
                 where_is(directive, pool), error->text);
    return false;
}

/* ---- each place, as it is when nothing but its server stands around it ---- */

static bool
check_place(const server_rec *s, const struct sf_place *place, apr_pool_t *pool)
{
    const struct sf_place *outer = ap_get_module_config(s->lookup_defaults, &session_fast_module);
    struct sf_config merged;
    struct sf_error error;
    sf_config_merge(&merged, &outer->config, &place->config);
    merged.tombstone_lifetime = sf_server_of(s)->process->config.tombstone_lifetime;
    return sf_config_check(&merged, &error) == SF_OK || report(s, place->directive, &error, pool);
}

static bool
check_places(const server_rec *s, bool of_server, apr_pool_t *pool)
{
    const apr_array_header_t *places = sf_server_of(s)->places;
    for (int i = 0; i < places->nelts; i++) {
        const struct sf_place *place = APR_ARRAY_IDX(places, i, struct sf_place *);
        if (place->is_of_server == of_server && !check_place(s, place, pool))
            return false;
    }
    return true;
}

/*
 * The outer place first: what is wrong there would be wrong in all of the inner ones too, and be
 * told of one of them.
 */
static bool
check_server(const server_rec *s, apr_pool_t *pool)
{
    return check_places(s, true, pool) && check_places(s, false, pool);
}

/* ---- the instance ---- */

static bool
is_folder(const char *path)
{
    struct stat seen;
    return stat(path, &seen) == 0 && S_ISDIR(seen.st_mode);
}

/* The start makes the last folder of the path, not those above it. */
static bool
check_folder(const char *directive, const char *path, struct sf_error *error)
{
    char parent[SF_INSTANCE_PATH_MAX];
    if (is_folder(path))
        return true;
    apr_cpystrn(parent, path, sizeof parent);
    char *slash = strrchr(parent, '/');
    if (slash != NULL)
        slash[slash == parent] = '\0';
    if (slash != NULL && access(path, F_OK) != 0 && is_folder(parent))
        return true;
    sf_error_set(error, SF_INVALID, "%s: %s cannot be made, because %s is no folder", directive,
                 path, parent);
    return false;
}

/* The stores themselves are the daemon's: httpd links none of them. */
static bool
check_scheme(const char *store, struct sf_error *error)
{
    static const char *const schemes[] = {
#define STORE(scheme) #scheme,
#include "common/config/stores.def"
#undef STORE
    };
    size_t length = strcspn(store, ":");
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strlen(schemes[i]) == length && strncmp(schemes[i], store, length) == 0)
            return true;
    }
    sf_error_set(error, SF_INVALID, "SessionFastStore: there is no store '%.*s:'", (int)length,
                 store);
    return false;
}

/* A database outside the state folder: its folder is the administrator's. */
static bool
check_store(const char *store, struct sf_error *error)
{
    static const char scheme[] = "sqlite:/";
    if (!check_scheme(store, error))
        return false;
    if (strncmp(store, scheme, sizeof scheme - 1) != 0)
        return true;
    char folder[1024 + 1];
    apr_cpystrn(folder, strchr(store, '/'), sizeof folder);
    strrchr(folder, '/')[1] = '\0';
    if (is_folder(folder))
        return true;
    sf_error_set(error, SF_INVALID, "SessionFastStore: there is no folder %s", folder);
    return false;
}

static bool
check_daemon(const char *daemon, struct sf_error *error)
{
    const char *path = *daemon == '\0' ? SF_DAEMON_PATH : daemon;
    if (strcmp(path, "none") == 0 ||
        (*path == '/' && !is_folder(path) && access(path, X_OK) == 0)) {
        return true;
    }
    sf_error_set(error, SF_INVALID, "SessionFastDaemon: %s is no program that can be started",
                 path);
    return false;
}

static bool
check_instance(const server_rec *s, const struct sf_process *process, apr_pool_t *pool)
{
    const struct sf_config *config = &process->config;
    struct sf_instance instance;
    struct sf_error error;
    const char *state_by =
        *config->state_directory == '\0' ? "SessionFastInstance" : "SessionFastStateDirectory";
    bool is_right = sf_config_check(config, &error) == SF_OK &&
                    sf_instance_resolve(&instance, config, &error) == SF_OK &&
                    check_folder("SessionFastInstance", instance.run, &error) &&
                    check_folder(state_by, instance.state, &error) &&
                    check_store(config->store, &error) && check_daemon(config->daemon, &error);
    return is_right || report(s, process->directive, &error, pool);
}

/* ---- two providers in one place: who answers is decided by the order of LoadModule ---- */

static bool
says_on(const ap_directive_t *directive, const char *name)
{
    return strcasecmp(directive->directive, name) == 0 && strcasecmp(directive->args, "On") == 0;
}

static void
warn_of_rivals(const server_rec *s, const ap_directive_t *first, apr_pool_t *pool)
{
    const ap_directive_t *ours = NULL, *rival = NULL;
    for (const ap_directive_t *at = first; at != NULL; at = at->next) {
        bool is_rival = strcasecmp(at->directive, "SessionCookieName") == 0 ||
                        strcasecmp(at->directive, "SessionDBDCookieName") == 0 ||
                        says_on(at, "SessionDBDPerUser");
        ours = says_on(at, "SessionFast") ? at : ours;
        rival = is_rival ? at : rival;
        if (at->first_child != NULL)
            warn_of_rivals(s, at->first_child, pool);
    }
    if (ours != NULL && rival != NULL) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                     "SF0505: %s: %s makes a second provider of sessions beside SessionFast (%s): "
                     "keep one of them",
                     where_is(rival, pool), rival->directive, where_is(ours, pool));
    }
}

int
sf_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    const struct sf_process *process = sf_server_of(s)->process;
    if (!process->is_used)
        return OK;
    bool is_right = check_instance(s, process, ptemp);
    for (const server_rec *host = s; is_right && host != NULL; host = host->next)
        is_right = check_server(host, ptemp);
    warn_of_rivals(s, ap_conftree, ptemp);
    return is_right ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
