/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_sentinel.h - where the master is, as one Sentinel knows.
 *
 * On a connection of its own, for one question: nobody keeps connections to Sentinels, whose answer counts at the
 * moment of a connection to the master only. What it says is believed when the server there says that it is a master.
 */
#include "common/store/redis/store_redis_connection.h"

/*
 * Asks the URL's host of this number. SF_UNAVAILABLE: no answer, or it knows no master of this name.
 */
enum sf_status sf_redis_sentinel_ask(struct sf_redis_place *master_out, struct sf_redis_server *server, size_t host,
                                     sf_time deadline, struct sf_error *error) SF_MUST_CHECK;
