/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config_case.h"

#include <apr_general.h>
#include <check.h>

apr_pool_t *pool;
struct sf_config config;
struct sf_error error;

void
make_defaults(void)
{
    ck_assert_int_eq(apr_initialize(), APR_SUCCESS);
    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    sf_config_init(&config);
}

void
drop_pool(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}
