/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1.h - the cache that all processes of a host share: one mapped file, no lock, readers that leave
 * no trace.
 *
 * Any process may be killed or stopped at any instruction; docs/shared-memory.md says what each
 * death leaves and who repairs it. Records go in and come out as copies; nothing outside
 * common/cache/ points into the mapping. Handles are independent: several in one process are as
 * good as several processes. A handle may be used by several threads at once.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "common/base/counters.h"
#include "common/config/instance.h"
#include "common/session/ops.h"

#define SF_L1_BYTES_MIN (1u << 20)
#define SF_L1_BYTES_MAX (UINT64_C(64) << 30)
#define SF_L1_WAIT_MAX 5 /* ms: nobody waits longer for a process that is dead or stopped */

struct sf_l1;

/* ---- life: the daemon creates, everybody attaches ---- */

struct sf_l1_made {
    bool is_new;          /* false: an intact segment was found and kept */
    bool size_differs; /* kept with its old size: somebody is attached, or it is dirty */
    bool set_aside;    /* the old file was damaged, of another layout, or without its lock file:
                          renamed to l1.cache.bad */
    uint64_t bytes;
    uint64_t fits; /* sessions of 1 KiB, about */
    uint64_t inherited, lost; /* of set_aside: records that the store does not have, as far as they
                                 could be read: taken over, and not, for want of room */
};

/*
 * Makes the segment unless a usable one is there. Serialised by a record lock; built under a
 * temporary name, fully allocated, then renamed into place. SF_FULL: the file system has no room
 * (text says how much was asked); SF_INVALID: somebody else's file, a symbolic link.
 * SF_UNAVAILABLE: another process holds the lock for too long.
 */
enum sf_status sf_l1_create(const struct sf_instance *instance, uint64_t bytes,
                            struct sf_l1_made *made_out, struct sf_error *error) SF_MUST_CHECK;

enum sf_l1_access { SF_L1_READ_ONLY, SF_L1_READ_WRITE };

/*
 * Maps the segment; READ_WRITE claims a process slot (SF_FULL: all taken) that the kernel gives
 * back at death. SF_NOT_FOUND: no file. SF_UNAVAILABLE: it is being replaced. SF_INVALID: wrong
 * owner or mode, another layout, truncated; the text says what. After fork a handle belongs to the parent only: the
 * child attaches anew.
 */
enum sf_status sf_l1_attach(struct sf_l1 **l1_out, const struct sf_instance *instance,
                            enum sf_l1_access access, struct sf_error *error) SF_MUST_CHECK;
void sf_l1_close(struct sf_l1 *l1);

/*
 * The segment was replaced or given up by the daemon: close and attach again. One load, no system
 * call.
 */
bool sf_l1_is_retired(const struct sf_l1 *l1);

/* ---- reading ---- */

/*
 * What a miss saw, taken before the store is asked: hand it to sf_l1_fill, so that a record that
 * was loaded before a change never shadows that change.
 */
struct sf_l1_vacancy {
    uint64_t removals; /* of keys that share this one's counter */
    sf_time seen;      /* steady clock: what the store says is not older than that */
};

struct sf_l1_view {
    sf_time last_access;          /* later than the record says when it was touched */
    bool is_clean;                /* the store has this version, or the journal, which brings it there */
    sf_time since;                /* steady clock: when they last had it; 0: nothing to ask the store: it is
                                     dirty, or has ended */
    struct sf_l1_vacancy vacancy; /* on SF_NOT_FOUND */
};

/*
 * Copies the whole record of one version, without judging it: what it says, whether it is ENDED or
 * has expired, and whether somebody has scribbled on it, sf_record_head and sf_session_decode find
 * out for the caller. SF_NOT_FOUND: not here (says nothing about the store).
 * SF_CONFLICT: it is here, and changed under each of several looks; ask again.
 */
enum sf_status sf_l1_get(struct sf_l1 *l1, const struct sf_key *key, struct sf_buffer *record_out,
                         struct sf_l1_view *view_out) SF_MUST_CHECK;

