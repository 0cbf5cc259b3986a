/* SPDX-License-Identifier: Apache-2.0 */
#include "common/config/routes.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/config/config_file.h"
#include "common/config/config_lines.h"
#include "common/config/endpoint.h"

/* One level of the file: what was set there, and by which lines. */
struct section {
    const char *pattern; /* NULL: the top */
    unsigned line;
    struct sf_config config;
    unsigned lines[SF_OPTION_COUNT];
};

struct reader {
    struct sf_config_lines lines;
    struct section top;
    apr_array_header_t *sections; /* struct section * */
    struct section *current;
    apr_pool_t *pool;
};

/* ---- reading ---- */

static const enum sf_option_index tasks[] = {
    SF_OPTION_AT_cgi_directory, SF_OPTION_AT_cgi_program, SF_OPTION_AT_upstream,
    SF_OPTION_AT_authorizer,    SF_OPTION_AT_api,
};
#define TASKS (sizeof tasks / sizeof tasks[0])
#define TASK_NAMES                                                                                 \
    "GatewayCgiDirectory, GatewayCgiProgram, GatewayUpstream, GatewayAuthorizer, GatewayApi"

static bool
is_task(const struct sf_option *option)
{
    for (size_t i = 0; i < TASKS; i++) {
        if (option == &sf_options[tasks[i]])
            return true;
    }
    return false;
}

static enum sf_status
check_place_of(const struct reader *reader, const struct sf_option *option, struct sf_error *error)
{
    bool is_in_route = reader->current != &reader->top;
    bool is_for_all = option->scope == SF_SCOPE_INSTANCE || option->scope == SF_SCOPE_GATEWAY;
    if (is_in_route && is_for_all)
        return sf_config_lines_refuse(
            &reader->lines, error, "%s holds for the whole gateway: it cannot stand in a <Route>",
            option->directive);
    if (!is_in_route && is_task(option))
        return sf_config_lines_refuse(&reader->lines, error, "%s stands in a <Route> only",
                                      option->directive);
    return SF_OK;
}

static enum sf_status
take_option(struct reader *reader, struct sf_error *error)
{
    const struct sf_option *option;
    const char *value;
    struct sf_error reason;
    enum sf_status status =
        sf_config_lines_option(&reader->lines, reader->pool, &option, &value, error);
    if (status == SF_OK)
        status = check_place_of(reader, option, error);
    if (status != SF_OK)
        return status;
    reader->current->lines[option - sf_options] = reader->lines.number;
    status = sf_config_set(&reader->current->config, option, value, reader->pool, &reason);
    return status == SF_OK ? SF_OK
                           : sf_config_lines_refuse(&reader->lines, error, "%s", reason.text);
}

static bool
is_pattern(const char *text)
{
    if (text[0] == '/')
        return strchr(text, '*') == NULL && strstr(text, "//") == NULL;
    return text[0] == '*' && text[1] == '.' && text[2] != '\0' && strpbrk(text + 1, "*/") == NULL;
}

static enum sf_status
open_route(struct reader *reader, const char *pattern, struct sf_error *error)
{
    if (reader->current != &reader->top)
        return sf_config_lines_refuse(&reader->lines, error,
                                      "a <Route> cannot stand in another (</Route> ends it)");
    if (!is_pattern(pattern))
        return sf_config_lines_refuse(&reader->lines, error,
                                      "<Route>: '%.80s' is no pattern (/PREFIX/, /NAME, *.SUFFIX)",
                                      pattern);
    struct section *section = apr_pcalloc(reader->pool, sizeof *section);
    section->pattern = apr_pstrdup(reader->pool, pattern);
    section->line = reader->lines.number;
    sf_config_init(&section->config);
    APR_ARRAY_PUSH(reader->sections, struct section *) = section;
    reader->current = section;
    return SF_OK;
}

static enum sf_status
close_route(struct reader *reader, struct sf_error *error)
{
    if (reader->current == &reader->top)
        return sf_config_lines_refuse(&reader->lines, error, "</Route> without a <Route>");
    reader->current = &reader->top;
    return SF_OK;
}

