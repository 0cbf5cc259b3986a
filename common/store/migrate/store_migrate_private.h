/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_migrate_private.h - the parts of store_migrate.h.
 *
 *   store_migrate.c          the calls of a store: loads, writes, sweep
 *   store_migrate_open.c     what the state folder says; life
 *   store_migrate_pass.c     the work in the background: copying, comparing
 *   store_migrate_equalize.c   makes both equal in some keys
 *   store_migrate_change.c   start, percent, finish, abort; report
 *   store_migrate_hosts.c    several hosts that move together
 *   store_migrate_row.c      what they have agreed on, before any of them writes
 *
 * Mutexes, in this order: follow_lane; write_lane; load_lane of the authority, of the second; lock. A backend is called
 * with the lane in hand that the call belongs to, and never with `lock`, but for explain and report.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/store/migrate/migrate_debts.h"
#include "common/store/migrate/migrate_hosts.h"
#include "common/store/migrate/store_migrate.h"

struct sf_migrate_side {
    struct sf_store *store;     /* changes with all but the follow lane locked; NULL: no second */
    pthread_mutex_t load_lane;  /* loads and scans */
};

struct sf_migrate_pass {
    bool is_wanted;             /* a comparison; copying goes on as long as state.is_copied is false */
    bool has_cursor;            /* of the comparison */
    struct sf_key cursor;
    sf_time begins_at;          /* steady clock */
    uint64_t keys, found;       /* so far */
};

struct sf_migrate {
    struct sf_store base;       /* first member */
    struct sf_store_ops ops;    /* without what the store of the instance does not have */
    sf_migrate_open_store_fn *open_store;
    sf_migrate_exchanged_fn *exchanged; /* or NULL */
    void *context;
    struct sf_counters *counters;
    char folder[PATH_MAX], state_path[PATH_MAX + 16];
    char wanted_url[SF_MIGRATE_URL_MAX]; /* that SessionFastMigrate asks for and has not been begun; "": nothing */
    int wanted_percent;

    pthread_mutex_t follow_lane;
    atomic_bool is_link_wanted; /* by somebody who waits for the follow lane: whoever has it is to come out */
    pthread_mutex_t write_lane; /* writes and sweeps of both */
    atomic_bool is_second_late; /* it has not answered in time: only the work in the background asks it */
    atomic_uint_fast64_t waits; /* of loads and changes for that */
    struct sf_migrate_side authority, second;

    pthread_mutex_t lock;       /* guards what follows */
    char store_url[SF_MIGRATE_URL_MAX]; /* of the authority */
    struct sf_migrate_state state;
    bool is_state_saved;
    bool takes_notes;           /* else nothing is trusted */
    struct sf_debts *debts;
    struct sf_migrate_pass pass;
    struct sf_difference differences[SF_DIFFERENCES_KEPT]; /* a ring */
    uint64_t difference_count, repaired;
    uint64_t passes, compared, found; /* comparisons that went to their end; of the last one */
    struct sf_error trouble, stop; /* stop: in the way of all hosts together; "" each */
    size_t host_count;          /* of several hosts: those that move together, this one too; 0: not known */
    bool is_ending;             /* they are asked to hold their changes */
    uint64_t asked;             /* the host that is to be forgotten if it does not say anything; 0: none */
    sf_time alone_until;        /* steady: of several hosts no other one writes these stores */
    sf_time known_until;        /* steady: this host may write, as far as others are concerned */
    bool saw_nobody_move;       /* when the row was read last; write lane */

    bool is_new_named;          /* by SessionFastStore, at the start */
    atomic_bool is_held;        /* changes: for writers; set and reset by the migration's thread */
    uint64_t host;              /* of this one, for the next start; 0: nobody else writes the store */
    /* The migration's thread only: */
    sf_time retry_at, backoff, save_at, met_at, meet_at, ending_since, asked_at;
    sf_time compare_at;         /* not before: until then somebody may write the authority alone, and not know yet */
};

#define SF_MIGRATE_NO_PERCENT "other hosts write these stores: all is read from the old one until all of them finish"

#define SF_SECOND_DEADLINE (2 * SF_SECOND) /* of one call that nobody waits for */

/*
 * With the write lane in hand somebody may wait for an acknowledgement: so long the second is given for these, and then
 * it is owed. A slow network carries 8 KiB in a millisecond.
 */
static inline sf_time
sf_migrate_patience(const struct sf_write *writes, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += writes[i].record.size;
    return 150 + (sf_time)(bytes >> 13);
}

/* store_migrate_row.c */
/* With the write lane in hand, before anything is written. SF_UNAVAILABLE: it may not be, or nobody can tell. */
enum sf_status sf_migrate_may_write(struct sf_migrate *migrate, sf_time deadline) SF_MUST_CHECK;
/* store_migrate_open.c */
sf_store_attach_fn sf_migrate_attach;
sf_store_close_fn sf_migrate_close;
/* store_migrate.c */
extern const struct sf_store_ops sf_migrate_ops; /* all that a migration can do */

static inline void
sf_migrate_count(const struct sf_migrate *migrate, enum sf_counter which, uint64_t amount)
{
    if (migrate->counters != NULL)
        sf_count_add(migrate->counters, which, amount);
}

static inline sf_time
sf_migrate_earlier(sf_time a, sf_time b)
{
    return a < b ? a : b;
}

/* It was waited for in vain, once: nobody waits before the work in the background has had an answer. */
static inline void
sf_migrate_note_late(struct sf_migrate *migrate)
{
    atomic_store(&migrate->is_second_late, true);
    atomic_fetch_add(&migrate->waits, 1);
}

/* ---- with `lock` ---- */

/* Is the second's row the authority's for certain? */
bool sf_migrate_trusts(const struct sf_migrate *migrate, const struct sf_key *key);
/* Nothing is known of the second any more: it is copied once more from the beginning. */
void sf_migrate_distrust(struct sf_migrate *migrate);
/* false: it is not the server any more, or has not the data, that was copied to; nothing is trusted now. */
bool sf_migrate_knows_second(struct sf_migrate *migrate);
void sf_migrate_owe(struct sf_migrate *migrate, const struct sf_key *key, bool is_acknowledged, sf_time due);
void sf_migrate_list(struct sf_migrate *migrate, const struct sf_difference *difference);
/* They are compared once more before they count as equal. */
void sf_migrate_doubt(struct sf_migrate *migrate);
/* SF_INVALID: the second does not have everything, or is not known to; but for what is owed now and then. */
enum sf_status sf_migrate_has_verified(const struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* The same, and nothing is owed. */
enum sf_status sf_migrate_may_finish(const struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* Does no other host write these stores? What one of them owes to the second no other one knows. */
bool sf_migrate_is_alone(const struct sf_migrate *migrate);

/* ---- with no mutex ---- */

/* The state is saved as it is now. */
enum sf_status sf_migrate_save(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* Nobody is in any call of either store until the unlock. */
void sf_migrate_lock_all(struct sf_migrate *migrate);
void sf_migrate_unlock_all(struct sf_migrate *migrate);
/* The new store becomes the authority. SF_UNAVAILABLE: that cannot be remembered, and nothing has changed. */
enum sf_status sf_migrate_exchange(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
void sf_migrate_close_second(struct sf_migrate *migrate); /* with all of them locked */
