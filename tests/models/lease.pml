/* SPDX-License-Identifier: Apache-2.0 */

/*
 * lease.pml - a session that several hosts change in the store: how long a reader of this one may use what L1 has of
 * it. The store tells the daemon what is changed; while it does, the lease lets readers go on with what is older than
 * FRESHNESS. The link may be cut, a load fail, the daemon be killed and begin anew; whoever is stopped is one that is
 * not chosen while the clock goes on.
 *
 *   - who begins to read gets nothing that was replaced in the store FRESHNESS before that, or earlier, unless there is
 *     a change of this host in it, or the store could not be asked just now.
 *
 * mutants: BUG_NEW_LINK_IS_TRUSTED BUG_PROVEN_AT_ANSWER BUG_NEWS_NOT_AWAITED BUG_SETTLED_WHEN_BEGUN
 *          BUG_LEASE_BEGINS_NOW BUG_EARLIER_HALF_FORGOTTEN BUG_SWITCHED_TOO_SOON BUG_LATER_NEWS_FORGOTTEN
 *          BUG_FAILED_NEWS_FORGOTTEN BUG_CONFIRMED_AT_ANSWER BUG_POSTPONED_IS_LEASED
 *          BUG_DISTRUSTED_BEHIND_POSTPONEMENT BUG_LATE_ARE_ANSWERED BUG_FROM_READ_FIRST
 */
#define FRESHNESS 1
#define END_OF_TIME 3
#define CHANGES 1   /* of another host */
#define TROUBLES 1  /* a cut, a load that fails, a kill of the daemon, a change of this host, an eviction */
#define ASKED 1     /* so often a reader asks the daemon */
#define CONFLICTS 1 /* so often a load is repeated */
#define TROUBLE troubles < TROUBLES -> troubles++

mtype = { NEWS, PONG, NO_LOAD, ASKING, ANSWERED };

byte now = 1, troubles;

/* The store: versions count up. Those before `oldest` were replaced FRESHNESS ago, or earlier: before the last tick. */
byte stored = 1, oldest = 1, changes;

/* The link for news: what the server has sent; the question for a sign of life is the time of it, 0 none. */
chan link = [5] of { mtype, byte };
bool is_linked;
byte pinged;

/* L1: the header, and the entry; `ours`: the version that has the change of this host. */
byte until, from;
bool is_here, is_dirty, is_postponed, was_removed;
byte version, since, ours;
bool is_as_asked; /* the entry: still of the generation that the load has seen */

/* The daemon: lease.c, what the follower has handed on, the load of the key, and who waits for it. */
byte open[2], half, proven_before[2], heard[2];
bool is_dead;
byte alive;
mtype load = NO_LOAD;
byte asked, answer, conflicts, news[2];
bool is_news, has_later_news, wants, is_waiting, is_late;

/* What the reader is told. */
bool is_answered, is_excused;
byte reply;

#define CHANGED is_as_asked = false

/* sf_l1_distrust. */
#define DISTRUST from = now

/* ---- the store, the link, the time ---- */

#define TELL if :: is_linked -> link!NEWS(0) :: else fi

proctype world() provided (!is_dead)
{
end:
    do
    :: d_step { now < END_OF_TIME -> now++; oldest = stored }
    :: d_step { changes < CHANGES -> changes++; stored++; TELL }
    :: d_step { is_linked && pinged > 0 -> link!PONG(pinged); pinged = 0 }
    :: d_step { is_linked && TROUBLE; is_linked = false; pinged = 0 }
    od
}

/* ---- the daemon: the follower ---- */

/*
 * lease_prove, sf_l1_lease. Others only settle meanwhile, and what is settled stays so: the two looks at what is open
 * are as one at the time of the second.
 */
inline prove()
{
    d_step {
        if
#ifndef BUG_EARLIER_HALF_FORGOTTEN
        :: open[1 - half] > 0 -> dealt_with = proven_before[1 - half]
        :: open[1 - half] == 0 && open[half] == 0 ->
#else
        :: open[half] == 0 ->
#endif
            proven_before[half] = proven;
            proven_before[1 - half] = 0;
            dealt_with = proven
        :: else ->
            dealt_with = proven_before[half];
            half = 1 - half;
            proven_before[half] = proven;
#ifdef BUG_SWITCHED_TOO_SOON
            dealt_with = proven
#endif
        fi;
#ifdef BUG_LEASE_BEGINS_NOW
        dealt_with = now;
#endif
        until = dealt_with + FRESHNESS;
        dealt_with = 0
    }
}

