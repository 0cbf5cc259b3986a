/* SPDX-License-Identifier: Apache-2.0 */

/*
 * age.pml - the daemon asks the store about a session, or for one that it has missed, and says what it has heard; meanwhile the
 * session is changed and stored, and another host changes or removes it in the store. Any of them may stop at any step.
 *
 *   - what is clean was in the store at the time that its `since` tells, or later, unless the very same was postponed;
 *   - what was acknowledged is here or stored, unless the other host has removed it there; nothing older is here.
 *
 * mutants: BUG_CONFIRMED_AT_ANSWER BUG_FILLED_AT_ANSWER BUG_REPLACED_AT_ANSWER BUG_SETTLED_AT_ANSWER
 *          BUG_REPLACES_BY_EARLIER BUG_DENIES_DIRTY
 */
#define BLOCKS 2
#define WORDS 1
#define TAKES_FIRST
#define NEVER 255
#define LATER 5 /* versions of the other host: this and the next */
#define NAMED BLOCK(word[0])
#define IS_TRUE(b) \
    (!IS_CLEAN(control[b]) || STATE(control[b]) != LIVE || excused[b] == GEN(control[b]) || \
     front[b] == stored || since[b] <= gone_at[front[b]])
#define INVARIANT \
    assert(IS_EMPTY(word[0]) || IS_TRUE(NAMED)); \
    assert(IS_EMPTY(word[0]) || !IS_READABLE(control[NAMED]) || front[NAMED] >= acknowledged); \
    assert(!IS_EMPTY(word[0]) || stored >= acknowledged || removed >= acknowledged);

byte front[2], since[2], since_gen[2], excused[2];
byte now, stored = 1, removals, acknowledged;
byte gone_at[LATER + 2]; /* when the store had that version for the last time */
byte removed;            /* the version that the other host has removed there */

#include "l1.pml"

/* sf_l1_find, of the one word. */
inline find()
{
    value = word[0];
    seen = (IS_EMPTY(value) -> 0 : control[BLOCK(value)]);
    ok = (!IS_EMPTY(value) && word[0] == value && IS_READABLE(seen))
}

/* sf_l1_block_renew: with its generation, and forward only. */
inline renew(b, gen, time)
{
    d_step {
        if
        :: since_gen[b] == (gen) && since[b] < time -> since[b] = time
        :: else
        fi;
        INVARIANT
    }
}

/* sf_l1_block_fill. */
inline fill_block(b, version, time)
{
    d_step { front[b] = version; since[b] = time; since_gen[b] = GEN(mine) }
}

/* ---- the daemon ---- */

/* sf_l1_ask: the ticket is of a clean one; `asked` and the removals are the vacancy. */
inline ask()
{
    asked = now;
    vacancy = removals;
    find();
    d_step {
        ticket = (ok && IS_CLEAN(seen) && STATE(seen) == LIVE -> seen : 0);
        asked_block = (ticket != 0 -> BLOCK(value) : 0)
    }
}

/* sf_l1_fill, where there is nobody else who fills. */
inline fill()
{
    take(1, CLEAN, block, mine, ok);
    if
    :: ok ->
#ifdef BUG_FILLED_AT_ANSWER
        asked = now;
#endif
        fill_block(block, heard, asked);
        value = word[0];
        ok = IS_EMPTY(value);
        if
        :: ok -> swap(word[0], value, NAMING(block, value), ok)
        :: else
        fi;
        if
        :: !ok -> retire(block, mine)
        :: ok && removals != vacancy -> swap(word[0], NAMING(block, value), EMPTIED(NAMING(block, value)), ok); retire(block, mine)
        :: ok && removals == vacancy -> swap(control[block], mine, LIVE_OF(mine) | CLEAN, ok)
        fi
    :: else
    fi
}

/* replace, of l1_confirm.c. */
inline replace()
{
    take(1, 0, block, mine, ok);
    if
    :: ok ->
#ifdef BUG_REPLACED_AT_ANSWER
        asked = now;
#endif
        fill_block(block, heard, asked);
        swap(word[0], value, NAMING(block, value), ok);
        if
        :: ok ->
            swap(control[block], mine, LIVE_OF(mine), ok);
            retire(BLOCK(value), seen);
            swap(control[block], LIVE_OF(mine), LIVE_OF(mine) | CLEAN, ok)
        :: else -> retire(block, mine)
        fi
    :: else
    fi
}

