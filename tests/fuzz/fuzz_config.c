/* SPDX-License-Identifier: Apache-2.0 */
/* A file of options: what is accepted prints as text that is accepted again and means the same. */
#include <apr_general.h>
#include <string.h>

#include "common/config/config_file.h"
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
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
