/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * memcached_examine.h - one memcached of SessionFastL2, looked at: the way to it, and what it says of itself.
 */
#include "common/base/clock.h"
#include "common/base/finding.h"
#include "common/store/resolver.h"
#include "common/store/store_url.h"

/* Sets where the findings are. SF_UNAVAILABLE: it cannot be reached or used. */
enum sf_status sf_memcached_examine(const struct sf_store_host *host, struct sf_resolver *resolver, sf_time deadline,
                                    struct sf_findings *findings) SF_MUST_CHECK;
