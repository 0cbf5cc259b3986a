/* SPDX-License-Identifier: Apache-2.0 */

/*
 * journal.pml - one session that changes, is stored, moves to the journal and from file to file there, is drained,
 * evicted and loaded. Besides, one of three: a record is copied within the cache; it is written past the cache; the
 * daemon is killed. The cache is one word that changes at once: flush_evict.pml and fill.pml say why it may be. What is
 * done under the lock of the map is one step, or two where somebody changes the cache in between.
 *
 *   - a load never yields a version older than what was acknowledged, or in the store, when it began, and nothing older
 *     than what was acknowledged is in the cache;
 *   - what was acknowledged is in the store, dirty in the cache, or an orphan of the journal;
 *   - what is clean, and not marked as the journal's, is in the store.
 *
 * mutants: BUG_ENTERS_UNSEEN BUG_LATER_IS_FINAL BUG_GONE_IS_FINAL BUG_MOVES_FORGOTTEN BUG_MOVES_OLD_WORD
 *          BUG_SETTLES_UNLOCKED BUG_FORGETS_LATER BUG_SPILLS_FIRST BUG_DOUBTS_NOBODY
 *          BUG_LOADS_WHAT_IS_HELD BUG_FINAL_AFTER_START BUG_SPILL_IS_STORED BUG_LOAD_IS_STORED
 *          BUG_DRAINED_IS_STORED
 */
#define CHANGES 1
#define EVICTIONS 1
#define LOADS 1
#define DUTIES 1 /* of the writer's thread */
#define GROUPS 2 /* of the journal's thread */
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define INVARIANT \
    assert(here == 0 || here >= acknowledged); \
    assert(stored >= acknowledged || (here >= acknowledged && !clean) || (row >= acknowledged && orphan)); \
    assert(!clean || journalled || stored >= here);

mtype = { COPIES, WRITES_PAST, DIES };
mtype besides;

byte here = 1;                  /* the version in the cache, 0: none */
bool clean, is_copy;            /* a copy of what is clean, not clean yet */
bool journalled;                /* what is clean: the store may not have it */
bool valid[2];                  /* the tickets of writer and journaler: the block is still the same */
bool removed;                   /* since the load under way began */
byte stored, acknowledged = 1;
byte row, disk;                 /* the version in the map, 0: none; the highest that any file has */
bool orphan, behind;            /* as the map says of that row */
bool locked, committing;        /* `lock` and `committing` of the journal */
bool loading, held;             /* loader.c: one load of a key, and none while it is held */
bool dead;                      /* the daemon */
byte changes = CHANGES, evictions = EVICTIONS; /* that are still to come */

#define FREE_LOCK !locked
#define UNLOCK locked = false

inline write_row(version)
{
    d_step { disk = (besides == DIES -> MAX(disk, version) : 0) }
}

inline enter(version, is_orphan, is_behind)
{
    row = version; orphan = is_orphan; behind = is_behind
}

inline forget(version)
{
#ifdef BUG_FORGETS_LATER
    row = 0; orphan = false; behind = false;
#else
    if
    :: row <= version -> row = 0; orphan = false; behind = false
    :: else
    fi;
#endif
    INVARIANT
}

/* sf_l1_dirty_take. 0: nothing is to be written. */
inline take_dirty(thread)
{
    valid[thread] = (here > 0 && !clean && !is_copy);
    version = (valid[thread] -> here : 0)
}

/* sf_l1_settle of the writer, sf_l1_settle_journalled of the spill. */
inline settle(thread)
{
#ifndef BUG_SPILL_IS_STORED
    journalled = (thread == 1 -> journalled || (valid[1] && !clean) : journalled && !valid[0]);
#endif
    clean = clean || valid[thread];
    valid[thread] = false;
    INVARIANT
}

/* sf_l1_settle_key. */
inline settle_key(version)
{
#ifdef BUG_DRAINED_IS_STORED
    journalled = false
#else
    journalled = journalled && here != version
#endif
}

