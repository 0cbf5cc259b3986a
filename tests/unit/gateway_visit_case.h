/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * gateway_visit_case.h - a gateway's request with the session of visit_case.h.
 */
#include "tests/unit/gateway_case.h"
#include "tests/unit/visit_case.h"

/* `route`: lines of <Route /a>, where SessionFast is On. */
void start_gateway_with_visits(const char *route);
void finish_gateway_with_visits(void);

/* With the session of `test.visit`. */
void serve(sf_application_fn *application);
