/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_file.h - one file of the journal: rows are added at its end, read by number, and never
 * changed; when the store has them all the file is removed.
 *
 * A SQLite database whose rows stay in its write-ahead log: there is no checkpoint that anybody
 * could have to wait for. Written by the process that made it, and through one connection only:
 * what has failed once is never written again. Private to the journal.
 */
#include <stdbool.h>
#include <sys/queue.h>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/identity/session_id.h"

struct sqlite3;
struct sqlite3_stmt;

#define SF_JOURNAL_PATH_MAX 160
#define SF_JOURNAL_NUMBER_MAX 99999999u /* a file a minute, for 190 years */
#define SF_JOURNAL_STATEMENTS 3
#define SF_JOURNAL_PAGE_BYTES 4096u /* of the database; a frame of the log has a header beside */

struct sf_journal_row {
    uint64_t number; /* counted by the file, from 1 */
    struct sf_key key;
    uint64_t version;
    sf_time time;    /* wall clock: when it was journalled */
    struct sf_span record;
};

struct sf_journal_connection {
    struct sqlite3 *db; /* NULL: closed */
    struct sqlite3_stmt *statements[SF_JOURNAL_STATEMENTS];
};

struct sf_journal_file {
    TAILQ_ENTRY(sf_journal_file) link;
    uint32_t number;
    char path[SF_JOURNAL_PATH_MAX];
    bool is_inherited;      /* made by an earlier process: not known to be on disk, only readable */
    bool is_damaged;        /* kept under another name when it is not needed any more */
    bool is_spoilt;         /* something in it is not as it was written: see journal_tidy.c */
    sf_time tidied;         /* steady; the last attempt */
    size_t live;            /* entries of the map that name it */
    uint64_t rows;          /* added by this process, or found */
    sf_time made;           /* steady; by this process */
    _Atomic uint64_t bytes; /* about; of the log */
    uint64_t drained;       /* rows up to this number need not be looked at by the drain */
    bool has_new_orphan;    /* since the drain began to look; it does not know which rows it has passed in vain */
    uint64_t identities[2]; /* inodes of database and log, as they were made */
    struct sf_journal_connection writer, reader;
};

/*
 * "<folder>/journal-<number>.db", mode 0600, on disk when it returns. SF_UNAVAILABLE, SF_FULL,
 * SF_NO_MEMORY: nothing is left of it.
 */
enum sf_status sf_journal_file_create(struct sf_journal_file **file_out, const char *folder,
                                      uint32_t number, struct sf_error *error) SF_MUST_CHECK;

/* One that is there; it is not looked into before the first read. */
enum sf_status sf_journal_file_find(struct sf_journal_file **file_out, const char *folder,
                                    uint32_t number) SF_MUST_CHECK;

void sf_journal_file_close(struct sf_journal_file *file); /* frees it; what is on disk stays */
void sf_journal_file_remove(struct sf_journal_file *file); /* the same, and from disk */
void sf_journal_file_set_aside(struct sf_journal_file *file); /* the same, renamed to *.bad */

/* What is left of a file whose database has gone already. */
void sf_journal_file_sweep(const char *folder, uint32_t number);

/* The number that a file name stands for; 0: it is none of ours. `rest_out`: "", "-wal", ... */
uint32_t sf_journal_file_number(const char *name, const char **rest_out);

/* ---- writing, in one transaction; after a failure only sf_journal_file_give_up may follow ---- */

enum sf_status sf_journal_file_begin(struct sf_journal_file *file,
                                     struct sf_error *error) SF_MUST_CHECK;
/* row->number is set. */
enum sf_status sf_journal_file_add(struct sf_journal_file *file, struct sf_journal_row *row,
                                   struct sf_error *error) SF_MUST_CHECK;
/* SF_OK: on disk. */
enum sf_status sf_journal_file_commit(struct sf_journal_file *file,
                                      struct sf_error *error) SF_MUST_CHECK;
/* false: somebody has removed or replaced it; what is written now would be lost with its descriptor. */
bool sf_journal_file_is_there(const struct sf_journal_file *file);
/* Closes what writes, with whatever was begun; it can still be read. */
void sf_journal_file_give_up(struct sf_journal_file *file);

/* ---- reading, one thread at a time ---- */

/* SF_NOT_FOUND, SF_CORRUPT: the row is not as it was written. */
enum sf_status sf_journal_file_read(struct sf_journal_file *file, uint64_t number,
                                    struct sf_key *key_out, uint64_t *version_out,
                                    struct sf_buffer *record_out) SF_MUST_CHECK;

/* is_intact: its checksum holds; else only the number is to be trusted. false ends the walk. */
typedef bool sf_journal_visit_fn(void *context, const struct sf_journal_row *row, bool is_intact);

/* Rows behind `after`, in order. SF_CORRUPT, SF_UNAVAILABLE: not all of them could be read. */
enum sf_status sf_journal_file_each(struct sf_journal_file *file, uint64_t after,
                                    sf_journal_visit_fn *visit, void *context,
                                    struct sf_error *error) SF_MUST_CHECK;
