/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_migrate_equalize.h - makes both stores of a migration equal in some keys.
 *
 * No change of this host is under way while that is decided. Private to store_migrate*.c.
 */
#include "common/store/migrate/store_migrate_private.h"

#define SF_EQUALIZE_MAX 32 /* keys: as many records of up to a megabyte are in memory, twice */

enum sf_equalize_reason {
    SF_EQUALIZE_COPY,    /* nothing was known of them; the first copy removes what only the second has */
    SF_EQUALIZE_COMPARE, /* they should be equal: what is not is listed */
    SF_EQUALIZE_DEBT     /* the second may be behind */
};

/*
 * Differences are repaired and counted; what cannot be is owed from now on. Anything but SF_OK: one of the stores does
 * not answer, and they are to be asked for once more.
 */
enum sf_status sf_migrate_equalize(struct sf_migrate *migrate, const struct sf_key *keys, size_t count,
                                 enum sf_equalize_reason reason) SF_MUST_CHECK;

/* The second has not answered: has it now? */
enum sf_status sf_migrate_try_again(struct sf_migrate *migrate) SF_MUST_CHECK;

/*
 * Leaves in `keys` those that are different now. Another host's change is in one store for a moment before it is in the
 * other, and what is found in all of several looks is no such moment.
 */
enum sf_status sf_migrate_look_again(struct sf_migrate *migrate, struct sf_key *keys, size_t *count) SF_MUST_CHECK;
