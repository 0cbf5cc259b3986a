/* SPDX-License-Identifier: Apache-2.0 */

/*
 * slots.pml - processes claim the same slot one behind the other, own a block, and leave or are killed; two
 * sweepers, of whom one may be very slow, look who is dead, repair and bury.
 *
 *   - a slot is given away only when no block carries its number;
 *   - no block is freed under an owner who lives.
 *
 * mutants: BUG_CLAIMED_BEFORE_BURIAL BUG_INCARNATION_NOT_COMPARED BUG_BURIED_BEFORE_REPAIR
 */
#define NOBODY 255
#define LIVES 2

byte slot;              /* incarnation << 1 | in use */
byte lock = NOBODY;     /* the record lock of its byte: the kernel's */
byte owned = 0;         /* the block: 0 free, 1 OWNED by the slot */
byte gen, taker = NOBODY;
bool dead[LIVES];
chan kill = [0] of { byte };

/* sf_process_slot_claim, a block taken and given back, sf_process_slot_release. */
proctype process(byte me)
{
    byte before, mine;
    bool ok;

    {
        do
        :: before = slot;
#ifndef BUG_CLAIMED_BEFORE_BURIAL
            ok = ((before & 1) == 0);
#else
            ok = true;
#endif
            if
            :: ok ->
                d_step { ok = (lock == NOBODY); if :: ok -> lock = me :: else fi }
            :: else
            fi;
            if
            :: ok -> before = slot; /* take_slot: with the lock */
#ifndef BUG_CLAIMED_BEFORE_BURIAL
                ok = ((before & 1) == 0)
#endif
            :: else
            fi;
            if
            :: ok -> d_step { slot = ((before | 1) + 2) | 1; assert(owned == 0) }; break
            :: !ok && lock == me -> lock = NOBODY
            :: !ok && lock != me -> skip
            fi
        :: break
        od;
        if
        :: ok ->
            d_step {
                if
                :: owned == 0 -> owned = 1; gen++; mine = gen; taker = me
                :: else -> ok = false
                fi
            };
            if
            :: ok -> d_step { assert(owned == 1 && gen == mine); owned = 0; taker = NOBODY }
            :: else
            fi;
            d_step { before = slot; slot = before & 254 };
            lock = NOBODY
        :: else
        fi
    } unless { atomic { kill ? eval(me); dead[me] = true } };
    d_step { before = 0; mine = 0; ok = false; if :: lock == me -> lock = NOBODY :: else fi }
}

/* sf_process_slot_bury. */
inline bury(dead_word)
{
    d_step {
        if
        :: dead_word != 0 && slot == dead_word -> slot = slot & 254
        :: else
        fi
    }
}

/* sf_l1_repair: look_for_dead, repair_owned, bury_dead. */
proctype sweeper()
{
    byte word, dead_word, seen, now;
    bool ok;

    word = slot; /* sf_process_slot_dead_word */
    ok = ((word & 1) != 0);
    if
    :: ok -> ok = (lock == NOBODY)
    :: else
    fi;
    if
    :: ok -> ok = (slot == word)
    :: else
    fi;
    dead_word = (ok -> word : 0);
#ifdef BUG_BURIED_BEFORE_REPAIR
    bury(dead_word);
#endif
    d_step { seen = gen; ok = (owned == 1) };
    if
    :: ok ->
        now = slot; /* is_owner_dead */
#ifdef BUG_INCARNATION_NOT_COMPARED
        ok = ((now & 1) == 0 || dead_word != 0);
#else
        ok = ((now & 1) == 0 || now == dead_word);
#endif
        if
        :: ok ->
            d_step {
                if
                :: owned == 1 && gen == seen -> assert(dead[taker]); owned = 0; taker = NOBODY
                :: else
                fi
            }
        :: else
        fi
    :: else
    fi;
#ifndef BUG_BURIED_BEFORE_REPAIR
    bury(dead_word)
#endif
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
        run process(0);
        run process(1);
        run sweeper();
        run sweeper();
        run killer()
    }
}
