/* SPDX-License-Identifier: Apache-2.0 */

/*
 * create.pml - two create the same key at once, each in an empty word of his choice (O5).
 *
 *   - at most one of them is told that it was created, and one is left then;
 *   - what was acknowledged stays; he who gave way leaves nothing.
 *
 * mutants: BUG_OTHER_WORDS_NOT_LOOKED_AT BUG_LOOKS_BEFORE_NAMING
 */
#define BLOCKS 2
#define WORDS 2
#define INVARIANT \
    assert(created < 2); \
    assert(!created || NAMES(word[0], winner) || NAMES(word[1], winner));

byte created, winner, over;

#include "l1.pml"

/* sf_l1_find_other. */
#ifdef BUG_OTHER_WORDS_NOT_LOOKED_AT
#define FIND_OTHER(w) skip
#else
#define FIND_OTHER(w) other = !IS_EMPTY(word[1 - (w)])
#endif

/* sf_l1_draft_name, sf_l1_draft_confirm. */
proctype creator(byte owner)
{
    short value, mine;
    byte w, block;
    bool ok, other;

    take(owner, 0, block, mine, ok);
    if
    :: w = 0
    :: w = 1
    fi;
    value = word[w];
#ifdef BUG_LOOKS_BEFORE_NAMING
    FIND_OTHER(w);
#endif
    ok = IS_EMPTY(value);
    if
    :: ok -> swap(word[w], value, NAMING(block, value), ok)
    :: else
    fi;
    if
    :: ok ->
#ifndef BUG_LOOKS_BEFORE_NAMING
        FIND_OTHER(w);
#endif
        if
        :: other -> swap(word[w], NAMING(block, value), EMPTIED(NAMING(block, value)), ok); ok = false
        :: else -> swap(control[block], mine, LIVE_OF(mine), ok); ok = true
        fi
    :: else
    fi;
    if
    :: ok -> d_step { created++; winner = block; INVARIANT }
    :: else -> retire(block, mine)
    fi;
    over++
}

init {
    atomic {
        run creator(1);
        run creator(2)
    };
    over == 2;
    assert(IS_EMPTY(word[0]) || IS_EMPTY(word[1]));
    assert((STATE(control[0]) == LIVE) + (STATE(control[1]) == LIVE) == created);
    assert((STATE(control[0]) == FREE) + (STATE(control[1]) == FREE) == 2 - created)
}
