/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_private.h - what the files of the journal share.
 */
#include <pthread.h>

#include "common/writeback/journal.h"
#include "common/writeback/journal_file.h"
#include "common/writeback/journal_map.h"

TAILQ_HEAD(sf_journal_files, sf_journal_file);

enum sf_journal_origin {
    SF_JOURNAL_FROM_CACHE, /* which had it dirty */
    SF_JOURNAL_MOVED,      /* from another file, where an entry has it until then */
    SF_JOURNAL_SALVAGED    /* at the start; there is no entry */
};

/* A row of the transaction under way: what the map will say once it is committed. */
struct sf_journal_pending {
    struct sf_key key;
    uint64_t version, number;
    enum sf_journal_origin origin;
    bool is_orphan, is_refused, is_behind; /* as in the map; of what is moved, the entry's own word counts */
};

/*
 * 1. An entry of the map means: the store may lack this version, and the row is in entry->file.
 * 2. file->live counts the entries that name the file; a file without any, but the active one, may go.
 * 3. Versions of a key only rise from row to row, but for rows of inherited files.
 * Locks, in this order; the store is never called under one of them.
 */
struct sf_journal {
    struct sf_l1 *l1;
    const struct sf_log *log;
    struct sf_journal_options options;
    char folder[SF_JOURNAL_PATH_MAX];

    pthread_mutex_t committing; /* 1: the active file's writer, and what follows */
    uint32_t failed; /* number of a file given up: its rows are written again with the next commit; 0: none */
    uint32_t untidy; /* the same of another, while journal_tidy.c is at it */
    struct sf_journal_pending *pending;
    size_t pending_count, pending_capacity;
    struct sf_buffer record;
    uint32_t next_number;
    sf_time retry_at;           /* steady; while down: not before */
    enum sf_status last_status; /* while down */
    bool is_at_limit;           /* while down: for no other reason than SessionFastJournalLimit */
    bool is_in_reserve;         /* the active file was begun beyond it */
    bool is_for_ends;           /* the group under way may begin such a file, and takes nothing else */
    struct sf_log_state log_state;

    pthread_mutex_t reading; /* 2: the files' readers; and no file is removed by anybody else */

    pthread_mutex_t lock;    /* 3: the rest */
    struct sf_journal_map map;
    struct sf_journal_files files;  /* by number; the active one is the last */
    struct sf_journal_file *active; /* changed under `committing` and `lock`; NULL: none yet */
    bool hands_out_refused;         /* this time */
    struct sf_journal_state state;  /* `files`, `bytes` and `sessions` are filled in when asked */
};

/* With `lock` held. */
struct sf_journal_pending sf_journal_pending_of(const struct sf_journal_entry *entry);
void sf_journal_forget(struct sf_journal *journal, struct sf_journal_entry *entry);
/* Room in the map was reserved. */
void sf_journal_remember(struct sf_journal *journal, struct sf_journal_file *file,
                         const struct sf_journal_pending *row);
void sf_journal_make_orphan(struct sf_journal *journal, struct sf_journal_entry *entry);
bool sf_journal_is_old(const struct sf_journal *journal, const struct sf_journal_file *file);
struct sf_journal_file *sf_journal_first_file(struct sf_journal *journal, uint32_t number);

/* sf_journal_tidy looks after the file. Takes `lock`. */
void sf_journal_note_damage(struct sf_journal *journal, struct sf_journal_file *file);

/* The row of a session, and where it stands. Takes `reading` and `lock`. SF_NOT_FOUND: none (any more). */
enum sf_status sf_journal_read(struct sf_journal *journal, const struct sf_key *key, struct sf_journal_entry *entry_out,
                               struct sf_buffer *record_out) SF_MUST_CHECK;

/*
 * One transaction, with `committing` held: begins, makes sure that there is a file to write to (and
 * moves to it what a failed one held: through journal->record), adds what is in journal->record, and
 * is on disk and known to the map.
 */
enum sf_status sf_journal_begin(struct sf_journal *journal, struct sf_error *error) SF_MUST_CHECK;
enum sf_status sf_journal_have_file(struct sf_journal *journal, struct sf_error *error) SF_MUST_CHECK;
void sf_journal_leave_file(struct sf_journal *journal); /* there is an active one; the next is made when it is needed */
enum sf_status sf_journal_add(struct sf_journal *journal, const struct sf_journal_pending *row,
                              struct sf_error *error) SF_MUST_CHECK; /* gives it a number */
enum sf_status sf_journal_finish(struct sf_journal *journal, struct sf_error *error) SF_MUST_CHECK;
/* Its rows are on disk: the map shall say so. */
void sf_journal_publish(struct sf_journal *journal);
/* All of it, and once more with another file if the first fails. */
enum sf_status sf_journal_write_group(struct sf_journal *journal, struct sf_journal_mark *marks,
                                      size_t count) SF_MUST_CHECK;

/* Of an earlier process, at the start; nobody else knows the journal yet. */
enum sf_status sf_journal_recover(struct sf_journal *journal, struct sf_error *error) SF_MUST_CHECK;
