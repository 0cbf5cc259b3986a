/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_drain.h - brings to the store what only the journal has: what an earlier process left
 * there, and what was moved out of L1 while the store was away.
 *
 * By version, so that repeating it is harmless. Runs in the writer's thread; step() does at most one
 * batch.
 */
#include "common/writeback/journal.h"

struct sf_journal_drain;

enum sf_status sf_journal_drain_new(struct sf_journal_drain **drain_out, struct sf_journal *journal,
                                    struct sf_store *store, struct sf_counters *counters,
                                    const struct sf_log *log) SF_MUST_CHECK;
void sf_journal_drain_free(struct sf_journal_drain *drain);

/* Steady times. `store_is_up`: as far as the batch writer knows. Returns when to call again. */
sf_time sf_journal_drain_step(struct sf_journal_drain *drain, sf_time now, bool store_is_up);

/* All of it, until `deadline`. SF_UNAVAILABLE: something is left, in the journal. */
enum sf_status sf_journal_drain_all(struct sf_journal_drain *drain, sf_time deadline) SF_MUST_CHECK;
