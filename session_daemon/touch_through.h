/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * touch_through.h - tells the store of an access to a session that L1 has no room for, or that is in the store only.
 *
 * Elsewhere L1 remembers the last access, and the batch writer brings it to the store.
 */
#include <sys/queue.h>

#include "common/store/store.h"

struct daemon;
struct touch;

LIST_HEAD(touch_list, touch);

struct touches {
    struct touch_list list; /* under way; main thread */
    size_t count;           /* of them */
    sf_time pause_until;    /* writer thread; steady clock: the store has not taken one */
};

/* An access at `now` is worth a write, where the store knows of one at `last_access`. */
bool touch_is_due(const struct sf_record_head *head, sf_time last_access, sf_time now);

/*
 * The store knows the session of `key` and `head`, and a last access; somebody reads it at `now` (wall clock).
 * Writes only when that moves it by a minute or a tenth of the idle timeout, and not while the store is down or
 * many are under way: the next access comes again.
 */
void touch_through(struct daemon *daemon, const struct sf_key *key, const struct sf_record_head *head,
                   sf_time last_access, sf_time now);