struct sf_l1_field {
    enum sf_value_type type;
    int64_t integer;      /* INTEGER */
    size_t size;          /* STRING and BYTES: of the value, also when it does not fit */
    bool is_here;         /* on SF_NOT_FOUND: the record is, the field is not */
    enum sf_record_kind kind;
    uint64_t version;
    uint32_t user_epoch;
    sf_time last_access, expires; /* of the record; 0: never */
    sf_time since;                /* as in sf_l1_view */
};

/*
 * One field of the record, without copying the rest: of one version, and judged as little, as what
 * sf_l1_get gives. A text goes to text_out; SF_FULL: it is longer than `room`. SF_NOT_FOUND: no such
 * field, or no such record here. SF_CONFLICT: as sf_l1_get. SF_CORRUPT: it is damaged.
 */
enum sf_status sf_l1_get_field(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                               void *text_out, size_t room,
                               struct sf_l1_field *field_out) SF_MUST_CHECK;

/* The same for an INTEGER, and no hit or miss in the counters: for what nobody has asked for. */
enum sf_status sf_l1_peek_integer(struct sf_l1 *l1, const struct sf_key *key, struct sf_span name,
                                  struct sf_l1_field *field_out) SF_MUST_CHECK;

/* Moves the last access forward, never back. Costs nothing when it moved less than a second. */
void sf_l1_touch(struct sf_l1 *l1, const struct sf_key *key, sf_time now);

/* ---- changing ---- */

/*
 * Puts a record that came from the store, clean, with the last access that the store knows. SF_OK:
 * the key is there now, or was already, perhaps in a later version: read it with sf_l1_get.
 * SF_CONFLICT: since the vacancy was seen the key may have been here, changed, stored and gone
 * again, so that `record` may be old: load it again. SF_FULL: no room, and `record` is current.
 */
enum sf_status sf_l1_fill(struct sf_l1 *l1, const struct sf_key *key, struct sf_span record,
                          sf_time last_access, const struct sf_l1_vacancy *vacancy) SF_MUST_CHECK;

/*
 * Forgets a clean record. SF_CONFLICT: it is not in the store yet, or has just changed. For the
 * daemon, before it changes in the store alone what does not fit here: what L1 does not hold,
 * nobody else changes.
 */
enum sf_status sf_l1_drop(struct sf_l1 *l1, const struct sf_key *key) SF_MUST_CHECK;

/* ---- age: what the store has not confirmed for long is asked for again ---- */

/* For all processes: it stands in the segment. 0: for ever. */
void sf_l1_set_ttl(struct sf_l1 *l1, sf_time ttl);

/* ---- store only ---- */

/*
 * From now on no process reads or changes sessions here: the daemon does it in the store. What waits for the store
 * is brought there as ever; what it has goes with the next pass of sf_l1_repair.
 */
void sf_l1_set_bypassed(struct sf_l1 *l1, bool is_bypassed);
bool sf_l1_is_bypassed(const struct sf_l1 *l1);

/* ---- other hosts that share the store ---- */

/*
 * From now on, in all processes, each change keeps the lineage of its record (lineage.h), so that the
 * store can merge it.
 */
void sf_l1_set_shared(struct sf_l1 *l1, bool is_shared);
uint64_t sf_l1_host(const struct sf_l1 *l1); /* of sf_ops: what lineages call it; 0: nobody shares the store */
uint64_t sf_l1_host_id(const struct sf_l1 *l1); /* which host it is: the same for as long as its cache lives */

/*
 * The store that is this incarnation (sf_store_incarnation; 0: not known, or never another one) has answered, and the
 * answer is not here yet. Is it another one than the last, it may have gone back, and this host would give numbers of
 * versions a second time: from now on lineages call it something else. Any thread.
 */
void sf_l1_meet_store(struct sf_l1 *l1, uint64_t incarnation);

/* What the store says of a session. */
struct sf_l1_answer {
    struct sf_span record;
    sf_time last_access; /* perhaps later than in the record */
    bool is_journalled;  /* the journal of this host has made it what it is: the store has less */
};

/*
 * The store has `answer`, which may be of another host, or was merged there from what this one had:
 * what is here takes it in. Stored and earlier: it is replaced; as late: it is confirmed. Changed since,
 * or only in the journal: both are merged, for the store. `asked`: before the store was, by the steady
 * clock. SF_NOT_FOUND: none is here. SF_FULL: no room; SF_CONFLICT: it changes too fast. Nothing is lost
 * then: the store says the same when the change comes to it.
 */