proctype follower()
{
    bool is_up;
    byte proven, question, dealt_with;

    {
end:
        do
        :: !is_up ->
            d_step {
                do
                :: len(link) > 0 -> link?_, _
                :: else -> break
                od;
                pinged = 0;
                question = 0;
                is_linked = true
            }
            d_step {
                proven = now;
#ifndef BUG_NEW_LINK_IS_TRUSTED
                DISTRUST;
#endif
                is_up = true
            }
            prove()
        :: d_step { is_up && link?[NEWS, _] ->
                link?NEWS(_);
#ifndef BUG_NEWS_NOT_AWAITED
                open[half]++;
#endif
                heard[half]++
            }
            prove()
        :: d_step { is_up && link?[PONG, _] ->
                link?PONG(proven);
                question = 0;
#ifdef BUG_PROVEN_AT_ANSWER
                proven = now
#endif
            }
            prove()
        :: is_up && question == 0 && proven < now -> question = now; pinged = (is_linked -> question : 0)
        :: is_up && !is_linked && empty(link) -> until = 0; is_up = false
        od
    } unless { is_dead };
    alive--
}

/* ---- the daemon: the loader ---- */

proctype loader()
{
    {
end:
        do
        :: d_step { load == ASKING -> answer = stored; load = ANSWERED }
        :: d_step { load == ASKING && TROUBLE; answer = 0; load = ANSWERED }
        od
    } unless { is_dead };
    alive--
}

/* ---- the daemon: the main thread ---- */

/* begin, sf_l1_ask. */
#define BEGIN \
    asked = now; \
    is_as_asked = is_here && !is_dirty; \
    was_removed = false; \
    has_later_news = false; \
    load = ASKING

#define SETTLE \
    open[0] = open[0] - news[0]; \
    open[1] = open[1] - news[1]; \
    news[0] = 0; \
    news[1] = 0

#ifdef BUG_SETTLED_WHEN_BEGUN
#define SETTLE_BEGUN SETTLE
#else
#define SETTLE_BEGUN skip
#endif

/* hear, of the news in `news`. */
#define HEAR \
    if \
    :: load == NO_LOAD && !is_here -> SETTLE \
    :: load == NO_LOAD && is_here -> conflicts = 0; is_news = true; BEGIN; SETTLE_BEGUN \
    :: load != NO_LOAD -> is_news = true; has_later_news = IS_REPEATED; SETTLE_BEGUN \
    fi

#ifdef BUG_LATER_NEWS_FORGOTTEN
#define IS_REPEATED false
#else
#define IS_REPEATED true
#endif

#ifdef BUG_NEWS_NOT_AWAITED
#define COUNT_NEWS(of) skip
#else
#define COUNT_NEWS(of) news[of]++
#endif

#ifdef BUG_CONFIRMED_AT_ANSWER
#define CONFIRMED now
#else
#define CONFIRMED asked
#endif

/* sf_l1_merge, of what is here: replace, renew; publish_merged where there is a change that the row has not. */
#define MERGE(row, confirmed) \
    if \
    :: row > version -> \
        version = row; \
        CHANGED; \
        is_dirty = is_dirty && (ours == 0 || ours > row); \
        since = confirmed; \
        is_postponed = false \
    :: row <= version && !is_dirty && since < confirmed -> since = confirmed; is_postponed = false \
    :: else \
    fi

#ifdef BUG_FAILED_NEWS_FORGOTTEN
#define DISTRUST_FAILED skip
#else
#define DISTRUST_FAILED DISTRUST
#endif

/* bring_news. */
inline bring_news()
{
    d_step {
        if
        :: is_news && answer == 0 -> DISTRUST_FAILED
        :: is_news && answer > 0 && is_here -> MERGE(answer, CONFIRMED)
        :: else
        fi
    }
}

/* sf_l1_block_renew, by sf_l1_postpone: for a second, which is as long as FRESHNESS. */
#define RENEW_POSTPONED \
    if \
    :: is_here && !is_dirty && is_as_asked && since < time -> since = time; is_postponed = true \
    :: else \
    fi

inline postpone()
{
    time = now;
#ifdef BUG_DISTRUSTED_BEHIND_POSTPONEMENT
    d_step { RENEW_POSTPONED }
    DISTRUST;
#else
#ifndef BUG_POSTPONED_IS_LEASED
    DISTRUST;
#endif
    d_step { RENEW_POSTPONED }
#endif
    time = 0
}

/* tell_cache. */
inline tell_cache()
{
    if
    :: is_waiting && !has_later_news && answer == 0 && is_as_asked -> postpone()
    :: else ->
        d_step {
            if
            :: is_waiting && !has_later_news && answer > 0 && is_here && !is_dirty -> MERGE(answer, CONFIRMED)
            :: is_waiting && !has_later_news && answer > 0 && !is_here && !was_removed ->
                is_here = true;
                version = answer;
                since = CONFIRMED;
                is_postponed = false
            :: is_waiting && is_here && is_dirty -> is_excused = true
            :: else
            fi
        }
    fi
}

/* What nobody looks at any more. */
#define FORGET \
    answer = 0; \
    asked = (load == NO_LOAD -> 0 : asked); \
    is_as_asked = is_as_asked && load != NO_LOAD; \
    was_removed = false