/* Its place is another block's. */
inline change(version, is_clean, copied)
{
    here = version; clean = is_clean; is_copy = copied; journalled = journalled && copied; valid[0] = false; valid[1] = false
}

/* ---- whoever uses the cache ---- */

/* sf_l1_apply. */
proctype front()
{
end:
    do
    :: d_step {
           here > 0 && changes > 0 ->
           changes--; change(here + 1, false, false); acknowledged = here;
           INVARIANT
       }
    od
}

/* sf_l1_evict_block. */
proctype evictor()
{
end:
    do
    :: d_step {
           here > 0 && clean && evictions > 0 ->
           evictions--; change(0, false, false); removed = loading;
           INVARIANT
       }
    od
}

/* copy_record, or replace of l1_confirm.c: for a moment nothing says that it is clean. */
proctype mover()
{
end:
    d_step { besides == COPIES && clean -> change(here, false, true) };
    d_step { clean = clean || is_copy; is_copy = false; INVARIANT }
}

/* ---- the writer's thread ---- */

/* A batch, and sf_journal_settle. */
inline write_batch()
{
    d_step { take_dirty(0) };
    if
    :: version > 0 ->
        d_step { stored = MAX(stored, version) };
#ifdef BUG_SETTLES_UNLOCKED
        d_step { settle(0) };
        d_step { FREE_LOCK -> forget(version) }
#else
        d_step { FREE_LOCK -> locked = true; settle(0) };
        d_step { forget(version); UNLOCK }
#endif
    :: else
    fi
}

/* sf_journal_drain_step. */
inline write_orphan()
{
    d_step { FREE_LOCK -> version = (orphan -> row : 0) };
    if
    :: version > 0 ->
        d_step { stored = MAX(stored, version) };
        d_step { FREE_LOCK -> settle_key(version); forget(version) }
    :: else
    fi
}

/* write_through.c: a session that L1 does not have, while no load is under way. Its outcome may never be known. */
inline write_past()
{
    if
    :: d_step {
           besides == WRITES_PAST && here == 0 && changes > 0 && !loading && FREE_LOCK ->
           changes--; held = true;
           version = (row > 0 && !behind -> row : MAX(row, stored));
           assert(version >= acknowledged);
           version++
       };
        d_step { stored = MAX(stored, version) };
        if
        :: d_step { FREE_LOCK -> settle_key(version); forget(version) };
            acknowledged = version
        :: skip;
#ifndef BUG_DOUBTS_NOBODY
            d_step { FREE_LOCK -> behind = (row > 0) }
#endif
        fi;
        held = false
    :: skip
    fi
}

proctype writer()
{
    byte version, duties = DUTIES;

    {
        do
        :: duties > 0 ->
            if
            :: write_batch()
            :: write_orphan()
            :: write_past()
            fi;
            d_step { duties--; version = 0; valid[0] = false }
        :: else -> break
        od
    } unless { dead }
}

/* ---- the journal's thread ---- */

/* sf_journal_publish of a row that L1 had dirty. */
inline publish_fresh()
{
    d_step { FREE_LOCK -> locked = true; now = here; is_clean = clean };
    d_step {
        if
#ifdef BUG_ENTERS_UNSEEN
        :: enter(version, is_spill, false)
#else
        :: now >= version && is_clean
#ifdef BUG_LATER_IS_FINAL
        :: now >= version && !is_clean -> enter(version, is_spill, false)
#else
        :: now >= version && !is_clean -> enter(version, is_spill, now != version)
#endif
#ifdef BUG_GONE_IS_FINAL
        :: now < version -> enter(version, true, false)
#else
        :: now < version -> enter(version, true, true)
#endif
#endif
        fi;
        UNLOCK
    }
}

