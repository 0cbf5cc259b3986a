/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_commit.h"

#include "common/cache/l1_evict.h"
#include "common/cache/l1_hints.h"

sf_time
sf_l1_dirty_since(const struct sf_l1_found *found)
{
    return sf_l1_control_is_clean(found->control) ? 0 : found->image.dirty_since;
}

enum sf_status
sf_l1_draft_make(struct sf_l1_draft *draft_out, struct sf_l1 *l1, const struct sf_key *key,
                 struct sf_span record, sf_time dirty_since)
{
    struct sf_record_head head;
    enum sf_status status = sf_record_head(&head, record);

    if (status == SF_OK)
        status = sf_l1_room_for(l1, record.size, false, &draft_out->owned);
    if (status != SF_OK)
        return status;
    struct sf_l1_image image = {
        .key = *key,
        .version = head.version,
        .kind = head.kind,
        .length = (uint32_t)record.size,
        .idle_timeout = head.idle_timeout,
        .absolute_deadline = head.absolute_deadline,
        .grace_until = head.grace_until,
        .dirty_since = dirty_since != 0 ? dirty_since : sf_clock_steady(),
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
    if (!sf_l1_find_other(l1, &draft->key, committed_out->word))
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
    sf_l1_block_publish(&draft->owned);
    sf_l1_hint_leave(l1, draft->owned.block, draft->owned.control);
}
