/* SPDX-License-Identifier: Apache-2.0 */

/*
 * keep.pml - one key in either of two words: finding it, filling it from the store, storing what is dirty,
 * evicting what is clean. A model that includes it has front, stored and removals, and says in FROM_STORE,
 * SET_KIND and STORE_KIND what else a record is, and in MAY_GO what is evicted.
 */
#define KEEP_LOCALS \
    short value, seen, mine; \
    byte w, block, version; \
    bool ok
#define FILL_LOCALS KEEP_LOCALS; byte vacancy

/* sf_l1_find: ok if some word names a record that can be read. */
inline find(w, value, seen, ok)
{
    w = 0;
    do
    :: w < 2 ->
        value = word[w];
        if
        :: IS_EMPTY(value) -> ok = false
        :: else ->
            seen = control[BLOCK(value)];
            ok = (word[w] == value && IS_READABLE(seen))
        fi;
        if
        :: ok -> break
        :: else -> w++
        fi
    :: else -> break
    od
}

/* sf_l1_find_other: any other word with this key, confirmed or not. */
inline find_other(w, ok)
{
#ifdef BUG_OTHER_WORDS_NOT_LOOKED_AT
    ok = false
#else
    ok = !IS_EMPTY(word[1 - w])
#endif
}

inline fill(owner)
{
    vacancy = removals; /* before the look: O4 */
    find(w, value, seen, ok);
    if
    :: ok
    :: else ->
        d_step { version = stored; FROM_STORE };
        take(owner, CLEAN, block, mine, ok);
        if
        :: ok -> d_step { front[block] = version; SET_KIND }; name_and_confirm(owner)
        :: else
        fi
    fi
}

/* publish_fill: name it, look for others, compare the removals, and only then confirm. */
inline name_and_confirm(owner)
{
    if
    :: w = 0
    :: w = 1
    fi;
    value = word[w];
    ok = IS_EMPTY(value);
    if
    :: ok -> swap(word[w], value, NAMING(block, value), ok)
    :: else
    fi;
    if
    :: ok ->
        find_other(w, ok); /* O5 */
#ifndef BUG_REMOVALS_NOT_COMPARED
        if
        :: !ok -> ok = (removals != vacancy) /* O4: behind the look at the words */
        :: else
        fi;
#endif
        if
        :: ok -> swap(word[w], NAMING(block, value), EMPTIED(NAMING(block, value)), ok); retire(block, mine)
        :: else -> swap(control[block], mine, LIVE_OF(mine) | CLEAN, ok)
        fi
    :: else -> retire(block, mine)
    fi
}

/* sf_l1_dirty_take, the store, sf_l1_settle. */
inline store_dirty()
{
    find(w, value, seen, ok);
    if
    :: ok && STATE(seen) == LIVE && !IS_CLEAN(seen) ->
        version = front[BLOCK(value)];
        ok = (control[BLOCK(value)] == seen);
        if
        :: ok ->
            d_step {
                if
                :: stored < version -> stored = version; STORE_KIND
                :: else
                fi
            };
            swap(control[BLOCK(value)], seen, seen | CLEAN, ok)
        :: else
        fi
    :: else
    fi
}

/* sf_l1_evict_block: removals first, then the word. */
inline evict()
{
    find(w, value, seen, ok);
    if
    :: ok && STATE(seen) == LIVE && MAY_GO(seen, BLOCK(value)) ->
#ifndef BUG_REMOVAL_COUNTED_LATE
        removals++;
#endif
        swap(word[w], value, EMPTIED(value), ok);
#ifdef BUG_REMOVAL_COUNTED_LATE
        removals++;
#endif
        if
        :: ok -> retire(BLOCK(value), seen)
        :: else
        fi
    :: else
    fi
}
