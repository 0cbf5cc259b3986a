/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi_gateway/patience.h"

#include <stdio.h>

void
sf_patience_note(struct sf_patience *patience, uint64_t moved, bool is_awaited)
{
    if (patience->since == 0 || moved != patience->moved || is_awaited != patience->is_awaited)
        patience->since = sf_clock_steady();
    patience->moved = moved;
    patience->is_awaited = is_awaited;
}

sf_time
sf_patience_deadline(const struct sf_patience *patience, const struct sf_request *request,
                     enum sf_patience_end *end_out)
{
    sf_time limit = sf_request_limit(request);
    sf_time until =
        patience->since + (patience->is_awaited ? request->settings->routes.top.gateway_idle_timeout
                                                : request->route->config.gateway_timeout);
    *end_out = limit <= until         ? SF_PATIENCE_LIMIT
               : patience->is_awaited ? SF_PATIENCE_WEB_SERVER
                                      : SF_PATIENCE_APPLICATION;
    return limit <= until ? limit : until;
}

void
sf_patience_fail(enum sf_patience_end end, struct sf_response *response, const char *who)
{
    char why[100];
    if (end == SF_PATIENCE_WEB_SERVER) {
        response->state = SF_RESPONSE_BROKEN;
        return;
    }
    snprintf(why, sizeof why, "%s %s", who,
             end == SF_PATIENCE_LIMIT ? "had not ended within GatewayTimeLimit"
                                      : "was silent for GatewayTimeout");
    sf_response_fail(response, 504, why);
}
