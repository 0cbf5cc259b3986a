/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * run_suite.h - the end of every test program.
 */
#include <check.h>

/* Runs and frees it. What main returns: whether a test has failed. CK_VERBOSITY says how much is told. */
int sf_run_suite(Suite *suite);
