/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgi_run.h - a request served by a CGI program (RFC 3875): found, started, and its input, output
 * and errors moved at the same time, as fast as each side takes them.
 */
#include "fcgi_gateway/request.h"

void sf_cgi_serve(struct sf_request *request, struct sf_response *response);
