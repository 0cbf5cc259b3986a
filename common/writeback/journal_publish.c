/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows take milliseconds to reach the disk. Meanwhile the batch writer may store what they hold, or what came after
 * it, and tell a map that does not know them yet; and L1 may evict that. Were such a row entered as it was written, it
 * would be the last word on its session for whoever loads it: older than what the store has, and than somebody was
 * promised.
 *
 * So `lock` is held while L1 is looked at and the row is entered, and while the batch writer settles a record and has
 * it forgotten (sf_journal_settle). What is dirty in L1 when its row is entered nobody has stored, and whoever stores
 * it later finds the entry. And who loads, having missed the session in L1, finds no entry that was overtaken.
 */
#include "common/writeback/journal_private.h"

/*
 * false: the store has it. Only a record that is here and clean says so: one that is gone may have been stored and
 * evicted, or was damaged, and then this row is all there is. The drain finds out.
 */
static bool
judge_by_cache(struct sf_journal *journal, struct sf_journal_pending *row)
{
    uint64_t version;
    bool is_clean;
    enum sf_status status = sf_l1_version(journal->l1, &row->key, &version, &is_clean);
    bool has_it = status == SF_CONFLICT || (status == SF_OK && version >= row->version);
    row->is_orphan = row->is_orphan || !has_it;
    row->is_behind = status != SF_OK || version != row->version;
    return status != SF_OK || !is_clean || !has_it;
}

/* false: the store has it. What was told of it meanwhile stands in the entry. */
static bool
judge_by_entry(const struct sf_journal_entry *entry, struct sf_journal_pending *row)
{
    if (entry == NULL)
        return false;
    row->is_orphan = entry->is_orphan;
    row->is_refused = entry->is_refused && entry->version == row->version;
    row->is_behind = entry->is_behind;
    return true;
}

static bool
is_needed(struct sf_journal *journal, struct sf_journal_pending *row)
{
    const struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, &row->key);
    if (entry != NULL && entry->version > row->version)
        return false;
    switch (row->origin) {
    case SF_JOURNAL_FROM_CACHE: return judge_by_cache(journal, row);
    case SF_JOURNAL_MOVED: return judge_by_entry(entry, row);
    case SF_JOURNAL_SALVAGED: break;
    }
    return true;
}

void
sf_journal_publish(struct sf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    for (size_t i = 0; i < journal->pending_count; i++)
        if (is_needed(journal, &journal->pending[i]))
            sf_journal_remember(journal, journal->active, &journal->pending[i]);
    journal->state.commits++;
    journal->state.rows += journal->pending_count;
    pthread_mutex_unlock(&journal->lock);
}
