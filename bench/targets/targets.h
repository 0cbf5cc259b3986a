/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * targets.h - all there are. A target whose library this build does not have is built from
 * missing_*.c, which says so.
 */
#include "bench/targets/target.h"

extern const struct target_ops target_l1, target_memcpy, target_rwlock, target_shmcb,
    target_shmcb_default, target_lmdb, target_sqlite, target_memcached, target_redis;
