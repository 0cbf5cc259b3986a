/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * config_case.h - what the test programs of the options share: a configuration that begins with the defaults, and the
 * pool that its values live in. Each test begins with make_defaults and ends with drop_pool.
 */
#include <apr_pools.h>

#include "common/config/config.h"

extern apr_pool_t *pool;
extern struct sf_config config;
extern struct sf_error error;

void make_defaults(void);
void drop_pool(void);
