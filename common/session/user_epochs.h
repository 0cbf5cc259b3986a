/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * user_epochs.h - who was logged out everywhere, and when: one row of the store for each 256th of all users.
 *
 * A session carries the epoch of its login; it is over as soon as its user needs a later one. So a user, or everybody,
 * is logged out by one change of one row, whatever caches, journals and copies still hold of the sessions. The row is
 * an ordinary record under a key that belongs to no session, so it goes the way of all sessions: through the caches,
 * news, restore and migration. Its version is what a login gets; its user_epoch is what every session of these users
 * needs at least; an INTEGER field, named as the user, is what his need.
 *
 * A version is never below the wall clock in seconds when it was made: so a later one is larger also where a store has
 * gone back to an older copy meanwhile. Whoever changes a row writes it over the very version that he has read:
 * otherwise two logouts could pass a login in between for a later one.
 */
#include "common/session/session.h"

#define SF_USER_EPOCH_ROWS 256
#define SF_USER_EPOCHS_MAX 512 /* users in one row; then the earlier half of them is passed over to all of the row */

unsigned sf_user_epochs_row(struct sf_span user);
struct sf_key sf_user_epochs_key(unsigned row);
/* Is it the key of such a row? No id has one. */
bool sf_user_epochs_has_key(const struct sf_key *key);

/* What it means that the store has no row: nobody was logged out. */
enum sf_status sf_user_epochs_first(struct sf_buffer *record_out) SF_MUST_CHECK;

struct sf_user_epoch {
    uint32_t next;  /* what a login gets now */
    uint32_t least; /* what a session of the user needs to be valid */
};

/* SF_CORRUPT */
enum sf_status sf_user_epochs_read(struct sf_user_epoch *epoch_out, struct sf_span record,
                                   struct sf_span user) SF_MUST_CHECK;

enum sf_user_epochs_step {
    SF_EPOCHS_MOVE,     /* from now on logins get what no session has yet */
    SF_EPOCHS_END_USER, /* his sessions are over */
    SF_EPOCHS_END_ALL   /* those of everybody in the row are */
};

struct sf_user_epochs_change {
    enum sf_user_epochs_step step;
    struct sf_span user;  /* END_USER */
    uint32_t least;       /* END_USER: what he needs; 0: what nobody has yet */
    sf_time now;          /* wall clock */
};

/*
 * The row that follows `record` (empty: there is none). *passed_over_out: so many users were too many for one row,
 * and whoever has logged in there before the last of them was logged out is logged out as well. SF_FULL: after the
 * year 2105.
 */
enum sf_status sf_user_epochs_change(struct sf_buffer *record_out, size_t *passed_over_out, struct sf_span record,
                                     const struct sf_user_epochs_change *change) SF_MUST_CHECK;

/* Both are such records: see sf_record_merge. What either has ended is over. */
bool sf_user_epochs_are(const struct sf_record_head *head);
enum sf_status sf_user_epochs_join(struct sf_buffer *joined_out, bool *is_new_out, const struct sf_session *row,
                                   const struct sf_session *ours) SF_MUST_CHECK;
