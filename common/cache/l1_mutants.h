/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_mutants.h - what goes wrong without one of the rules of this folder. Built with -DMUTANT=n,
 * the code breaks the n-th, and a test must fail: tests/crash/check_mutants.sh. Otherwise SF_MUTANT
 * is the constant false, and nothing of it is compiled.
 */
#include <stdbool.h>

#ifdef MUTANT
#define SF_MUTANT(name) (MUTANT == SF_MUTANT_##name)
#else
#define SF_MUTANT(name) false
#endif

enum sf_l1_mutant {
    SF_MUTANT_NAMED_EMPTY = 1,        /* a fill is published before its payload is written */
    SF_MUTANT_ONE_LOOK = 2,           /* no second look at the generation behind a copy */
    SF_MUTANT_NO_COUNT = 3,           /* a change of an index word does not count it up */
    SF_MUTANT_EVICTS_DIRTY = 4,       /* eviction is not tied to the generation that was clean */
    SF_MUTANT_ROBS_LIVING = 5,        /* the sweeper frees blocks of living owners */
    SF_MUTANT_RETIRES_NEXT = 6,       /* a late retire frees the block's next generation */
    SF_MUTANT_SETTLES_NEXT = 7,       /* a late settle makes the next generation clean */
    SF_MUTANT_FILLS_OLD = 8,          /* a fill does not compare the count of removals */
    SF_MUTANT_FILLS_TWICE = 9,        /* a fill does not look at the other words */
    SF_MUTANT_CREATES_TWICE = 10,     /* a creation does not look at the other words */
    SF_MUTANT_SILENT_DEATH = 11,      /* a burial does not count in `deaths` */
    SF_MUTANT_OLD_KEY_FIRST = 12,     /* a rotation replaces the old key before it names the new */
    SF_MUTANT_NO_GRACE = 13,          /* a slab changes its class while others hold places in it */
    SF_MUTANT_OLD_BASE = 14,          /* a slab begins again with generations that it has used */
    SF_MUTANT_HIT_LOOKS_ONCE = 15,    /* a hit does not look again behind its copy of the record */
    SF_MUTANT_FIELD_LOOKS_ONCE = 16,  /* a field is copied without another look behind it */
    SF_MUTANT_WAITS_BUSY = 17,        /* whoever finds a record that is not confirmed spins until it is */
    SF_MUTANT_WAITS_ASLEEP = 18,      /* the same, sleeping */
};
