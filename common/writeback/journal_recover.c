/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier process has left. Its files are only read: whether they are on disk to the last
 * byte nobody knows, so that whoever waits for one of these versions gets a row of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "common/writeback/journal_private.h"
#include "common/writeback/journal_salvage.h"

/* ---- rows ---- */

struct recovery {
    struct sf_journal *journal;
    struct sf_journal_file *file;
    struct sf_journal_map salvaged; /* keys that have got a row in the new file */
    uint64_t rows, damaged;
    enum sf_status status;
};

static bool
is_newer(const struct sf_journal_map *map, const struct sf_journal_row *row)
{
    const struct sf_journal_entry *entry = sf_journal_map_find(map, &row->key);
    return entry == NULL || entry->version < row->version;
}

static bool
visit_row(void *context, const struct sf_journal_row *row, bool is_intact)
{
    struct recovery *recovery = context;
    struct sf_journal *journal = recovery->journal;
    recovery->rows += is_intact;
    recovery->damaged += !is_intact;
    if (!is_intact || !is_newer(&journal->map, row))
        return true;
    recovery->status = sf_journal_map_reserve(&journal->map, 1);
    if (recovery->status != SF_OK)
        return false;
    const struct sf_journal_pending entry = {
        .key = row->key, .version = row->version, .number = row->number, .is_orphan = true, .is_behind = true};
    sf_journal_remember(journal, recovery->file, &entry);
    return true;
}

static enum sf_status
note_salvaged(struct recovery *recovery, const struct sf_journal_row *row)
{
    struct sf_journal_entry *entry = sf_journal_map_find(&recovery->salvaged, &row->key);
    if (entry == NULL) {
        enum sf_status status = sf_journal_map_reserve(&recovery->salvaged, 1);
        if (status != SF_OK)
            return status;
        entry = sf_journal_map_add(&recovery->salvaged, &row->key);
    }
    entry->file = recovery->file;
    entry->version = row->version;
    return SF_OK;
}

/* A row that SQLite did not show: written again, where it can be found. */
static enum sf_status
visit_salvaged(void *context, const struct sf_journal_row *row)
{
    struct recovery *recovery = context;
    struct sf_journal *journal = recovery->journal;
    struct sf_error error;
    if (!is_newer(&journal->map, row) || !is_newer(&recovery->salvaged, row))
        return SF_OK;
    enum sf_status status = sf_journal_have_file(journal, &error);
    if (status == SF_OK)
        status = note_salvaged(recovery, row);
    sf_buffer_clear(&journal->record);
    if (status == SF_OK)
        status = sf_buffer_append_span(&journal->record, row->record);
    const struct sf_journal_pending wanted = {.key = row->key,
                                              .version = row->version,
                                              .origin = SF_JOURNAL_SALVAGED,
                                              .is_orphan = true,
                                              .is_behind = true};
    return status == SF_OK ? sf_journal_add(journal, &wanted, &error) : status;
}

static enum sf_status
salvage(struct recovery *recovery, struct sf_error *error)
{
    struct sf_journal *journal = recovery->journal;
    sf_journal_map_init(&recovery->salvaged);
    enum sf_status status = sf_journal_begin(journal, error);
    if (status == SF_OK)
        status = sf_journal_salvage(recovery->file, visit_salvaged, recovery);
    if (status == SF_OK)
        status = sf_journal_finish(journal, error);
    if (status == SF_OK)
        journal->state.salvaged += journal->pending_count;
    else if (journal->active != NULL)
        sf_journal_leave_file(journal); /* with what was begun; the next one gets a file of its own */
    sf_journal_map_fini(&recovery->salvaged);
    return status;
}

/* ---- files ---- */

static void
report_damage(struct recovery *recovery, const char *reason)
{
    struct sf_journal *journal = recovery->journal;
    sf_log_write(journal->log, SF_LOG_ERROR, "SF0215",
                 "%s is damaged (%s): %" PRIu64 " rows read, %" PRIu64 " damaged, %zu changed sessions salvaged; "
                 "it is kept as *.bad once they are in the store",
                 recovery->file->path, reason, recovery->rows, recovery->damaged, journal->pending_count);
}

