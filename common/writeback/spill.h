/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * spill.h - changes that wait for the store may fill so much of L1; beyond it they move to the journal.
 *
 * Only while the store is away or too slow. What the journal has on disk L1 may evict, so that everybody goes on;
 * journal_drain.h brings it to the store. Runs in the journal's thread; step() moves at most some
 * hundred records.
 */
#include "common/writeback/journal.h"
#include "common/writeback/pressure.h"

#define SF_SPILL_CHUNK 200

struct sf_spill {
    struct sf_l1 *l1;
    struct sf_journal *journal;
    const struct sf_log *log;
    int64_t limit;            /* percent of the room in the cache */

    bool is_on;               /* one pass over what is dirty */
    enum sf_want urged_for;   /* and if for somebody, whatever the store does */
    bool has_moved;           /* something, in this pass */
    struct sf_l1_cursor cursor;
    struct sf_l1_dirty items[SF_SPILL_CHUNK];
    struct sf_journal_mark marks[SF_SPILL_CHUNK];
    sf_time next;             /* steady; the next look at how much is dirty */
    bool was_logged;          /* in this outage */
    struct sf_pressure pressure; /* while the journal does not take it, either */
    _Atomic uint64_t moved;   /* records, ever */
    _Atomic uint64_t passes;  /* that have ended well */
    _Atomic uint64_t failures; /* and not: the journal does not take it */
    _Atomic int share;        /* percent of the room that was dirty when it was last counted; 0: the store is up */
};

void sf_spill_init(struct sf_spill *spill, struct sf_l1 *l1, struct sf_journal *journal, const struct sf_log *log,
                   int64_t limit);
void sf_spill_fini(struct sf_spill *spill);

/* The next step begins a pass, however much is dirty: somebody needs room. */
void sf_spill_urge(struct sf_spill *spill, enum sf_want want);

/* Steady times. `store_is_up`: it keeps up. Returns when to call again. */
sf_time sf_spill_step(struct sf_spill *spill, sf_time now, bool store_is_up);
