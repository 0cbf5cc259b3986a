/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of options: what is accepted prints as text that is accepted again and means the same; so is the top of a file
 * with routes, and each route of it has one task.
 */
#include <apr_general.h>
#include <string.h>

#include "common/config/config_file.h"
#include "common/config/routes.h"
#include "tests/fuzz/fuzz.h"

static void
set_again(const struct sf_config *config, apr_pool_t *pool)
{
    struct sf_config copy;
    struct sf_error error;

    sf_config_init(&copy);
    for (size_t i = 0; i < SF_OPTION_COUNT; i++) {
        const char *text = sf_config_format(config, &sf_options[i], pool);

        must(sf_config_set(&copy, &sf_options[i], text, pool, &error) == SF_OK);
        must(strcmp(sf_config_format(&copy, &sf_options[i], pool), text) == 0);
    }
}

static void
read_routes(struct sf_span text, apr_pool_t *pool)
{
    struct sf_routes routes;
    struct sf_error error;

    if (sf_routes_read_text(&routes, text, "input", pool, &error) != SF_OK)
        return;
    set_again(&routes.top, pool);
    must(sf_config_check(&routes.top, &error) == SF_OK);
    for (size_t i = 0; i < routes.count; i++) {
        const struct sf_config *config = &routes.items[i].config;
        must((*config->cgi_directory != '\0') + (*config->cgi_program != '\0') + (*config->upstream != '\0') +
                 config->authorizer + config->api == 1);
        must(sf_config_check(config, &error) == SF_OK);
        (void)sf_routes_find(&routes, routes.items[i].pattern);
        must(sf_route_prefix_size(&routes.items[i]) <= strlen(routes.items[i].pattern));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = NULL;
    struct sf_config config;
    struct sf_error error;

    must(apr_initialize() == APR_SUCCESS && apr_pool_create(&pool, NULL) == APR_SUCCESS);
    sf_config_init(&config);
    if (sf_config_read_text(&config, sf_span_of(data, size), "input", pool, &error) == SF_OK) {
        set_again(&config, pool);
        (void)!sf_config_check(&config, &error);
    }
    read_routes(sf_span_of(data, size), pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
