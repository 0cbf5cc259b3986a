/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_commit.h"

#include "common/cache/l1_evict.h"
#include "common/cache/l1_hints.h"
#include "common/cache/l1_mutants.h"
#include "common/cache/l1_worth.h"

struct sf_l1_legacy
sf_l1_legacy_of(const struct sf_l1_found *found)
{
    return (struct sf_l1_legacy){
        .dirty_since = sf_l1_control_is_clean(found->control) ? 0 : found->image.since,
        .frequency = found->image.frequency,
        .last_access = found->image.last_access,
    };
}

/* A change is an access like any other. */
static uint32_t
frequency_behind(const struct sf_l1_legacy *legacy, sf_time last_access)
{
    sf_time seconds = last_access / SF_SECOND - legacy->last_access / SF_SECOND;

    if (legacy->last_access == 0 || seconds <= 0)
        return legacy->frequency;
    return sf_l1_frequency_next(legacy->frequency, (uint32_t)seconds, (uint32_t)last_access);
}

enum sf_status
sf_l1_draft_make(struct sf_l1_draft *draft_out, struct sf_l1 *l1, const struct sf_key *key,
                 struct sf_span record, const struct sf_l1_legacy *legacy)
{
    static const struct sf_l1_legacy none;
    struct sf_record_head head;
    enum sf_status status = sf_record_head(&head, record);

    if (status != SF_OK)
        return status;
    /* Logout and revocation must not fail for want of room; what a rotation leaves may, with it. */
    enum sf_l1_use use = sf_record_is_end(&head) ? SF_L1_FOR_END : SF_L1_FOR_CHANGE;
    status = sf_l1_room_for(l1, record.size, use, &draft_out->owned);
    if (status != SF_OK)
        return status;
    if (legacy == NULL)
        legacy = &none;
    struct sf_l1_image image = {
        .key = *key,
        .length = (uint32_t)record.size,
        .worth = sf_l1_worth_of(&head),
        .frequency = frequency_behind(legacy, head.last_access),
        .since = legacy->dirty_since != 0 ? legacy->dirty_since : sf_clock_steady(),
        .last_access = head.last_access,
    };
    sf_l1_block_fill(l1, &draft_out->owned, &image, record);
    draft_out->key = *key;
    return SF_OK;
}

void
sf_l1_draft_drop(struct sf_l1 *l1, const struct sf_l1_draft *draft)
{
    sf_l1_block_give_back(l1, &draft->owned);
}

bool
sf_l1_draft_replace(struct sf_l1 *l1, const struct sf_l1_draft *draft,
                    const struct sf_l1_found *found)
{
    if (!sf_l1_replace(found->word, found->value, draft->owned.block)) /* the commit */
        return false;
    sf_l1_draft_confirm(l1, draft);
    sf_l1_block_retire(l1, found->block, found->control);
    return true;
}

enum sf_status
sf_l1_draft_name(struct sf_l1 *l1, const struct sf_l1_draft *draft,
                 struct sf_l1_committed *committed_out)
{
    enum sf_status status = sf_l1_insert(l1, &draft->key, draft->owned.block, &committed_out->word,
                                         &committed_out->value);

    if (status != SF_OK)
        return status;
    sf_l1_fence(); /* O5 */
    if (SF_MUTANT(CREATES_TWICE) || !sf_l1_find_other(l1, &draft->key, committed_out->word))
        return SF_OK;
    sf_l1_draft_withdraw(committed_out);
    return SF_CONFLICT;
}

void
sf_l1_draft_withdraw(const struct sf_l1_committed *committed)
{
    (void)sf_l1_withdraw(committed->word, committed->value);
}

void
sf_l1_draft_confirm(struct sf_l1 *l1, const struct sf_l1_draft *draft)
{
    sf_l1_block_publish(&draft->owned, 0);
    sf_l1_hint_leave(l1, draft->owned.block, draft->owned.control);
}
