/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gateway_visit_case.h"

#include <check.h>
#include <stdio.h>

void
start_gateway_with_visits(const char *route)
{
    char file[1000];
    set_up();
    snprintf(file, sizeof file,
             "<Route /a>\nSessionFast On\nSessionFastLoginDurability memory\n%s\n</Route>\n",
             route);
    start_gateway(file);
    at.gateway.front = test.front;
}

void
finish_gateway_with_visits(void)
{
    finish_gateway();
    tear_down();
}

static void
set_variable(void *context, const char *name, struct sf_span value)
{
    (void)context;
    ck_assert_int_eq(sf_params_set(&at.params, name, value), SF_OK);
}

void
serve(sf_application_fn *application)
{
    at.request.visit = test.visit;
    at.request.visit.config = &at.request.route->config;
    at.request.has_visit = true;
    sf_visit_export(&at.request.visit, &test.call, at.request.visit.config, set_variable, NULL);
    run_application(application);
    test.visit = at.request.visit; /* which is what tear_down ends */
}
