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
 * Private to store_migrate*.c; in the migration's thread, with no mutex.
 */
#include "common/store/store_migrate_private.h"

/* SF_INVALID: the hosts have left the store, which has no second, for another one. */
enum sf_status sf_migrate_may_stay(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;

/*
 * Before `second` becomes the second: this host is among those that move there, as *state says from then on, where
 * other hosts write the store. SF_INVALID: they move elsewhere, or have finished; or a percentage while there are some.
 */
enum sf_status sf_migrate_join(struct sf_migrate *migrate, struct sf_store *second, struct sf_migrate_state *state,
                               sf_time deadline, struct sf_error *error) SF_MUST_CHECK;

/* Looks at the row, if it is time to, and does what it asks for. Returns when it is time the next time. */
sf_time sf_migrate_meet(struct sf_migrate *migrate, sf_time now);
void sf_migrate_meet_at_once(struct sf_migrate *migrate);

/* All are asked to hold. SF_INVALID: one is not ready. */
enum sf_status sf_migrate_call_end(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* This host goes on alone with the old store, and none can finish without it. */
enum sf_status sf_migrate_leave(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
/* After the end: SF_INVALID if other hosts have moved, too, who would not come back with this one. */
enum sf_status sf_migrate_may_return(struct sf_migrate *migrate, struct sf_error *error) SF_MUST_CHECK;
