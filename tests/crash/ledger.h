/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ledger.h - what was acknowledged, in memory that cache, store and daemon know nothing of.
 *
 * A writer enters a version when the call that made it has returned, never before. Whoever is killed
 * between the two leaves a change that may have happened or not. Sessions that everybody changes can
 * only be too old; those of one writer are known exactly, and what he was about to do when he died
 * stands beside them, for the one who takes his place.
 */
#include <stdatomic.h>

#include "common/front/front.h"

#define SF_LEDGER_SHARED 16
#define SF_LEDGER_OWNERS 2
#define SF_LEDGER_OWN 8 /* sessions of each owner */

struct sf_ledger_shared {
    struct sf_key key;
    uint64_t base; /* the version at the beginning of the round */
    _Atomic uint64_t acknowledged, durable;
    _Atomic uint64_t changes; /* acknowledged in this round: each is a version */
};

enum sf_ledger_doubt { SF_DOUBT_NONE, SF_DOUBT_CREATE, SF_DOUBT_CHANGE, SF_DOUBT_ROTATE, SF_DOUBT_END };

struct sf_ledger_state {
    struct sf_key key;
    uint64_t version; /* 0: there is no session */
    uint64_t durable; /* the version that journal or store have for certain */
    struct sf_key ended;
    bool has_ended; /* `ended` must never come back */
};

/* Both states are whole: the word says which of them counts, and what is being done to it. */
struct sf_ledger_own {
    struct sf_ledger_state states[2];
    _Atomic unsigned word;
};

struct sf_ledger {
    struct sf_ledger_shared shared[SF_LEDGER_SHARED];
    struct sf_ledger_own own[SF_LEDGER_OWNERS][SF_LEDGER_OWN];
    _Atomic bool must_stop;
    _Atomic uint64_t acknowledged[SF_DURABILITY_STORE + 1]; /* changes, by durability */
    _Atomic uint64_t reads, unanswered, created, rotated, ended, others;
    _Atomic unsigned findings;
    char finding[200]; /* the first */
};

void sf_ledger_report(struct sf_ledger *ledger, const struct sf_key *key, const char *what,
                      uint64_t seen, uint64_t expected);
void sf_ledger_raise(_Atomic uint64_t *value, uint64_t to);

struct sf_ledger_state sf_ledger_state(const struct sf_ledger_own *own,
                                       enum sf_ledger_doubt *doubt_out);
void sf_ledger_doubt(struct sf_ledger_own *own, enum sf_ledger_doubt doubt);
/* Ends the doubt. */
void sf_ledger_settle(struct sf_ledger_own *own, const struct sf_ledger_state *state);
