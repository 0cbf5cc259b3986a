/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_migrate_hosts.h - several hosts, each with a migration of its own between the same two stores, change the
 * authority in the same moment.
 *
 * As long as a host has the old store for its authority and another one the new, what both change would be lost. So
 * finish asks all hosts of the row in the old store (migrate_hosts.h) to hold their changes. When all hold, the row
 * says that the store is left, by one comparing and setting of its version: from then on each has the new one. Where
 * one does not hold in time, the row is set back the same way, and all go on as before. Who is killed in between
 * looks at the row before it changes anything.
 *
 * A host that does not move writes the old store alone. So each host that shares a store, whether it moves or not,
 * looks at the row before it writes (sf_migrate_may_write), but for SF_KNOWN_FOR after it has; where others move it
 * stands there, as one without which none can finish. Where they have left it writes nothing.
 *
 * Private to store_migrate*.c; in the migration's thread, with no mutex.
 */
#include "common/store/migrate/store_migrate_private.h"

#define SF_KNOWN_FOR SF_SECOND

/* ---- store_migrate_row.c ---- */

/* Where there is none, the store has a number from then on. */
enum sf_status sf_migrate_load_row(struct sf_migrate_side *side, sf_time deadline,
                                   struct sf_migrate_hosts *hosts_out) SF_MUST_CHECK;
enum sf_status sf_migrate_store_row(struct sf_migrate *migrate, struct sf_migrate_side *side, sf_time deadline,
                                    struct sf_migrate_hosts *hosts) SF_MUST_CHECK;
enum sf_status sf_migrate_refuse(struct sf_error *error, enum sf_status status); /* the row cannot be read */
/* Somebody still writes this store, and another one with it. */
bool sf_migrate_is_being_left(const struct sf_migrate_hosts *hosts);
/* Why nobody is to write a store with such a row; NULL: it may be written. */
const char *sf_migrate_why_not(enum sf_hosts_phase phase);

/* Of several hosts none may use it before they are there. SF_INVALID: others move away from it. */
enum sf_status sf_migrate_mark_target(struct sf_store *second, bool is_several, uint64_t *id_out, sf_time deadline,
                                      struct sf_error *error) SF_MUST_CHECK;
/* The second is about to be the authority: whoever names it may use it. */
enum sf_status sf_migrate_open_target(struct sf_migrate *migrate, sf_time deadline) SF_MUST_CHECK;

/* ---- store_migrate_hosts.c ---- */

/* SF_INVALID: the hosts have left the store, which has no second, for another one. */
enum sf_status sf_migrate_may_stay(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;

/*
 * Before `second` becomes the second: this host is among those that move there, as *state says from then on, where
 * other hosts write the store. SF_INVALID: they move elsewhere, or have finished; or a percentage while there are some.
 */
enum sf_status sf_migrate_join(struct sf_migrate *migrate, struct sf_store *second, struct sf_migrate_state *state,
                               sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* After a start: whoever did not know yet that this host moves may still not know it. */
void sf_migrate_meet_again(struct sf_migrate *migrate);
/* Looks at the row, if it is time to, and does what it asks for. Returns when it is time the next time. */
sf_time sf_migrate_meet(struct sf_migrate *migrate, sf_time now);
void sf_migrate_meet_at_once(struct sf_migrate *migrate);

/* All are asked to hold. SF_INVALID: one is not ready. */
enum sf_status sf_migrate_call_end(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* This host goes on alone with the old store, and none can finish without it. */
enum sf_status sf_migrate_leave(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* After the end: SF_INVALID if other hosts have moved, too, who would not come back with this one. */
enum sf_status sf_migrate_may_return(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
