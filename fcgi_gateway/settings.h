/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * settings.h - what the gateway's file says, counted: a request keeps what it began with, whatever
 * is loaded meanwhile.
 */
#include <pthread.h>

#include "common/config/routes.h"

struct sf_settings {
    struct sf_routes routes;
    apr_pool_t *pool;
    _Atomic unsigned users;
};

/* SF_INVALID, SF_UNAVAILABLE: the error says where and why. One user: the caller. What routes name
 * is there. */
enum sf_status sf_settings_load(struct sf_settings **settings_out, const char *path,
                                struct sf_error *error) SF_MUST_CHECK;
/* One user less; the last one frees it. NULL is fine. */
void sf_settings_release(struct sf_settings *settings);

/* The place of those that new requests use. */
struct sf_settings_slot {
    pthread_mutex_t lock;
    struct sf_settings *current;
};

void sf_settings_slot_init(struct sf_settings_slot *slot, struct sf_settings *first);
void sf_settings_slot_fini(struct sf_settings_slot *slot);
struct sf_settings *sf_settings_take(struct sf_settings_slot *slot);
void sf_settings_replace(struct sf_settings_slot *slot, struct sf_settings *next);

/*
 * The options that count at the next start only and differ, their names separated by ", ", from
 * `pool`; NULL: none.
 */
const char *sf_settings_differ(const struct sf_config *running, const struct sf_config *wanted,
                               apr_pool_t *pool);
