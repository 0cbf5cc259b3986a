/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "common/config/places.h"
#include "common/store/store.h"
#include "common/store/stores_check.h"

#define SHOWN_MAX 1200 /* SessionFastMigrate is the longest value that may hold a URL */

/* Everything that can be said of a file without touching the instance that it names. */
static enum sf_status
check_file(struct sf_routes *routes, const char *path, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_instance instance;
    enum sf_status status = sf_routes_read(routes, path, pool, error);

    if (status == SF_OK)
        status = sf_places_check_start(routes, pool, error);
    if (status == SF_OK)
        status = sf_places_check_routes(routes, error);
    if (status == SF_OK)
        status = sf_instance_resolve(&instance, &routes->top, error);
    return status == SF_OK ? sf_stores_check(&routes->top, instance.state, error) : status;
}

/* A password stays in its file. */
static json_t *
show_value(const char *value)
{
    char shown[SHOWN_MAX];

    if (strstr(value, "://") == NULL)
        return json_string(value);
    sf_store_show_url(value, shown, sizeof shown);
    return json_string(shown);
}

static json_t *
set_options(const struct sf_config *config, const struct sf_config *outer, apr_pool_t *pool)
{
    json_t *options = json_object();

    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const char *value = sf_config_format(config, &sf_options[i], pool);
        bool is_from_outside = outer != NULL && outer->is_set[i] &&
                               strcmp(value, sf_config_format(outer, &sf_options[i], pool)) == 0;
        if (config->is_set[i] && !is_from_outside)
            json_object_set_new(options, sf_options[i].directive, show_value(value));
    }
    return options;
}

/* What nobody has set, and a preset has made another than it is without one. */
static json_t *
preset_options(const struct sf_config *config, apr_pool_t *pool)
{
    struct sf_config defaults;
    json_t *options = json_object();

    sf_config_init(&defaults);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const char *value = sf_config_format(config, &sf_options[i], pool);
        bool is_default = strcmp(value, sf_config_format(&defaults, &sf_options[i], pool)) == 0;
        if (!config->is_set[i] && !is_default)
            json_object_set_new(options, sf_options[i].directive, json_string(value));
    }
    return options;
}

/* In the order of the file, which is that in which they are tried. */
static json_t *
list_routes(const struct sf_routes *routes, apr_pool_t *pool)
{
    json_t *list = json_array();

    for (size_t i = 0; i < routes->count; i++) {
        const struct sf_route *route = &routes->items[i];
        json_array_append_new(list, json_pack("{s:s, s:o}", "route", route->pattern, "options",
                                              set_options(&route->config, &routes->top, pool)));
    }
    return list;
}

static void
print_verdict(const json_t *verdict, const char *path)
{
    size_t i;
    json_t *route;

    printf("%s is valid and sets\n", path);
    print_members(json_object_get(verdict, "options"), 2);
    if (json_object_size(json_object_get(verdict, "preset")) > 0) {
        printf("which makes, as SessionFastPreset says\n");
        print_members(json_object_get(verdict, "preset"), 2);
    }
    json_array_foreach(json_object_get(verdict, "routes"), i, route) {
        printf("for %s\n", json_string_value(json_object_get(route, "route")));
        print_members(json_object_get(route, "options"), 2);
    }
}

int
command_config(struct command_context *context, int argc, char **argv)
{
    struct sf_routes routes;
    struct sf_error error;

    if (argc < 2 || argc > 3 || strcmp(argv[1], "check") != 0)
        return command_fail(EXIT_USAGE, "usage: session-fast config check [FILE]");
    const char *path = argc == 3 ? argv[2] : context->instance.config_path;
    if (check_file(&routes, path, context->pool, &error) != SF_OK) {
        if (!context->is_json)
            return command_fail(EXIT_NEGATIVE, "%s", error.text);
        json_t *verdict =
            json_pack("{s:b, s:s, s:s}", "valid", 0, "file", path, "error", error.text);
        print_json(verdict);
        json_decref(verdict);
        return EXIT_NEGATIVE;
    }
    json_t *verdict = json_pack("{s:b, s:s, s:o, s:o, s:o}", "valid", 1, "file", path, "options",
                                set_options(&routes.top, NULL, context->pool), "preset",
                                preset_options(&routes.top, context->pool), "routes",
                                list_routes(&routes, context->pool));
    if (context->is_json)
        print_json(verdict);
    else
        print_verdict(verdict, path);
    json_decref(verdict);
    return EXIT_DONE;
}
