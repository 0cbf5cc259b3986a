/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that must not stay as they are. A damaged one would keep whoever waits for all to be stored waiting for what
 * cannot be read. One that is kept for a few rows, because the store refuses them, keeps others that nobody needs:
 * after a crash they would count as changes that the store lacks, and it may have forgotten by then that the session
 * was ended.
 *
 * What is needed is written anew, behind what is there; then the file has done its duty.
 */
#include "common/writeback/journal_private.h"
#include "common/writeback/journal_salvage.h"

#define FEW_ROWS 1000
#define RETRY_PAUSE (10 * SF_SECOND)

/* ---- which ---- */

static bool
is_hardly_needed(const struct sf_journal *journal, const struct sf_journal_file *file, bool is_end)
{
    bool is_old = is_end || (file != journal->active && sf_journal_is_old(journal, file));
    return is_old && file->live < file->rows && file->live <= FEW_ROWS;
}

static struct sf_journal_file *
find_untidy(struct sf_journal *journal, bool is_end)
{
    struct sf_journal_file *file;
    sf_time now = sf_clock_steady();
    pthread_mutex_lock(&journal->lock);
    TAILQ_FOREACH(file, &journal->files, link) {
        bool is_due = file->tidied == 0 || now - file->tidied >= RETRY_PAUSE;
        if (is_due && file->live > 0 && (file->is_spoilt || is_hardly_needed(journal, file, is_end)))
            break;
    }
    pthread_mutex_unlock(&journal->lock);
    return file;
}

/* ---- what can be read ---- */

static bool
move_rows(struct sf_journal *journal, const struct sf_journal_file *file)
{
    if (journal->active == file)
        sf_journal_leave_file(journal);
    journal->untidy = file->number;
    enum sf_status status = sf_journal_write_group(journal, NULL, 0);
    journal->untidy = 0;
    return status == SF_OK;
}

/* ---- what cannot ---- */

struct tidying {
    struct sf_journal *journal;
    struct sf_journal_file *file;
    struct sf_journal_map taken; /* keys that have got a row in the new file */
};

/* Is this a row that the map still looks for in that file? */
static bool
is_missing(struct tidying *tidying, const struct sf_journal_row *row, struct sf_journal_pending *wanted_out)
{
    struct sf_journal *journal = tidying->journal;
    if (sf_journal_map_find(&tidying->taken, &row->key) != NULL)
        return false;
    pthread_mutex_lock(&journal->lock);
    const struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, &row->key);
    bool is = entry != NULL && entry->file == tidying->file && entry->version == row->version;
    if (is)
        *wanted_out = sf_journal_pending_of(entry);
    pthread_mutex_unlock(&journal->lock);
    return is;
}

static enum sf_status
visit_row(void *context, const struct sf_journal_row *row)
{
    struct tidying *tidying = context;
    struct sf_journal *journal = tidying->journal;
    struct sf_journal_pending wanted;
    struct sf_error error;
    if (!is_missing(tidying, row, &wanted))
        return SF_OK;
    enum sf_status status = sf_journal_map_reserve(&tidying->taken, 1);
    if (status != SF_OK)
        return status;
    sf_journal_map_add(&tidying->taken, &row->key)->file = tidying->file;
    sf_buffer_clear(&journal->record);
    status = sf_buffer_append_span(&journal->record, row->record);
    return status == SF_OK ? sf_journal_add(journal, &wanted, &error) : status;
}

/* Older copies of a page may have the row as it was. */
static enum sf_status
salvage(struct tidying *tidying)
{
    struct sf_journal *journal = tidying->journal;
    struct sf_error error;
    sf_journal_map_init(&tidying->taken);
    enum sf_status status = sf_journal_begin(journal, &error);
    if (status == SF_OK)
        status = sf_journal_have_file(journal, &error);
    if (status == SF_OK)
        status = sf_journal_salvage(tidying->file, visit_row, tidying);
    if (status == SF_OK)
        status = sf_journal_finish(journal, &error);
    if (status != SF_OK && journal->active != NULL)
        sf_journal_leave_file(journal);
    sf_journal_map_fini(&tidying->taken);
    return status;
}

/* The newest version is lost; what the store has counts, as after a restart. */
static size_t
lose_rows(struct sf_journal *journal, const struct sf_journal_file *file)
{
    struct sf_journal_entry *entry;
    uint32_t cursor = 0;
    size_t lost = 0;
    pthread_mutex_lock(&journal->lock);
    while ((entry = sf_journal_map_next(&journal->map, &cursor)) != NULL) {
        if (entry->file == file) {
            sf_journal_forget(journal, entry);
            lost++;
        }
    }
    pthread_mutex_unlock(&journal->lock);
    return lost;
}

/* ---- one file ---- */

static size_t
rows_needed(struct sf_journal *journal, const struct sf_journal_file *file, bool *is_spoilt_out)
{
    pthread_mutex_lock(&journal->lock);
    size_t live = file->live;
    *is_spoilt_out = file->is_spoilt;
    pthread_mutex_unlock(&journal->lock);
    return live;
}

static void
conclude_damage(struct sf_journal *journal, struct sf_journal_file *file, size_t needed, size_t unread)
{
    size_t lost = lose_rows(journal, file);
    file->is_damaged = true;
    pthread_mutex_lock(&journal->lock);
    journal->state.damaged += unread;
    journal->state.salvaged += unread - lost;
    pthread_mutex_unlock(&journal->lock);
    sf_log_write(journal->log, SF_LOG_ERROR, "SF0220",
                 "%s is damaged: %zu changed sessions were written anew, %zu are lost; it is kept as *.bad", file->path,
                 needed - lost, lost);
}

static void
tidy_file(struct sf_journal *journal, struct sf_journal_file *file)
{
    struct tidying tidying = {.journal = journal, .file = file};
    bool is_spoilt;
    size_t needed = rows_needed(journal, file, &is_spoilt);
    file->tidied = sf_clock_steady();
    if (!move_rows(journal, file))
        return;
    size_t unread = rows_needed(journal, file, &is_spoilt);
    if (!is_spoilt || (unread > 0 && salvage(&tidying) != SF_OK))
        return;
    conclude_damage(journal, file, needed, unread);
}

void
sf_journal_tidy(struct sf_journal *journal, bool is_end)
{
    struct sf_journal_file *file = find_untidy(journal, is_end);
    if (file == NULL)
        return; /* without waiting for a commit */
    pthread_mutex_lock(&journal->committing);
    while ((file = find_untidy(journal, is_end)) != NULL)
        tidy_file(journal, file);
    pthread_mutex_unlock(&journal->committing);
}
