/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * l1_layout.h - every byte of the shared segment, and who may change it how.
 *
 *   header page | process slots | counters | removals | hints | index | slab table | slabs
 *
 * There is no lock. All zero is a valid empty segment. Links are numbers, never pointers, and are
 * checked before use. A process that is killed leaves, at worst: OWNED blocks, some of them named
 * by a word; LIVE blocks that no word names; a slot that is in use without its record lock.
 * sf_l1_repair puts all of it right. docs/shared-memory.md goes through it step by step.
 *
 * Memory orders, each with its partner:
 *
 *   O1  the payload before the word that names it
 *         index CAS to a block (release)
 *         index load (acquire) in sf_l1_find
 *   O2  the new generation before the new payload, touch, stored and since
 *         CAS that takes a block, fence (release), payload stores
 *         payload loads, fence (acquire), control load: whoever copied new bytes sees the new
 *         generation
 *   O3  the word's change before the next owner's generation
 *         index CAS, then retiring CAS (release); taking CAS (acquire and release)
 *         control load (acquire), then the word again: an old word is never seen together with a
 *         later generation
 *   O4  the count of removals before the removal
 *         removals add (release), then index CAS to EMPTY (release)
 *         index load (acquire), then removals load, in sf_l1_fill
 *   O5  of two who name the same key at once, at least one sees the other
 *         index CAS, fence (seq_cst), look at the other words: the same in both processes
 *   O6  the hint before its number is followed
 *         ring store (release)
 *         ring load (acquire) in sf_l1_hint_read
 *   O7  a slot is in use before its owner has blocks, and until he has none
 *         slot store (release) in sf_process_slot_claim and sf_process_slot_release
 *         slot load (acquire) in sf_l1_repair, behind the control load
 *   O8  of one who attaches and one who gives the segment up, at least one sees the other
 *         claim of a slot, fence (seq_cst), load of retired in sf_l1_segment_join
 *         store of retired, fence (seq_cst), look at the slots in sf_l1_create
 *   O10 of one who changes words of a block and one who changes the class of its slab, at least one
 *       sees the other
 *         busy add, fence (seq_cst), load of the slab table; busy sub (release)
 *         CAS of the slab table, fence (seq_cst), loads of busy (acquire) in sf_l1_grace_is_over
 *   O11 the controls of a slab before its class
 *         control stores, CAS of the slab table (release) in sf_l1_move_step
 *         slab table load (acquire) in sf_l1_block_place
 *   O9  a record is dirty before it is counted among the changes
 *         CAS that publishes, then add (release) to hint_head; repairs, then add to deaths
 *         sf_l1_changes (acquire), and the loads with which a scan begins; then the controls
 *   O12 what a lease is not for before the lease, and before what seems to be confirmed later than it is
 *         lease_from store, then lease_until store (release) in sf_l1_lease; fence, then since in sf_l1_postpone
 *         since load, then lease_until load (acquire), then lease_from load, in is_leased
 *   O13 the number of this host before the first answer of the store that it was drawn for
 *         add to host_number, then the CAS (release) that publishes the answer
 *         index load (acquire) of the record that is changed, then host_number load
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/boot_id.h"
#include "common/cache/l1_mutants.h"

#define SF_L1_MAGIC 0x314C20747361662Du /* "-fast L1" */
#define SF_L1_LAYOUT_VERSION 10u

#define SF_L1_SLOTS_SMALL 1024u
#define SF_L1_SLOTS_LARGE 4096u
#define SF_L1_COUNTERS_BYTES 512u /* room for rows to come: a new row does not change the layout */
#define SF_L1_BUCKET_WORDS 8u
#define SF_L1_CLASSES_MAX 64u
#define SF_L1_BLOCK_MIN 256u

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "all shared words are lock-free 64-bit atomics");

/*
 * ---- the header page: complete before the file gets its name ----
 *
 * magic, layout_version, boot_id and retired keep their places in every layout, so that a program
 * of another version can tell those who use the segment that it is given up.
 */

