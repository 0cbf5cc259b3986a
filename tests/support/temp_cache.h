/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * temp_cache.h - a real L1 in a folder of its own, and sessions in it that go by number (sf_test_key).
 */
#include "common/cache/l1.h"
#include "tests/support/temp_folder.h"

#define SF_TEMP_CACHE_IDLE (30 * SF_MINUTE) /* of its sessions */

struct sf_temp_cache {
    struct sf_temp_folder folder;
    struct sf_instance instance;
    struct sf_l1 *l1;
    sf_time wall; /* at which changes happen; the system's time to begin with */
};

/* Ends the test program when it cannot. */
void sf_temp_cache_init(struct sf_temp_cache *cache);
void sf_temp_cache_fini(struct sf_temp_cache *cache);

/* Counts one up in the session; makes it when it is not there. */
void sf_temp_cache_change(struct sf_temp_cache *cache, unsigned number);
void sf_temp_cache_end(struct sf_temp_cache *cache, unsigned number);

uint64_t sf_temp_cache_version(struct sf_temp_cache *cache, unsigned number); /* 0: not in L1 */
