/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * touches.h - last-access times on their way to the store: for the batch writer and the sweep.
 */
#include "common/cache/l1.h"
#include "common/store/store.h"

void sf_touches_prepare(const struct sf_l1_touched *touched, struct sf_write *writes_out,
                        size_t count);

/*
 * Settles what the store has answered for good; one without a row (removed by hand) and one that is
 * refused must not come back for ever. Returns how many; the others will be found again.
 */
size_t sf_touches_settle(struct sf_l1 *l1, const struct sf_l1_touched *touched,
                         const struct sf_write *writes, size_t count);
