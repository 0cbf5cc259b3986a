/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_commit.h - one new record in the place of an old one, or of none: what creation, change, end
 * and rotation are made of.
 */
#include "common/cache/l1_index.h"

/* A block that is filled and waits to be named. */
struct sf_l1_draft {
    struct sf_l1_owned owned;
    struct sf_key key;
};

/* Once a draft is committed its word and value are needed only to take it back. */
struct sf_l1_committed {
    _Atomic uint64_t *word;
    uint64_t value;
};

/* What a new record has from the one that it replaces, or that it is the same session as. */
struct sf_l1_legacy {
    sf_time dirty_since; /* steady clock; 0: it was clean */
    uint32_t frequency;  /* as it was at its last access */
    sf_time last_access;
};

struct sf_l1_legacy sf_l1_legacy_of(const struct sf_l1_found *found);

/* Takes a block and writes the record into it. legacy: NULL for a session that is new. SF_FULL: no room. */
enum sf_status sf_l1_draft_make(struct sf_l1_draft *draft_out, struct sf_l1 *l1,
                                const struct sf_key *key, struct sf_span record,
                                const struct sf_l1_legacy *legacy) SF_MUST_CHECK;
void sf_l1_draft_drop(struct sf_l1 *l1, const struct sf_l1_draft *draft);

/*
 * Commits the draft in the place of what was found. false: it is not there any more; the draft is
 * still the caller's.
 */
bool sf_l1_draft_replace(struct sf_l1 *l1, const struct sf_l1_draft *draft,
                         const struct sf_l1_found *found) SF_MUST_CHECK;

/*
 * Commits the draft under a key that must not be there yet, in two steps: named, it can be found by
 * those who know the key, and be withdrawn; confirmed, it is for the store. SF_CONFLICT: the key is
 * there. SF_FULL: no word. The draft is still the caller's then.
 */
enum sf_status sf_l1_draft_name(struct sf_l1 *l1, const struct sf_l1_draft *draft,
                                struct sf_l1_committed *committed_out) SF_MUST_CHECK;
void sf_l1_draft_withdraw(const struct sf_l1_committed *committed);
void sf_l1_draft_confirm(struct sf_l1 *l1, const struct sf_l1_draft *draft);
