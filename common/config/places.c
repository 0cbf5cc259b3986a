/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/places.h"

#include <apr_strings.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/privileges.h"

static enum sf_status
refuse(const struct sf_routes *routes, unsigned line, const char *directive, const char *why,
       struct sf_error *error)
{
    return sf_error_set(error, SF_INVALID, "%s:%u: %s: %s", routes->file, line, directive, why);
}

/* Whether it is a folder or a regular file, as wanted, that we may enter or run; otherwise `why` says what is wrong. */
static bool
is_usable(const char *path, mode_t type, struct sf_error *why)
{
    struct stat seen;
    if (stat(path, &seen) != 0)
        (void)!sf_error_set_errno(why, path, "be looked at");
    else if ((seen.st_mode & S_IFMT) != type)
        (void)!sf_error_set(why, SF_INVALID, "%s is no %s", path,
                            type == S_IFDIR ? "folder" : "regular file");
    else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        (void)!sf_error_set_errno(why, path, type == S_IFDIR ? "be entered" : "be executed");
    else
        return true;
    return false;
}

/* ---- at the start ---- */

const char *
sf_places_user(const struct sf_config *config, apr_pool_t *pool)
{
    if (*config->gateway_user == '\0')
        return NULL;
    return *config->gateway_group == '\0'
               ? config->gateway_user
               : apr_pstrcat(pool, config->gateway_user, ":", config->gateway_group, NULL);
}

static enum sf_status
check_socket(const struct sf_routes *routes, const char *word, apr_pool_t *pool,
             struct sf_error *error)
{
    struct sf_error why;
    if (strncmp(word, "unix:", 5) != 0)
        return SF_OK;
    size_t size = (size_t)(strrchr(word, '/') - word) + 1;
    const char *folder = apr_pstrmemdup(pool, word + 5, size - 5);
    return is_usable(folder, S_IFDIR, &why)
               ? SF_OK
               : refuse(routes, routes->listen_line, "GatewayListen", why.text, error);
}

enum sf_status
sf_places_check_start(const struct sf_routes *routes, apr_pool_t *pool, struct sf_error *error)
{
    const struct sf_privileges wanted = {sf_places_user(&routes->top, pool), "GatewayUser"};
    struct sf_error why;
    if (sf_privileges_check(&wanted, &why) != SF_OK)
        return sf_error_set(error, SF_INVALID, "%s:%u: %s", routes->file, routes->user_line,
                            why.text);
    char *rest = apr_pstrdup(pool, routes->top.gateway_listen), *word;
    enum sf_status status = SF_OK;
    while (status == SF_OK && (word = strsep(&rest, " ")) != NULL)
        status = check_socket(routes, word, pool, error);
    return status;
}

/* ---- of a route ---- */

static enum sf_status
check_route(const struct sf_routes *routes, const struct sf_route *route, struct sf_error *error)
{
    const char *directory = route->config.cgi_directory, *program = route->config.cgi_program;
    struct sf_error why;
    if (*directory != '\0' && !is_usable(directory, S_IFDIR, &why))
        return refuse(routes, route->cgi_line, "GatewayCgiDirectory", why.text, error);
    if (*program != '\0' && !is_usable(program, S_IFREG, &why))
        return refuse(routes, route->cgi_line, "GatewayCgiProgram", why.text, error);
    return SF_OK;
}

enum sf_status
sf_places_check_routes(const struct sf_routes *routes, struct sf_error *error)
{
    enum sf_status status = SF_OK;
    for (size_t i = 0; status == SF_OK && i < routes->count; i++)
        status = check_route(routes, &routes->items[i], error);
    return status;
}
