/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_redis_login.h - from an address to a server that knows who we are: the stream, user and password.
 */
#include "common/store/redis/store_redis_connection.h"

/* NULL or "": none. */
struct sf_redis_login {
    const char *user, *password;
};

/*
 * To where the connection is meant to go: the place that it was told of, else one of the URL's hosts. Also after a
 * failure it needs sf_redis_close. SF_UNAVAILABLE, SF_NO_MEMORY.
 */
enum sf_status sf_redis_login(struct sf_redis_connection *connection, const struct sf_redis_login *login,
                              sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* As the URL says. */
enum sf_status sf_redis_login_as_user(struct sf_redis_connection *connection, sf_time deadline,
                                      struct sf_error *error) SF_MUST_CHECK;
