/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * writer.h - the thread that writes: batches, the sweep, single writes that L1 has no room for; and repairs L1.
 */
#include "common/writeback/batch_writer.h"
#include "common/writeback/journal_drain.h"
#include "common/writeback/restore.h"
#include "common/writeback/sweep.h"
#include "session_daemon/clock_watch.h"
#include "session_daemon/task_queue.h"
#include "session_daemon/touch_through.h"

struct writer {
    struct task_queue queue; /* writes, run between batches */
    pthread_t thread;
    bool is_running;
    struct sf_batch_writer *batch;
    struct sf_journal_drain *drain;
    struct sf_sweep sweep;         /* writer thread */
    struct sf_restore restore;     /* the same, but for what is for other threads */
    struct clock_watch clock;      /* the same */
    struct touches touches;
    uint32_t repair_cursor;        /* the same */
    sf_time repair_at;             /* the same; steady clock */
    uint64_t results;              /* the same: batches and flushes that have ended, as the main thread was told */
    _Atomic uint64_t swept;        /* copies of the sweep's figures, for status */
    _Atomic int64_t last_sweep;
    _Atomic int64_t stop_deadline; /* steady clock */
};

enum sf_status writer_start(struct writer *writer, struct daemon *daemon, struct sf_error *error) SF_MUST_CHECK;
void writer_urge(struct writer *writer); /* everything that waits goes to the store now */
void writer_retry(struct writer *writer); /* the store answers again: now, not when the pause is over */
/* Writes what waits, until `deadline` (steady clock) at most. false: the thread is still inside the store. */
bool writer_stop(struct writer *writer, sf_time deadline);
void writer_fini(struct writer *writer);
