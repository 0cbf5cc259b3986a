/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * api.h - the session as JSON, for scripts of a page and for services.
 *
 *   GET    ROUTE       the session: state, user, created, expires, fields (those of
 * SessionFastExport) POST   ROUTE       {"set": {NAME: text or integer}, "increment": {NAME:
 * integer}}, of GatewayApiFields; all or nothing; answers as GET does, with what holds then DELETE
 * ROUTE       ends it POST   ROUTE/end   the same, for those who cannot send a DELETE
 *
 * A refusal is {"error": WORD, "message": TEXT}. Changes are taken from pages of the same host
 * only.
 */
#include "fcgi_gateway/request.h"

#define SF_API_BODY_MAX 65536

void sf_api_serve(struct sf_request *request, struct sf_response *response);
