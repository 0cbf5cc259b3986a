/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * places.h - what the gateway's file names is there: before the gateway starts or loads it, and not when somebody asks
 * for it. Applications that are connected to may come and go, and are not looked for.
 *
 * All errors are SF_INVALID and name file and line. For whoever calls: another user may see more, or less.
 */
#include "common/config/routes.h"

/* What GatewayUser and GatewayGroup say together, from `pool`; NULL: nothing. */
const char *sf_places_user(const struct sf_config *config, apr_pool_t *pool);

/* What counts at the start: GatewayUser, and the folders of unix sockets. Called before there is a second thread. */
enum sf_status sf_places_check_start(const struct sf_routes *routes, apr_pool_t *pool,
                                     struct sf_error *error) SF_MUST_CHECK;

/* Folders and programs of routes. */
enum sf_status sf_places_check_routes(const struct sf_routes *routes,
                                      struct sf_error *error) SF_MUST_CHECK;