struct sf_l1_header { /* constant but for the atomics */
    uint64_t magic;
    uint64_t layout_version;
    uint64_t signature; /* of sizes, offsets and constants: see sf_l1_signature */
    uint64_t bytes;     /* of the file; everything else follows from it: see sf_l1_plan_make */
    uint64_t hash_key[2];
    int64_t created;    /* wall clock */
    uint64_t lock_device, lock_inode; /* the lock file that says who is alive: no other will do */
    char boot_id[SF_BOOT_ID_BYTES];
    /* 1: given up by the daemon. Readers may learn late; who attaches does not: O8. */
    _Alignas(64) _Atomic uint64_t retired;
    /* The next place in the ring of hints; O9. */
    _Alignas(64) _Atomic uint64_t hint_head;
    /* Passes that repaired what the dead left: whoever follows hints then scans; O9. */
    _Alignas(64) _Atomic uint64_t deaths;
    _Atomic uint64_t slabs_taken; /* a hint: slabs below are probably taken; relaxed */
    _Atomic uint64_t leaders[2];  /* for people: process ids of flusher and sweeper; relaxed */
    _Atomic uint64_t ttl; /* ms: an entry that is older is asked for again; 0: never; relaxed */
    _Atomic uint64_t pressure; /* by the daemon alone; relaxed */
    _Atomic uint64_t host_id;   /* which host this is, as long as its cache lives; constant */
    _Atomic uint64_t is_shared; /* others use the store, too; relaxed */
    /* While others tell what they change: see l1_confirm.c. The first one O12, the others relaxed */
    _Alignas(64) _Atomic uint64_t lease_until;
    _Atomic uint64_t lease_from, lease_ttl;
    _Atomic uint64_t bypassed; /* 1: sessions are read and changed in the store only; by the daemon alone; relaxed */
    _Alignas(64) _Atomic uint64_t sections; /* which of its two counts a section uses; relaxed */
    _Atomic uint64_t store; /* incarnation of the store that has what is clean; 0: not known; relaxed */
    _Atomic uint64_t store_since; /* ms, steady clock: when that was said last; relaxed */
    _Atomic uint64_t host_number; /* what lineages call this host: see l1_host.c; O13 */
    _Atomic uint64_t met;         /* incarnation of the store that was met last; 0: none yet; O13 */
    /* By size class, hints: how much room has been wanted of late, by eviction or in vain; relaxed */
    _Alignas(64) _Atomic uint64_t wanted[SF_L1_CLASSES_MAX];
};
static_assert(offsetof(struct sf_l1_header, layout_version) == 8 &&
                  offsetof(struct sf_l1_header, boot_id) == 72 &&
                  offsetof(struct sf_l1_header, retired) == 128,
              "in the same place in every layout");
static_assert(sizeof(struct sf_l1_header) == 960, "header");

/*
 * pressure:  level : 8 | seconds : 56
 *
 *   What is refused for now (enum sf_l1_pressure), and the steady clock when that was said last. Says
 *   nothing about any record: whoever sees it late lets one change more through, or less.
 */
static inline uint64_t
sf_l1_pressure_make(unsigned level, int64_t seconds)
{
    return (uint64_t)level << 56 | ((uint64_t)seconds & ((UINT64_C(1) << 56) - 1));
}

static inline unsigned
sf_l1_pressure_level(uint64_t pressure)
{
    return (unsigned)(pressure >> 56);
}

static inline int64_t
sf_l1_pressure_seconds(uint64_t pressure)
{
    return (int64_t)(pressure & ((UINT64_C(1) << 56) - 1));
}

/* ---- process slots: one cache line each ---- */

struct sf_l1_slot {
    /* 2 * incarnation + in use; O7. The owner lives while the record lock is held, too. */
    _Alignas(64) _Atomic uint64_t word;
    _Atomic uint64_t pid;   /* these two for people; relaxed */
    _Atomic uint64_t since; /* wall clock */
    _Atomic uint64_t busy;  /* two counts of 32 bits: sections that the owner is in; O10 */
};
static_assert(sizeof(struct sf_l1_slot) == 64, "slot");

/* ---- index ---- */

/*
 * A bucket is a cache line of words. A word changes by CAS only, and each change counts ctr up.
 *
 *   tag : 12 | block + 1 : 28 | ctr : 24        all but ctr 0: EMPTY; no tag is 0
 */
struct sf_l1_bucket {
    _Alignas(64) _Atomic uint64_t words[SF_L1_BUCKET_WORDS];
};
static_assert(sizeof(struct sf_l1_bucket) == 64, "bucket");

#define SF_L1_BLOCK_LIMIT ((1u << 28) - 1) /* block numbers are below */

static inline uint64_t
sf_l1_word_counted(uint64_t before)
{
    return (before + !SF_MUTANT(NO_COUNT)) & 0xFFFFFFu;
}

static inline uint64_t
sf_l1_word_make(uint32_t block, uint32_t tag, uint64_t before)
{
    return (uint64_t)(tag & 0xFFFu) << 52 | (uint64_t)(block + 1) << 24 |
           sf_l1_word_counted(before);
}

