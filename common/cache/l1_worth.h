/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_worth.h - what a record is worth to the cache: who it belongs to, how often and how recently it
 * was asked for. Told by words that lie beside the record, so that a sample of many needs no block.
 *
 * Readers leave no trace but the last access, at most once a second: so that is what is counted. A
 * frequency is a logarithm, four steps for a factor of two, of the accesses so far, each worth half as
 * much as one that came eight and a half minutes later: 0 is one access, 4 are two, 31 are 215, which
 * takes one every three seconds. It loses a step in 128 seconds, by nothing but the time that has
 * passed. docs/decisions/0012-what-stays-in-the-cache.md has measured it.
 */
#include "common/cache/l1_layout.h"
#include "common/session/record.h"

/* In the order in which they go. */
enum sf_l1_worth {
    SF_L1_BOT,
    SF_L1_ANONYMOUS,
    SF_L1_WITH_CHILDREN,
    SF_L1_LOGGED_IN,
    SF_L1_TOMBSTONE, /* goes when its time is over, or nothing else can: l1_evict.c */
    SF_L1_PINNED
};

enum sf_l1_worth sf_l1_worth_of(const struct sf_record_head *head);

/* What is left of a frequency so many seconds after the last access. */
uint32_t sf_l1_frequency_now(uint32_t frequency, uint32_t seconds);

/*
 * One access more, so many seconds after the one before. What is less than a step is made by chance:
 * `dice` is anything that differs from call to call.
 */
uint32_t sf_l1_frequency_next(uint32_t frequency, uint32_t seconds, uint32_t dice);

/* The word `touch` behind an access at `seconds`, which is later than the one that it tells. */
uint64_t sf_l1_touch_next(uint64_t touch, uint32_t seconds);

/* Of a sample the smallest goes first: by class, staleness, frequency, and last access. */
uint64_t sf_l1_rank(uint64_t touch, uint32_t now_seconds, bool is_stale);
