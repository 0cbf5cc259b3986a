/* SPDX-License-Identifier: Apache-2.0 */

/*
 * end.pml - a session is ended while a slow request, which read it before, saves what it has. The tombstone
 * is stored, evicted, and filled again.
 *
 *   - once END was acknowledged no session can be read under the key, neither here nor from the store;
 *   - and no save is acknowledged any more.
 *
 * mutants: BUG_EVICTS_DIRTY_TOMBSTONE BUG_NO_CHANGE_COUNTER BUG_SAVES_OVER_TOMBSTONE
 */
#define BLOCKS 3
#define WORDS 2
#define SHOWS_SESSION(w) \
    (!IS_EMPTY(word[w]) && IS_READABLE(control[BLOCK(word[w])]) && !is_tombstone[BLOCK(word[w])])
#define INVARIANT \
    assert(!ended || !SHOWS_SESSION(0)); \
    assert(!ended || !SHOWS_SESSION(1)); \
    assert(!ended || stored_tombstone || !IS_EMPTY(word[0]) || !IS_EMPTY(word[1]));

byte front[3], stored, removals;
bool is_tombstone[3], stored_tombstone, ended;

#ifdef BUG_EVICTS_DIRTY_TOMBSTONE
#define MAY_GO(seen, block) (IS_CLEAN(seen) || is_tombstone[block])
#else
#define MAY_GO(seen, block) IS_CLEAN(seen)
#endif
#define FROM_STORE kind = stored_tombstone
#define SET_KIND is_tombstone[block] = kind
#define STORE_KIND stored_tombstone = is_tombstone[BLOCK(value)]

#include "l1.pml"
#include "keep.pml"

/* sf_l1_apply: load_session refuses what is over, replace commits over what was read and nothing else. */
inline apply(owner, end)
{
    find(w, value, seen, ok);
    if
    :: ok ->
        version = front[BLOCK(value)];
#ifndef BUG_SAVES_OVER_TOMBSTONE
        ok = !is_tombstone[BLOCK(value)];
#endif
        if
        :: ok -> ok = (control[BLOCK(value)] == seen)
        :: else
        fi
    :: else
    fi;
    if
    :: ok -> take(owner, 0, block, mine, ok)
    :: else
    fi;
    if
    :: ok ->
        d_step { front[block] = version + 1; is_tombstone[block] = end };
        swap(word[w], value, NAMING(block, value), ok);
        if
        :: ok ->
            swap(control[block], mine, LIVE_OF(mine), ok);
            retire(BLOCK(value), seen);
            ok = true
        :: else -> retire(block, mine)
        fi
    :: else
    fi
}

proctype ender()
{
    KEEP_LOCALS;

    apply(1, true);
    if
    :: ok -> d_step { ended = true; INVARIANT }
    :: else
    fi
}

/* Loses the race perhaps, and tries again. */
proctype saver()
{
    KEEP_LOCALS;
    bool was_over;

    was_over = ended;
    apply(2, false);
    assert(!(ok && was_over));
    if
    :: !ok -> was_over = ended; apply(2, false); assert(!(ok && was_over))
    :: else
    fi
}

/* Flusher, evictor, and a request that comes with the old id. */
proctype others()
{
    KEEP_LOCALS;
    byte vacancy;
    bool kind;

    store_dirty();
    evict();
    fill(3)
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1) | CLEAN;
        front[0] = 1;
        stored = 1;
        word[0] = NAMING(0, 0);
        run ender();
        run saver();
        run others()
    }
}