enum sf_status sf_l1_merge(struct sf_l1 *l1, const struct sf_key *key,
                           const struct sf_l1_answer *answer, sf_time asked) SF_MUST_CHECK;

/*
 * Until `until` (steady clock) the daemon hears of all that others change in the store, and brings it
 * here: what the store has confirmed since the last sf_l1_distrust is good for this TTL, if that is
 * longer. 0: it hears nothing.
 */
void sf_l1_lease(struct sf_l1 *l1, sf_time ttl, sf_time until);

/* Something may have changed unheard: what is here now is none of the lease's. */
void sf_l1_distrust(struct sf_l1 *l1);

/*
 * The store has not been asked for it for the TTL, or up to a quarter less: each key has its own, so
 * that many that came at once are not asked for at once.
 */
bool sf_l1_is_stale(const struct sf_l1 *l1, const struct sf_key *key,
                    const struct sf_l1_view *view);

struct sf_l1_ticket {
    uint32_t block;
    uint64_t control;
};

/* What is here before the store is asked; what it answers is about this. */
struct sf_l1_question {
    struct sf_l1_vacancy vacancy;
    bool is_here; /* a clean one */
    struct sf_l1_ticket ticket;
};
void sf_l1_ask(struct sf_l1 *l1, const struct sf_key *key, struct sf_l1_question *question_out);

/*
 * The store has `answer`. A stored one here of the same version or a later is as new as the question
 * from now on; an older one is replaced; one that only the journal has takes it in as sf_l1_merge does;
 * a dirty one stays as it is. Where none is: sf_l1_fill, with its answers. SF_CONFLICT: ask again.
 * SF_FULL: no room, and the answer is current.
 */
enum sf_status sf_l1_confirm(struct sf_l1 *l1, const struct sf_key *key,
                             const struct sf_l1_answer *answer,
                             const struct sf_l1_question *question) SF_MUST_CHECK;

/*
 * The store has none. SF_OK: now L1 has none, either. SF_CONFLICT: it has, and that is what counts: it
 * has changed since, or its user is about while the store has taken it for expired.
 */
enum sf_status sf_l1_deny(struct sf_l1 *l1, const struct sf_key *key,
                          const struct sf_l1_question *question) SF_MUST_CHECK;

/* The store does not answer: what is here is good for another second. */
void sf_l1_postpone(struct sf_l1 *l1, const struct sf_key *key,
                    const struct sf_l1_question *question);

/*
 * How much is refused while changes fill the cache and neither store nor journal takes them. Each
 * level refuses what the one before does, too. Never refused: END, which has a reserve, a login, and
 * what changes nothing.
 */
enum sf_l1_pressure {
    SF_L1_PRESSURE_NONE,
    SF_L1_PRESSURE_NO_NEW,       /* anonymous sessions are not created */
    SF_L1_PRESSURE_NO_ANONYMOUS, /* nor changed */
    SF_L1_PRESSURE_FULL          /* and a user's change has found no room */
};

/* Set by the daemon, for all processes. It ends by itself when it is not said again for so long. */
#define SF_L1_PRESSURE_LIFE (60 * SF_SECOND)
void sf_l1_set_pressure(struct sf_l1 *l1, enum sf_l1_pressure pressure);
enum sf_l1_pressure sf_l1_pressure(const struct sf_l1 *l1);
const char *sf_l1_pressure_text(enum sf_l1_pressure pressure); /* what is refused */

struct sf_l1_change {
    const struct sf_ops *ops;
    sf_time now;                    /* wall clock */
    size_t max_bytes;
    sf_time idle_timeout;           /* for sessions created here */
    sf_time absolute_timeout;       /* the same; 0: none */
    sf_time rotate_grace;
    sf_time tombstone_lifetime;
    enum sf_end_reason end_reason;  /* for END */
    const struct sf_key *new_key;   /* of a created or rotated session; NULL: neither is wanted */
    bool may_create;                /* no session yet: the ops make one under new_key */
    bool must_be_fresh;             /* what is stale counts as missed */
};

