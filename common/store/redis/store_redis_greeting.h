/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_greeting.h - from an address to a server that may be asked: who we are, which
 * database, whether it is a master, the script, and whose sessions these are.
 */
#include "common/store/redis/store_redis_connection.h"

/*
 * To one of the hosts that the URL names, each in its share of the time. The connection was closed.
 * SF_UNAVAILABLE: none of them will do, with the reason of the last. SF_INVALID: as sf_redis_begin.
 */
enum sf_status sf_redis_connect(struct sf_redis_connection *connection, sf_time deadline,
                                struct sf_error *error) SF_MUST_CHECK;
