/* SPDX-License-Identifier: Apache-2.0 */

/*
 * hints.pml - changes are announced by hints; a writer is killed before, within or behind that; the sweeper
 * buries him; the batch writer follows the hints or scans.
 *
 *   - "all is stored" up to a count of changes is said only when all is that was acknowledged before;
 *   - when nothing is left to look for, nothing dirty is left.
 *
 * mutants: BUG_BURIAL_NOT_COUNTED BUG_COUNTED_BEFORE_DIRTY BUG_GAP_SKIPPED
 *          BUG_BURIAL_SEEN_FIRST_ONLY
 */
#define WRITERS 2
#define RING 1
#define CALLS 2

/* Each writer has a block of his own: 1 owned and named, 2 live and dirty, 3 clean. */
byte state[WRITERS], hint_head, deaths, stored_changes;
byte ring_place[RING], ring_block[RING];
bool dead[WRITERS], acknowledged[WRITERS], is_buried;

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
    } unless { dead[me] }
}

/* A pass beside the living: finish_publication (its hint may come too late as well), bury_dead. */
proctype sweeper()
{
end:
    dead[0]; /* the killer spares the other one */
    if
    :: state[0] == 1 -> state[0] = 2
    :: else
    fi;
#ifndef BUG_BURIAL_NOT_COUNTED
    deaths++; /* O9 */
#endif
    is_buried = true
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

#define SCAN_IF_SOMEBODY_DIED \
    if \
    :: known_deaths != deaths -> begin_scan() \
    :: else \
    fi

/* sf_l1_dirty_take and the batch; what it has seen is told by sf_l1_cursor_changes. */
proctype flusher()
{
    byte hint, known_deaths, b, place, calls;

    do
    :: calls < CALLS ->
        calls++;
        SCAN_IF_SOMEBODY_DIED;
        do
        :: follow()
        :: break
        od;
#ifndef BUG_BURIAL_SEEN_FIRST_ONLY
        SCAN_IF_SOMEBODY_DIED;
#endif
        stored_changes = hint + known_deaths
    :: else -> break
    od
}

/* Waits until all that was acknowledged before, or published by somebody who is buried, is stored. */
proctype waiter()
{
    byte wanted;
    bool first, second;

    d_step { first = acknowledged[0] || is_buried; second = acknowledged[1] };
    wanted = hint_head; /* sf_l1_changes: two loads */
    wanted = wanted + deaths;
end:
    stored_changes >= wanted;
    assert(!first || state[0] != 2);
    assert(!second || state[1] != 2)
}

proctype killer()
{
    dead[0] = true
}

init {
    atomic {
        run writer(0);
        run writer(1);
        run sweeper();
        run flusher();
        run waiter();
        run killer()
    }
}
