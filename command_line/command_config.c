/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "command_line/command.h"
#include "command_line/print.h"
#include "common/config/config_file.h"

/* Everything that can be said of a file without touching the folders it names. */
static enum sf_status
check_file(struct sf_config *config, const char *path, apr_pool_t *pool, struct sf_error *error)
{
    struct sf_instance instance;
    enum sf_status status = sf_config_read(config, path, pool, error);

    if (status == SF_OK)
        status = sf_config_check(config, error);
    if (status == SF_OK)
        status = sf_instance_resolve(&instance, config, error);
    return status;
}

static json_t *
set_options(const struct sf_config *config, apr_pool_t *pool)
{
    json_t *options = json_object();

    for (size_t i = 0; i < SF_OPTION_COUNT; i++)
        if (config->is_set[i])
            json_object_set_new(options, sf_options[i].directive,
                                json_string(sf_config_format(config, &sf_options[i], pool)));
    return options;
}

int
command_config(struct command_context *context, int argc, char **argv)
{
    struct sf_config config;
    struct sf_error error;

    if (argc < 2 || argc > 3 || strcmp(argv[1], "check") != 0)
        return command_fail(EXIT_USAGE, "usage: session-fast config check [FILE]");
    const char *path = argc == 3 ? argv[2] : context->instance.config_path;
    if (check_file(&config, path, context->pool, &error) != SF_OK) {
        if (!context->is_json)
            return command_fail(EXIT_NEGATIVE, "%s", error.text);
        json_t *verdict =
            json_pack("{s:b, s:s, s:s}", "valid", 0, "file", path, "error", error.text);
        print_json(verdict);
        json_decref(verdict);
        return EXIT_NEGATIVE;
    }
    json_t *verdict = json_pack("{s:b, s:s, s:o}", "valid", 1, "file", path, "options",
                                set_options(&config, context->pool));
    if (context->is_json) {
        print_json(verdict);
    } else {
        printf("%s is valid and sets\n", path);
        print_members(json_object_get(verdict, "options"), 2);
    }
    json_decref(verdict);
    return EXIT_DONE;
}
