/* SPDX-License-Identifier: Apache-2.0 */

/*
 * flush_evict.pml - a session is changed, stored and evicted at the same time. Nothing that was
 * acknowledged is ever missing: it is here, or the store has it; and what is clean is in the store.
 *
 * mutants: BUG_SETTLES_ANY_CONTROL BUG_EVICTS_ANY_GENERATION BUG_EVICTS_DIRTY
 */
#define BLOCKS 3
#define WORDS 1
#define INVARIANT \
    assert(IS_EMPTY(word[0]) || STATE(control[BLOCK(word[0])]) != FREE); \
    assert(stored >= acknowledged || (!IS_EMPTY(word[0]) && front[BLOCK(word[0])] >= acknowledged)); \
    assert(IS_EMPTY(word[0]) || !IS_CLEAN(control[BLOCK(word[0])]) || front[BLOCK(word[0])] <= stored);

byte front[3], acknowledged, stored;

#include "l1.pml"

/* sf_l1_apply. When the session is not here any more it ends: fill.pml goes on. */
proctype writer(byte owner; byte changes)
{
    short value, seen, mine;
    byte block, version;
    bool ok;

    do
    :: changes > 0 ->
        value = word[0];
        if
        :: IS_EMPTY(value) -> break
        :: else
        fi;
        changes--;
        seen = control[BLOCK(value)];
        version = front[BLOCK(value)];
        ok = (word[0] == value);
        if
        :: ok -> take(owner, 0, block, mine, ok)
        :: else
        fi;
        if
        :: ok ->
            front[block] = version + 1;
            swap(word[0], value, NAMING(block, value), ok);
            if
            :: ok ->
                swap(control[block], mine, LIVE_OF(mine), ok);
                retire(BLOCK(value), seen);
                d_step { acknowledged = (acknowledged < version + 1 -> version + 1 : acknowledged); INVARIANT }
            :: else -> retire(block, mine)
            fi
        :: else
        fi
    :: else -> break
    od
}

/* sf_l1_dirty_take, a batch, sf_l1_settle. A batch whose writer was killed is one that is not settled. */
proctype flusher(byte batches)
{
    short seen;
    byte block, version;
    bool ok;

    do
    :: batches > 0 ->
        batches--;
        select(block : 0 .. BLOCKS - 1);
        seen = control[block];
        if
        :: STATE(seen) == LIVE && !IS_CLEAN(seen) ->
            version = front[block];
            ok = (control[block] == seen);
            if
            :: ok ->
                d_step { stored = (stored < version -> version : stored) }; /* by version */
#ifdef BUG_SETTLES_ANY_CONTROL
                d_step { control[block] = control[block] | CLEAN; INVARIANT }
#else
                if
                :: swap(control[block], seen, seen | CLEAN, ok)
                :: skip
                fi
#endif
            :: else
            fi
        :: else
        fi
    :: else -> break
    od
}

/* sf_l1_evict_block, sf_l1_unname. */
proctype evictor()
{
    short value, seen;
    byte block;
    bool ok;

    select(block : 0 .. BLOCKS - 1);
    seen = control[block];
#ifdef BUG_EVICTS_DIRTY
    ok = (STATE(seen) == LIVE);
#else
    ok = (STATE(seen) == LIVE && IS_CLEAN(seen));
#endif
    if
    :: ok ->
        value = word[0]; /* sf_l1_find_naming */
        ok = NAMES(value, block);
        if
        :: ok ->
#ifndef BUG_EVICTS_ANY_GENERATION
            ok = (GEN(control[block]) == GEN(seen))
#endif
        :: else
        fi;
        if
        :: ok -> swap(word[0], value, EMPTIED(value), ok)
        :: else
        fi;
        if
        :: ok -> retire(block, seen)
        :: else
        fi
    :: else
    fi
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1);
        front[0] = 1;
        acknowledged = 1;
        word[0] = NAMING(0, 0);
        run writer(1, 2);
        run flusher(2);
        run evictor()
    }
}