struct sf_l1_applied {
    struct sf_key key; /* where the session is now; with `missed`: what to ask for (a successor?) */
    uint64_t version;
    bool missed;       /* SF_NOT_FOUND in L1 only: ask the daemon. false: ended for certain */
    bool created, rotated, ended, changed;
    enum sf_l1_pressure pressure; /* SF_FULL because of it, which is final; or 0 */
    bool is_visitors;             /* of somebody who is not logged in: with SF_FULL */
};

/*
 * Applies the list to the session `key` (NULL with may_create: to a new one), atomically for every
 * process: all of it or nothing, one version up, dirty until the store has it. record_out (may be
 * NULL) gets the new record. Rotation publishes the new key first and then turns the old one into
 * an ENDED record with grace; both or neither are seen by requests that hold the old id. A change
 * sent to an id that ROTATE replaced goes to its successor until the grace ends, unless it wants a
 * new id itself; then, and after LOGIN, it is SF_NOT_FOUND. An expired session is NOT_FOUND.
 * SF_FULL: refused under pressure, larger than max_bytes (applied_out->version is not 0), or no room.
 * SF_CONFLICT: a compare failed, or too many races. SF_INVALID: see sf_ops_apply.
 */
enum sf_status sf_l1_apply(struct sf_l1 *l1, const struct sf_key *key,
                           const struct sf_l1_change *change, struct sf_buffer *record_out,
                           struct sf_l1_applied *applied_out) SF_MUST_CHECK;

/* ---- for the daemon: what waits for the store ---- */

enum sf_l1_duty { SF_L1_FLUSHER, SF_L1_SWEEPER };

/* Takes the duty if nobody has it. Never waits; the kernel takes it back at death. */
bool sf_l1_lead(struct sf_l1 *l1, enum sf_l1_duty duty);

/*
 * Publications since the segment was made, and burials, which may bring some to light; cheap, to be
 * polled.
 */
uint64_t sf_l1_changes(const struct sf_l1 *l1);

struct sf_l1_dirty {
    struct sf_key key;
    struct sf_buffer record;   /* owned by the item; reused from call to call */
    sf_time dirty_since;       /* steady clock */
    sf_time last_access;       /* whole seconds; later than in the record if touched since */
    struct sf_l1_ticket ticket;
};

/* All zero to begin, and again when taken records could not be written: everything is scanned. */
struct sf_l1_cursor {
    uint64_t hint;
    uint64_t deaths;
    uint32_t block;
    uint32_t waits;    /* not 0: a hint was announced and is not there yet; call again */
    bool is_following;
    bool is_stuck;     /* no memory for the next record; call again */
};

/* So many of sf_l1_changes() have been handed out. Not while it is stuck. */
uint64_t sf_l1_cursor_changes(const struct sf_l1_cursor *cursor);

/*
 * Up to `limit` dirty records, each copied whole. Follows the hints that publishers leave, and
 * scans all blocks when the cursor is new, when hints were overrun, and when a process has died.
 * `items` zeroed before the first use; sf_l1_dirty_fini frees their buffers. Fewer than `limit`:
 * nothing more is known now, or the cursor is stuck. Each change is handed out once: keep it until it
 * is settled.
 */
size_t sf_l1_dirty_take(struct sf_l1 *l1, struct sf_l1_cursor *cursor, struct sf_l1_dirty *items,
                        size_t limit);
void sf_l1_dirty_fini(struct sf_l1_dirty *items, size_t count);

/*
 * The store has it, which was given it at `written`, steady clock: clean, if that very generation is
 * still there.
 */
void sf_l1_settle(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written);

/*
 * The same for the journal, which has it on disk and brings it to the store: clean, and may be evicted. It is not taken
 * for what the store has: a change goes on from what this one grew from.
 */
void sf_l1_settle_journalled(struct sf_l1 *l1, const struct sf_l1_ticket *ticket, sf_time written);

/* The journal has brought this very version to the store. */
void sf_l1_settle_key(struct sf_l1 *l1, const struct sf_key *key, uint64_t version, sf_time written);

/*
 * Which version is here, without copying it, and does the store have it, or the journal? SF_NOT_FOUND: none.
 * SF_CONFLICT: it is here, and changing.
 */
enum sf_status sf_l1_version(struct sf_l1 *l1, const struct sf_key *key, uint64_t *version_out,
                             bool *is_clean_out) SF_MUST_CHECK;

