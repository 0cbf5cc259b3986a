/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * daemon_watch.h - the gateway takes care of session-fastd, unless its options say that somebody
 * else does. After root was given up, in the main thread.
 */
#include "common/front/daemon_care.h"
#include "fcgi_gateway/gateway.h"

struct sf_daemon_watch {
    struct sf_gateway *gateway;
    struct sf_daemon_care care;
    struct sf_daemon_state state;
    apr_pool_t *pool; /* of one call */
};

/* Waits until a daemon answers. */
enum sf_status sf_daemon_watch_begin(struct sf_daemon_watch *watch, struct sf_gateway *gateway,
                                     apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;
/* Once a second, and after SIGCHLD. */
void sf_daemon_watch_step(struct sf_daemon_watch *watch);
/* Ends our own. */
void sf_daemon_watch_end(struct sf_daemon_watch *watch);
