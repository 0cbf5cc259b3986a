/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/spill.h"

#include <inttypes.h>
#include <stdatomic.h>

#define LOOK_PAUSE ((sf_time)100)
#define COUNT_PAUSE ((sf_time)100)
#define COUNT_SHARE 20 /* counting takes no more than a twentieth of a processor */

void
sf_spill_init(struct sf_spill *spill, struct sf_l1 *l1, struct sf_journal *journal, const struct sf_log *log,
              int64_t limit)
{
    *spill = (struct sf_spill){.l1 = l1, .journal = journal, .log = log, .limit = limit};
    spill->pressure = (struct sf_pressure){.l1 = l1, .log = log, .limit = limit};
    sf_pressure_init(&spill->pressure);
}

void
sf_spill_fini(struct sf_spill *spill)
{
    sf_l1_dirty_fini(spill->items, SF_SPILL_CHUNK);
}

/* Percent. Of the room for blocks, or, when records are small, of the words that name them. */
static int
dirty_share(const struct sf_l1_usage *usage)
{
    uint64_t of_bytes = usage->room_bytes == 0 ? 0 : usage->dirty_bytes * 100 / usage->room_bytes;
    uint64_t of_words = usage->index_words == 0 ? 0 : usage->blocks_dirty * 100 / usage->index_words;
    uint64_t share = of_bytes > of_words ? of_bytes : of_words;
    return share < 100 ? (int)share : 100;
}

static void
count(struct sf_spill *spill, sf_time now)
{
    struct sf_l1_usage usage;
    sf_time before = sf_clock_thread();
    sf_l1_usage(spill->l1, &usage);
    sf_time took = sf_clock_thread() - before;
    spill->next = now + (COUNT_SHARE * took > COUNT_PAUSE ? COUNT_SHARE * took : COUNT_PAUSE);
    atomic_store_explicit(&spill->share, dirty_share(&usage), memory_order_relaxed);
}

static void
begin_pass(struct sf_spill *spill)
{
    spill->is_on = true;
    spill->has_moved = false;
    spill->cursor = (struct sf_l1_cursor){.is_following = false};
}

static void
begin(struct sf_spill *spill, int share)
{
    begin_pass(spill);
    if (!spill->was_logged)
        sf_log_write(spill->log, SF_LOG_WARNING, "SF0218",
                     "%d %% of the cache waits for the store: changed sessions move to the journal", share);
    spill->was_logged = true;
}

/* Whoever misses it in L1 from now on asks the journal first. */
static enum sf_status
move(struct sf_spill *spill, size_t taken)
{
    for (size_t i = 0; i < taken; i++)
        spill->marks[i] = (struct sf_journal_mark){.key = spill->items[i].key, .is_orphan = true};
    sf_time began = sf_clock_steady();
    enum sf_status status = sf_journal_commit(spill->journal, spill->marks, taken);
    for (size_t i = 0; i < taken; i++)
        if (spill->marks[i].status == SF_OK)
            sf_l1_settle_journalled(spill->l1, &spill->items[i].ticket, began);
    if (status == SF_OK) {
        atomic_fetch_add_explicit(&spill->moved, taken, memory_order_relaxed);
        spill->has_moved = true;
    }
    return status;
}

/*
 * What is dirty stays where it is. A pass that was urged has not been counted for; if it has moved
 * something, whoever has urged it has got some room.
 */
static void
fail(struct sf_spill *spill, sf_time now)
{
    atomic_fetch_add_explicit(&spill->failures, 1, memory_order_relaxed);
    if (now >= spill->next)
        count(spill, now);
    int share = atomic_load_explicit(&spill->share, memory_order_relaxed);
    sf_pressure_rise(&spill->pressure, share, spill->has_moved ? SF_WANTED_BY_NOBODY : spill->urged_for, now);
}

static sf_time
go_on(struct sf_spill *spill, sf_time now)
{
    size_t taken = sf_l1_dirty_take(spill->l1, &spill->cursor, spill->items, SF_SPILL_CHUNK);
    bool is_good = taken == 0 || move(spill, taken) == SF_OK;
    spill->is_on = is_good && taken == SF_SPILL_CHUNK;
    if (!is_good) {
        fail(spill, now);
    } else if (!spill->is_on) {
        atomic_fetch_add_explicit(&spill->passes, 1, memory_order_relaxed);
        sf_pressure_fall(&spill->pressure, now);
    }
    if (!spill->is_on)
        spill->urged_for = SF_WANTED_BY_NOBODY;
    return spill->is_on ? now : now + LOOK_PAUSE;
}

void
sf_spill_urge(struct sf_spill *spill, enum sf_want want)
{
    begin_pass(spill);
    spill->urged_for = want;
}

sf_time
sf_spill_step(struct sf_spill *spill, sf_time now, bool store_is_up)
{
    if (store_is_up && spill->urged_for == SF_WANTED_BY_NOBODY) {
        spill->is_on = spill->was_logged = false;
        atomic_store_explicit(&spill->share, 0, memory_order_relaxed);
        sf_pressure_fall(&spill->pressure, now);
        return now + LOOK_PAUSE;
    }
    if (!spill->is_on && now < spill->next) {
        sf_pressure_renew(&spill->pressure);
        return now + LOOK_PAUSE;
    }
    if (!spill->is_on) {
        count(spill, now);
        int share = atomic_load_explicit(&spill->share, memory_order_relaxed);
        if (share < spill->limit) {
            sf_pressure_fall(&spill->pressure, now);
            return now + LOOK_PAUSE;
        }
        begin(spill, share);
    }
    return go_on(spill, now);
}
