/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fill.pml - a key that may stand in two words is filled from the store, by two at once, while it is
 * changed, stored and evicted, and filled again.
 *
 *   - whatever a reader may find is as new as what was acknowledged: a stale copy never stands in;
 *   - what was acknowledged is here, or the store has it; no two words name it for readers.
 *
 * mutants: BUG_REMOVALS_NOT_COMPARED BUG_OTHER_WORDS_NOT_LOOKED_AT BUG_REMOVAL_COUNTED_LATE
 */
#define BLOCKS 3
#define WORDS 2
#define SEEN_BY_READERS(w) (!IS_EMPTY(word[w]) && IS_READABLE(control[BLOCK(word[w])]))
#define STANDS(w) (SEEN_BY_READERS(w) && front[BLOCK(word[w])] >= acknowledged)
#define INVARIANT \
    assert(!SEEN_BY_READERS(0) || STANDS(0)); \
    assert(!SEEN_BY_READERS(1) || STANDS(1)); \
    assert(!(SEEN_BY_READERS(0) && SEEN_BY_READERS(1))); \
    assert(stored >= acknowledged || STANDS(0) || STANDS(1));

byte front[3], acknowledged, stored, removals;

#define MAY_GO(seen, block) IS_CLEAN(seen)
#define FROM_STORE skip
#define SET_KIND skip
#define STORE_KIND skip

#include "l1.pml"
#include "keep.pml"

/* The miss (sf_l1_get, sf_l1_vacancy), the store, sf_l1_fill. */
proctype filler(byte owner)
{
    FILL_LOCALS;

    fill(owner)
}

/* sf_l1_apply. */
inline change(owner)
{
    find(w, value, seen, ok);
    if
    :: ok -> version = front[BLOCK(value)]; take(owner, 0, block, mine, ok)
    :: else
    fi;
    if
    :: ok ->
        front[block] = version + 1;
        swap(word[w], value, NAMING(block, value), ok);
        if
        :: ok ->
            swap(control[block], mine, LIVE_OF(mine), ok);
            retire(BLOCK(value), seen);
            d_step { acknowledged = version + 1; INVARIANT }
        :: else -> retire(block, mine)
        fi
    :: else
    fi
}

/* Somebody who changes it, a flusher, and an evictor, one behind the other. */
proctype others()
{
    KEEP_LOCALS;

    change(3);
    store_dirty();
    evict()
}

init {
    atomic {
        acknowledged = 1;
        stored = 1;
        run filler(1);
        run filler(2);
        run others()
    }
}
