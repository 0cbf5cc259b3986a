/* SPDX-License-Identifier: Apache-2.0 */

/*
 * repair.pml - one who changes, or evicts and fills, is killed between any two steps while another changes, and a sweeper makes up
 * for it, who is killed anywhere, too; the next one makes a pass when all is over.
 *
 *   - a block that a word names is never free, and what was acknowledged stays;
 *   - behind that pass no block is lost: each is free, or a word names it;
 *   - what a fill has not confirmed is never read, and what it has confirmed is never withdrawn.
 *
 * mutants: BUG_REFERENCE_BEFORE_DEATH BUG_OWNER_NOT_ASKED BUG_FREE_ANY_GENERATION BUG_FILL_IS_PUBLISHED
 *          BUG_CONTROL_NOT_ASKED_AGAIN
 */
#define BLOCKS 3
#define WORDS 1
#define TAKES_FIRST
#define ACTORS 2
#define INVARIANT \
    assert(IS_EMPTY(word[0]) || STATE(control[BLOCK(word[0])]) != FREE); \
    assert(IS_EMPTY(word[0]) || !IS_READABLE(control[BLOCK(word[0])]) || front[BLOCK(word[0])] >= acknowledged);

byte front[3], acknowledged, stored = 1, over;
bool dead[ACTORS + 1];    /* the kernel has given its lock back */
bool has_left[ACTORS + 1];    /* its slot is not in use */
bool known_dead[ACTORS + 1];  /* found dead when the pass began */

chan kill = [0] of { byte };
#define KILLED(p) atomic { kill ? eval(p); dead[p] = true }

#include "l1.pml"

/* sf_l1_apply. */
inline change(owner)
{
    value = word[0];
    seen = (IS_EMPTY(value) -> 0 : control[BLOCK(value)]);
    ok = (!IS_EMPTY(value) && IS_READABLE(seen) && word[0] == value);
    if
    :: ok ->
        version = front[BLOCK(value)];
        take(owner, 0, block, mine, ok)
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
}

/* sf_l1_fill into an empty word, without its rivals: those are in fill.pml. */
inline fill(owner)
{
    value = word[0];
    if
    :: IS_EMPTY(value) -> take(owner, CLEAN, block, mine, ok)
    :: else -> ok = false
    fi;
    if
    :: ok ->
        front[block] = 0; /* and nobody may read that */
        swap(word[0], value, NAMING(block, value), ok);
        if
        :: !ok -> retire(block, mine)
        :: ok -> /* is_overtaken */
            swap(word[0], NAMING(block, value), EMPTIED(NAMING(block, value)), ok);
            retire(block, mine)
        :: ok -> front[block] = stored; /* proven: nothing has overtaken it */
            swap(control[block], mine, LIVE_OF(mine) | CLEAN, ok)
        fi
    :: else
    fi
}

/* sf_l1_settle, sf_l1_evict_block. */
inline evict()
{
    value = word[0];
    seen = (IS_EMPTY(value) -> 0 : control[BLOCK(value)]);
    ok = (!IS_EMPTY(value) && STATE(seen) == LIVE && word[0] == value);
    if
    :: ok ->
        d_step {
            if
            :: control[BLOCK(value)] == seen -> stored = front[BLOCK(value)]
            :: else -> ok = false
            fi
        }
    :: else
    fi;
    if
    :: ok -> swap(word[0], value, EMPTIED(value), ok)
    :: else
    fi;
    if
    :: ok -> retire(BLOCK(value), seen)
    :: else
    fi
}

proctype actor(byte owner)
{
    short value, seen, mine;
    byte block, version;
    bool ok;

    {
        if
        :: change(owner)
        :: owner == 1 -> evict(); fill(owner)
        fi
    } unless { KILLED(owner) };
    d_step { has_left[owner] = !dead[owner]; over++; value = 0; seen = 0; mine = 0; block = 0; version = 0; ok = false }
}

/* repair_owned: is its owner dead, and only then: does a word name it. */
inline repair_owned(i, seen)
{
#ifdef BUG_REFERENCE_BEFORE_DEATH
    value = word[0];
#endif
#ifdef BUG_OWNER_NOT_ASKED
    ok = true;
#elif defined(BUG_REFERENCE_BEFORE_DEATH)
    ok = dead[OWNER(seen)];
#else
    ok = has_left[OWNER(seen)]; /* is_owner_dead */
    if
#ifndef BUG_CONTROL_NOT_ASKED_AGAIN
    :: ok -> ok = (control[i] == seen)
#else
    :: ok
#endif
    :: else -> ok = known_dead[OWNER(seen)]
    fi;
#endif
    if
    :: ok ->
#ifndef BUG_REFERENCE_BEFORE_DEATH
        value = word[0];
#endif
        if
        :: !NAMES(value, i) -> free_block(i, seen)
#ifndef BUG_FILL_IS_PUBLISHED
        :: NAMES(value, i) && IS_UNCONFIRMED(seen) -> /* undo_fill */
            d_step {
                if
                :: word[0] == value -> assert(STATE(control[i]) == OWNED); word[0] = EMPTIED(value); ok = true
                :: else -> ok = false
                fi
            };
            if
            :: ok -> free_block(i, seen)
            :: else
            fi
        :: NAMES(value, i) && !IS_UNCONFIRMED(seen) -> /* finish_publication */
#else
        :: NAMES(value, i) ->
#endif
            swap(control[i], seen, LIVE_OF(seen), ok)
        fi
    :: else
    fi
}

inline free_block(i, seen)
{
#ifdef BUG_FREE_ANY_GENERATION
    d_step { control[i] = FREE_OF(control[i]); INVARIANT }
#else
    swap(control[i], seen, FREE_OF(seen), ok)
#endif
}

/* sf_l1_repair: one pass over the blocks. */
inline pass()
{
    d_step { known_dead[1] = dead[1]; known_dead[2] = dead[2]; i = 0 }; /* look_for_dead */
    do
    :: i < BLOCKS ->
        seen = control[i];
        if
        :: STATE(seen) == OWNED -> repair_owned(i, seen)
        :: STATE(seen) == LIVE -> /* repair_live */
            value = word[0];
            if
            :: !NAMES(value, i) -> free_block(i, seen)
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od
}

proctype sweeper()
{
    short value, seen;
    byte i;
    bool ok;

    { pass() } unless { KILLED(0) };
    i = 0;
    d_step { value = 0; seen = 0; ok = false };
    over == ACTORS;
    pass();
    i = 0;
    d_step {
        do
        :: i < BLOCKS -> assert(STATE(control[i]) == FREE || NAMES(word[0], i)); i++
        :: else -> break
        od;
        assert(IS_EMPTY(word[0]) || STATE(control[BLOCK(word[0])]) == LIVE)
    }
}

proctype killer()
{
end:
    do
    :: kill ! 0
    :: kill ! 1
    od
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1);
        front[0] = 1;
        acknowledged = 1;
        word[0] = NAMING(0, 0);
        run actor(1);
        run actor(2);
        run sweeper();
        run killer()
    }
}
