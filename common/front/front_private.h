/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * front_private.h - what front.c and front_apply.c share.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "common/front/ask_daemon.h"
#include "common/front/front.h"

#define SF_FRONT_REPLY_VALUES 16 /* SESSION.LOAD answers with 3, SESSION.APPLY with 4 */

/* A handle of a segment that the daemon has replaced. */
struct old_handle {
    struct sf_l1 *l1;
    struct old_handle *next;
};

/*
 * 1. `l1` is NULL or a whole handle: set with release under `attaching`, read with acquire by everybody.
 * 2. A handle that was ever in `l1` lives until sf_front_close: a thread may still be reading through it, and
 *    readers leave no mark that could tell. A daemon replaces its segment a few times in the life of a
 *    process at most, so what is kept is little.
 */
struct sf_front {
    struct sf_instance instance;
    struct sf_log log;
    struct sf_secrets secrets;
    struct sf_daemon_link *link;
    struct sf_counters counters;     /* while no L1 is attached */
    struct sf_log_state cache_state, daemon_state;
    struct sf_log_seldom ambiguous_ids;
    _Atomic(struct sf_l1 *) l1;
    _Atomic int64_t attach_at;       /* steady clock: not before */
    _Atomic int64_t check_at;        /* steady clock: what is stale is not asked for before */
    pthread_mutex_t attaching;       /* only ever tried, never waited for */
    struct old_handle *old_handles;  /* under `attaching` */
};

/* NULL: there is no usable segment now. Attaches again when one has appeared; looks for it every 100 ms. */
struct sf_l1 *sf_front_l1(struct sf_front *front);

/* The same, to look for sessions in it; NULL also when these are in the store only. */
struct sf_l1 *sf_front_cache(struct sf_front *front);

/* One call of sf_front_load. */
struct sf_front_search {
    struct sf_front *front;
    sf_time wait;     /* for the daemon, all questions together */
    sf_time deadline; /* steady clock; 0: nobody was asked yet */
    sf_time now;      /* wall clock */
};
sf_time sf_front_deadline(struct sf_front_search *search); /* runs from the first question on */

/*
 * The session of a user: SF_NOT_FOUND: he was logged out everywhere since it was logged in. SF_OK: he was not, or
 * nobody can say it now: an outage ends no session. SF_UNAVAILABLE: the store is there, and has gone back; the
 * caches are about to tell it what it has forgotten. Or there is no cache to go by (SessionFastCacheSize 0).
 */
enum sf_status sf_front_check_epoch(struct sf_front_search *search, const struct sf_record_head *head,
                                    enum sf_load_source source) SF_MUST_CHECK;

/*
 * What a login gets. Where other hosts share the store, that is asked: one right behind a logout on another host must
 * not be taken for one before it. Where it gives no answer: what the cache knows.
 */
uint32_t sf_front_login_epoch(struct sf_front *front, struct sf_span user, sf_time deadline);

/*
 * Both in the store, or not SF_OK. First a login gets an epoch that none of his sessions has; then all that have a
 * smaller one are over. So the new one is valid at every moment.
 */
enum sf_status sf_front_move_epoch(struct sf_front *front, struct sf_span user, sf_time deadline,
                                   uint32_t *epoch_out) SF_MUST_CHECK;
enum sf_status sf_front_end_others(struct sf_front *front, struct sf_span user, uint32_t epoch,
                                   sf_time deadline) SF_MUST_CHECK;

/* The daemon has given no answer about something stale: for a while it is used as it is. */
void sf_front_pause_checks(struct sf_front *front);
bool sf_front_may_check(const struct sf_front *front);

/*
 * sf_daemon_ask, counted, and logged when it changes between answered and unanswered. An error reply is its status.
 */
enum sf_status sf_front_ask(struct sf_front *front, const struct sf_span *words, size_t count, sf_time deadline,
                            struct sf_daemon_reply *reply) SF_MUST_CHECK;

/*
 * SESSION.LOAD. SF_OK: *record_out (a span into the reply) and its last access. SF_NOT_FOUND: the store has said so.
 */
enum sf_status sf_front_ask_load(struct sf_front *front, const struct sf_key *key, sf_time deadline,
                                 struct sf_daemon_reply *reply, struct sf_span *record_out,
                                 sf_time *last_access_out) SF_MUST_CHECK;
