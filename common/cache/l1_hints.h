/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_hints.h - a ring that says which blocks have become dirty. Lossy: whoever follows it scans
 * everything when it has a gap.
 */
#include "common/cache/l1_private.h"

void sf_l1_hint_leave(struct sf_l1 *l1, uint32_t block, uint64_t control);

enum sf_l1_hint_answer {
    SF_L1_HINT_NONE,  /* nothing new */
    SF_L1_HINT_BLOCK, /* look at hint_out->block */
    SF_L1_HINT_WAIT,  /* announced but not there yet: its writer is slow, stopped or dead */
    SF_L1_HINT_OVERRUN /* some were overwritten before they were read */
};

struct sf_l1_hint {
    uint32_t block;
    uint16_t gen; /* low bits of the generation that became dirty; a later one has its own hint */
};

/* Looks at place `at`; the caller moves on. */
enum sf_l1_hint_answer sf_l1_hint_read(const struct sf_l1 *l1, uint64_t at,
                                       struct sf_l1_hint *hint_out);