/* Is `key` here, at `version` or later, and does the store have it? */
bool sf_l1_has_stored(struct sf_l1 *l1, const struct sf_key *key, uint64_t version);
/* The same, and true as well when L1 has evicted it: then the store has it, or the journal owes it. */
bool sf_l1_is_stored(struct sf_l1 *l1, const struct sf_key *key, uint64_t version);

struct sf_l1_touched {
    struct sf_key key;
    sf_time last_access;
    sf_time expires;      /* with that last access */
    struct sf_l1_ticket ticket;
};

/*
 * Clean sessions whose last access has moved by min(60 s, a tenth of the idle timeout) since the
 * store heard of it.
 */
size_t sf_l1_touched_take(struct sf_l1 *l1, uint32_t *cursor, struct sf_l1_touched *items,
                          size_t limit);
void sf_l1_touched_settle(struct sf_l1 *l1, const struct sf_l1_touched *item);

/*
 * Of which store (sf_store_incarnation) is it true that it has what is clean here? 0: not known. It stands in the
 * segment: a daemon that is killed while it puts everything again leaves the old number.
 */
uint64_t sf_l1_store(const struct sf_l1 *l1);
void sf_l1_set_store(struct sf_l1 *l1, uint64_t incarnation);
sf_time sf_l1_store_since(const struct sf_l1 *l1); /* steady clock: when that was said; 0: never */

/*
 * Up to `limit` records that the store has, or the journal, tombstones too, each copied whole; as sf_l1_dirty_take
 * gives dirty ones, but for dirty_since: when they last had it. *cursor 0 to begin with; 0 again: that was all.
 * What moves to another place meanwhile, as the counter l1_slabs_moved tells, may be missed. No memory for a record:
 * it is left out.
 */
size_t sf_l1_clean_take(struct sf_l1 *l1, uint32_t *cursor, struct sf_l1_dirty *items, size_t limit);

struct sf_l1_usage {
    uint64_t bytes;
    uint64_t blocks_live, blocks_dirty, blocks_free, blocks_owned, tombstones;
    uint64_t slabs, slabs_used, index_words, index_used;
    uint64_t record_bytes;     /* of live records */
    uint64_t room_bytes;       /* for blocks of one size, if all are; about */
    uint64_t dirty_bytes;      /* of blocks whose records the store does not have */
    sf_time oldest_dirty;      /* steady clock; 0: nothing is dirty */
    uint32_t processes;        /* slots that are alive */
};

void sf_l1_usage(struct sf_l1 *l1, struct sf_l1_usage *usage_out); /* walks everything */

/*
 * Repairs what dead processes left, drops what is clean and expired, or bypassed, and replaces by a tombstone
 * what an old id shows of its session when the grace is over. At most `budget` blocks; *cursor goes
 * round. Returns repairs.
 */
size_t sf_l1_repair(struct sf_l1 *l1, sf_time now, uint32_t *cursor, uint32_t budget);

/*
 * The budget with which about so many calls are one pass. What a killed process left under way
 * keeps a key out of the cache until a pass has been over it, so a pass should not take longer in a
 * larger cache; and whoever begins after a crash should make one with the budget UINT32_MAX.
 */
uint32_t sf_l1_repair_budget(const struct sf_l1 *l1, uint32_t calls);

/* ---- looking ---- */

/* false ends the walk. The record is a copy that is valid during the call. */
typedef bool sf_l1_visit_fn(void *context, const struct sf_key *key, struct sf_span record,
                            const struct sf_l1_view *view);
void sf_l1_each(struct sf_l1 *l1, sf_l1_visit_fn *visit, void *context);

/*
 * Walks and verifies everything: header, slabs, every block and index word, checksums,
 * reachability. `is_quiet`: no other process is at work, so that leaks count as errors too.
 * SF_CORRUPT: the text names the first finding.
 */
enum sf_status sf_l1_check(struct sf_l1 *l1, bool is_quiet, struct sf_error *error) SF_MUST_CHECK;

/* This process's counters; in private memory for a READ_ONLY handle. Sum: over all slots. */
struct sf_counters *sf_l1_counters(struct sf_l1 *l1);
void sf_l1_counters_sum(const struct sf_l1 *l1, uint64_t values_out[SF_COUNTER_COUNT]);
