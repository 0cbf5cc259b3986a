/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cache/l1_commit.h"
#include "common/cache/l1_host.h"
#include "common/cache/l1_segment.h"

#define ITEMS 64

static enum sf_status
adopt(struct sf_l1 *l1, const struct sf_l1_dirty *item)
{
    struct sf_l1_draft draft;
    struct sf_l1_committed named;
    const struct sf_l1_legacy legacy = {.dirty_since = item->dirty_since};
    enum sf_status status = sf_l1_draft_make(&draft, l1, &item->key, sf_buffer_span(&item->record),
                                             &legacy);

    if (status != SF_OK)
        return status;
    status = sf_l1_draft_name(l1, &draft, &named);
    if (status == SF_OK)
        sf_l1_draft_confirm(l1, &draft);
    else
        sf_l1_draft_drop(l1, &draft);
    if (status == SF_OK)
        sf_l1_touch(l1, &item->key, item->last_access);
    return status;
}

void
sf_l1_segment_inherit(struct sf_l1 *l1, struct sf_l1 *from, uint64_t *inherited_out,
                      uint64_t *lost_out)
{
    struct sf_l1_dirty items[ITEMS] = {{.dirty_since = 0}};
    struct sf_l1_cursor cursor = {.is_following = false};
    size_t taken;

    sf_l1_host_inherit(l1, from);
    *inherited_out = *lost_out = 0;
    do {
        taken = sf_l1_dirty_take(from, &cursor, items, ITEMS);
        for (size_t i = 0; i < taken; i++)
            ++*(adopt(l1, &items[i]) == SF_OK ? inherited_out : lost_out);
    } while (taken == ITEMS);
    sf_l1_dirty_fini(items, ITEMS);
}
