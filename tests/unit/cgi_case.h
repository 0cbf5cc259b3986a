/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cgi_case.h - what the test programs about CGI programs share: a gateway with a folder of shell
 * scripts, and how to see who of them lives.
 */
#include "tests/support/temp_folder.h"
#include "tests/unit/gateway_case.h"

/* In the folder. A script that has done this has begun, and is there until it has gone with all
 * that it has started. */
#define ALIVE "exec 9> alive; echo begun >&9\n"

extern struct sf_temp_folder scripts;

/* `lines`: of <Route /a>, which runs what lies in the folder. */
void start_cgi_gateway(const char *lines);
void finish_cgi_gateway(void);

/* Returns its path, which lives until the next one. */
const char *add_script(const char *name, const char *text);

void await_begun(void);
/* Until nobody lives who has begun. */
void await_gone(void);