static inline uint64_t
sf_l1_word_emptied(uint64_t before)
{
    return sf_l1_word_counted(before);
}

static inline bool
sf_l1_word_is_empty(uint64_t word)
{
    return word >> 24 == 0;
}

static inline uint32_t
sf_l1_word_block(uint64_t word)
{
    return ((uint32_t)(word >> 24) & 0xFFFFFFFu) - 1;
}

static inline uint32_t
sf_l1_word_tag(uint64_t word)
{
    return (uint32_t)(word >> 52);
}

/* ---- hints: what to look at next; lossy, never trusted ---- */

/*
 *   block : 28 | gen : 16 | place : 20
 *
 * place: low bits of the number of the hint, plus one, so that an old hint, or none, is not taken
 * for the one that is looked for.
 */
static inline uint64_t
sf_l1_hint_make(uint32_t block, uint64_t gen, uint64_t place)
{
    return (uint64_t)block << 36 | (gen & 0xFFFFu) << 20 | ((place + 1) & 0xFFFFFu);
}

/*
 * ---- slab table: a word a slab ----
 *
 *   base : 48 | state : 8 | class + 1 : 8        0: never used
 *
 *   OPEN,c --> DRAINING,c --> CLOSED,c --> OPENING,d --> OPEN,d      by the leading sweeper only
 *
 * CLOSED and OPENING have the class in the place of the state, and none in its own, so that who
 * looks a block up finds none.
 *
 * base: generations in this slab begin here; above all that were ever used in it, so that none comes
 * again under an old word when the slab has changed its class.
 */

#define SF_L1_TABLE_CLASS 0xFFu
#define SF_L1_TABLE_STATE 0xFF00u
#define SF_L1_TABLE_DRAINING 0x4000u /* nobody takes blocks from it */
#define SF_L1_TABLE_OPENING 0x8000u

static inline uint64_t
sf_l1_slab_open(uint64_t base, uint32_t class_index)
{
    return base << 16 | (class_index + 1);
}

/* All its blocks are FREE, and nobody finds them any more; the class is kept aside. */
static inline uint64_t
sf_l1_slab_closed(uint64_t base, uint32_t class_index)
{
    return base << 16 | (uint64_t)(class_index + 1) << 8;
}

/* Its controls are being set up. */
static inline uint64_t
sf_l1_slab_opening(uint64_t base, uint32_t class_index)
{
    return sf_l1_slab_closed(base, class_index) | SF_L1_TABLE_OPENING;
}

static inline bool
sf_l1_slab_is_draining(uint64_t value)
{
    return (value & SF_L1_TABLE_CLASS) != 0 && (value & SF_L1_TABLE_STATE) != 0;
}

static inline bool
sf_l1_slab_is_shut(uint64_t value)
{
    return (value & SF_L1_TABLE_CLASS) == 0 && (value & SF_L1_TABLE_STATE) != 0;
}

/* Of one that is shut. */
static inline uint32_t
sf_l1_slab_kept_class(uint64_t value)
{
    return ((uint32_t)(value >> 8) & 0x7Fu) - 1;
}

static inline uint64_t
sf_l1_slab_base(uint64_t value)
{
    return value >> 16;
}

/* ---- blocks: one behind the other in the slab, each with its control first ---- */

/*
 * control:  state : 2 | clean : 1 | journalled : 1 | owner slot : 12 | gen : 48      changes by CAS only
 *
 *   FREE,g --take--> OWNED,g+1 --publish--> LIVE,g+1 --retire--> FREE,g+1
 *
 *   OWNED and not clean: being made, or already published by a word (that CAS was the commit).
 *   OWNED and clean: being filled from the store. Not to be read even when a word names it: only
 *   LIVE confirms a fill.
 *   LIVE and not clean: the store does not have it.
 *   LIVE, clean and journalled: nor does it; but the journal brings it there, and this copy may go.
 *
 * touch:   gen : 24 | worth : 3 | frequency : 5 | seconds : 32
 * stored:  gen : 32 | seconds : 32
 * since:   gen : 24 | ms : 40
 *
 *   Wall clock of the last access, with what l1_worth.h makes of it; of the last access that the
 *   store knows. Steady clock since when the record is dirty; or, when it is clean, when it was last
 *   known to be what the store has. CAS with the generation, relaxed: one that comes late does not
 *   hit the block's next record, unless that is exactly the 2^24th (2^32nd) from then: a second
 *   added to a last access, a check of the store left out.
 */
