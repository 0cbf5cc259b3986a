/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * memcached_facts.h - what a memcached says of itself, judged: is it one for SessionFastL2?
 */
#include "common/base/finding.h"
#include "common/store/store_reach.h"

#define SF_MEMCACHED_FACTS "stats settings\r\nstats\r\n" /* what it is to be asked */

/* `said`: its answer. `reach`: the way from here to it. false, and nothing is found: no memcached says that. */
bool sf_memcached_facts_judge(const char *said, enum sf_reach reach, struct sf_findings *findings) SF_MUST_CHECK;
