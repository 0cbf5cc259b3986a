/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* store_redis_write.h - changes that go out, all of a batch at once. */
#include "common/store/redis/store_redis_lane.h"
#include "common/store/store.h"

/* As sf_store_write_fn, but for what it returns. *error: why not all are written, or "". */
void sf_redis_write(struct sf_redis_lane *lane, struct sf_write *writes, size_t count, sf_time deadline,
                    struct sf_error *error);
