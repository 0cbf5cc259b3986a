/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * store_shared.h - a store that other hosts write, too: what they have changed meanwhile is merged.
 *
 * Stands in front of another store. A put of a record with a lineage (lineage.h) replaces only the row
 * that the record grew from. Where that is another one by now, the row is loaded, merged, and written
 * again over the version that was loaded. The answer is then SF_OK, and write->merged has what the
 * store has. What is put again (write->is_again) is loaded and merged before anything is written: a store that has
 * lost data may have been changed since. Records without a lineage go through as they are.
 */
#include "common/store/store.h"

/* Which incarnation of the store has answered, before its answers are given: from any thread that loads or writes. */
typedef void sf_store_met_fn(void *context, uint64_t incarnation);

/* Takes over `inner`, which is closed with it, and on failure, too. `met` NULL: nobody wants to know. */
enum sf_status sf_store_share(struct sf_store **store_out, struct sf_store *inner, sf_store_met_fn *met,
                              void *context) SF_MUST_CHECK;
