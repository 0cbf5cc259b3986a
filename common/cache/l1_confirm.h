/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_confirm.h - the age of an entry, for those who have found one.
 */
#include "common/cache/l1_index.h"
#include "common/cache/l1_worth.h"

/*
 * Steady clock: when the store last had it. 0: nothing to ask the store: what it does not have it
 * cannot know better, and whoever has ended stays so.
 */
static inline sf_time
sf_l1_confirmed_at(uint64_t control, uint64_t touch, uint64_t since)
{
    uint64_t gen = sf_l1_control_gen(control);
    bool has_age = sf_l1_control_is_clean(control) && sf_l1_touch_matches(touch, gen) &&
                   sf_l1_since_matches(since, gen) &&
                   sf_l1_touch_worth(touch) != SF_L1_TOMBSTONE;

    return has_age ? (sf_time)(since & SF_L1_SINCE_MASK) : 0;
}

/* As whom a record from the store, or the journal, comes in. */
static inline uint64_t
sf_l1_marks_of(const struct sf_l1_answer *answer)
{
    return SF_L1_CLEAN | (answer->is_journalled ? SF_L1_JOURNALLED : 0);
}

/* sf_l1_fill, for who is in a section. */
enum sf_status sf_l1_fill_in_section(struct sf_l1 *l1, const struct sf_key *key,
                                     const struct sf_l1_answer *answer,
                                     const struct sf_l1_vacancy *vacancy) SF_MUST_CHECK;

sf_time sf_l1_found_confirmed_at(const struct sf_l1_found *found);

/* As sf_l1_is_stale. */
bool sf_l1_found_is_stale(const struct sf_l1 *l1, const struct sf_l1_found *found);
