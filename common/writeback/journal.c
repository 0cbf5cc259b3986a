/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/session/merge.h"
#include "common/writeback/journal_private.h"

#define FILE_AGE SF_MINUTE

/* ---- life ---- */

static struct sf_journal *
journal_new(struct sf_l1 *l1, const struct sf_journal_options *options, const struct sf_log *log)
{
    struct sf_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL)
        return NULL;
    journal->l1 = l1;
    journal->log = log;
    journal->options = *options;
    snprintf(journal->folder, sizeof journal->folder, "%s", options->folder);
    journal->state.is_up = true;
    pthread_mutex_init(&journal->committing, NULL);
    pthread_mutex_init(&journal->reading, NULL);
    pthread_mutex_init(&journal->lock, NULL);
    sf_buffer_init(&journal->record, SF_RECORD_BYTES_MAX);
    sf_journal_map_init(&journal->map);
    TAILQ_INIT(&journal->files);
    return journal;
}

/* Files stay as they are. */
static void
journal_free(struct sf_journal *journal)
{
    struct sf_journal_file *file;
    while ((file = TAILQ_FIRST(&journal->files)) != NULL) {
        TAILQ_REMOVE(&journal->files, file, link);
        sf_journal_file_close(file);
    }
    sf_journal_map_fini(&journal->map);
    sf_buffer_fini(&journal->record);
    free(journal->pending);
    pthread_mutex_destroy(&journal->lock);
    pthread_mutex_destroy(&journal->reading);
    pthread_mutex_destroy(&journal->committing);
    free(journal);
}

enum sf_status
sf_journal_open(struct sf_journal **journal_out, struct sf_l1 *l1,
                const struct sf_journal_options *options, const struct sf_log *log,
                struct sf_error *error)
{
    *journal_out = NULL;
    struct sf_journal *journal = journal_new(l1, options, log);
    if (journal == NULL)
        return sf_error_set(error, SF_NO_MEMORY, "no memory");
    enum sf_status status = sf_journal_recover(journal, error);
    if (status == SF_OK)
        *journal_out = journal;
    else
        journal_free(journal); /* nothing is removed: not all of it was looked at */
    return status;
}

void
sf_journal_close(struct sf_journal *journal)
{
    if (journal == NULL)
        return;
    journal->active = NULL;
    sf_journal_trim(journal);
    journal_free(journal);
}

void
sf_journal_state(struct sf_journal *journal, struct sf_journal_state *state_out)
{
    struct sf_journal_file *file;
    pthread_mutex_lock(&journal->lock);
    *state_out = journal->state;
    state_out->sessions = journal->map.count;
    TAILQ_FOREACH(file, &journal->files, link) {
        state_out->files++;
        state_out->bytes += atomic_load_explicit(&file->bytes, memory_order_relaxed);
    }
    pthread_mutex_unlock(&journal->lock);
}

/* ---- what is where ---- */

static void
leave_row(struct sf_journal *journal, struct sf_journal_entry *entry)
{
    entry->file->live--;
    journal->state.orphans -= entry->is_orphan;
    journal->state.refused -= entry->is_refused;
}

void
sf_journal_forget(struct sf_journal *journal, struct sf_journal_entry *entry)
{
    leave_row(journal, entry);
    sf_journal_map_remove(&journal->map, entry);
}

struct sf_journal_pending
sf_journal_pending_of(const struct sf_journal_entry *entry)
{
    return (struct sf_journal_pending){.key = entry->key,
                                       .version = entry->version,
                                       .number = entry->number,
                                       .origin = SF_JOURNAL_MOVED,
                                       .is_orphan = entry->is_orphan,
                                       .is_refused = entry->is_refused,
                                       .is_behind = entry->is_behind};
}

/* The drain shall look at its row, though it may have seen it already, when it was no orphan or in no entry. */
static void
note_orphan(const struct sf_journal_entry *entry)
{
    struct sf_journal_file *file = entry->file;
    file->has_new_orphan = true;
    if (file->drained >= entry->number)
        file->drained = entry->number - 1;
}

void
sf_journal_remember(struct sf_journal *journal, struct sf_journal_file *file,
                    const struct sf_journal_pending *row)
{
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, &row->key);
    if (entry == NULL)
        entry = sf_journal_map_add(&journal->map, &row->key);
    else
        leave_row(journal, entry);
    entry->version = row->version;
    entry->number = row->number;
    entry->file = file;
    entry->is_orphan = row->is_orphan;
    entry->is_refused = row->is_refused;
    entry->is_behind = row->is_behind;
    file->live++;
    journal->state.orphans += row->is_orphan;
    journal->state.refused += row->is_refused;
    if (row->is_orphan)
        note_orphan(entry);
}