/* "<Route PATTERN>" or "</Route>", with blanks where people put them. */
static enum sf_status
take_bracket(struct reader *reader, struct sf_error *error)
{
    char *words[3], *rest = reader->lines.line + 1;
    size_t length = strlen(rest), count = 0;
    while (length > 0 && strchr(" \t", rest[length - 1]) != NULL)
        length--;
    bool is_closed = length > 0 && rest[length - 1] == '>';
    rest[is_closed ? length - 1 : length] = '\0';
    for (char *word; is_closed && count < 3 && (word = strsep(&rest, " \t")) != NULL;) {
        if (*word != '\0')
            words[count++] = word;
    }
    if (count == 1 && strcasecmp(words[0], "/Route") == 0)
        return close_route(reader, error);
    if (count == 2 && strcasecmp(words[0], "Route") == 0)
        return open_route(reader, words[1], error);
    return sf_config_lines_refuse(&reader->lines, error, "neither <Route PATTERN> nor </Route>");
}

static enum sf_status
read_lines(struct reader *reader, struct sf_error *error)
{
    enum sf_status status;
    while ((status = sf_config_lines_next(&reader->lines, error)) == SF_OK) {
        status =
            *reader->lines.line == '<' ? take_bracket(reader, error) : take_option(reader, error);
        if (status != SF_OK)
            return status;
    }
    if (status != SF_NOT_FOUND)
        return status;
    if (reader->current == &reader->top)
        return SF_OK;
    reader->lines.number = reader->current->line;
    return sf_config_lines_refuse(&reader->lines, error, "<Route %.80s> is not closed by </Route>",
                                  reader->current->pattern);
}

/* ---- matching ---- */

/* In "/a/b.cgi/more" the part that ends in ".cgi" is "b.cgi". Where it ends; 0: there is none. */
static size_t
suffix_end(const char *path, const char *suffix)
{
    size_t length = strlen(suffix);
    for (const char *at = strstr(path, suffix); at != NULL; at = strstr(at + 1, suffix)) {
        if ((at[length] == '\0' || at[length] == '/') && at > path && at[-1] != '/')
            return (size_t)(at - path) + length;
    }
    return 0;
}

size_t
sf_route_prefix_size(const struct sf_route *route)
{
    size_t size = route->pattern[0] == '/' ? strlen(route->pattern) : 0;
    return size > 0 && route->pattern[size - 1] == '/' ? size - 1 : size;
}

size_t
sf_route_part_size(const struct sf_route *route, const char *url_path)
{
    return route->pattern[0] == '*' ? suffix_end(url_path, route->pattern + 1)
                                    : sf_route_prefix_size(route);
}

static bool
matches(const struct sf_route *route, const char *path)
{
    if (route->pattern[0] == '*')
        return suffix_end(path, route->pattern + 1) > 0;
    size_t size = strlen(route->pattern);
    if (strncmp(path, route->pattern, size) != 0)
        return false;
    return route->pattern[size - 1] == '/' || path[size] == '\0' || path[size] == '/';
}

/* ---- what must hold together ---- */

/*
 * The last of the lines that set one of `options`, in the route first; that of the section: none
 * did.
 */
static unsigned
line_of(const struct section *section, const struct section *top, uint64_t options)
{
    unsigned line = 0;
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        if ((options & SF_OPTION_BIT(i)) != 0 && section->lines[i] > line)
            line = section->lines[i];
    }
    if (line != 0)
        return line;
    return section == top ? section->line : line_of(top, top, options);
}

static enum sf_status
refuse_at(struct reader *reader, unsigned line, const char *what, struct sf_error *error)
{
    reader->lines.number = line;
    return sf_config_lines_refuse(&reader->lines, error, "%s", what);
}

static enum sf_status
check_mode(struct reader *reader, struct sf_error *error)
{
    const char *mode = reader->top.config.gateway_listen_mode, *why = NULL;
    if (mode[strspn(mode, "01234567")] != '\0')
        why = "is not an octal number such as 0660";
    else if ((strtoul(mode, NULL, 8) & S_IRWXO) != 0)
        why = "lets everybody of this host connect, and whoever can connect can forge everything "
              "(0660, and the web server in GatewayGroup)";
    if (why == NULL)
        return SF_OK;
    return refuse_at(reader, reader->top.lines[SF_OPTION_AT_gateway_listen_mode],
                     apr_psprintf(reader->pool, "GatewayListenMode: '%s' %s", mode, why), error);
}

