/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rotate.pml - a session gets a new key while somebody changes it under the old one; the one who rotates is
 * killed between any two steps, and repaired.
 *
 *   - under the old key there is always the session, or an image of it whose successor is there;
 *   - what was acknowledged is in what the old key leads to.
 *
 * mutants: BUG_OLD_KEY_FIRST BUG_NEW_KEY_STAYS
 */
#define BLOCKS 4
#define WORDS 2
#define OLD 0
#define NEW 1
#define NAMED(w) (!IS_EMPTY(word[w]) && STATE(control[BLOCK(word[w])]) != FREE)
#define INVARIANT \
    assert(NAMED(OLD)); \
    assert(is_image[BLOCK(word[OLD])] || front[BLOCK(word[OLD])] >= acknowledged); \
    assert(!is_image[BLOCK(word[OLD])] || (NAMED(NEW) && front[BLOCK(word[NEW])] >= acknowledged));

byte front[4], acknowledged, over;
bool is_image[4], dead, rotated;

#include "l1.pml"

inline read_old()
{
    value = word[OLD];
    seen = control[BLOCK(value)];
    version = front[BLOCK(value)];
    ok = (word[OLD] == value);
    if
    :: ok -> ok = (control[BLOCK(value)] == seen && !is_image[BLOCK(value)])
    :: else
    fi
}

/* sf_l1_draft_name; there is nobody else who has the key. */
inline name_new()
{
    named = word[NEW];
    swap(word[NEW], named, NAMING(fresh, named), ok);
    named = NAMING(fresh, named)
}

inline commit_old()
{
    swap(word[OLD], value, NAMING(former, value), ok)
}

/* rotate, publish_rotation, commit_rotation. */
proctype rotator()
{
    short value, seen, named, of_fresh, of_former;
    byte version, fresh, former;
    bool ok, done;

    {
        read_old();
        if
        :: ok ->
            take(1, 0, fresh, of_fresh, ok);
            take(1, 0, former, of_former, ok);
            front[fresh] = version + 1;
            d_step { front[former] = version; is_image[former] = true };
#ifdef BUG_OLD_KEY_FIRST
            commit_old();
            done = ok;
            name_new();
#else
            name_new();
            commit_old();
            done = ok;
#endif
            if
            :: done ->
                swap(control[former], of_former, LIVE_OF(of_former), ok);
                retire(BLOCK(value), seen);
                swap(control[fresh], of_fresh, LIVE_OF(of_fresh), ok);
                d_step { acknowledged = version + 1; rotated = true; INVARIANT }
            :: else ->
#ifndef BUG_NEW_KEY_STAYS
                swap(word[NEW], named, EMPTIED(named), ok);
#endif
                retire(former, of_former);
                retire(fresh, of_fresh)
            fi
        :: else
        fi
    } unless { dead };
    over++
}

/* sf_l1_apply with the old id. */
proctype changer()
{
    short value, seen, mine;
    byte version, block;
    bool ok;

    read_old();
    if
    :: ok -> take(2, 0, block, mine, ok)
    :: else
    fi;
    if
    :: ok ->
        d_step { front[block] = version + 1; is_image[block] = false };
        swap(word[OLD], value, NAMING(block, value), ok);
        if
        :: ok ->
            swap(control[block], mine, LIVE_OF(mine), ok);
            retire(BLOCK(value), seen);
            d_step { acknowledged = (acknowledged < version + 1 -> version + 1 : acknowledged); INVARIANT }
        :: else -> retire(block, mine)
        fi
    :: else
    fi;
    over++
}

/* Behind a death: sf_l1_repair. */
proctype sweeper()
{
    short seen;
    byte i;
    bool ok;

end:
    dead;
    do
    :: i < BLOCKS ->
        seen = control[i];
        if
        :: (STATE(seen) == OWNED && OWNER(seen) == 1) || STATE(seen) == LIVE ->
            ok = (NAMES(word[OLD], i) || NAMES(word[NEW], i));
            if
            :: !ok -> swap(control[i], seen, FREE_OF(seen), ok)
            :: ok && STATE(seen) == OWNED -> swap(control[i], seen, LIVE_OF(seen), ok)
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od;
    over++
}

proctype killer()
{
    if
    :: over == 0 -> dead = true
    :: true -> skip
    fi
}

init {
    atomic {
        control[0] = CONTROL(LIVE, 0, 1);
        front[0] = 1;
        acknowledged = 1;
        word[OLD] = NAMING(0, 0);
        run rotator();
        run changer();
        run sweeper();
        run killer()
    };
    over >= 2;
    assert(dead || IS_EMPTY(word[NEW]) || is_image[BLOCK(word[OLD])])
}
