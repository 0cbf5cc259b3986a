/* SPDX-License-Identifier: Apache-2.0 */

/*
 * leave.pml - hosts 0 and 1 move to another store together, while host 2, which has not begun, writes the old one.
 * Host 0 may be killed at any step; host 1 is asked whether it lives, and forgotten, and sleeps perhaps all the time.
 *
 *   - whoever writes a store writes the one that has the truth;
 *   - what a host has acknowledged is in the store that it goes over to, or somebody compares before.
 *
 * A statement is at most one access to the row; it is written by comparing and setting its version, which is over for
 * everybody who has loaded it before (STORE_ROW). Time is what `is_known` stands for: it ends at any moment, and whoever
 * waits for so long (SAID_IN) goes on when it has ended.
 *
 * mutants: BUG_WRITES_UNKNOWN BUG_HOLDS_WITHIN_A_WRITE BUG_FORGETS_AT_ONCE BUG_OWES BUG_RELEASED_BY_START
 *          BUG_COMPARES_AT_ONCE BUG_FORGETS_WITHOUT_COMPARISON BUG_BLIND
 */
#define HOSTS 3

/* The row. */
#define NONE 0
#define COPYING 1
#define ENDING 2
#define LEFT 3
#define OUT 0 /* of a host: it does not stand there */
#define COPIES 1
#define READY 2
#define HOLDS 3
#define GONE 4
#define ASKED 5
byte phase, host_state[HOSTS];
bool is_stale[2 * HOSTS]; /* by who has loaded it: the migration of a host, or its writer */

/* A host: what its files have, */
bool is_moving[HOSTS], is_over[HOSTS], owes[HOSTS], is_equal[HOSTS];
/* what the old store has, and the new one not, as far as this host is concerned, and nobody owes it; */
bool is_alone[HOSTS];
/* and what is gone with its process. */
#define IDLE 0
#define ASKS 1   /* with the write lane in hand, as all that follow */
#define WRITES 2
#define COPIED 3 /* the old store has it */
byte writer_is[HOSTS];
bool is_held[HOSTS], is_known[HOSTS];
byte kills = 1, writes = 1;

#define LOAD_ROW(who) is_stale[who] = false
#define STORE_ROW(who, change) \
    d_step { \
        if \
        :: MAY_STORE(who) -> change; is_stale[0] = true; is_stale[1] = true; is_stale[2] = true; is_stale[3] = true; \
            is_stale[4] = true; is_stale[5] = true; is_stored = true \
        :: else -> is_stored = false \
        fi \
    }
#ifdef BUG_BLIND
#define MAY_STORE(who) true
#else
#define MAY_STORE(who) !is_stale[who]
#endif

#define MAY_BE(host, state) (host_state[host] == OUT || host_state[host] == state)
#define ALL_ARE(state) (MAY_BE(0, state) && MAY_BE(1, state) && MAY_BE(2, state))
#define FALL_BACK \
    phase = COPYING; \
    host_state[0] = (host_state[0] == HOLDS -> READY : host_state[0]); \
    host_state[1] = (host_state[1] == HOLDS -> READY : host_state[1])

/* Nobody writes who does not know what the row says. */
#define ALL_KNOW_SINCE(host) (!is_known[host] && writer_is[host] == IDLE)

/* migrate_write: each step of it, in any order with the rest of the host; host 1 sleeps in any of them. */
proctype writer(byte host)
{
    byte seen;
    bool is_stored;

end:
    do
    :: atomic { writer_is[host] == IDLE && !is_held[host] && writes > 0 ->
            writes--;
#ifdef BUG_WRITES_UNKNOWN
            writer_is[host] = WRITES
#else
            writer_is[host] = (is_known[host] -> WRITES : ASKS)
#endif
        }
    :: atomic { writer_is[host] == ASKS -> LOAD_ROW(HOSTS + host); seen = phase };
        if
        :: is_over[host] || seen == NONE -> is_stored = true
        :: !is_over[host] && seen == LEFT -> is_stored = false
        :: else ->
            if
            :: is_moving[host] && host_state[host] != OUT && host_state[host] != ASKED && !is_stale[HOSTS + host] ->
                is_stored = true
            :: !is_moving[host] && host_state[host] == GONE && !is_stale[HOSTS + host] -> is_stored = true
            :: else -> STORE_ROW(HOSTS + host, host_state[host] = (is_moving[host] -> COPIES : GONE))
            fi
        fi;
        atomic {
            if
            :: writer_is[host] != ASKS /* was killed */
            :: writer_is[host] == ASKS && is_stored -> is_known[host] = true; writer_is[host] = WRITES
            :: else -> writer_is[host] = IDLE
            fi;
            seen = 0;
            is_stored = false
        }
    :: atomic { writer_is[host] == WRITES ->
            assert(is_over[host] == (phase == LEFT));
            if
            :: is_over[host] -> writer_is[host] = IDLE
            :: !is_over[host] && is_moving[host] -> writer_is[host] = COPIED
            :: else -> is_alone[host] = true; writer_is[host] = IDLE
            fi
        }
    :: atomic { writer_is[host] == COPIED ->
            if
            :: true
            :: owes[host] = true
            fi;
            writer_is[host] = IDLE
        }
    :: is_known[host] -> is_known[host] = false
    od
}

