/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * patience.h - how long a request waits: for the application as GatewayTimeout says, for the web
 * server as GatewayIdleTimeout, altogether as GatewayTimeLimit.
 */
#include "fcgi_gateway/response.h"

enum sf_patience_end {
    SF_PATIENCE_APPLICATION, /* it was silent */
    SF_PATIENCE_WEB_SERVER,
    SF_PATIENCE_LIMIT
};

/* All zeros to begin with. */
struct sf_patience {
    bool is_awaited; /* it is the web server's turn */
    uint64_t moved;
    sf_time since; /* steady clock: the last progress, or change of turn */
};

/* Before each wait. `moved`: bytes so far, of all that may move; `is_awaited`: as
 * sf_connection_is_awaited says. */
void sf_patience_note(struct sf_patience *patience, uint64_t moved, bool is_awaited);

/* Until when, by the steady clock, and what it means when nothing has happened by then. */
sf_time sf_patience_deadline(const struct sf_patience *patience, const struct sf_request *request,
                             enum sf_patience_end *end_out);

/* Then: says so to the web server, or leaves it when it is the one that was waited for. `who`: of
 * the application, for the log. */
void sf_patience_fail(enum sf_patience_end end, struct sf_response *response, const char *who);
