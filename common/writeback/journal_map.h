/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * journal_map.h - where the newest journalled version of each session stands, as long as the store
 * does not have it.
 *
 * Private to the journal, which guards it by its lock.
 */
#include <stdbool.h>

#include "common/identity/session_id.h"

struct sf_journal_file;

struct sf_journal_entry {
    struct sf_key key;
    uint64_t version;
    uint64_t number; /* of the row in `file` */
    struct sf_journal_file *file;
    uint32_t next;   /* in its bucket, or among the free ones */
    bool is_orphan;  /* L1 may not have it: the journal writes it to the store */
    bool is_refused; /* an orphan that the store has not taken */
    bool is_behind;  /* perhaps: the store may have a later version */
};

/* Entries stay where they are until the next call of sf_journal_map_reserve or sf_journal_map_shrink. */
struct sf_journal_map {
    struct sf_journal_entry *entries;
    uint32_t *buckets; /* as many as entries: a power of two, or none */
    uint32_t capacity, used, free;
    size_t count;
};

void sf_journal_map_init(struct sf_journal_map *map);
void sf_journal_map_fini(struct sf_journal_map *map);

/* So many may be added; moves entries. */
enum sf_status sf_journal_map_reserve(struct sf_journal_map *map, size_t more) SF_MUST_CHECK;

/* Gives room back if most of it is unused; moves entries, and a walk under way must begin again. */
void sf_journal_map_shrink(struct sf_journal_map *map);

struct sf_journal_entry *sf_journal_map_find(const struct sf_journal_map *map,
                                             const struct sf_key *key); /* NULL: none */
/* The key is not there yet, and room was reserved. All but the key is zero. */
struct sf_journal_entry *sf_journal_map_add(struct sf_journal_map *map, const struct sf_key *key);
void sf_journal_map_remove(struct sf_journal_map *map, struct sf_journal_entry *entry);

/* Goes through all of them, in no order: begin with *cursor 0. NULL: that was all. */
struct sf_journal_entry *sf_journal_map_next(const struct sf_journal_map *map, uint32_t *cursor);