static enum sf_status
check_listen_word(struct reader *reader, const char *word, struct sf_error *error)
{
    struct sf_endpoint endpoint;
    struct sf_error reason;
    unsigned line = reader->top.lines[SF_OPTION_AT_gateway_listen];
    if (strcasecmp(word, "inherited") == 0)
        return SF_OK;
    if (sf_endpoint_parse(&endpoint, word, &reason) != SF_OK)
        return refuse_at(reader, line, apr_psprintf(reader->pool, "GatewayListen: %s", reason.text),
                         error);
    if (sf_endpoint_is_local(&endpoint))
        return SF_OK;
    return refuse_at(
        reader, line,
        apr_psprintf(reader->pool,
                     "GatewayListen: '%s' is not of this host (unix:, 127.0.0.1, [::1]): whoever "
                     "can connect can forge everything",
                     word),
        error);
}

static enum sf_status
check_gateway(struct reader *reader, struct sf_error *error)
{
    char *rest = apr_pstrdup(reader->pool, reader->top.config.gateway_listen), *word;
    enum sf_status status = check_mode(reader, error);
    while (status == SF_OK && (word = strsep(&rest, " ")) != NULL)
        status = check_listen_word(reader, word, error);
    return status;
}

static enum sf_status
check_tasks(struct reader *reader, const struct section *section, struct sf_error *error)
{
    const struct sf_config *config = &section->config;
    int count = (*config->cgi_directory != '\0') + (*config->cgi_program != '\0') +
                (*config->upstream != '\0') + config->authorizer + config->api;
    if (count == 1)
        return SF_OK;
    return refuse_at(reader, section->line,
                     apr_psprintf(reader->pool, "<Route %.80s> needs %s of " TASK_NAMES,
                                  section->pattern, count == 0 ? "one" : "only one"),
                     error);
}

static enum sf_status
check_paths(struct reader *reader, const struct section *section, struct sf_error *error)
{
    static const enum sf_option_index paths[] = {SF_OPTION_AT_cgi_directory,
                                                 SF_OPTION_AT_cgi_program};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *path = sf_config_format(&section->config, &sf_options[paths[i]], reader->pool);
        if (*path != '\0' && *path != '/')
            return refuse_at(reader, section->lines[paths[i]],
                             apr_psprintf(reader->pool, "%s: '%.80s' does not begin with '/'",
                                          sf_options[paths[i]].directive, path),
                             error);
    }
    return SF_OK;
}

static enum sf_status
check_upstream(struct reader *reader, const struct section *section, struct sf_error *error)
{
    struct sf_endpoint endpoint;
    struct sf_error reason;
    if (*section->config.upstream == '\0' ||
        sf_endpoint_parse(&endpoint, section->config.upstream, &reason) == SF_OK)
        return SF_OK;
    return refuse_at(reader, section->lines[SF_OPTION_AT_upstream],
                     apr_psprintf(reader->pool, "GatewayUpstream: %s", reason.text), error);
}

/* Where a route sets it, or the top for all. */
static unsigned
line_of_one(const struct reader *reader, const struct section *section, enum sf_option_index option)
{
    return section->lines[option] != 0 ? section->lines[option] : reader->top.lines[option];
}

static bool
is_requirement(const char *text)
{
    return strcmp(text, "valid") == 0 || strcmp(text, "user") == 0 ||
           strncmp(text, "user ", 5) == 0 || strncmp(text, "field ", 6) == 0;
}

static enum sf_status
check_access(struct reader *reader, const struct section *section, const struct sf_config *merged,
             struct sf_error *error)
{
    const char *page = merged->login_page;
    if (!is_requirement(merged->require))
        return refuse_at(reader,
                         line_of_one(reader, section, SF_OPTION_AT_require),
                         "GatewayRequire: neither valid nor user [NAME...] nor field NAME "
                         "[VALUE...]",
                         error);
    bool is_page = *page == '/' || strncmp(page, "https://", 8) == 0 ||
                   strncmp(page, "http://", 7) == 0;
    if (*page == '\0' || (is_page && strpbrk(page, " \t?#") == NULL))
        return SF_OK;
    return refuse_at(reader, line_of_one(reader, section, SF_OPTION_AT_login_page),
                     "GatewayLoginPage: neither /PATH nor https://HOST/PATH, without ? and #",
                     error);
}

/* What the options of all fronts must keep, in what really counts at this place. */
static enum sf_status
check_together(struct reader *reader, const struct section *section, const struct sf_config *merged,
               struct sf_error *error)
{
    struct sf_error reason;
    uint64_t options;
    if (sf_config_judge(merged, &options, &reason) == SF_OK)
        return SF_OK;
    return refuse_at(reader, line_of(section, &reader->top, options), reason.text, error);
}

