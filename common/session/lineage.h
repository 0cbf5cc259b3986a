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
 *   sets    names that `host` has set or unset since, each with the version that did
 *   sums    of each host and field: all that it has ever added by INCREMENT
 *
 * Sums are totals and sets have versions, so that nothing is counted twice, whoever was killed when:
 * what a row has is skipped, whether the host knew that it is there or not.
 */
#include "common/session/record.h"

#define SF_LINEAGE_HOSTS_MAX 32 /* of them the latest; of one that is left out sets may count again */

struct sf_lineage_host {
    uint64_t host, version;
};

struct sf_lineage_set {
    struct sf_span name; /* empty: the flags */
    uint64_t version;
};

struct sf_lineage_sum {
    struct sf_span name;
    uint64_t host;
    int64_t total; /* wraps around: only differences count */
};

/* Names are borrowed from where they were read. */
struct sf_lineage {
    uint64_t host; /* whose sets these are; 0: nobody's */
    uint64_t base; /* 0: the store has no row yet */
    struct sf_lineage_host merged[SF_LINEAGE_HOSTS_MAX];
    size_t merged_count;
    struct sf_lineage_set *sets; /* malloc'ed, as `sums` */
    size_t set_count, set_room;
    struct sf_lineage_sum *sums;
    size_t sum_count, sum_room;
};

void sf_lineage_init(struct sf_lineage *lineage);
void sf_lineage_fini(struct sf_lineage *lineage);

/* An empty span is an empty lineage. SF_CORRUPT. */
enum sf_status sf_lineage_decode(struct sf_lineage *lineage, struct sf_span bytes) SF_MUST_CHECK;
/* Appends. */
enum sf_status sf_lineage_encode(const struct sf_lineage *lineage,
                                 struct sf_buffer *bytes) SF_MUST_CHECK;

/* From now on it says what `host` changes in what grew from version `base` of the row. */
void sf_lineage_begin(struct sf_lineage *lineage, uint64_t host, uint64_t base);

/* Up to which version of the host; 0: nothing of it. */
uint64_t sf_lineage_merged(const struct sf_lineage *lineage, uint64_t host);
void sf_lineage_merge_to(struct sf_lineage *lineage, uint64_t host, uint64_t version);

enum sf_status sf_lineage_note_set(struct sf_lineage *lineage, struct sf_span name,
                                   uint64_t version) SF_MUST_CHECK;
/* To the sum of lineage->host. */
enum sf_status sf_lineage_note_sum(struct sf_lineage *lineage, struct sf_span name,
                                   int64_t delta) SF_MUST_CHECK;
/* 0: there is none. */
int64_t sf_lineage_sum_of(const struct sf_lineage *lineage, uint64_t host, struct sf_span name);