/* add_mark, sf_journal_finish; what the spill moves out is clean then. */
inline commit()
{
    d_step { take_dirty(1) };
    d_step { version = here; needs_row = (here > 0 && !clean) };
    if
    :: needs_row -> /* is_journalled */
        d_step {
            FREE_LOCK ->
            if
            :: row >= version -> needs_row = false; orphan = (orphan || is_spill)
            :: else
            fi
        }
    :: else
    fi;
#ifdef BUG_SPILLS_FIRST
    if
    :: is_spill -> d_step { settle(1) }
    :: else
    fi;
#endif
    if
    :: needs_row ->
        write_row(version);
        publish_fresh()
    :: else
    fi;
    if
    :: is_spill -> d_step { settle(1) }
    :: else
    fi
}

/* move_rows, and sf_journal_publish of such a row. */
inline move_row()
{
    d_step { FREE_LOCK -> version = row; was_orphan = orphan; was_behind = behind };
    if
    :: version > 0 ->
        d_step { version = MAX(version, here) }; /* read_moving */
        write_row(version);
        d_step {
            FREE_LOCK ->
            if
#ifdef BUG_MOVES_OLD_WORD
            :: row > 0 && row <= version -> enter(version, was_orphan, was_behind)
#else
            :: row > 0 && row <= version -> enter(version, orphan, behind)
#endif
#ifdef BUG_MOVES_FORGOTTEN
            :: row == 0 -> enter(version, was_orphan, was_behind)
#endif
            :: else
            fi
        }
    :: else
    fi
}

proctype journaler()
{
    byte version, now, groups = GROUPS;
    bool is_clean, needs_row, is_spill, was_orphan, was_behind;

    {
        do
        :: groups > 0 ->
            if
            :: is_spill = true; commit()
            :: commit()
            :: move_row()
            fi;
            d_step {
                groups--; version = 0; now = 0; valid[1] = false;
                is_clean = false; needs_row = false; is_spill = false; was_orphan = false; was_behind = false
            }
        :: else -> break
        od
    } unless { dead }
}

/* ---- loads ---- */

/* A miss: sf_l1_ask, sf_journal_load_both, sf_l1_confirm. */
inline load()
{
#ifdef BUG_LOADS_WHAT_IS_HELD
    d_step { here == 0 -> loading = true; removed = false; wanted = MAX(acknowledged, stored) };
#else
    d_step { here == 0 && !held -> loading = true; removed = false; wanted = MAX(acknowledged, stored) };
#endif
    d_step { FREE_LOCK -> version = row; is_final = (row > 0 && !behind); is_rows = (row > 0) };
    if
    :: is_final
    :: else -> d_step { is_rows = is_rows && version > stored; version = MAX(version, stored) }
    fi;
    d_step {
        assert(version >= wanted);
        if
        :: here == 0 && !removed ->
            change(version, true, false);
#ifndef BUG_LOAD_IS_STORED
            journalled = is_rows;
#endif
            INVARIANT
        :: else
        fi;
        loading = false; removed = false; version = 0; wanted = 0; is_final = false; is_rows = false
    }
}

proctype loader()
{
    byte version, wanted, loads = LOADS;
    bool is_final, is_rows;

    {
        do
        :: loads > 0 -> loads--;
end:
            load()
        :: else -> break
        od
    } unless { dead }
}

/* Killed at any step; the next one reads what is on disk. */
proctype next_daemon()
{
    byte version, wanted;
    bool is_final, is_rows;

end:
    atomic {
        besides == DIES ->
        dead = true;
        row = disk;
        orphan = (disk > 0);
#ifdef BUG_FINAL_AFTER_START
        behind = false;
#else
        behind = (disk > 0);
#endif
        locked = false;
        loading = false
    };
end_load:
    load()
}

init {
    atomic {
        if
        :: besides = COPIES
        :: besides = WRITES_PAST
        :: besides = DIES
        fi;
        run front();
        run evictor();
        run mover();
        run writer();
        run journaler();
        run loader();
        run next_daemon()
    }
}
