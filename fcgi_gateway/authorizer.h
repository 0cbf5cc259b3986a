/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * authorizer.h - whether a request to something else is allowed, as its session says: for the
 * FastCGI role Authorizer (lighttpd, mod_authnz_fcgi, mod_fcgid) and for auth_request of nginx.
 *
 * The session is read only. What web servers take differs, and this fits all: 200 with the session
 * as Variable-SESSION_* headers; 401 for whoever must log in, 403 for whoever is known and not
 * allowed; 302 to GatewayLoginPage instead of 401 where the web server passes it on.
 */
#include "fcgi_gateway/request.h"

void sf_authorizer_serve(struct sf_request *request, struct sf_response *response);

/*
 * By the role, or by SESSION_GATEWAY_MODE=authorize, which the configuration of the web server can
 * set and no client can. Before the session's own variables are there.
 */
bool sf_authorizer_is_asked(const struct sf_connection *connection, const struct sf_params *params);
