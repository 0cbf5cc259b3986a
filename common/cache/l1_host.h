/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_host.h - which host this is, and which store has what is here.
 */
#include "common/cache/l1_private.h"

/* Records of `from` go on in `l1`, and what they say of their past with them. Nobody uses `l1` yet. */
void sf_l1_host_inherit(struct sf_l1 *l1, const struct sf_l1 *from);
