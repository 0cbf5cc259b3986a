/* SPDX-License-Identifier: Apache-2.0 */
#include "common/writeback/sweep.h"

#include "common/writeback/touches.h"

#define ROWS_A_BATCH 500
#define TOUCHES_A_BATCH 128
#define PAUSE ((sf_time)100)           /* between batches: loads and writes go first */
#define DEADLINE (2 * SF_SECOND)       /* of one batch */
#define RETRY_PAUSE (30 * SF_SECOND)   /* the store is away, or another host sweeps */

static sf_time
call_again(struct sf_sweep *sweep, sf_time at)
{
    sweep->next = at;
    return at;
}

static sf_time
begin_again_later(struct sf_sweep *sweep, sf_time now)
{
    sweep->phase = SF_SWEEP_WAITS;
    return call_again(sweep, now + (sweep->interval < RETRY_PAUSE ? sweep->interval : RETRY_PAUSE));
}

static sf_time
give_up(struct sf_sweep *sweep, enum sf_status status, sf_time now)
{
    struct sf_error error;
    sweep->store->ops->explain(sweep->store, &error);
    if (sf_log_state_changed(&sweep->log_state, false))
        sf_log_write(sweep->log, SF_LOG_WARNING, "SF0204",
                     "the sweep of expired sessions waits for the store: %s",
                     error.text[0] != '\0' ? error.text : sf_status_text(status));
    return begin_again_later(sweep, now);
}

static sf_time
write_touches(struct sf_sweep *sweep, sf_time now)
{
    struct sf_l1_touched touched[TOUCHES_A_BATCH];
    struct sf_write writes[TOUCHES_A_BATCH];
    size_t count = sf_l1_touched_take(sweep->l1, &sweep->touch_cursor, touched, TOUCHES_A_BATCH);
    if (count > 0) {
        sf_touches_prepare(touched, writes, count);
        enum sf_status status =
            sweep->store->ops->write(sweep->store, writes, count, now + DEADLINE);
        size_t settled = sf_touches_settle(sweep->l1, touched, writes, count);
        sf_count_add(sf_l1_counters(sweep->l1), SF_COUNTER_flushed_touches, settled);
        if (settled < count)
            return give_up(sweep, status, now);
    }
    if (count < TOUCHES_A_BATCH)
        sweep->phase = SF_SWEEP_REMOVES;
    return call_again(sweep, now);
}

static sf_time
remove_rows(struct sf_sweep *sweep, sf_time now_steady, sf_time now_wall)
{
    size_t removed = 0;
    enum sf_status status = sweep->store->ops->sweep(sweep->store, now_wall - SF_SWEEP_MARGIN,
                                                     ROWS_A_BATCH, now_steady + DEADLINE, &removed);
    sweep->removed += removed;
    sf_count_add(sf_l1_counters(sweep->l1), SF_COUNTER_swept, removed);
    if (status != SF_OK)
        return give_up(sweep, status, now_steady);
    if (removed == ROWS_A_BATCH)
        return call_again(sweep, now_steady + PAUSE);
    sweep->phase = SF_SWEEP_WAITS;
    sweep->last = now_wall;
    sf_log_state_changed(&sweep->log_state, true);
    return call_again(sweep, now_steady + sweep->interval);
}

sf_time
sf_sweep_step(struct sf_sweep *sweep, sf_time now_steady, sf_time now_wall)
{
    if (sweep->store->ops->sweep == NULL)
        return now_steady + sweep->interval;
    if (sweep->next == 0)
        return call_again(sweep, now_steady + sweep->interval);
    if (now_steady < sweep->next)
        return sweep->next;
    if (!sf_l1_lead(sweep->l1, SF_L1_SWEEPER))
        return begin_again_later(sweep, now_steady);
    switch (sweep->phase) {
    case SF_SWEEP_WAITS:
        sweep->touch_cursor = 0;
        sweep->phase = SF_SWEEP_WRITES_TOUCHES;
        return write_touches(sweep, now_steady);
    case SF_SWEEP_WRITES_TOUCHES: return write_touches(sweep, now_steady);
    case SF_SWEEP_REMOVES: return remove_rows(sweep, now_steady, now_wall);
    }
    return begin_again_later(sweep, now_steady);
}