void
sf_journal_make_orphan(struct sf_journal *journal, struct sf_journal_entry *entry)
{
    if (entry->is_orphan)
        return;
    entry->is_orphan = true;
    journal->state.orphans++;
    note_orphan(entry);
}

static void
forget_up_to(struct sf_journal *journal, const struct sf_key *key, uint64_t version)
{
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
    if (entry != NULL && entry->version <= version)
        sf_journal_forget(journal, entry);
}

void
sf_journal_settle(struct sf_journal *journal, const struct sf_key *key, uint64_t version,
                  const struct sf_l1_ticket *ticket, sf_time written)
{
    pthread_mutex_lock(&journal->lock);
    sf_l1_settle(journal->l1, ticket, written);
    forget_up_to(journal, key, version);
    pthread_mutex_unlock(&journal->lock);
}

/* L1 may have what only the store has; if it is clean with that, nobody else will tell of what is here. */
static void
give_way(struct sf_journal *journal, const struct sf_key *key)
{
    uint64_t version;
    bool is_clean;
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
    if (entry == NULL)
        return;
    enum sf_status status = sf_l1_version(journal->l1, key, &version, &is_clean);
    if (status != SF_OK || version != entry->version)
        entry->is_behind = true;
    if (is_clean)
        sf_journal_make_orphan(journal, entry);
}