enum sf_l1_state { SF_L1_FREE, SF_L1_OWNED, SF_L1_LIVE };

struct sf_l1_control {
    _Atomic uint64_t state;
    _Atomic uint64_t touch;
    _Atomic uint64_t stored;
    _Atomic uint64_t since;
};
static_assert(sizeof(struct sf_l1_control) == 32, "control");

#define SF_L1_GEN_MASK ((UINT64_C(1) << 48) - 1)
#define SF_L1_CLEAN (UINT64_C(1) << 61)
#define SF_L1_JOURNALLED (UINT64_C(1) << 60) /* never without CLEAN */
#define SF_L1_OWNER_LIMIT 4096u

static inline uint64_t
sf_l1_control_make(enum sf_l1_state state, uint32_t owner, uint64_t gen)
{
    return (uint64_t)state << 62 | (uint64_t)(owner % SF_L1_OWNER_LIMIT) << 48 |
           (gen & SF_L1_GEN_MASK);
}

static inline unsigned
sf_l1_control_state(uint64_t control)
{
    return (unsigned)(control >> 62);
}

static inline bool
sf_l1_control_is_clean(uint64_t control)
{
    return (control & SF_L1_CLEAN) != 0;
}

/* The store has it. What is merely clean may be the journal's alone. */
static inline bool
sf_l1_control_is_stored(uint64_t control)
{
    return (control & (SF_L1_CLEAN | SF_L1_JOURNALLED)) == SF_L1_CLEAN;
}

static inline uint32_t
sf_l1_control_owner(uint64_t control)
{
    return (uint32_t)(control >> 48) % SF_L1_OWNER_LIMIT;
}

static inline uint64_t
sf_l1_control_gen(uint64_t control)
{
    return control & SF_L1_GEN_MASK;
}

#define SF_L1_FREQUENCY_MAX 31u

static inline uint64_t
sf_l1_touch_make(uint64_t gen, uint32_t worth, uint32_t frequency, uint32_t seconds)
{
    return gen << 40 | (uint64_t)(worth & 7u) << 37 |
           (uint64_t)(frequency & SF_L1_FREQUENCY_MAX) << 32 | seconds;
}

static inline bool
sf_l1_touch_matches(uint64_t touch, uint64_t gen)
{
    return touch >> 40 == (gen & 0xFFFFFFu);
}

static inline uint32_t
sf_l1_touch_worth(uint64_t touch)
{
    return (uint32_t)(touch >> 37) & 7u;
}

static inline uint32_t
sf_l1_touch_frequency(uint64_t touch)
{
    return (uint32_t)(touch >> 32) & SF_L1_FREQUENCY_MAX;
}

static inline uint32_t
sf_l1_touch_seconds(uint64_t touch)
{
    return (uint32_t)touch;
}

static inline uint64_t
sf_l1_stored_make(uint64_t gen, uint32_t seconds)
{
    return gen << 32 | seconds;
}

static inline bool
sf_l1_stored_matches(uint64_t stored, uint64_t gen)
{
    return stored >> 32 == (gen & 0xFFFFFFFFu);
}

#define SF_L1_SINCE_MASK ((UINT64_C(1) << 40) - 1) /* 34 years of one boot */

static inline uint64_t
sf_l1_since_make(uint64_t gen, int64_t ms)
{
    return gen << 40 | ((uint64_t)ms & SF_L1_SINCE_MASK);
}

static inline bool
sf_l1_since_matches(uint64_t since, uint64_t gen)
{
    return since >> 40 == (gen & 0xFFFFFFu);
}

/*
 * Behind the control: words that are written while the block is OWNED and not changed until it is
 * taken again. Control, these and nothing else are one cache line. Version, kind and times stand in
 * the record. All of it is copied with loads and stores that cannot be cut, never with memcpy: see
 * l1_copy.h.
 */
enum sf_l1_block_word {
    SF_L1_AT_KEY,
    SF_L1_AT_KEY_HIGH,
    SF_L1_AT_LENGTH,   /* bytes of the record : 32 | 0 : 32 */
    SF_L1_AT_CHECKSUM, /* XXH3 of the record and of the words above; the seed has the generation */
    SF_L1_BLOCK_WORDS  /* the record begins here */
};
#define SF_L1_BLOCK_HEADER (sizeof(struct sf_l1_control) + SF_L1_BLOCK_WORDS * sizeof(uint64_t))
static_assert(SF_L1_BLOCK_HEADER == 64, "block header");
