/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_case.h - what the test programs of the journal share: one journal between a cache and a store, and short
 * ways to change sessions, to commit them and to look at what is left. Each test begins with set_up.
 */
#include "common/writeback/journal.h"
#include "tests/support/kept_lines.h"
#include "tests/support/test_cache.h"

extern struct sf_test_cache cache;
extern struct sf_temp_folder folder; /* the state folder */
extern struct sf_journal *journal;
extern struct sf_journal_state state; /* after the last commit or note_stored */
extern struct sf_store *store;
extern struct sf_journal_options options; /* for open_journal */
extern struct sf_kept_lines kept;

void set_up(void);
void tear_down(void);

/* With the options as they are now. */
void open_journal(void);
void restart(void);

/* As after kill -9, or a power cut that takes L1 too. */
void lose_cache(void);

/* The session counts one up. */
void change(uint64_t number);

enum sf_status commit(uint64_t number); /* version 1 or a later one */
enum sf_status commit_as(uint64_t number, uint64_t version, bool is_orphan);

/* The version that a load would find in the journal; 0: none. */
uint64_t journalled(uint64_t number);
void note_stored(uint64_t number, uint64_t version);