#define KILLED(host) \
    atomic { kills > 0 -> \
        kills--; \
        owes[host] = owes[host] || writer_is[host] == COPIED; \
        writer_is[host] = IDLE; \
        is_known[host] = false; \
        is_held[host] = HELD_BY_START && is_moving[host] && !is_over[host]; \
        goto again }
#ifdef BUG_RELEASED_BY_START
#define HELD_BY_START false
#else
#define HELD_BY_START true
#endif

#ifdef BUG_OWES
#define OWES_NOTHING(host) true
#else
#define OWES_NOTHING(host) !owes[host]
#endif

/* All that the old store has the new one has, too; but for what is owed. */
inline compare(host)
{
    d_step { is_alone[0] = false; is_alone[1] = false; is_alone[2] = false; is_equal[host] = true }
}

/* sf_migrate_start, and from then on sf_migrate_step. */
proctype mover(byte host, other)
{
    byte seen, state;
    bool is_stored;

    do
    :: atomic { LOAD_ROW(host); seen = phase };
        if
        :: seen == LEFT -> goto out
        :: else
        fi;
        STORE_ROW(host, host_state[host] = COPIES; phase = (phase == NONE -> COPYING : phase));
        if
        :: is_stored -> break
        :: else
        fi
    od;
    atomic { writer_is[host] == IDLE -> is_moving[host] = true };
#ifndef BUG_COMPARES_AT_ONCE
    atomic { ALL_KNOW_SINCE(2) };
    atomic { ALL_KNOW_SINCE(other) || is_moving[other] };
#endif
    compare(host);
again:
end:
    do
    :: host == 0 && kills > 0 -> KILLED(host)
    :: owes[host] && !is_over[host] -> owes[host] = false /* what is due is paid, held or not */
    :: atomic { LOAD_ROW(host); seen = phase };
        state = (is_equal[host] -> READY : COPIES);
        if
        :: seen == LEFT ->
            is_held[host] = true;
            atomic { writer_is[host] == IDLE };
            if
            :: OWES_NOTHING(host) ->
                atomic { assert(!owes[host]); is_over[host] = true; is_held[host] = false; goto out }
            :: else
            fi
        :: seen == ENDING && OWES_NOTHING(host) && is_equal[host] ->
            is_held[host] = true;
#ifndef BUG_HOLDS_WITHIN_A_WRITE
            atomic { writer_is[host] == IDLE };
#endif
            if
            :: host == 0 && kills > 0 -> KILLED(host)
            :: OWES_NOTHING(host) -> state = HOLDS
            :: else
            fi
        :: seen == COPYING -> is_held[host] = false
        :: else
        fi;
        if
        :: seen == LEFT || (host_state[host] == state && !is_stale[host])
        :: else ->
            STORE_ROW(host,
                host_state[host] = state;
                if
                :: phase == ENDING && ALL_ARE(HOLDS) ->
                    assert(!is_alone[0] && !is_alone[1] && !is_alone[2]);
                    phase = LEFT
                :: phase == ENDING && state == COPIES -> FALL_BACK
                :: else
                fi)
        fi;
        d_step { seen = 0; state = 0; is_stored = false }
    :: atomic { phase == ENDING && !is_held[host] -> LOAD_ROW(host) }; /* one does not hold in time */
        atomic { STORE_ROW(host, FALL_BACK); is_stored = false }
    :: atomic { phase == COPYING -> LOAD_ROW(host) }; /* "finish" */
        if
        :: atomic { ALL_ARE(READY) && !is_stale[host] -> STORE_ROW(host, phase = ENDING); is_stored = false }
        :: else
        fi
    :: host == 0 && !is_equal[host] -> compare(host)
    :: atomic { host == 0 && phase == COPYING && host_state[1] != OUT -> LOAD_ROW(host) }; /* "forget" */
        atomic { STORE_ROW(host, host_state[1] = ASKED); is_stored = false }
    :: atomic { host == 0 && phase == COPYING && host_state[1] == ASKED -> LOAD_ROW(host) };
#ifndef BUG_FORGETS_AT_ONCE
        atomic { ALL_KNOW_SINCE(1) };
#endif
#ifndef BUG_FORGETS_WITHOUT_COMPARISON
        is_equal[host] = false;
#endif
        STORE_ROW(host, host_state[1] = OUT; host_state[host] = (is_equal[host] -> READY : COPIES);
            is_alone[1] = is_alone[1] || owes[1]);
        is_stored = false
    od;
out:
}

init {
    atomic {
        is_stale[0] = true; is_stale[1] = true; is_stale[2] = true;
        is_stale[3] = true; is_stale[4] = true; is_stale[5] = true;
        run writer(0);
        run writer(1);
        run writer(2);
        run mover(0, 1);
        run mover(1, 0)
    }
}
