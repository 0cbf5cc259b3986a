/* SPDX-License-Identifier: Apache-2.0 */

/*
 * move.pml - a slab gets another class while somebody flushes, changes and reads, who holds places in it; each is killed or
 * stopped between any two steps, the one who moves it as well: the next one takes over, and may begin again.
 *
 * The slab has the blocks 0 and 1 of class A, or block 0 of class B, whose payload lies over all that was behind the first
 * control: the control of block 1 is then what a user has chosen. Block 2 is in another slab, of class A for good.
 *
 *   - what a word names has a place and is not free; what was acknowledged is there or stored; what is clean is stored;
 *   - a reader gets a whole record, and none older than what was acknowledged before it looked;
 *   - nobody changes a byte of a record of the new class but its owner.
 *
 * mutants: BUG_NO_GRACE_BEFORE_EMPTYING BUG_NO_GRACE_BEFORE_OPENING BUG_ONE_COUNT_AWAITED BUG_PLACE_BEFORE_SECTION
 *          BUG_TAKES_WHILE_DRAINING BUG_BASE_USED_AGAIN BUG_READER_LOOKS_AT_CONTROL_ONLY BUG_OPEN_BEFORE_SET_UP
 *          BUG_COPY_REPLACES_ANY BUG_COPY_IS_CLEAN BUG_TAKE_OVER_GOES_ON
 */
#define BLOCKS 3
#define WORDS 2
#define BYTES CONTROL(LIVE, 0, 1) /* what the user of class B writes: the worst that it can be */

/* table:  base << 4 | state << 2 | class + 1; CLOSED and OPENING have no class of their own. */
#define A 1
#define B 2
#define DRAINING 4
#define CLOSED   8
#define OPENING  12
#define STATES   12
#define OPEN(base, class) ((base) << 4 | (class))
#define BASE(t)  ((t) >> 4)
#define CLASS(t) ((t) & 3)
/* sf_l1_block_place. */
#define IS_PLACE(b, t) ((b) == 2 || ((b) == 0 && CLASS(t) != 0) || ((b) == 1 && CLASS(t) == A))
#define IS_SAME_SLAB(t, now) (((t) & ~STATES) == ((now) & ~STATES))

#define IS_OF_A(b) ((b) == 2 || CLASS(table) == A)
#define IS_OLD (IS_EMPTY(word[0]) || front[BLOCK(word[0])] < acknowledged)
#define INVARIANT \
    assert(IS_EMPTY(word[0]) || (STATE(control[BLOCK(word[0])]) != FREE && IS_OF_A(BLOCK(word[0])))); \
    assert(stored >= acknowledged || !IS_OLD); \
    assert(IS_EMPTY(word[0]) || !IS_CLEAN(control[BLOCK(word[0])]) || front[BLOCK(word[0])] <= stored); \
    assert(!is_inhabited || (control[0] == CONTROL(LIVE, 0, GEN(control[0])) && control[1] == BYTES));

byte front[3], back[3], acknowledged, stored;
short table = OPEN(0, A);
byte busy[2], sections;   /* of the actor; which of the two a section uses */
bool dead[3];             /* the kernel has given its lock back: the actor's, and of the two who move */
bool is_inhabited;
chan kill = [0] of { byte };

/* What a process has left behind makes no other state. */
#define FORGET d_step { value = 0; seen = 0; free = 0; mine = 0; slab = 0; first = 0; second = 0; block = 0; ok = false }
#define KILLED atomic { kill ? eval(me); dead[me] = true }

#include "l1.pml"

/* ---- whoever is at work ---- */

/* sf_l1_enter, sf_l1_leave. */
inline enter()
{
    count = sections;
    busy[count]++ /* O10: then the slab table */
}

inline leave()
{
    busy[count]--
}