/* leave_table: who came late waits for another load. resume_found looks at L1 before the answer, whatever that is. */
inline leave_table()
{
    d_step {
        is_again = has_later_news;
        load = NO_LOAD;
        is_news = false;
        has_later_news = false;
        conflicts = 0;
        if
        :: is_waiting && !is_late ->
            is_excused = is_excused || answer == 0 || (is_here && is_dirty);
            reply = (is_here -> version : answer);
            is_waiting = false;
            is_answered = true
        :: is_waiting && is_late -> is_late = false; is_excused = false; BEGIN
        :: else
        fi;
        FORGET
    }
    d_step {
        if
        :: is_again -> HEAR
        :: else -> SETTLE
        fi;
        is_again = false;
    }
}

/* loader_join. */
#ifdef BUG_LATE_ARE_ANSWERED
#define COMES_LATE false
#else
#define COMES_LATE (asked + FRESHNESS <= now)
#endif

proctype main_thread()
{
    byte time;
    bool is_again;

    {
end:
        do
        :: d_step { heard[0] > 0 -> heard[0]--; COUNT_NEWS(0); HEAR }
        :: d_step { heard[1] > 0 -> heard[1]--; COUNT_NEWS(1); HEAR }
        :: d_step { wants ->
                wants = false;
                is_waiting = true;
                if
                :: load == NO_LOAD -> conflicts = 0; BEGIN
                :: load != NO_LOAD -> is_late = COMES_LATE
                fi
            }
        :: d_step { load == ANSWERED && has_later_news && conflicts < CONFLICTS -> conflicts++; BEGIN }
        :: load == ANSWERED && !(has_later_news && conflicts < CONFLICTS) -> bring_news(); tell_cache(); leave_table()
        od
    } unless { is_dead };
    alive--
}

/* ---- everybody else ---- */

/*
 * sf_l1_get, sf_l1_is_stale. Whoever is stopped in it began early; in two steps where it is the lease that says how
 * good it is, which looks at `until` first.
 */
#ifdef BUG_FROM_READ_FIRST
#define FIRST_LOOK (since > from)
#define SECOND_LOOK (time < until)
#else
#define FIRST_LOOK (now < until)
#define SECOND_LOOK (confirmed > from)
#endif

proctype reader() provided (!is_dead)
{
    byte confirmed, time;

end:
    do
    :: d_step { is_here && since + FRESHNESS > now -> assert(is_dirty || is_postponed || version >= oldest) }
    :: d_step { is_here && !is_dirty && since + FRESHNESS <= now && version < oldest && FIRST_LOOK ->
            confirmed = since;
            time = now
        }
        d_step { assert(!SECOND_LOOK); confirmed = 0; time = 0 }
    od
}

/* Who finds nothing, or something too old: SESSION.LOAD. */
proctype asker() provided (!is_dead)
{
    byte least, asks;

end:
    do
    :: d_step { asks < ASKED && (!is_here || since + FRESHNESS <= now) && !is_dirty ->
            asks++;
            least = oldest;
            wants = true
        }
        d_step {
            is_answered ->
            assert(is_excused || reply == 0 || reply >= least);
            is_answered = false; is_excused = false; reply = 0; least = 0
        }
    od
}

/*
 * sf_l1_apply, and the batch, of which the server tells its own host, too: what another one has stored meanwhile is
 * merged. (age.pml looks at a batch step by step.) Or an eviction.
 */
proctype others() provided (!is_dead)
{
    if
    :: d_step { is_here && TROUBLE; is_dirty = true; CHANGED }
end:
        do
        :: d_step { is_dirty && stored != version -> MERGE(stored, now) }
        :: d_step { is_dirty && stored == version ->
                stored++;
                ours = stored;
                TELL;
                version = ours;
                since = now;
                is_dirty = false;
                is_postponed = false;
                CHANGED
            }
        od
    :: d_step { is_here && !is_dirty && TROUBLE;
            was_removed = (load != NO_LOAD);
            is_here = false;
            version = 0;
            since = 0;
            is_postponed = false;
            CHANGED
        }
    :: skip
    fi
}

/* follower_start: sf_l1_lease. */
inline start()
{
    until = 0;
    atomic {
        alive = 3;
        run follower();
        run loader();
        run main_thread()
    }
}

proctype killer()
{
    if
    :: d_step { TROUBLE; is_dead = true }
    :: goto done
    fi;
    alive == 0;
    d_step {
        is_linked = false;
        pinged = 0;
        open[0] = 0; open[1] = 0; half = 0; proven_before[0] = 0; proven_before[1] = 0;
        heard[0] = 0; heard[1] = 0; news[0] = 0; news[1] = 0;
        load = NO_LOAD; is_news = false; has_later_news = false; is_late = false; conflicts = 0;
        FORGET;
        if
        :: wants || is_waiting -> is_excused = true; is_answered = true
        :: else
        fi;
        wants = false; is_waiting = false; is_dead = false
    }
    start();
done:
    skip
}

init {
    atomic {
        d_step {
            version = 1;
            since = 1
        }
        if
        :: is_here = true
        :: skip
        fi;
        run world();
        run reader();
        run asker();
        run others();
        start();
        run killer()
    }
}
