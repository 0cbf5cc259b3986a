/* SPDX-License-Identifier: Apache-2.0 */

/*
 * publish.pml - one key: writers change it while a reader looks; any of them may stop at any step.
 *
 *   - a reader gets a whole record, and none older than what was acknowledged before it looked;
 *   - no change is lost: what is acknowledged follows from all that was acknowledged before.
 *
 * mutants: BUG_READER_LOOKS_ONCE BUG_WORD_NOT_COMPARED BUG_NO_CHANGE_COUNTER BUG_NAMED_BEFORE_FILLED
 */
#define BLOCKS 3
#define WORDS 1
#define INVARIANT assert(STATE(control[BLOCK(word[0])]) != FREE);

byte front[3], back[3];   /* the record in two halves: of one version, or torn */
byte committed, acknowledged;

#include "l1.pml"

/* follow, sf_l1_block_read, sf_l1_block_is_unchanged: not ok if it changed meanwhile. */
inline look(value, seen, first, second, ok)
{
    value = word[0];
    seen = control[BLOCK(value)]; /* O3 */
#ifdef BUG_WORD_NOT_COMPARED
    ok = true;
#else
    ok = (word[0] == value);
#endif
    if
    :: ok ->
        first = front[BLOCK(value)];
        second = back[BLOCK(value)];
#ifndef BUG_READER_LOOKS_ONCE
        ok = (GEN(control[BLOCK(value)]) == GEN(seen)) /* O2 */
#endif
    :: else
    fi
}

/* sf_l1_block_fill. Readers of the last record may still be here. */
inline fill(block, version)
{
    front[block] = version;
    back[block] = version
}

/* sf_l1_replace, O1: the commit. */
inline commit(value, block, version, ok)
{
    d_step {
        if
        :: word[0] == value ->
            assert(version == committed); /* it replaces what it has changed */
            committed = version + 1;
            word[0] = NAMING(block, value)
        :: else -> ok = false
        fi
    }
}

/* sf_l1_apply: change_existing, replace. */
proctype writer(byte owner; byte changes)
{
    short value, seen, mine;
    byte first, second, block;
    bool ok;

    do
    :: changes > 0 ->
        changes--;
        look(value, seen, first, second, ok);
        if
        :: ok -> assert(first == second); take(owner, 0, block, mine, ok)
        :: else
        fi;
        if
        :: ok ->
#ifndef BUG_NAMED_BEFORE_FILLED
            fill(block, first + 1);
#endif
            commit(value, block, first, ok);
#ifdef BUG_NAMED_BEFORE_FILLED
            fill(block, first + 1);
#endif
            if
            :: ok ->
                swap(control[block], mine, LIVE_OF(mine), ok); /* sf_l1_block_publish */
                retire(BLOCK(value), seen);
                d_step { /* the client has its answer */
                    if
                    :: acknowledged < first + 1 -> acknowledged = first + 1
                    :: else
                    fi
                }
            :: else -> retire(block, mine) /* sf_l1_draft_drop */
            fi
        :: else
        fi
    :: else -> break
    od
}

/* sf_l1_find_at. The next look of the eight is that of another reader. */
proctype reader()
{
    short value, seen;
    byte first, second, floor;
    bool ok;

    floor = acknowledged;
    look(value, seen, first, second, ok);
    if
    :: ok -> assert(first == second); assert(first >= floor)
    :: else
    fi
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1);
        front[0] = 1;
        back[0] = 1;
        committed = 1;
        acknowledged = 1;
        word[0] = NAMING(0, 0);
        run writer(1, 1);
        run writer(2, 2);
        run reader()
    }
}