/* follow, sf_l1_block_read: not ok if it changed meanwhile, or there is nothing. */
inline look()
{
    value = word[0];
    ok = !IS_EMPTY(value);
    if
    :: ok -> slab = table; ok = IS_PLACE(BLOCK(value), slab)
    :: else
    fi;
    if
    :: ok -> seen = control[BLOCK(value)] /* O3 */
    :: !ok && !IS_EMPTY(value) -> assert(word[0] != value) /* else damage */
    :: else
    fi;
    if
    :: ok -> d_step { ok = (word[0] == value); assert(!ok || STATE(seen) != FREE) }
    :: else
    fi;
    if
    :: ok -> read(BLOCK(value))
    :: else
    fi
}

/* sf_l1_block_read, sf_l1_block_is_unchanged. */
inline read(b)
{
    first = front[b];
    second = back[b];
#ifndef BUG_READER_LOOKS_AT_CONTROL_ONLY
    ok = (b == 2 || IS_SAME_SLAB(slab, table));
    if
    :: ok -> ok = (GEN(control[b]) == GEN(seen)) /* O2 */
    :: else
    fi;
#else
    ok = (GEN(control[b]) == GEN(seen));
#endif
    assert(!ok || first == second)
}

/* take_if_free, sf_l1_block_take, in class A. */
inline take_in(b, owner)
{
    slab = table;
#ifdef BUG_TAKES_WHILE_DRAINING
    ok = (b == 2 || CLASS(slab) == A);
#else
    ok = (b == 2 || (slab & (3 | STATES)) == A);
#endif
    if
    :: ok -> free = control[b]; ok = (STATE(free) == FREE)
    :: else
    fi;
    if
    :: ok ->
        block = b;
        mine = CONTROL(OWNED, owner, GEN(free) + 1);
        swap(control[b], free, mine, ok)
    :: else
    fi
}

/* sf_l1_block_retire: looks for the place again. */
inline retire_placed(b, gen_of)
{
    slab = table;
    if
    :: IS_PLACE(b, slab) -> retire(b, gen_of)
    :: else
    fi
}

inline publish(b, version)
{
    swap(control[b], mine, LIVE_OF(mine), ok);
    retire_placed(BLOCK(value), seen);
    d_step { acknowledged = (acknowledged < version -> version : acknowledged); INVARIANT }
}

/* sf_l1_apply. */
inline change()
{
    enter();
    look();
    if
    :: ok ->
        if
        :: take_in(0, me)
        :: take_in(1, me)
        :: take_in(2, me)
        fi
    :: else
    fi;
    if
    :: ok ->
        front[block] = first + 1;
        back[block] = first + 1;
        swap(word[0], value, NAMING(block, value), ok);
        if
        :: ok -> publish(block, first + 1)
        :: else -> retire_placed(block, mine)
        fi
    :: else
    fi;
    leave()
}

/* sf_l1_dirty_take, the store, sf_l1_settle: what it has in between is a ticket, not a place. */
inline flush()
{
    if
    :: block = 0
    :: block = 1
    :: block = 2
    fi;
    slab = table;
    ok = (IS_PLACE(block, slab) && CLASS(slab) != B);
    if
    :: ok -> seen = control[block]; ok = (STATE(seen) == LIVE && !IS_CLEAN(seen))
    :: else
    fi;
    if
    :: ok -> read(block)
    :: else
    fi;
    if
    :: ok ->
        stored = (stored < first -> first : stored);
#ifdef BUG_PLACE_BEFORE_SECTION
        slab = table;
        enter();
#else
        enter();
        slab = table;
#endif
        if
        :: IS_PLACE(block, slab) -> swap(control[block], seen, seen | CLEAN, ok)
        :: else
        fi;
        leave()
    :: else
    fi
}

/* sf_l1_get: no section. */
inline get()
{
    floor = acknowledged;
    look();
    assert(!ok || first >= floor)
}

proctype actor(byte me)
{
    short value, seen, free, mine, slab;
    byte first, second, floor, block, count;
    bool ok;

    {
        if
        :: flush(); FORGET
        :: skip
        fi;
        if
        :: change()
        :: get()
        fi
    } unless { KILLED };
    d_step { floor = 0; count = 0 };
    FORGET
}