/* sf_l1_confirm. */
inline confirm()
{
    find();
    if
    :: ok && IS_CLEAN(seen) && STATE(seen) == LIVE ->
        version = front[BLOCK(value)];
        if
        :: control[BLOCK(value)] != seen -> skip /* sf_l1_block_read */
#ifdef BUG_REPLACES_BY_EARLIER
        :: control[BLOCK(value)] == seen && heard != version -> replace()
        :: control[BLOCK(value)] == seen && heard == version ->
#else
        :: control[BLOCK(value)] == seen && heard > version -> replace()
        :: control[BLOCK(value)] == seen && heard <= version ->
#endif
#ifdef BUG_CONFIRMED_AT_ANSWER
            asked = now;
#endif
            renew(BLOCK(value), GEN(seen), asked)
        fi
    :: ok && !(IS_CLEAN(seen) && STATE(seen) == LIVE)
    :: !ok && IS_EMPTY(value) -> fill()
    :: !ok && !IS_EMPTY(value)
    fi
}

/* sf_l1_evict_block, sf_l1_unname: removals first, then the word. */
inline evict_found()
{
    removals++;
    swap(word[0], value, EMPTIED(value), ok);
    if
    :: ok -> retire(BLOCK(value), seen)
    :: else
    fi
}

/* sf_l1_deny: only the very generation that was asked about. */
inline deny()
{
    find();
    if
#ifdef BUG_DENIES_DIRTY
    :: ok && ticket != 0 -> evict_found()
#else
    :: ok && ticket != 0 && BLOCK(value) == asked_block && seen == ticket -> evict_found()
#endif
    :: else
    fi
}

/* sf_l1_postpone: by the ticket, without a look at what is there now. */
inline postpone()
{
    if
    :: ticket != 0 ->
        d_step {
            if
            :: since_gen[asked_block] == GEN(ticket) -> since[asked_block] = now; excused[asked_block] = GEN(ticket)
            :: else
            fi;
            INVARIANT
        }
    :: else
    fi
}

proctype daemon()
{
    short value, seen, mine, ticket;
    byte asked, vacancy, heard, version, block, asked_block;
    bool ok;

    ask();
    if
    :: heard = stored;
        if
        :: heard > 0 -> confirm()
        :: else -> deny()
        fi
    :: postpone()
    fi
}

/* ---- everybody else ---- */

/* sf_l1_apply. */
proctype front_end()
{
    short value, seen, mine;
    byte block, version, time;
    bool ok;

    find();
    if
    :: ok ->
        version = front[BLOCK(value)];
        ok = (control[BLOCK(value)] == seen)
    :: else
    fi;
    if
    :: ok -> take(2, 0, block, mine, ok)
    :: else
    fi;
    if
    :: ok ->
        time = now;
        fill_block(block, version + 1, time);
        swap(word[0], value, NAMING(block, value), ok);
        if
        :: ok ->
            swap(control[block], mine, LIVE_OF(mine), ok);
            retire(BLOCK(value), seen);
            acknowledged = version + 1
        :: else -> retire(block, mine)
        fi
    :: else
    fi
}

/* sf_l1_dirty_take, the store, sf_l1_settle. The store refuses what is older than what it has. */
proctype flusher()
{
    short seen;
    byte block, version, began;
    bool ok;

end:
    acknowledged > 0;
    if
    :: block = 0
    :: block = 1
    fi;
    seen = control[block];
    ok = (STATE(seen) == LIVE && !IS_CLEAN(seen));
    if
    :: ok ->
        version = front[block];
        ok = (control[block] == seen)
    :: else
    fi;
    if
    :: ok ->
        began = now;
        d_step {
            ok = (stored < version);
            if
            :: ok -> gone_at[stored] = now; stored = version
            :: else
            fi
        }
    :: else
    fi;
    if
    :: ok ->
        swap(control[block], seen, seen | CLEAN, ok);
#ifdef BUG_SETTLED_AT_ANSWER
        began = now;
#endif
        if
        :: ok -> renew(block, GEN(seen), began)
        :: else
        fi
    :: else
    fi
}

proctype other_host()
{
    if
    :: d_step { gone_at[stored] = now; stored = LATER }
    :: skip
    fi;
    if
    :: d_step { gone_at[stored] = now; stored = LATER + 1 }
    :: d_step { gone_at[stored] = now; removed = stored; stored = 0 }
    fi
}

proctype clock()
{
    now = 1
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1) | CLEAN;
        front[0] = 1;
        since_gen[0] = 1;
        excused[0] = NEVER;
        excused[1] = NEVER;
        if
        :: word[0] = NAMING(0, 0)
        :: control[0] = FREE_OF(control[0]) /* the daemon has missed it */
        fi;
        run daemon();
        run front_end();
        run flusher();
        run other_host();
        run clock()
    }
}
