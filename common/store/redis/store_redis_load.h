/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* store_redis_load.h - sessions that are asked for, all of a batch at once. */
#include "common/store/redis/store_redis_lane.h"
#include "common/store/store.h"

#define SF_REDIS_LOADS_MAX 64 /* at once: as many records may be in memory */

/* As sf_store_load_fn. true: there was an answer to some of them. *error: why not to all, or "". */
bool sf_redis_load(struct sf_redis_lane *lane, struct sf_load *loads, size_t count, sf_time deadline,
                   struct sf_error *error);
