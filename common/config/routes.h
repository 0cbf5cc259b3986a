/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * routes.h - the gateway's file: options of the instance and of the gateway, and what each route adds to them.
 *
 *   <Route PATTERN>      /prefix/   what lies below it;   /name   that and what lies below it;
 *       Directive value  *.suffix   paths with a part that ends so
 *   </Route>
 *
 * The first route in the file that matches counts. What a route does not set is taken from the top of the file,
 * wherever it stands there.
 */
#include "common/base/bytes.h"
#include "common/config/config.h"

struct sf_route {
    const char *pattern;
    unsigned line, cgi_line; /* of <Route>, and of the folder or program if it has one */
    struct sf_config config; /* with what the top says */
};

struct sf_routes {
    const char *file;
    unsigned listen_line, user_line; /* 0: not said */
    struct sf_config top;
    struct sf_route *items; /* from the pool, in the order of the file */
    size_t count;
};

/*
 * Everything from `pool`. What is returned holds together: each route does exactly one thing and can be reached, and
 * sf_config_check passes for the top and for each. The error names file and line.
 */
enum sf_status sf_routes_read(struct sf_routes *routes_out, const char *path, apr_pool_t *pool,
                              struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_routes_read_text(struct sf_routes *routes_out, struct sf_span text, const char *name,
                                   apr_pool_t *pool, struct sf_error *error) SF_MUST_CHECK;

/* `url_path`: decoded, without a query. NULL: no route matches. Those with GatewayAuthorizer never do. */
const struct sf_route *sf_routes_find(const struct sf_routes *routes, const char *url_path);

/* The same among those with GatewayAuthorizer. */
const struct sf_route *sf_routes_find_authorizer(const struct sf_routes *routes,
                                                 const char *url_path);

/*
 * How much of url_path the pattern itself takes: "/cgi" of "/cgi/hello", whether the pattern is "/cgi" or "/cgi/"; 0
 * for suffixes.
 */
size_t sf_route_prefix_size(const struct sf_route *route);

/* The same with the part that a suffix has found: "/a/b.cgi" of "/a/b.cgi/more". The route matches. */
size_t sf_route_part_size(const struct sf_route *route, const char *url_path);
