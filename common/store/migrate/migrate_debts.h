/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * migrate_debts.h - keys whose row in the second store of a migration may be behind the authority's.
 *
 * In memory, and in a file that outlives the process: a batch notes its keys there before it is
 * written, and takes the note back when both stores have it. So whatever was under way when the
 * process was killed is owed afterwards. Notes are not synced: when the machine itself went down,
 * recover says that nothing is known. Its owner locks it.
 */
#include <stdbool.h>

#include "common/base/clock.h"
#include "common/store/store.h"

#define SF_DEBTS_MAX 65536 /* keys */

/* Spread by all bits of the key, and the same in every process. */
uint64_t sf_key_mix(const struct sf_key *key);

struct sf_debts;

struct sf_debt {
    struct sf_key key;
    sf_time due;          /* steady clock: not looked at before */
    bool is_acknowledged; /* the authority has it for certain: somebody may rely on it */
};

enum sf_status sf_debts_new(struct sf_debts **debts_out, const char *path) SF_MUST_CHECK;
void sf_debts_free(struct sf_debts *debts); /* NULL is fine; the file stays */

/*
 * Takes over what the process before has left: all of it acknowledged, and due at `due`. false: it
 * cannot be known what is owed.
 */
bool sf_debts_recover(struct sf_debts *debts, sf_time due) SF_MUST_CHECK;

/* Nothing is owed, and from now on notes are taken. false: the file cannot be made. */
bool sf_debts_begin(struct sf_debts *debts) SF_MUST_CHECK;

/* Nothing is under way, and nothing more will be: the file is to be believed after a reboot, too. */
void sf_debts_end(struct sf_debts *debts);

/* Nothing is known any more: no debts, no file. */
void sf_debts_forget(struct sf_debts *debts);

/* Of a batch that is about to be written. false: it could not be taken. */
bool sf_debts_note(struct sf_debts *debts, const struct sf_write *writes, size_t count) SF_MUST_CHECK;
void sf_debts_take_back(struct sf_debts *debts); /* the last note, but for what was added meanwhile */

/* What is owed already becomes acknowledged if `debt` is, and is due with it. false: too many, or no memory or disk. */
bool sf_debts_add(struct sf_debts *debts, const struct sf_debt *debt) SF_MUST_CHECK;
void sf_debts_remove(struct sf_debts *debts, const struct sf_key *key);
void sf_debts_postpone(struct sf_debts *debts, const struct sf_key *key, sf_time due);

bool sf_debts_has(const struct sf_debts *debts, const struct sf_key *key);
size_t sf_debts_count(const struct sf_debts *debts);
size_t sf_debts_acknowledged(const struct sf_debts *debts); /* so many of them */

/* Those that are due at `now`, at most `limit`. */
size_t sf_debts_due(const struct sf_debts *debts, sf_time now, struct sf_key *keys_out, size_t limit);
