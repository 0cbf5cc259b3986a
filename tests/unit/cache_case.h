/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * cache_case.h - what most test programs of the cache share: each test begins with an empty cache, and ends with a
 * walk through all of it, which must find it sound.
 */
#include "tests/support/test_cache.h"

extern struct sf_test_cache cache;
extern struct sf_error error;

void set_up(void);
void tear_down(void);

/* What a reader sees of the session, who must get this answer. */
struct sf_l1_view view_of(uint64_t number, enum sf_status expected);
