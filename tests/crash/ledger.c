/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/crash/ledger.h"

#include <stdio.h>

void
sf_ledger_report(struct sf_ledger *ledger, const struct sf_key *key, const char *what, uint64_t seen,
                 uint64_t expected)
{
    char label[SF_KEY_LABEL + 1];

    sf_key_label(key, label);
    if (atomic_fetch_add(&ledger->findings, 1) == 0)
        snprintf(ledger->finding, sizeof(ledger->finding), "session %s: %s: %llu, expected %llu",
                 label, what, (unsigned long long)seen, (unsigned long long)expected);
}

void
sf_ledger_raise(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t before = atomic_load(value);

    while (before < to && !atomic_compare_exchange_weak(value, &before, to))
        ;
}

struct sf_ledger_state
sf_ledger_state(const struct sf_ledger_own *own, enum sf_ledger_doubt *doubt_out)
{
    unsigned word = atomic_load(&own->word);

    *doubt_out = (enum sf_ledger_doubt)(word >> 1);
    return own->states[word & 1];
}

void
sf_ledger_doubt(struct sf_ledger_own *own, enum sf_ledger_doubt doubt)
{
    atomic_store(&own->word, (unsigned)doubt << 1 | (atomic_load(&own->word) & 1));
}

void
sf_ledger_settle(struct sf_ledger_own *own, const struct sf_ledger_state *state)
{
    unsigned other = (atomic_load(&own->word) & 1) ^ 1;

    own->states[other] = *state;
    atomic_store(&own->word, (unsigned)SF_DOUBT_NONE << 1 | other);
}
