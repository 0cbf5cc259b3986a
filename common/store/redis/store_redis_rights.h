/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_rights.h - may our user do what the daemon will?
 *
 * By trying: each command in a form that changes nothing, on keys that nobody has. Redis looks at the
 * rights of a user before it looks at anything else.
 */
#include "common/base/finding.h"
#include "common/store/redis/store_redis_connection.h"

/* On a connection that has logged in, which is closed afterwards: it would listen. */
enum sf_status sf_redis_rights_examine(struct sf_redis_connection *connection, sf_time deadline,
                                       struct sf_findings *findings);
