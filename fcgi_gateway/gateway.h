/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gateway.h - what all threads of the process share. Set up by main.c before there is a second
 * thread; constant from then on, but for what says otherwise.
 */
#include "common/base/log.h"
#include "common/config/instance.h"
#include "common/front/front.h"
#include "fcgi_gateway/leftovers.h"
#include "fcgi_gateway/settings.h"
#include "fcgi_gateway/upstream_pool.h"

struct sf_gateway {
    struct sf_log log;
    struct sf_config config; /* top of the file at the start: what counts at the next start only */
    struct sf_instance instance;
    struct sf_front *front;           /* NULL: the secrets were refused, nobody knows any session */
    struct sf_settings_slot settings; /* has its own lock */

    /* Descriptors that become readable and stay so. */
    int stopping; /* no request more */
    int cutting;  /* what still runs ends now */

    struct sf_counters counters;  /* while there is no front; nobody sees them */
    struct sf_log_seldom steered; /* headers for the web server that were taken out */

    struct sf_leftovers leftovers;      /* has its own lock */
    struct sf_upstream_pools upstreams; /* has its own lock */
};

static inline struct sf_counters *
sf_gateway_counters(struct sf_gateway *gateway)
{
    return gateway->front == NULL ? &gateway->counters : sf_front_counters(gateway->front);
}
