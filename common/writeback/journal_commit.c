/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One group: those who wait together, as one transaction with one sync.
 *
 * When it fails the file is given up, whatever the reason: after a failed sync the kernel takes the
 * pages for written, and the next sync would say "done". All that the store does not have is
 * written again, to a new file, before anybody is answered. If that fails too, those who wait are
 * told so, and the next attempt follows after a pause.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/writeback/journal_private.h"

#define FILE_BYTES (UINT64_C(64) << 20)
#define FILE_SHARE 16    /* of the limit; so it is overrun by no more than that */
#define RESERVE_SHARE 20 /* of the limit, beyond it */
#define RETRY_PAUSE ((sf_time)250)
#define LOOKS_MAX 64 /* at a record that changes under every look */

/* ---- one row ---- */

struct look {
    uint64_t version;
    bool is_clean;
    bool is_end; /* a logout, or a revocation */
};

/* The record goes into journal->record. */
static enum sf_status
look_at_cache(struct sf_journal *journal, const struct sf_key *key, struct look *look_out)
{
    struct sf_record_head head;
    struct sf_l1_view view;
    enum sf_status status = sf_l1_get(journal->l1, key, &journal->record, &view);
    for (int i = 1; i < LOOKS_MAX && status == SF_CONFLICT; i++) {
        (void)sched_yield();
        status = sf_l1_get(journal->l1, key, &journal->record, &view);
    }
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&journal->record));
    if (status == SF_OK)
        *look_out = (struct look){
            .version = head.version, .is_clean = view.is_clean, .is_end = sf_record_is_end(&head)};
    return status;
}

static enum sf_status
reserve_pending(struct sf_journal *journal)
{
    if (journal->pending_count < journal->pending_capacity)
        return SF_OK;
    size_t capacity = journal->pending_capacity == 0 ? 64 : 2 * journal->pending_capacity;
    struct sf_journal_pending *pending = realloc(journal->pending, capacity * sizeof *pending);
    if (pending == NULL)
        return SF_NO_MEMORY;
    journal->pending = pending;
    journal->pending_capacity = capacity;
    return SF_OK;
}

enum sf_status
sf_journal_add(struct sf_journal *journal, const struct sf_journal_pending *wanted, struct sf_error *error)
{
    enum sf_status status = reserve_pending(journal);
    if (status != SF_OK)
        return sf_error_set(error, status, "no memory");
    if (journal->pending_count == 0)
        status = sf_journal_file_begin(journal->active, error);
    struct sf_journal_row row = {.key = wanted->key,
                                 .version = wanted->version,
                                 .time = sf_clock_wall(),
                                 .record = sf_buffer_span(&journal->record)};
    if (status == SF_OK)
        status = sf_journal_file_add(journal->active, &row, error);
    if (status != SF_OK)
        return status;
    struct sf_journal_pending *added = &journal->pending[journal->pending_count++];
    *added = *wanted;
    added->number = row.number;
    return SF_OK;
}

/* On disk already, by this process? Then it becomes an orphan at most. */
static bool
is_journalled(struct sf_journal *journal, const struct sf_journal_mark *mark, uint64_t version)
{
    pthread_mutex_lock(&journal->lock);
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, &mark->key);
    bool is = entry != NULL && entry->version >= version && !entry->file->is_inherited;
    if (is && mark->is_orphan)
        sf_journal_make_orphan(journal, entry);
    pthread_mutex_unlock(&journal->lock);
    return is;
}

/* ---- rows that move to the active file ---- */

/* What L1 has is as good, if it is later: then row->version is, too. */
static enum sf_status
read_moving(struct sf_journal *journal, struct sf_journal_pending *row)
{
    struct sf_journal_entry ignored;
    struct look look;
    enum sf_status status = look_at_cache(journal, &row->key, &look);
    if (status != SF_OK || look.version < row->version)
        return sf_journal_read(journal, &row->key, &ignored, &journal->record);
    row->version = look.version;
    return SF_OK;
}

/* false: that was all. */
static bool
next_moving(struct sf_journal *journal, uint32_t from, uint32_t *cursor, struct sf_journal_pending *row_out)
{
    const struct sf_journal_entry *entry;
    pthread_mutex_lock(&journal->lock);
    do
        entry = sf_journal_map_next(&journal->map, cursor);
    while (entry != NULL && entry->file->number != from);
    if (entry != NULL)
        *row_out = sf_journal_pending_of(entry);
    pthread_mutex_unlock(&journal->lock);
    return entry != NULL;
}

