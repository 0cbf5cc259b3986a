/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_move.h - slabs go from sizes that have more than they need to sizes that want them.
 */
#include "common/cache/l1_index.h"

/*
 * One step of the leading sweeper, now and then; never waits. One slab is on the way at a time.
 * Returns true while one is.
 */
bool sf_l1_move_step(struct sf_l1 *l1, sf_time now);
