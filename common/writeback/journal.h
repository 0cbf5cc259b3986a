/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal.h - changes that are on the disk of this host before anybody calls them done.
 *
 * L1 has the change first; then whoever asked for class "journal" waits until it stands in the
 * journal, in one transaction and one sync with all others who wait. The batch writer brings it to
 * the store as it does with every change, and tells the journal, which then forgets it. Only what L1
 * may not have any more (orphans: left by an earlier process, or moved out of L1 while the store
 * was away) is written to the store from here, by journal_drain.h.
 *
 * Files are numbered. A new one is begun when one is large, and when one has failed: nothing is
 * ever written again through a descriptor whose sync may have failed. Thread safe; a commit blocks
 * on the disk.
 */
#include "common/base/log.h"
#include "common/cache/l1.h"
#include "common/store/store.h"

struct sf_journal;

struct sf_journal_options {
    const char *folder;  /* the state folder of the instance */
    uint64_t bytes_max;  /* of all files; beyond it nothing more is taken but, for a while, ends */
    uint64_t file_bytes; /* after which a new file is begun; 0: 64 MiB, or a sixteenth of bytes_max */
    sf_time file_age;    /* the same; 0: a minute */
};

/*
 * Reads what an earlier process has left: all of it is orphaned. Damage is counted, logged and set
 * aside, never an error. Makes no file before the first commit. SF_NO_MEMORY, SF_UNAVAILABLE: the
 * folder cannot be read.
 */
enum sf_status sf_journal_open(struct sf_journal **journal_out, struct sf_l1 *l1,
                               const struct sf_journal_options *options, const struct sf_log *log,
                               struct sf_error *error) SF_MUST_CHECK;
void sf_journal_close(struct sf_journal *journal); /* leaves no file when nothing is needed of it */

/* What is to be on disk before somebody goes on: this version of the session or a later one. */
struct sf_journal_mark {
    struct sf_key key;
    uint64_t version;
    bool is_orphan;        /* L1 is to be free to evict it; set by the spill */
    enum sf_status status; /* the answer */
};

/*
 * One transaction, one sync. Each mark gets its status: SF_OK: on disk, in the journal or in the
 * store. SF_UNCERTAIN: L1 has it, the journal cannot take it now. SF_NOT_FOUND: L1 has only an
 * earlier version. Returns SF_OK or why the journal cannot be written. Where that is its limit, marks
 * of ends may be SF_OK all the same.
 */
enum sf_status sf_journal_commit(struct sf_journal *journal, struct sf_journal_mark *marks,
                                 size_t count) SF_MUST_CHECK;

/*
 * The store has this version, which it was given at `written`: clean in L1, if the ticket is still good, and forgotten
 * here. Both at once for whoever loads: see journal_publish.c.
 */
void sf_journal_settle(struct sf_journal *journal, const struct sf_key *key, uint64_t version,
                       const struct sf_l1_ticket *ticket, sf_time written);

/*
 * The store has `answer`, in which another host has a part: L1 takes it in, with the answers of sf_l1_merge, and what
 * is here up to `version` is forgotten. 0: it is not known how much of what is here that record has.
 */
enum sf_status sf_journal_merge(struct sf_journal *journal, const struct sf_key *key, uint64_t version,
                                const struct sf_l1_answer *answer, sf_time asked) SF_MUST_CHECK;

/*
 * The store has this version or a later one, which it was given at `written`. For who writes what L1 does not have, or
 * calls clean for the journal's sake.
 */
void sf_journal_stored(struct sf_journal *journal, const struct sf_key *key, uint64_t version, sf_time written);

/* Something later may have reached the store, past L1 and journal: from now on it is asked as well. */
void sf_journal_doubt(struct sf_journal *journal, const struct sf_key *key);

/* The store refuses this orphan for itself: it stays, but nobody waits for it any more. */
void sf_journal_refused(struct sf_journal *journal, const struct sf_key *key, uint64_t version);

/*
 * Is there something that only the journal will bring to the store? `key` NULL: anything at all, but for
 * what the store refuses.
 */
bool sf_journal_owes(struct sf_journal *journal, const struct sf_key *key);

/*
 * The journalled record of a session that L1 does not have. SF_NOT_FOUND: there is none that the
 * store would not have. is_final: no other process can have put a later one into the store.
 */
enum sf_status sf_journal_load(struct sf_journal *journal, const struct sf_key *key,
                               struct sf_stored *stored_out, bool *is_final_out) SF_MUST_CHECK;

/*
 * What the store and the journal have, the later of the two; as a load of the store, which is asked for
 * all at once, and only where the journal may not have the last word (see is_own): where hosts share it, always.
 */
void sf_journal_load_both(struct sf_journal *journal, struct sf_store *store, struct sf_load *loads,
                          size_t count, sf_time deadline);

struct sf_journal_orphan {
    struct sf_key key;
    uint64_t version;
    struct sf_buffer record; /* owned by the item, reused from call to call; all zero to begin */
};

/*
 * Up to `limit` orphans, oldest first; *count_out < limit: that was all for now. Each is handed out
 * once until sf_journal_orphans_again; before the next call the last ones are stored, refused, or to be had again.
 */
enum sf_status sf_journal_orphans_take(struct sf_journal *journal, struct sf_journal_orphan *items,
                                       size_t limit, size_t *count_out) SF_MUST_CHECK;
void sf_journal_orphans_again(struct sf_journal *journal);

/*
 * Writes anew what is needed of files that are damaged, or old and kept for a few rows; at the end, of young ones
 * too. What nobody can read any more is lost, and told. By the thread that trims.
 */
void sf_journal_tidy(struct sf_journal *journal, bool is_end);

/* Removes files that nobody needs any more; to be called now and then, by who has the time. */
void sf_journal_trim(struct sf_journal *journal);

struct sf_journal_state {
    bool is_up;             /* the last commit went through, or none was tried yet */
    size_t files;
    uint64_t bytes;         /* of all files, about */
    size_t sessions;        /* whose newest journalled version the store does not have */
    size_t orphans;         /* of them: that only the journal will bring there */
    size_t refused;         /* of those: that the store does not take */
    uint64_t commits, rows; /* since the start */
    uint64_t failures;      /* files that were given up */
    uint64_t damaged;       /* rows, found at the start or later, that are not as they were written */
    uint64_t salvaged;      /* rows of damaged files that were read all the same */
    sf_time down_since;     /* steady; while it is down */
    char error[256];        /* while it is down: why */
};
void sf_journal_state(struct sf_journal *journal, struct sf_journal_state *state_out);
