/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * upstream.h - a request served by a FastCGI application such as php-fpm: record by record, both
 * ways at the same time, as fast as each side takes it.
 *
 * Asked again, over a new connection, only when nothing of the request was sent over the kept one.
 * An application that cannot be reached is a 503, one that does not answer in time a 504, one that
 * breaks off before its headers a 502.
 */
#include "fcgi_gateway/request.h"

void sf_upstream_serve(struct sf_request *request, struct sf_response *response);