/* One that cannot be read stays where it is: its file is kept. */
static enum sf_status
move_rows(struct sf_journal *journal, uint32_t from, struct sf_error *error)
{
    struct sf_journal_pending row;
    enum sf_status status = SF_OK;
    uint32_t cursor = 0;
    while (status == SF_OK && next_moving(journal, from, &cursor, &row)) {
        if (read_moving(journal, &row) == SF_OK)
            status = sf_journal_add(journal, &row, error);
    }
    return status;
}

/* ---- files ---- */

static uint64_t
bytes_of(const struct sf_journal_file *file)
{
    return atomic_load_explicit(&file->bytes, memory_order_relaxed);
}

static uint64_t
bytes_of_all(struct sf_journal *journal)
{
    const struct sf_journal_file *file;
    uint64_t bytes = 0;
    pthread_mutex_lock(&journal->lock);
    TAILQ_FOREACH(file, &journal->files, link)
        bytes += bytes_of(file);
    pthread_mutex_unlock(&journal->lock);
    return bytes;
}

/* They rise for as long as there are files. */
static enum sf_status
have_number(struct sf_journal *journal, struct sf_error *error)
{
    if (journal->next_number <= SF_JOURNAL_NUMBER_MAX)
        return SF_OK;
    pthread_mutex_lock(&journal->lock);
    bool is_empty = TAILQ_EMPTY(&journal->files);
    pthread_mutex_unlock(&journal->lock);
    if (is_empty)
        journal->next_number = 1;
    return is_empty ? SF_OK
                    : sf_error_set(error, SF_FULL, "%s has a journal file with the highest number: none can follow",
                                   journal->folder);
}

static enum sf_status
begin_file(struct sf_journal *journal, struct sf_error *error)
{
    struct sf_journal_file *file;
    enum sf_status status = have_number(journal, error);
    if (status != SF_OK)
        return status;
    status = sf_journal_file_create(&file, journal->folder, journal->next_number, error);
    journal->next_number++;
    if (status != SF_OK)
        return status;
    pthread_mutex_lock(&journal->lock);
    TAILQ_INSERT_TAIL(&journal->files, file, link);
    journal->active = file;
    pthread_mutex_unlock(&journal->lock);
    return SF_OK;
}

void
sf_journal_leave_file(struct sf_journal *journal)
{
    sf_journal_file_give_up(journal->active);
    pthread_mutex_lock(&journal->lock);
    journal->active = NULL;
    pthread_mutex_unlock(&journal->lock);
}

/* The oldest one most of whose rows are superseded: what is left of it is worth writing again. 0: none. */
static uint32_t
find_sparse(struct sf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    const struct sf_journal_file *file;
    TAILQ_FOREACH(file, &journal->files, link)
        if (file != journal->active && !file->is_inherited && file->live < file->rows / 2)
            break;
    uint32_t number = file == NULL ? 0 : file->number;
    pthread_mutex_unlock(&journal->lock);
    return number;
}

static uint64_t
file_bytes_of(const struct sf_journal_options *options)
{
    uint64_t share = options->bytes_max / FILE_SHARE;
    if (options->file_bytes != 0)
        return options->file_bytes;
    return share < FILE_BYTES ? share : FILE_BYTES;
}

static bool
is_beyond(struct sf_journal *journal, uint64_t limit)
{
    if (bytes_of_all(journal) < limit)
        return false;
    sf_journal_trim(journal);
    return bytes_of_all(journal) >= limit;
}

/* A file that was begun beyond the limit is for ends alone. */
static bool
has_file(const struct sf_journal *journal)
{
    return journal->active != NULL && (journal->is_for_ends || !journal->is_in_reserve);
}

/* Behind the last file for all, which may have grown beyond the limit. */
static bool
has_reserve(struct sf_journal *journal)
{
    uint64_t limit = journal->options.bytes_max;
    uint64_t end = limit + file_bytes_of(&journal->options) + limit / RESERVE_SHARE;
    return journal->is_for_ends && !is_beyond(journal, end);
}

/* A file that is written anew in place of another may always be begun. */
static enum sf_status
refuse_beyond_limit(struct sf_journal *journal, uint32_t sparse, struct sf_error *error)
{
    if (sparse != 0 || journal->failed != 0 || journal->untidy != 0 || has_reserve(journal))
        return SF_OK;
    journal->is_at_limit = true;
    return sf_error_set(error, SF_FULL,
                        "the journal has reached SessionFastJournalLimit, and the store does not take"
                        " what is in it");
}