static enum sf_status
recover_file(struct sf_journal *journal, struct sf_journal_file *file, struct sf_error *error)
{
    struct recovery recovery = {.journal = journal, .file = file};
    struct sf_error reason = {.text = "rows fail their checksum"}, failure;
    enum sf_journal_end end = sf_journal_end(file);
    enum sf_status read = SF_CORRUPT;
    if (end == SF_JOURNAL_BARE)
        sf_error_set(&reason, read, "its database is cut off");
    else
        read = sf_journal_file_each(file, 0, visit_row, &recovery, &reason);
    if (recovery.status != SF_OK)
        return sf_error_set(error, recovery.status, "no memory for what is in %s", file->path);
    journal->state.damaged += recovery.damaged;
    file->rows = recovery.rows;
    journal->pending_count = 0;
    if (end == SF_JOURNAL_WHOLE && read == SF_OK && recovery.damaged == 0)
        return SF_OK;
    enum sf_status status = salvage(&recovery, &failure);
    file->is_damaged = end == SF_JOURNAL_CUT || recovery.damaged > 0 || status != SF_OK
                       || (read != SF_OK && journal->pending_count > 0);
    if (status != SF_OK)
        report_damage(&recovery, failure.text);
    else if (file->is_damaged)
        report_damage(&recovery, end == SF_JOURNAL_CUT ? "its log is cut in the middle" : reason.text);
    return SF_OK;
}

static enum sf_status
add_file(struct sf_journal *journal, uint32_t number)
{
    struct sf_journal_file *file, *next;
    enum sf_status status = sf_journal_file_find(&file, journal->folder, number);
    if (status != SF_OK)
        return status;
    next = sf_journal_first_file(journal, number);
    if (next == NULL)
        TAILQ_INSERT_TAIL(&journal->files, file, link);
    else
        TAILQ_INSERT_BEFORE(next, file, link);
    return SF_OK;
}

static enum sf_status
look_at_name(struct sf_journal *journal, const char *name)
{
    const char *rest;
    uint32_t number = sf_journal_file_number(name, &rest);
    if (number >= journal->next_number)
        journal->next_number = number + 1;
    if (number > 0 && *rest == '\0')
        return add_file(journal, number);
    if (number > 0 && *rest == '-')
        sf_journal_file_sweep(journal->folder, number);
    if (number == 0 && fnmatch("journal-*.db", name, 0) == 0)
        sf_log_write(journal->log, SF_LOG_WARNING, "SF0219", "%s/%s has no name of the journal's files: it is ignored",
                     journal->folder, name);
    return SF_OK;
}

static enum sf_status
find_files(struct sf_journal *journal, struct sf_error *error)
{
    DIR *folder = opendir(journal->folder);
    if (folder == NULL)
        return sf_error_set(error, SF_UNAVAILABLE, "%s: %s", journal->folder, strerror(errno));
    enum sf_status status = SF_OK;
    const struct dirent *entry;
    while (status == SF_OK && (entry = readdir(folder)) != NULL)
        status = look_at_name(journal, entry->d_name);
    closedir(folder);
    return status == SF_OK ? SF_OK : sf_error_set(error, status, "no memory");
}

static void
report(struct sf_journal *journal, size_t files)
{
    if (journal->map.count > 0)
        sf_log_write(journal->log, SF_LOG_NOTICE, "SF0214",
                     "the journal of an earlier process has %zu changed sessions in %zu files: they go to the store",
                     journal->map.count, files);
}

enum sf_status
sf_journal_recover(struct sf_journal *journal, struct sf_error *error)
{
    size_t files = 0;
    journal->next_number = 1;
    enum sf_status status = find_files(journal, error);
    uint32_t end = journal->next_number; /* what is salvaged goes behind it */
    for (struct sf_journal_file *file = sf_journal_first_file(journal, 0);
         status == SF_OK && file != NULL && file->number < end; file = TAILQ_NEXT(file, link), files++)
        status = recover_file(journal, file, error);
    if (status != SF_OK)
        return status;
    report(journal, files);
    sf_journal_trim(journal);
    return SF_OK;
}
