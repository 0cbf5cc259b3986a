/* SPDX-License-Identifier: Apache-2.0 */

/*
 * retire.pml - somebody attaches, changes something and leaves, while a creator gives the segment up for
 * another size; he may be killed in between, and the next one goes on (O8).
 *
 *   - nobody is attached to a segment that was given up, and nothing is in it that the store does not have.
 *
 * mutants: BUG_CREATOR_LOOKS_FIRST BUG_JOINER_LOOKS_FIRST BUG_DIRTY_BEFORE_ATTACHED BUG_LEFT_RETIRED_IS_GIVEN_UP
 */
bool in_use[2], dirty, is_retired, is_attached[2], is_replaced, creating;
byte over;

/* sf_l1_segment_join: sf_process_slot_claim, fence, sf_l1_is_retired. */
proctype joiner(byte me)
{
    bool refused;

#ifdef BUG_JOINER_LOOKS_FIRST
    refused = is_retired;
    in_use[me] = true;
#else
    in_use[me] = true;
    refused = is_retired;
#endif
    if
    :: !refused ->
        d_step { assert(!is_replaced); is_attached[me] = true };
        d_step { assert(!is_replaced); dirty = true };
        is_attached[me] = false
    :: else
    fi;
    in_use[me] = false
}

inline is_needed(needed)
{
#ifdef BUG_DIRTY_BEFORE_ATTACHED
    needed = dirty;
    if
    :: !needed -> needed = in_use[0]
    :: else
    fi;
    if
    :: !needed -> needed = in_use[1]
    :: else
    fi
#else
    needed = in_use[0]; /* sf_process_slots_alive */
    if
    :: !needed -> needed = in_use[1]
    :: else
    fi;
    if
    :: !needed -> needed = dirty /* has_dirty */
    :: else
    fi
#endif
}

/* keep_opened, give_up. One at a time: SF_LOCK_CREATE, which the kernel gives back. */
proctype creator()
{
    bool needed;

    atomic { !creating -> creating = true };
    do
    :: is_replaced -> break
    :: !is_replaced -> is_needed(needed);
        if
        :: needed && !is_retired -> break
        :: else
        fi;
#ifdef BUG_CREATOR_LOOKS_FIRST
        is_needed(needed);
        is_retired = true;
#else
        is_retired = true;
#ifdef BUG_LEFT_RETIRED_IS_GIVEN_UP
        needed = false;
#else
        is_needed(needed);
#endif
#endif
        if
        :: !needed ->
            d_step { is_replaced = true; assert(!dirty && !is_attached[0] && !is_attached[1]) }
        :: else -> is_retired = false
        fi;
        break
    :: break /* killed before */
    :: !is_replaced -> is_retired = true; break /* killed in between */
    od;
    skip;
    d_step { creating = false; over++ }
}

init {
    atomic {
        run joiner(0);
        run joiner(1);
        run creator();
        run creator()
    }
}
