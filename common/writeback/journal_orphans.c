/* SPDX-License-Identifier: Apache-2.0 */
/* What only the journal has, handed out to be stored: row by row, file by file. */
#include "common/writeback/journal_private.h"

struct taking {
    struct sf_journal *journal;
    struct sf_journal_file *file;
    struct sf_journal_orphan *items;
    size_t limit, count;
    uint64_t seen;
    enum sf_status status;
};

/* Is this the newest row of an orphan, and its turn? */
static bool
is_orphan(struct sf_journal *journal, const struct sf_journal_file *file, const struct sf_journal_row *row)
{
    pthread_mutex_lock(&journal->lock);
    const struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, &row->key);
    bool is = entry != NULL && entry->is_orphan && entry->file == file && entry->number == row->number
              && (!entry->is_refused || journal->hands_out_refused);
    pthread_mutex_unlock(&journal->lock);
    return is;
}

static bool
take_orphan(void *context, const struct sf_journal_row *row, bool is_intact)
{
    struct taking *taking = context;
    if (taking->count == taking->limit)
        return false;
    if (!is_intact)
        sf_journal_note_damage(taking->journal, taking->file);
    if (is_intact && is_orphan(taking->journal, taking->file, row)) {
        struct sf_journal_orphan *item = &taking->items[taking->count];
        if (item->record.limit == 0)
            sf_buffer_init(&item->record, SF_RECORD_BYTES_MAX);
        sf_buffer_clear(&item->record);
        taking->status = sf_buffer_append_span(&item->record, row->record);
        if (taking->status != SF_OK)
            return false;
        item->key = row->key;
        item->version = row->version;
        taking->count++;
    }
    taking->seen = row->number;
    return true;
}

static struct sf_journal_file *
next_file(struct sf_journal *journal, uint32_t number, uint64_t *drained_out)
{
    pthread_mutex_lock(&journal->lock);
    struct sf_journal_file *file = sf_journal_first_file(journal, number);
    while (file != NULL && file->live == 0)
        file = TAILQ_NEXT(file, link);
    *drained_out = file == NULL ? 0 : file->drained;
    if (file != NULL)
        file->has_new_orphan = false;
    pthread_mutex_unlock(&journal->lock);
    return file;
}

/* A row that became an orphan meanwhile may be among those that were seen: then all are seen once more. */
static void
note_drained(struct taking *taking)
{
    pthread_mutex_lock(&taking->journal->lock);
    if (!taking->file->has_new_orphan)
        taking->file->drained = taking->seen;
    pthread_mutex_unlock(&taking->journal->lock);
}

/* What was passed and is still owed was not there: its page says so, and nothing is wrong with that page otherwise. */
static void
look_for_missing(struct sf_journal *journal)
{
    struct sf_journal_entry *entry;
    uint32_t cursor = 0;
    pthread_mutex_lock(&journal->lock);
    bool is_owed = journal->state.orphans > journal->state.refused;
    while (is_owed && (entry = sf_journal_map_next(&journal->map, &cursor)) != NULL) {
        if (entry->is_orphan && !entry->is_refused && entry->number <= entry->file->drained)
            entry->file->is_spoilt = true;
    }
    pthread_mutex_unlock(&journal->lock);
}

/* Until sf_journal_orphans_again. */
static void
leave_out_refused(struct sf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->hands_out_refused = false;
    pthread_mutex_unlock(&journal->lock);
}

enum sf_status
sf_journal_orphans_take(struct sf_journal *journal, struct sf_journal_orphan *items, size_t limit,
                        size_t *count_out)
{
    struct sf_error error;
    uint64_t drained;
    enum sf_status unread = SF_OK;
    struct taking taking = {.journal = journal, .items = items, .limit = limit};
    pthread_mutex_lock(&journal->reading);
    for (uint32_t number = 0; taking.status == SF_OK && taking.count < limit; number = taking.file->number) {
        taking.file = next_file(journal, number, &drained);
        if (taking.file == NULL)
            break;
        taking.seen = drained;
        enum sf_status status = sf_journal_file_each(taking.file, drained, take_orphan, &taking, &error);
        if (status == SF_CORRUPT)
            sf_journal_note_damage(journal, taking.file);
        else if (status != SF_OK)
            unread = status; /* the others are written all the same */
        note_drained(&taking);
    }
    pthread_mutex_unlock(&journal->reading);
    if (taking.count < limit)
        leave_out_refused(journal);
    if (taking.count == 0)
        look_for_missing(journal);
    *count_out = taking.count;
    if (taking.count > 0)
        return SF_OK; /* they are handed out once: to be written now */
    return taking.status != SF_OK ? taking.status : unread;
}

void
sf_journal_orphans_again(struct sf_journal *journal)
{
    struct sf_journal_file *file;
    pthread_mutex_lock(&journal->lock);
    TAILQ_FOREACH(file, &journal->files, link) {
        file->drained = 0;
        file->has_new_orphan = true;
    }
    journal->hands_out_refused = true;
    pthread_mutex_unlock(&journal->lock);
}
