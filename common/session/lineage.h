/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * lineage.h - what a record remembers of its hosts, where several share one store.
 *
 * Each host changes its own copy and stores it later. When the store has a row that another host has
 * changed meanwhile, the two are merged (merge.h): sums of INCREMENTs add up, fields that only one
 * has set stay, and what both have set is what came to the store last. For that a record says
 *
 *   base    the version of the row that it grew from
 *   merged  of each host: up to which of its versions its changes are in here
 *   sets    names that were set or unset since, each with the host and its version that did; and of
 *           those before that, the latest: a store that lost them, and was changed since, lacks them
 *   sums    of each host and field: all that it has ever added by INCREMENT
 *
 * Sums are totals and sets have versions, so that nothing is counted twice, whoever was killed when:
 * what a row has is skipped, whether the host knew that it is there or not.
 */
#include "common/session/record.h"

/* Of them the latest; with one that is left out go its sums, and what it has not stored yet counts anew. */
#define SF_LINEAGE_HOSTS_MAX 64
#define SF_LINEAGE_FORMER_SETS 16 /* that the row had already when ours grew from it; of more, the latest */
#define SF_LINEAGE_SUMS_MAX 1024 /* of all hosts; behind them an INCREMENT is a set like any other */
#define SF_LINEAGE_BYTES_MAX (256u << 10)

struct sf_lineage_host {
    uint64_t host, version;
    bool is_pending; /* it has changed something since `base` */
};

struct sf_lineage_set {
    struct sf_span name; /* empty: the flags */
    uint64_t host, version;
};

struct sf_lineage_sum {
    struct sf_span name;
    uint64_t host;
    int64_t total; /* wraps around: only differences count */
};

/* Names are borrowed from where they were read. */
struct sf_lineage {
    uint64_t base; /* 0: the store has no row yet */
    struct sf_lineage_host merged[SF_LINEAGE_HOSTS_MAX];
    size_t merged_count;
    struct sf_lineage_set *sets; /* malloc'ed, as `sums` */
    size_t set_count, set_room;
    uint32_t *slots; /* malloc'ed; of many sets, their places and one, by a hash of the name; 0: empty */
    size_t slot_count, slotted; /* a power of two; so many of the sets are in there */
    struct sf_lineage_sum *sums;
    size_t sum_count, sum_room;
};

void sf_lineage_init(struct sf_lineage *lineage);
void sf_lineage_fini(struct sf_lineage *lineage);

/* An empty span is an empty lineage. SF_CORRUPT: it is left empty. */
enum sf_status sf_lineage_decode(struct sf_lineage *lineage, struct sf_span bytes) SF_MUST_CHECK;
enum sf_status sf_lineage_check(struct sf_span bytes) SF_MUST_CHECK; /* SF_CORRUPT, as decoding */
/* Appends. Leaves out what hosts did that are not in `merged` any more. SF_FULL: too much of it. */
enum sf_status sf_lineage_encode(const struct sf_lineage *lineage,
                                 struct sf_buffer *bytes) SF_MUST_CHECK;

/* From now on it says what has changed since version `base` of the row, and the latest of what is in that. */
void sf_lineage_begin(struct sf_lineage *lineage, uint64_t base);

/* Nothing was set or added any more. */
void sf_lineage_forget(struct sf_lineage *lineage);

/* Up to which version of the host; 0: nothing of it. */
uint64_t sf_lineage_merged(const struct sf_lineage *lineage, uint64_t host);
/* Its changes up to there are in here now, though not in the row. Never back. */
void sf_lineage_merge_to(struct sf_lineage *lineage, uint64_t host, uint64_t version);

/* NULL: it was not set since `base`, nor is it one of the latest before. */
const struct sf_lineage_set *sf_lineage_find_set(struct sf_lineage *lineage, struct sf_span name);
enum sf_status sf_lineage_note_set(struct sf_lineage *lineage,
                                   const struct sf_lineage_set *set) SF_MUST_CHECK;
/* Adds to the total of that host and name. */
enum sf_status sf_lineage_note_sum(struct sf_lineage *lineage,
                                   const struct sf_lineage_sum *sum) SF_MUST_CHECK;
/* 0: there is none. */
int64_t sf_lineage_sum_of(const struct sf_lineage *lineage, uint64_t host, struct sf_span name);

/*
 * Has it, as far as can be told, all hosts that ever changed the session? Then what it does not know of them,
 * though another record of the session does and waits for no store, was lost by the store.
 */
bool sf_lineage_is_complete(const struct sf_lineage *lineage);
/* `row`, which is complete, does not know what this record has. */
bool sf_lineage_lacks(struct sf_span row, struct sf_span record);

uint64_t sf_lineage_base(struct sf_span record); /* 0: also where it has no lineage */