enum sf_status
sf_journal_have_file(struct sf_journal *journal, struct sf_error *error)
{
    if (has_file(journal))
        return SF_OK;
    bool is_full = is_beyond(journal, journal->options.bytes_max);
    uint32_t sparse = is_full ? find_sparse(journal) : 0;
    enum sf_status status = is_full ? refuse_beyond_limit(journal, sparse, error) : SF_OK;
    if (status != SF_OK)
        return status;
    if (journal->active != NULL)
        sf_journal_leave_file(journal);
    journal->is_in_reserve = is_full && journal->is_for_ends;
    status = begin_file(journal, error);
    if (status == SF_OK && sparse != 0)
        status = move_rows(journal, sparse, error);
    if (status == SF_OK && journal->failed != 0)
        status = move_rows(journal, journal->failed, error);
    return status;
}

enum sf_status
sf_journal_begin(struct sf_journal *journal, struct sf_error *error)
{
    uint64_t file_bytes = file_bytes_of(&journal->options);
    journal->pending_count = 0;
    if (journal->active != NULL && !sf_journal_file_is_there(journal->active))
        return sf_error_set(error, SF_UNAVAILABLE, "%s: removed or replaced while in use", journal->active->path);
    const struct sf_journal_file *active = journal->active;
    if (active != NULL && (bytes_of(active) >= file_bytes || sf_journal_is_old(journal, active)))
        sf_journal_leave_file(journal);
    return journal->failed != 0 ? sf_journal_have_file(journal, error) : SF_OK;
}

/* ---- the transaction ---- */

/* Does it need a row? The record is in journal->record then. Whatever else is wrong is the mark's own. */
static bool
needs_row(struct sf_journal *journal, struct sf_journal_mark *mark, uint64_t *version_out)
{
    struct look look = {.version = 0};
    enum sf_status status = look_at_cache(journal, &mark->key, &look);
    mark->status = SF_OK;
    if (status == SF_NOT_FOUND)
        return false; /* only what is stored, or journalled, ever leaves L1 */
    if (status != SF_OK)
        mark->status = SF_UNCERTAIN;
    else if (look.version < mark->version)
        mark->status = SF_NOT_FOUND;
    *version_out = look.version;
    bool needs = mark->status == SF_OK && !look.is_clean && !is_journalled(journal, mark, look.version);
    if (!needs || look.is_end || !journal->is_for_ends)
        return needs;
    mark->status = SF_UNCERTAIN;
    return false;
}

/* Only what the file says fails. */
static enum sf_status
add_mark(struct sf_journal *journal, struct sf_journal_mark *mark, struct sf_error *error)
{
    uint64_t version;
    bool needs = needs_row(journal, mark, &version);
    if (needs && !has_file(journal)) {
        enum sf_status status = sf_journal_have_file(journal, error);
        if (status != SF_OK)
            return status;
        needs = needs_row(journal, mark, &version); /* rows may have moved through journal->record */
    }
    const struct sf_journal_pending row = {.key = mark->key, .version = version, .is_orphan = mark->is_orphan};
    return needs ? sf_journal_add(journal, &row, error) : SF_OK;
}

static enum sf_status
reserve_map(struct sf_journal *journal, struct sf_error *error)
{
    pthread_mutex_lock(&journal->lock);
    enum sf_status status = sf_journal_map_reserve(&journal->map, journal->pending_count);
    pthread_mutex_unlock(&journal->lock);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "no memory");
}

enum sf_status
sf_journal_finish(struct sf_journal *journal, struct sf_error *error)
{
    enum sf_status status = reserve_map(journal, error);
    if (status != SF_OK || journal->pending_count == 0)
        return status;
    status = sf_journal_file_commit(journal->active, error);
    if (status == SF_OK)
        sf_journal_publish(journal);
    return status;
}

static enum sf_status
move_untidy(struct sf_journal *journal, struct sf_error *error)
{
    if (journal->untidy == 0)
        return SF_OK;
    enum sf_status status = sf_journal_have_file(journal, error);
    return status == SF_OK ? move_rows(journal, journal->untidy, error) : status;
}

static enum sf_status
try_to_write(struct sf_journal *journal, struct sf_journal_mark *marks, size_t count, struct sf_error *error)
{
    enum sf_status status = sf_journal_begin(journal, error);
    if (status == SF_OK)
        status = move_untidy(journal, error);
    for (size_t i = 0; i < count && status == SF_OK; i++)
        status = add_mark(journal, &marks[i], error);
    if (status == SF_OK)
        status = sf_journal_finish(journal, error);
    if (status == SF_OK)
        journal->failed = 0;
    return status;
}

