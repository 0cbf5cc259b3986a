/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_examine.h - every server that the URL leads to, looked at: the way to it, what it says of
 * itself, and what our user may do there.
 *
 * On connections of its own, which make no mark and load no script.
 */
#include "common/base/finding.h"
#include "common/store/redis/store_redis_server.h"

/* As sf_store_examine_fn. */
enum sf_status sf_redis_examine(struct sf_redis_server *server, sf_time deadline, struct sf_findings *findings);