static enum sf_status
finish_route(struct reader *reader, const struct section *section, struct sf_route *route,
             struct sf_error *error)
{
    route->pattern = section->pattern;
    route->line = section->line;
    route->cgi_line = section->lines[*section->config.cgi_directory != '\0' ? SF_OPTION_AT_cgi_directory
                                                                            : SF_OPTION_AT_cgi_program];
    sf_config_merge(&route->config, &reader->top.config, &section->config);
    enum sf_status status = check_tasks(reader, section, error);
    if (status == SF_OK)
        status = check_paths(reader, section, error);
    if (status == SF_OK)
        status = check_upstream(reader, section, error);
    if (status == SF_OK)
        status = check_access(reader, section, &route->config, error);
    return status == SF_OK ? check_together(reader, section, &route->config, error) : status;
}

/* Pages and authorizers are looked for apart from each other. */
static bool
takes_all_of(const struct sf_route *first, const struct sf_route *route)
{
    if (route->config.authorizer != first->config.authorizer)
        return false;
    return strcmp(first->pattern, "/") == 0 || matches(first, route->pattern);
}

static enum sf_status
check_reached(struct reader *reader, const struct sf_routes *routes, const struct sf_route *route,
              struct sf_error *error)
{
    for (const struct sf_route *first = routes->items; first < route; first++) {
        if (takes_all_of(first, route))
            return refuse_at(reader, route->line,
                             apr_psprintf(reader->pool,
                                          "<Route %.80s> is never reached: <Route %.80s> in line "
                                          "%u takes all of it",
                                          route->pattern, first->pattern, first->line),
                             error);
    }
    return SF_OK;
}

static enum sf_status
finish(struct reader *reader, struct sf_routes *routes, struct sf_error *error)
{
    enum sf_status status = check_gateway(reader, error);
    if (status == SF_OK)
        status = check_together(reader, &reader->top, &reader->top.config, error);
    routes->file = apr_pstrdup(reader->pool, reader->lines.name);
    routes->listen_line = reader->top.lines[SF_OPTION_AT_gateway_listen];
    routes->user_line = line_of(&reader->top, &reader->top,
                                SF_OPTION_BIT(SF_OPTION_AT_gateway_user) |
                                    SF_OPTION_BIT(SF_OPTION_AT_gateway_group));
    routes->top = reader->top.config;
    routes->count = (size_t)reader->sections->nelts;
    routes->items = apr_pcalloc(reader->pool, (routes->count + 1) * sizeof *routes->items);
    for (size_t i = 0; status == SF_OK && i < routes->count; i++) {
        status = finish_route(reader, APR_ARRAY_IDX(reader->sections, (int)i, struct section *),
                              &routes->items[i], error);
        if (status == SF_OK)
            status = check_reached(reader, routes, &routes->items[i], error);
    }
    return status;
}

enum sf_status
sf_routes_read_text(struct sf_routes *routes_out, struct sf_span text, const char *name,
                    apr_pool_t *pool, struct sf_error *error)
{
    struct reader *reader = apr_pcalloc(pool, sizeof *reader);
    reader->pool = pool;
    reader->sections = apr_array_make(pool, 8, sizeof(struct section *));
    reader->current = &reader->top;
    reader->top.line = 1;
    sf_config_init(&reader->top.config);
    sf_config_lines_init(&reader->lines, text, name);
    enum sf_status status = read_lines(reader, error);
    return status == SF_OK ? finish(reader, routes_out, error) : status;
}

enum sf_status
sf_routes_read(struct sf_routes *routes_out, const char *path, apr_pool_t *pool,
               struct sf_error *error)
{
    struct sf_buffer content;
    enum sf_status status = sf_config_file_load(path, &content, error);
    if (status == SF_OK)
        status = sf_routes_read_text(routes_out, sf_buffer_span(&content), path, pool, error);
    sf_buffer_fini(&content);
    return status;
}

/* ---- finding ---- */

static const struct sf_route *
find(const struct sf_routes *routes, const char *url_path, bool is_authorizer)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct sf_route *route = &routes->items[i];
        if (route->config.authorizer == is_authorizer && matches(route, url_path))
            return route;
    }
    return NULL;
}

const struct sf_route *
sf_routes_find(const struct sf_routes *routes, const char *url_path)
{
    return find(routes, url_path, false);
}

const struct sf_route *
sf_routes_find_authorizer(const struct sf_routes *routes, const char *url_path)
{
    return find(routes, url_path, true);
}