/* What an earlier failure has left to be moved comes first: it is in the older file. */
static void
give_up_file(struct sf_journal *journal, const struct sf_error *error)
{
    if (journal->active == NULL)
        return;
    const struct sf_journal_file *file = journal->active;
    sf_log_write(journal->log, SF_LOG_WARNING, "SF0211", "a file of the journal is given up: %s", error->text);
    sf_journal_leave_file(journal);
    if (journal->failed == 0)
        journal->failed = file->number;
    pthread_mutex_lock(&journal->lock);
    journal->state.failures++;
    pthread_mutex_unlock(&journal->lock);
}

/* ---- a group ---- */

static void
note_up(struct sf_journal *journal)
{
    sf_time down_since = journal->state.down_since;
    journal->retry_at = 0;
    if (sf_log_state_changed(&journal->log_state, true))
        sf_log_write(journal->log, SF_LOG_NOTICE, "SF0213", "the journal is up again after %.1f s",
                     (double)(sf_clock_steady() - down_since) / 1000);
    pthread_mutex_lock(&journal->lock);
    journal->state.is_up = true;
    journal->state.error[0] = '\0';
    pthread_mutex_unlock(&journal->lock);
}

static void
note_down(struct sf_journal *journal, enum sf_status status, const struct sf_error *error)
{
    sf_time now = sf_clock_steady();
    bool is_new = sf_log_state_changed(&journal->log_state, false);
    journal->retry_at = now + RETRY_PAUSE;
    journal->last_status = status;
    pthread_mutex_lock(&journal->lock);
    if (is_new)
        journal->state.down_since = now;
    journal->state.is_up = false;
    memcpy(journal->state.error, error->text, sizeof journal->state.error);
    pthread_mutex_unlock(&journal->lock);
    if (is_new)
        sf_log_write(journal->log, SF_LOG_ERROR, "SF0212",
                     "the journal cannot be written, changes that need it are not confirmed: %s", error->text);
}

static enum sf_status
refuse_all(struct sf_journal_mark *marks, size_t count, enum sf_status status)
{
    for (size_t i = 0; i < count; i++)
        marks[i].status = SF_UNCERTAIN;
    return status;
}

/* At the limit no file has failed: the one that there may be is for ends. */
static enum sf_status
write_all(struct sf_journal *journal, struct sf_journal_mark *marks, size_t count)
{
    struct sf_error error = {.text = ""};
    if (sf_clock_steady() < journal->retry_at)
        return refuse_all(marks, count, journal->last_status);
    journal->is_at_limit = false;
    enum sf_status status = try_to_write(journal, marks, count, &error);
    if (status != SF_OK && journal->active != NULL && !journal->is_at_limit) {
        give_up_file(journal, &error);
        status = try_to_write(journal, marks, count, &error);
    }
    if (status == SF_OK) {
        note_up(journal);
        return SF_OK;
    }
    if (!journal->is_at_limit)
        give_up_file(journal, &error);
    note_down(journal, status, &error);
    return refuse_all(marks, count, status);
}

static bool
are_all_done(const struct sf_journal_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (marks[i].status != SF_OK)
            return false;
    return true;
}

/* Beyond the limit, too, a logout is confirmed. What else was asked for stays unconfirmed. */
static enum sf_status
write_ends(struct sf_journal *journal, struct sf_journal_mark *marks, size_t count)
{
    struct sf_error error = {.text = ""};
    journal->is_for_ends = true;
    enum sf_status status = try_to_write(journal, marks, count, &error);
    journal->is_for_ends = false;
    if (status == SF_OK)
        return are_all_done(marks, count) ? SF_OK : SF_FULL;
    if (journal->is_in_reserve)
        give_up_file(journal, &error);
    return refuse_all(marks, count, status);
}

enum sf_status
sf_journal_write_group(struct sf_journal *journal, struct sf_journal_mark *marks, size_t count)
{
    enum sf_status status = write_all(journal, marks, count);
    if (status != SF_OK && journal->is_at_limit)
        status = write_ends(journal, marks, count);
    return status;
}

enum sf_status
sf_journal_commit(struct sf_journal *journal, struct sf_journal_mark *marks, size_t count)
{
    pthread_mutex_lock(&journal->committing);
    enum sf_status status = sf_journal_write_group(journal, marks, count);
    pthread_mutex_unlock(&journal->committing);
    return status;
}
