/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2_check.h - the servers of SessionFastL2, looked at and tried.
 */
#include "common/store/l2/l2.h"

/* SF_UNAVAILABLE: one of them cannot be reached or used. SF_INVALID: the URL is none. */
enum sf_status l2_check(const char *url, struct sf_findings *findings) SF_MUST_CHECK;
