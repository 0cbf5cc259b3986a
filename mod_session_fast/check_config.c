/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the whole server says, and what the file system must offer. Looks, changes nothing.
 */
#include "mod_session_fast/module.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <util_cfgtree.h>

APLOG_USE_MODULE(session_fast);

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
    bool is_there = access(path, F_OK) == 0;
    if (slash != NULL && !is_there && is_folder(parent))
        return true;
    if (is_there)
        sf_error_set(error, SF_INVALID, "%s: %s is no folder", directive, path);
    else
        sf_error_set(error, SF_INVALID, "%s: %s cannot be made, because %s is no folder", directive, path, parent);
    return false;
}

/* The stores themselves are the daemon's: httpd links none of them. */
static bool
check_scheme(const char *store, struct sf_error *error)
{
    static const char *const schemes[] = {
#define STORE(name, scheme) scheme,
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

/* SQLite makes the file, but no folder. */
static bool
check_file(const char *path, struct sf_error *error)
{
    char folder[SF_INSTANCE_PATH_MAX + 1024 + 1];
    apr_cpystrn(folder, path, sizeof folder);
    strrchr(folder, '/')[1] = '\0';
    if (is_folder(path))
        sf_error_set(error, SF_INVALID, "SessionFastStore: %s is a folder", path);
    else if (!is_folder(folder))
        sf_error_set(error, SF_INVALID, "SessionFastStore: there is no folder %s", folder);
    return !is_folder(path) && is_folder(folder);
}

static bool
check_store(const char *store, const struct sf_instance *instance, struct sf_error *error)
{
    static const char scheme[] = "sqlite:";
    const char *path = store + sizeof scheme - 1;
    char full[SF_INSTANCE_PATH_MAX + 1024 + 1];
    if (!check_scheme(store, error))
        return false;
    if (strncmp(store, scheme, sizeof scheme - 1) != 0)
        return true;
    if (*path == '/')
        return check_file(path, error);
    snprintf(full, sizeof full, "%s/%s", instance->state, path);
    /* The start makes the state folder itself. */
    return (strchr(path, '/') == NULL && !is_folder(full)) || check_file(full, error);
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
check_files(const struct sf_config *config, struct sf_error *error)
{
    struct sf_instance instance;
    const char *state_by =
        *config->state_directory == '\0' ? "SessionFastInstance" : "SessionFastStateDirectory";
    return sf_instance_resolve(&instance, config, error) == SF_OK &&
           check_folder("SessionFastInstance", instance.run, error) &&
           check_folder(state_by, instance.state, error) &&
           check_store(config->store, &instance, error) && check_daemon(config->daemon, error);
}

/* The text of each error above begins with its directive. */
static uint64_t
option_of(const struct sf_error *error)
{
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        size_t length = strlen(sf_options[i].directive);
        if (strncmp(error->text, sf_options[i].directive, length) == 0 &&
            error->text[length] == ':')
            return SF_OPTION_BIT(i);
    }
    return 0;
}

static bool
check_instance(const struct sf_process *process, const char **what_out, apr_pool_t *pool)
{
    struct sf_error error;
    uint64_t options;
    bool is_right = sf_config_judge(&process->config, &options, &error) == SF_OK;
    if (is_right && !check_files(&process->config, &error)) {
        is_right = false;
        options = option_of(&error);
    }
    if (!is_right) {
        const ap_directive_t *directive = sf_directive_last(process->directives, options);
        *what_out = apr_pstrcat(pool, sf_directive_where(directive, pool), ": ", error.text, NULL);
    }
    return is_right;
}

/*
 * httpd ends when this fails at a restart. A folder that is gone must not have that effect, say with
 * the rotation of a log: the daemon that runs goes on.
 */
static bool
accept_instance(const server_rec *s, struct sf_process *process, apr_pool_t *pconf)
{
    const char *what;
    if (check_instance(process, &what, pconf))
        return true;
    if (sf_daemon_process_has_served()) {
        process->refusal = what;
        return true;
    }
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "SF0504: %s", what);
    return false;
}

/* ---- two providers in one place: mod_session asks the other first, because our hooks come with pre_config ---- */

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
                     sf_directive_where(rival, pool), rival->directive, sf_directive_where(ours, pool));
    }
}

int
sf_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    struct sf_process *process = sf_server_of(s)->process;
    if (!process->is_used)
        return OK;
    bool is_right = accept_instance(s, process, pconf);
    for (const server_rec *host = s; is_right && host != NULL; host = host->next)
        is_right = sf_check_places(host, s, ptemp);
    for (const server_rec *host = s; is_right && host != NULL; host = host->next)
        sf_check_places_prepare(host, pconf);
    warn_of_rivals(s, ap_conftree, ptemp);
    return is_right ? OK : HTTP_INTERNAL_SERVER_ERROR;
}
