/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hints.pml - changes are announced by hints; a writer is killed before, within or behind that; the sweeper
 * buries him; the batch writer follows the hints or scans.
 *
 *   - "all is stored" up to a count of changes is said only when all is that was acknowledged before;
 *   - when nothing is left to look for, nothing dirty is left.
 *
 * mutants: BUG_BURIAL_NOT_COUNTED BUG_COUNTED_BEFORE_DIRTY BUG_GAP_SKIPPED
 */
#define WRITERS 2
#define RING 1

/* Each writer has a block of his own: 1 owned and named, 2 live and dirty, 3 clean. */
byte state[WRITERS], hint_head, deaths, over;
byte ring_place[RING], ring_block[RING];
bool dead[WRITERS], acknowledged[WRITERS], is_done;

/* sf_l1_draft_confirm: sf_l1_block_publish, sf_l1_hint_leave. */
proctype writer(byte me)
{
    byte at;

    {
        state[me] = 1;
#ifdef BUG_COUNTED_BEFORE_DIRTY
        d_step { hint_head++; at = hint_head };
        d_step { ring_place[(at - 1) % RING] = at; ring_block[(at - 1) % RING] = me };
        state[me] = 2;
#else
        state[me] = 2;
        d_step { hint_head++; at = hint_head }; /* O9 */
        d_step { ring_place[(at - 1) % RING] = at; ring_block[(at - 1) % RING] = me }; /* O6 */
#endif
        acknowledged[me] = true
    } unless { dead[me] };
    over++
}

/* finish_publication (its hint may come too late as well), bury_dead. */
proctype sweeper()
{
    byte i;

    over == WRITERS;
    do
    :: i < WRITERS ->
        if
        :: dead[i] && state[i] == 1 -> state[i] = 2
        :: else
        fi;
        i++
    :: else -> break
    od;
#ifndef BUG_BURIAL_NOT_COUNTED
    if
    :: dead[0] || dead[1] -> deaths++ /* O9 */
    :: else
    fi;
#endif
    is_done = true
}

#define STORE(b) \
    if \
    :: state[b] == 2 -> state[b] = 3 \
    :: else \
    fi

inline begin_scan()
{
    hint = hint_head;
    known_deaths = deaths;
    b = 0;
    do
    :: b < WRITERS -> STORE(b); b++
    :: else -> break
    od
}

/* follow_hints, one step of it. */
inline follow()
{
    if
    :: hint == hint_head
    :: else ->
        if
        :: hint_head - hint > RING -> begin_scan()
        :: else ->
            d_step { place = ring_place[hint % RING]; b = ring_block[hint % RING] };
            if
            :: place == hint + 1 -> STORE(b); hint++
#ifdef BUG_GAP_SKIPPED
            :: place != hint + 1 -> hint++
#else
            :: place != hint + 1 -> begin_scan() /* when it has waited for long enough */
            :: place != hint + 1 -> skip
#endif
            fi
        fi
    fi
}

/*
 * sf_l1_dirty_take and the batch; what it has seen is told by sf_l1_cursor_changes. Somebody who waits has
 * asked sf_l1_changes before that.
 */
proctype flusher()
{
    byte hint, known_deaths, b, place, wanted, calls;
    bool was_done, first, second;

    do
    :: calls < 3 ->
        calls++;
        was_done = is_done;
        d_step { first = acknowledged[0]; second = acknowledged[1] };
        wanted = hint_head; /* sf_l1_changes: two loads */
        wanted = wanted + deaths;
        if
        :: known_deaths != deaths -> begin_scan()
        :: else
        fi;
        follow();
        if
        :: hint + known_deaths >= wanted ->
            assert(!first || state[0] == 3);
            assert(!second || state[1] == 3);
            assert(!was_done || (state[0] != 2 && state[1] != 2))
        :: else
        fi
    :: else -> break
    od
}

proctype killer()
{
    if
    :: dead[0] = true
    :: dead[1] = true
    :: dead[0] = true; dead[1] = true
    :: skip
    fi
}

init {
    atomic {
        run writer(0);
        run writer(1);
        run sweeper();
        run flusher();
        run killer()
    }
}
