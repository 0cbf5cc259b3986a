/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l2_epochs.h - which of what a server of L2 holds may be believed: its epoch, a row of the store.
 *
 * A host that has changed a session in the store and could not mark it in L2 moves the epoch on; values carry the
 * epoch under which they were made, and those of another one are misses. The row is in the store because there
 * every host sees it that could have been given the old session: it does not matter who can reach which server
 * of L2. It is an ended session without user, which no client has an id for.
 *
 * Whoever sees an epoch for the first time leaves the server alone for SF_L2_PAUSE: so long one move covers all
 * changes of a host that goes on missing it. The row also names all servers of L2: a host that names others looks for
 * a session elsewhere, and may not use what it finds.
 *
 * Both threads of a store may use it.
 */
#include <pthread.h>

#include "common/store/l2/l2.h"
#include "common/store/store.h"

struct sf_l2_epochs {
    pthread_mutex_t lock; /* guards what follows, but for pause, count, rows and list */
    sf_time pause;
    size_t count;         /* of servers */
    struct sf_key rows[SF_STORE_HOSTS_MAX];
    char list[17];        /* which servers there are, in one word */
    uint64_t epochs[SF_STORE_HOSTS_MAX]; /* 0: not known */
    bool is_others[SF_STORE_HOSTS_MAX];  /* the row has another list */
    sf_time usable_from[SF_STORE_HOSTS_MAX]; /* steady, as all times here */
    sf_time read_at;      /* begin of the last reading; 0: never */
    uint64_t doubts, settled; /* how often; so many before the last reading */
    bool has_believed;    /* what L2 has said, since sf_l2_epochs_have_believed */
    sf_time failed_at;    /* end of the last one that failed; 0: it did not */
};

void sf_l2_epochs_init(struct sf_l2_epochs *epochs_out, const struct sf_l2 *l2, sf_time pause);
void sf_l2_epochs_fini(struct sf_l2_epochs *epochs);

/* Is `key` such a row, of whatever server? */
bool sf_l2_epochs_has_row(const struct sf_key *key);

/* ---- reading ---- */

/* They are to be read if the last reading began more than `age` ago; one that failed is tried again after a second. */
bool sf_l2_epochs_are_due(struct sf_l2_epochs *epochs, sf_time age, sf_time now);
/* Before the store is asked. */
struct sf_l2_reading {
    sf_time began;
    uint64_t doubts;
};
struct sf_l2_reading sf_l2_epochs_begin(struct sf_l2_epochs *epochs, sf_time now);
/* What it says of `rows`, all of them. false: of some it does not know. */
bool sf_l2_epochs_take(struct sf_l2_epochs *epochs, const struct sf_load *loads, const struct sf_l2_reading *reading,
                       sf_time now);
/* Another host knows later ones: nothing is believed until they have been read anew. */
void sf_l2_epochs_doubt(struct sf_l2_epochs *epochs);

/* Of one server; 0: not known, too young, or the list is another. */
uint64_t sf_l2_epochs_of(struct sf_l2_epochs *epochs, unsigned server, sf_time now);
/*
 * Of what that server has said when its epoch was this one: as of when it is believed, which is when the epoch was
 * read; 0: it is not.
 */
sf_time sf_l2_epochs_believe(struct sf_l2_epochs *epochs, unsigned server, uint64_t epoch, sf_time now);
/* Whether anything was, since this was asked last. */
bool sf_l2_epochs_have_believed(struct sf_l2_epochs *epochs);
bool sf_l2_epochs_is_known(struct sf_l2_epochs *epochs, unsigned server);
bool sf_l2_epochs_are_disputed(struct sf_l2_epochs *epochs); /* some row has another list */

/* ---- moving on ---- */

/*
 * The write that moves it on from what was read last; its record goes into `record`, which must live as long.
 * `is_first`: nothing has been missed, there was no row: whoever sees it may use the server at once.
 */
enum sf_status sf_l2_epochs_next(struct sf_l2_epochs *epochs, unsigned server, bool is_first, struct sf_buffer *record,
                                 struct sf_write *write_out) SF_MUST_CHECK;
