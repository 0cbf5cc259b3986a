/* SPDX-License-Identifier: Apache-2.0 */

/*
 * l1.pml - the words of common/cache/l1_layout.h and the steps that the models share.
 *
 * One statement is at most one access to shared memory, together with what a process does to its own
 * variables; d_step and atomic stand for one CAS. A process is killed between any two statements by
 * `unless { dead[p] }` around all it does. One that is stopped, or killed where nobody acts upon it, is
 * one that is never chosen again: what holds in every state holds then, too, and needs no killer.
 *
 * A model defines BLOCKS, WORDS and INVARIANT, which is checked behind every CAS, and includes this.
 */

#define FREE  0
#define OWNED 1
#define LIVE  2
#define CLEAN 4

/* control:  gen | owner : 3 | clean : 1 | state : 2 */
#define CONTROL(state, owner, gen) ((state) | (owner) << 3 | (gen) << 6)
#define STATE(c)     ((c) & 3)
#define IS_CLEAN(c)  (((c) & CLEAN) != 0)
#define OWNER(c)     (((c) >> 3) & 7)
#define GEN(c)       ((c) >> 6)
#define LIVE_OF(c)   CONTROL(LIVE, 0, GEN(c))
#define FREE_OF(c)   CONTROL(FREE, 0, GEN(c))
#define IS_UNCONFIRMED(c) (STATE(c) == OWNED && IS_CLEAN(c))
#define IS_READABLE(c) (STATE(c) == LIVE || (STATE(c) == OWNED && !IS_CLEAN(c)))

/* word:  block + 1 | ctr */
#ifdef BUG_NO_CHANGE_COUNTER
#define COUNTED(w)  0
#else
#define COUNTED(w)  (((w) + 1) & 255)
#endif
#define NAMING(b, before) ((((b) + 1) << 8) | COUNTED(before))
#define EMPTIED(before)   COUNTED(before)
#define IS_EMPTY(w)  ((w) >> 8 == 0)
#define BLOCK(w)     (((w) >> 8) - 1)
#define NAMES(w, b)  ((w) >> 8 == (b) + 1)

short word[WORDS];
short control[BLOCKS];

/* sf_l1_swap: the one way in which words and controls change. */
inline swap(place, before, after, done)
{
    d_step {
        if
        :: place == (before) -> place = after; done = true
        :: else -> done = false
        fi;
        INVARIANT
    }
}

/* Any block is as good as any other; a model that would grow too large takes the first that is free. */
#ifdef TAKES_FIRST
#define MAY_TAKE(b) \
    (STATE(control[b]) == FREE && (b < 1 || STATE(control[0]) != FREE) && (b < 2 || STATE(control[1]) != FREE))
#else
#define MAY_TAKE(b) (STATE(control[b]) == FREE)
#endif

#define TAKE(b) \
    :: d_step { \
        MAY_TAKE(b) -> \
        block = b; \
        mine = CONTROL(OWNED, owner, GEN(control[b]) + 1) | (kind); \
        control[b] = mine; \
        ok = true; \
        INVARIANT \
    }

/* sf_l1_block_take: any free block, its control in `mine`. The kind of a fill is CLEAN. */
inline take(owner, kind, block, mine, ok)
{
    if
    TAKE(0)
    TAKE(1)
#if BLOCKS > 2
    TAKE(2)
#endif
#if BLOCKS > 3
    TAKE(3)
#endif
#if BLOCKS > 4
    TAKE(4)
#endif
    :: else -> ok = false
    fi
}

/* sf_l1_block_retire: whatever its state is, but only that generation. */
inline retire(block, seen)
{
    d_step {
        if
#ifdef BUG_FREE_ANY_GENERATION
        :: true ->
#else
        :: GEN(control[block]) == GEN(seen) && STATE(control[block]) != FREE ->
#endif
            control[block] = FREE_OF(control[block])
        :: else
        fi;
        INVARIANT
    }
}