/* A record of the new class, whose back half lies where controls were. */
proctype newcomer()
{
end:
    CLASS(table) == B;
    d_step {
        assert(control[0] == CONTROL(FREE, 0, BASE(table)));
        control[0] = CONTROL(OWNED, 0, BASE(table) + 1);
        INVARIANT
    };
    d_step { back[0] = 99; control[1] = BYTES; back[1] = 99 };
    d_step { control[0] = LIVE_OF(control[0]); is_inhabited = true; word[1] = NAMING(0, 0) }
}

/* ---- the leading sweeper ---- */

#define BOTH_COUNTS 3

/* sf_l1_grace_is_over, still_awaited: the two counts are one word. */
inline grace_is_over()
{
    d_step {
        if
        :: busy[0] == 0 -> awaited = awaited & 2
        :: else
        fi;
        if
#ifdef BUG_ONE_COUNT_AWAITED
        :: true -> awaited = awaited & 1
#else
        :: busy[1] == 0 -> awaited = awaited & 1
        :: else
#endif
        fi;
        ok = (awaited == 0 || dead[0]);
        if
        :: ok -> awaited = 0
        :: else -> sections = 1 - sections
        fi
    }
}

/* Waits, or gives up: `ok` says which. */
inline wait()
{
    do
    :: grace_is_over();
        if
        :: ok -> break
        :: else
        fi
    :: ok = false; break
    od
}

/* name_instead: a word names that very generation. */
inline name_instead(b)
{
    value = word[0];
#ifdef BUG_COPY_REPLACES_ANY
    ok = !IS_EMPTY(value);
#else
    ok = NAMES(value, b);
    if
    :: ok -> ok = (GEN(control[b]) == GEN(seen))
    :: else
    fi;
#endif
    if
    :: ok -> swap(word[0], value, NAMING(2, value), ok)
    :: else
    fi
}

#ifdef BUG_COPY_IS_CLEAN
#define AS_CLEAN(c) CLEAN
#else
#define AS_CLEAN(c) ((c) & CLEAN)
#endif

/* copy_record: into the other slab. */
inline copy_record(b)
{
    slab = table;
    read(b);
    if
    :: ok -> take_in(2, me)
    :: else
    fi;
    if
    :: ok ->
        front[2] = first;
        back[2] = first;
        name_instead(b);
        if
        :: ok ->
            swap(control[2], mine, LIVE_OF(mine) | AS_CLEAN(seen), ok);
            retire(b, seen)
        :: else -> retire(2, mine)
        fi
    :: else
    fi
}

/* sf_l1_evict_block, sf_l1_unname. */
inline evict(b)
{
    value = word[0];
    ok = (IS_CLEAN(seen) && NAMES(value, b));
    if
    :: ok -> ok = (GEN(control[b]) == GEN(seen))
    :: else
    fi;
    if
    :: ok -> swap(word[0], value, EMPTIED(value), ok)
    :: else
    fi;
    if
    :: ok -> retire(b, seen)
    :: else
    fi
}

/* sf_l1_repair comes by as well: repair_live; repair_owned when the owner is dead. */
inline repair(b)
{
    seen = control[b];
    ok = (STATE(seen) == LIVE || (STATE(seen) == OWNED && dead[OWNER(seen)]));
    if
    :: ok -> value = word[0]
    :: else
    fi;
    if
    :: ok && !NAMES(value, b) -> swap(control[b], seen, FREE_OF(seen), ok)
    :: ok && NAMES(value, b) && STATE(seen) == OWNED -> swap(control[b], seen, LIVE_OF(seen), ok)
    :: else
    fi
}

/* empty_block; ok: it is FREE. */
inline empty_block(b)
{
    seen = control[b];
    ok = (STATE(seen) == FREE);
    if
    :: STATE(seen) == LIVE ->
        copy_record(b);
        if
        :: ok
        :: else -> evict(b)
        fi
    :: else
    fi
}