enum sf_status
sf_journal_merge(struct sf_journal *journal, const struct sf_key *key, uint64_t version,
                 const struct sf_l1_answer *answer, sf_time asked)
{
    pthread_mutex_lock(&journal->lock);
    forget_up_to(journal, key, version);
    enum sf_status status = sf_l1_merge(journal->l1, key, answer, asked);
    give_way(journal, key);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

void
sf_journal_stored(struct sf_journal *journal, const struct sf_key *key, uint64_t version, sf_time written)
{
    pthread_mutex_lock(&journal->lock);
    sf_l1_settle_key(journal->l1, key, version, written);
    forget_up_to(journal, key, version);
    pthread_mutex_unlock(&journal->lock);
}

void
sf_journal_refused(struct sf_journal *journal, const struct sf_key *key, uint64_t version)
{
    pthread_mutex_lock(&journal->lock);
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
    if (entry != NULL && entry->version == version && entry->is_orphan && !entry->is_refused) {
        entry->is_refused = true;
        journal->state.refused++;
    }
    pthread_mutex_unlock(&journal->lock);
}

void
sf_journal_doubt(struct sf_journal *journal, const struct sf_key *key)
{
    pthread_mutex_lock(&journal->lock);
    struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
    if (entry != NULL)
        entry->is_behind = true;
    pthread_mutex_unlock(&journal->lock);
}

bool
sf_journal_owes(struct sf_journal *journal, const struct sf_key *key)
{
    pthread_mutex_lock(&journal->lock);
    bool owes = journal->state.orphans > journal->state.refused;
    if (key != NULL) {
        const struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
        owes = entry != NULL && entry->is_orphan;
    }
    pthread_mutex_unlock(&journal->lock);
    return owes;
}

/* The first file behind `number`. */
struct sf_journal_file *
sf_journal_first_file(struct sf_journal *journal, uint32_t number)
{
    struct sf_journal_file *file;
    TAILQ_FOREACH(file, &journal->files, link)
        if (file->number > number)
            return file;
    return NULL;
}

/* NULL: none; it is in nobody's reach any more: who reads finds files by the map, under `reading`. */
static struct sf_journal_file *
take_needless(struct sf_journal *journal)
{
    struct sf_journal_file *file;
    pthread_mutex_lock(&journal->reading);
    pthread_mutex_lock(&journal->lock);
    TAILQ_FOREACH(file, &journal->files, link)
        if (file->live == 0 && file != journal->active)
            break;
    if (file != NULL)
        TAILQ_REMOVE(&journal->files, file, link);
    pthread_mutex_unlock(&journal->lock);
    pthread_mutex_unlock(&journal->reading);
    return file;
}

bool
sf_journal_is_old(const struct sf_journal *journal, const struct sf_journal_file *file)
{
    sf_time age = journal->options.file_age == 0 ? FILE_AGE : journal->options.file_age;
    return sf_clock_steady() - file->made >= age;
}

/*
 * A row that is not needed any more must not stay for long: who finds it after a crash takes it for a change
 * that the store lacks, and by then the store may have forgotten that the session was ended.
 */
static void
leave_old_file(struct sf_journal *journal)
{
    const struct sf_journal_file *active = journal->active;
    if (active == NULL || !sf_journal_is_old(journal, active))
        return;
    pthread_mutex_lock(&journal->lock);
    bool is_needed = active->live > 0;
    pthread_mutex_unlock(&journal->lock);
    if (!is_needed)
        sf_journal_leave_file(journal);
}

/* Nobody walks through it: that is done while committing. */
static void
shrink_map(struct sf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    sf_journal_map_shrink(&journal->map);
    pthread_mutex_unlock(&journal->lock);
}

/* Who commits just now looks at a file's age as well. */
static void
tidy_unless_committing(struct sf_journal *journal)
{
    if (pthread_mutex_trylock(&journal->committing) != 0)
        return;
    leave_old_file(journal);
    shrink_map(journal);
    pthread_mutex_unlock(&journal->committing);
}

/* Without a lock: to unlink a large file takes 20 ms. */
void
sf_journal_trim(struct sf_journal *journal)
{
    struct sf_journal_file *file;
    tidy_unless_committing(journal);
    while ((file = take_needless(journal)) != NULL) {
        if (file->is_damaged)
            sf_journal_file_set_aside(file);
        else
            sf_journal_file_remove(file);
    }
}

/* ---- reading ---- */

static enum sf_status
find_row(struct sf_journal *journal, const struct sf_key *key, struct sf_journal_entry *entry_out)
{
    pthread_mutex_lock(&journal->lock);
    const struct sf_journal_entry *entry = sf_journal_map_find(&journal->map, key);
    if (entry != NULL)
        *entry_out = *entry;
    pthread_mutex_unlock(&journal->lock);
    return entry == NULL ? SF_NOT_FOUND : SF_OK;
}

/* sf_journal_tidy looks after it. */
void
sf_journal_note_damage(struct sf_journal *journal, struct sf_journal_file *file)
{
    pthread_mutex_lock(&journal->lock);
    file->is_spoilt = true;
    pthread_mutex_unlock(&journal->lock);
}

/* With `reading` held. A row of somebody else is as bad as none. */
static enum sf_status
read_row(struct sf_journal *journal, const struct sf_journal_entry *entry, struct sf_buffer *record_out)
{
    struct sf_key key;
    uint64_t version;
    enum sf_status status = sf_journal_file_read(entry->file, entry->number, &key, &version, record_out);
    if (status == SF_OK && (!sf_key_equal(&key, &entry->key) || version != entry->version))
        status = SF_CORRUPT;
    if (status != SF_NOT_FOUND && status != SF_CORRUPT)
        return status;
    sf_journal_note_damage(journal, entry->file);
    return SF_CORRUPT;
}

enum sf_status
sf_journal_read(struct sf_journal *journal, const struct sf_key *key, struct sf_journal_entry *entry_out,
                struct sf_buffer *record_out)
{
    pthread_mutex_lock(&journal->reading);
    enum sf_status status = find_row(journal, key, entry_out);
    if (status == SF_OK)
        status = read_row(journal, entry_out, record_out);
    pthread_mutex_unlock(&journal->reading);
    return status;
}

enum sf_status
sf_journal_load(struct sf_journal *journal, const struct sf_key *key, struct sf_stored *stored_out,
                bool *is_final_out)
{
    struct sf_journal_entry entry = {.is_behind = false};
    struct sf_record_head head;
    enum sf_status status = sf_journal_read(journal, key, &entry, &stored_out->record);
    *is_final_out = !entry.is_behind;
    if (status == SF_OK)
        status = sf_record_head(&head, sf_buffer_span(&stored_out->record));
    if (status == SF_OK)
        stored_out->last_access = head.last_access;
    return status;
}

static uint64_t
version_of(const struct sf_stored *stored)
{
    struct sf_record_head head;
    return sf_record_head(&head, sf_buffer_span(&stored->record)) == SF_OK ? head.version : 0;
}

static bool
has_lineage(const struct sf_stored *stored)
{
    struct sf_record_head head;
    return sf_record_head(&head, sf_buffer_span(&stored->record)) == SF_OK && head.lineage.size > 0;
}

/* Where hosts share the store it may have changes of another one beside ours. */
static enum sf_status
merge_both(struct sf_stored *stored, const struct sf_stored *journalled)
{
    struct sf_buffer merged;
    bool is_new;
    sf_buffer_init(&merged, SF_RECORD_BYTES_MAX);
    enum sf_status status = sf_record_merge(&merged, &is_new, sf_buffer_span(&stored->record),
                                            sf_buffer_span(&journalled->record));
    struct sf_buffer former = status == SF_OK ? stored->record : merged;
    if (status == SF_OK) {
        stored->record = merged;
        stored->is_journalled = is_new;
    }
    sf_buffer_fini(&former);
    return status;
}

static bool
has_ended(const struct sf_stored *stored)
{
    struct sf_record_head head;
    return sf_record_head(&head, sf_buffer_span(&stored->record)) == SF_OK && head.kind == SF_RECORD_ENDED;
}

/* Another host has a part in the row: it is not the one that ours grew from, whatever its number if it is an end. */
static bool
must_be_merged(const struct sf_stored *stored, const struct sf_stored *journalled)
{
    return has_lineage(journalled) && stored->record.size > 0 &&
           (has_ended(stored) ||
            version_of(stored) != sf_lineage_base(sf_buffer_span(&journalled->record)));
}

/* The store may have heard of a later last access than the journal. */
static void
take_later(struct sf_stored *stored, struct sf_stored *journalled)
{
    bool is_merged = must_be_merged(stored, journalled) && merge_both(stored, journalled) == SF_OK;
    if (!is_merged && version_of(journalled) > version_of(stored)) {
        struct sf_buffer older = stored->record;
        stored->record = journalled->record;
        journalled->record = older;
        stored->is_journalled = true;
    }
    if (stored->last_access < journalled->last_access)
        stored->last_access = journalled->last_access;
}

/* What the journal says of one load. */
struct told {
    struct sf_stored stored;
    enum sf_status status;
    bool is_final;
};

/*
 * Where others write the store, too, they may have put something beside what is final here: then it is the last word
 * only for as long as the store gives no answer.
 */
static void
ask_journal(struct sf_journal *journal, struct sf_load *load, struct told *told)
{
    sf_buffer_init(&told->stored.record, SF_RECORD_BYTES_MAX);
    told->status = sf_journal_load(journal, &load->key, &told->stored, &told->is_final);
    bool is_last = told->is_final && sf_l1_host(journal->l1) == 0;
    sf_buffer_clear(&load->stored->record);
    load->stored->last_access = 0;
    load->stored->is_journalled = false;
    load->is_own = told->status != SF_NOT_FOUND && (told->status != SF_OK || is_last);
    load->status = told->status;
}

static void
ask_store(struct sf_store *store, struct sf_load *loads, struct sf_load *asked, size_t count,
          sf_time deadline)
{
    size_t wanted = 0, answered = 0;
    for (size_t i = 0; i < count; i++)
        if (!loads[i].is_own)
            asked[wanted++] = loads[i];
    if (wanted > 0)
        store->ops->load(store, asked, wanted, deadline);
    for (size_t i = 0; i < count; i++) {
        if (loads[i].is_own)
            continue;
        loads[i].status = asked[answered].status;
        loads[i].as_of = asked[answered++].as_of;
    }
}

/*
 * What the journal and the store have said of it. Once more has been shown than the journal has, the journal alone is
 * not enough any more.
 */
static void
conclude(struct sf_journal *journal, struct sf_load *load, struct told *told)
{
    bool is_answered = load->is_own || load->status == SF_OK || load->status == SF_NOT_FOUND;
    if (told->status != SF_OK)
        return;
    if (!is_answered && told->is_final) {
        sf_buffer_clear(&load->stored->record);
        load->is_own = is_answered = true;
    }
    if (!is_answered)
        return;
    load->status = SF_OK;
    if (must_be_merged(load->stored, &told->stored))
        sf_journal_doubt(journal, &load->key);
    take_later(load->stored, &told->stored);
}

void
sf_journal_load_both(struct sf_journal *journal, struct sf_store *store, struct sf_load *loads,
                     size_t count, sf_time deadline)
{
    struct told *told = calloc(count, sizeof *told);
    struct sf_load *asked = calloc(count, sizeof *asked);
    if (told == NULL || asked == NULL) {
        sf_store_answer_loads(loads, count, SF_NO_MEMORY);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        ask_journal(journal, &loads[i], &told[i]);
    ask_store(store, loads, asked, count, deadline);
    for (size_t i = 0; i < count; i++) {
        conclude(journal, &loads[i], &told[i]);
        sf_buffer_fini(&told[i].stored.record);
    }
out:
    free(told);
    free(asked);
}