/* empty_slab: once, and again behind a pass of the repair. Then it is given up. */
inline empty_slab()
{
    passes = 0;
    do
    :: passes < 2 ->
        empty_block(0);
        if
        :: ok -> empty_block(1)
        :: else
        fi;
        if
        :: ok -> break
        :: else -> passes++
        fi;
        if
        :: passes == 1 -> repair(0); repair(1); repair(2)
        :: passes == 1
        :: else
        fi
    :: passes == 2 -> ok = false; break
    od
}

#define MAX(x, y) ((x) > (y) -> (x) : (y))

/* next_base: above all that were used. */
inline next_base()
{
    base = BASE(table);
#ifndef BUG_BASE_USED_AGAIN
    base = MAX(base, GEN(control[0]));
    base = MAX(base, GEN(control[1])) + 1
#endif
}

/* open_slab, in the class that it is to have. */
inline open_slab()
{
    base = BASE(table);
#ifdef BUG_OPEN_BEFORE_SET_UP
    swap(table, OPENING | base << 4, OPEN(base, B), ok);
    control[0] = CONTROL(FREE, 0, base)
#else
    d_step { control[0] = CONTROL(FREE, 0, base); INVARIANT };
    swap(table, OPENING | base << 4, OPEN(base, B), ok) /* O11 */
#endif
}

/* give_up: nothing in it has changed but what left it. */
inline give_up()
{
    d_step { table = OPEN(BASE(table), A); INVARIANT }
}

/* adopt: what the one before left. */
inline adopt()
{
    if
    :: (table & STATES) == DRAINING -> give_up()
#ifdef BUG_TAKE_OVER_GOES_ON
    :: (table & STATES) == CLOSED -> next_base(); table = OPENING | base << 4; open_slab()
#else
    :: (table & STATES) == CLOSED -> give_up()
#endif
    :: (table & STATES) == OPENING -> open_slab()
    :: else
    fi
}

/* close_slab, wait, give_slab. */
inline close_and_give()
{
    swap(table, table, CLOSED | BASE(table) << 4, ok); /* M4 */
    awaited = BOTH_COUNTS; /* sf_l1_grace_begin */
#ifdef BUG_NO_GRACE_BEFORE_OPENING
    ok = true;
#else
    wait(); /* M5 */
#endif
    if
    :: ok -> next_base(); table = OPENING | base << 4; open_slab() /* M6, M7 */
    :: else -> give_up()
    fi
}

/* start, wait, empty_slab. */
inline move()
{
    swap(table, table, table | DRAINING, ok); /* M1 */
    awaited = BOTH_COUNTS; /* sf_l1_grace_begin */
#ifdef BUG_NO_GRACE_BEFORE_EMPTYING
    ok = true;
#else
    wait(); /* M2 */
#endif
    if
    :: ok -> empty_slab() /* M3 */
    :: else
    fi;
    if
    :: ok -> close_and_give()
    :: else -> give_up()
    fi
}

proctype sweeper(byte me)
{
    short value, seen, free, mine, slab, base;
    byte first, second, block, passes, awaited;
    bool ok;

end:
    me == 1 || dead[1]; /* one leads */
    {
        adopt();
        if
        :: CLASS(table) == A -> move()
        :: else
        fi
    } unless { KILLED };
    d_step { base = 0; passes = 0; awaited = 0 };
    FORGET
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
    byte first;

    atomic {
        if
        :: first = 0
        :: first = 1
        fi;
        if
        :: sections = 0
        :: sections = 1
        fi;
        control[first] = CONTROL(LIVE, 0, 1);
        front[first] = 1;
        back[first] = 1;
        acknowledged = 1;
        word[0] = NAMING(first, 0);
        run actor(0);
        run newcomer();
        run sweeper(1);
        run sweeper(2);
        run killer()
    }
}
